/** A change that is under way, and what became of it. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { UseMutationResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { order } from "./api.ts";
import { Failure } from "./asked.tsx";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

export interface Order {
  readonly method: "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body: unknown;
}

export type Sending = UseMutationResult<unknown, Error, Order>;

/** All that the page shows is read again after it: whatever it changed, also where its answer was lost. */
export function useSending(): Sending {
  const queries = useQueryClient();
  return useMutation<unknown, Error, Order>({
    mutationFn: ({ method, path, body }) => order(method, path, body, crypto.randomUUID()),
    onSettled: () => queries.invalidateQueries(),
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

/** Beside a button or a field: a refusal in few words. */
export function Wrong({ sending: { error } }: { readonly sending: Sending }): ReactNode {
  if (error === null) return null;
  return (
    <span className={ui["failed"]} role="alert" lang="en">
      ✕ {error.message}
    </span>
  );
}
