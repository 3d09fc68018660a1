/** A change that is under way, and what became of it. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { UseMutationResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { order } from "../api.ts";
import { Failure } from "../asked.tsx";
import type { Order } from "../doing.tsx";
import { useSpoken } from "../words/words.tsx";

export type Sending = UseMutationResult<unknown, Error, Order>;

/** All that the page shows is read again after it: whatever it changed. */
export function useSending(): Sending {
  const queries = useQueryClient();
  return useMutation<unknown, Error, Order>({
    mutationFn: ({ method, path, body }) => order(method, path, body, crypto.randomUUID()),
    onSuccess: () => queries.invalidateQueries(),
  });
}

/** `done`: what to say of one that was made. */
export function Sent({ sending, done }: { readonly sending: Sending; readonly done?: string }): ReactNode {
  const { words } = useSpoken();
  return (
    <>
      <p role="status">{sending.isSuccess ? `✓ ${done ?? words.ofAdmin.done}` : ""}</p>
      {sending.error && <Failure error={sending.error} />}
    </>
  );
}
