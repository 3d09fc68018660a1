/** A button that changes something: it asks first where that is said, is pressed once, and shows a refusal beside itself. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { ReactNode } from "react";
import { order } from "./api.ts";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

export interface Order {
  readonly method: "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body: unknown;
}

/** All that the page shows is read again after it: whatever it changed. */
export function useOrder(): {
  give(order: Order): Promise<void>;
  readonly isGiven: boolean;
  readonly error: Error | null;
} {
  const queries = useQueryClient();
  const mutation = useMutation({
    mutationFn: ({ method, path, body }: Order) => order(method, path, body, crypto.randomUUID()),
    onSettled: () => queries.invalidateQueries(),
  });
  const give = async (wish: Order): Promise<void> => void (await mutation.mutateAsync(wish));
  return { give, isGiven: mutation.isPending, error: mutation.error };
}

export function Doing({ name, asks, ...wish }: Order & { readonly name: string; readonly asks?: string }): ReactNode {
  const { words } = useSpoken();
  const { give, isGiven, error } = useOrder();
  const [isAsked, setAsked] = useState(false);
  const act = (): void => {
    setAsked(false);
    give(wish).catch(() => {
      // It stands beside the button.
    });
  };
  return (
    <span className={ui["row"]}>
      {isAsked ? (
        <>
          <span role="status">{asks}</span>
          <button type="button" className={`${ui["button"]} ${ui["danger"]}`} onClick={act}>
            {name}
          </button>
          <button type="button" className={ui["button"]} onClick={() => setAsked(false)}>
            {words.no}
          </button>
        </>
      ) : (
        <button
          type="button"
          className={ui["button"]}
          disabled={isGiven}
          onClick={() => (asks === undefined ? act() : setAsked(true))}
        >
          {name}
        </button>
      )}
      {error !== null && (
        <span className={ui["failed"]} role="alert" lang="en">
          ✕ {error.message}
        </span>
      )}
    </span>
  );
}
