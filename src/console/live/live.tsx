/** Keeps what the page shows new, and says so where it cannot. */
import { useQueryClient } from "@tanstack/react-query";
import type { QueryState } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { ReactNode } from "react";
import { useLate } from "../late.ts";
import { useSpoken } from "../words/words.tsx";
import styles from "../shell.module.css";
import { listen } from "./stream.ts";
import type { Lost } from "./stream.ts";
import { madeOldBy } from "./stale.ts";

/** A connection that ends as a matter of course is there again by then. */
const saidAfterMs = 3_000;

export function Live(): ReactNode {
  const { words, format } = useSpoken();
  const queries = useQueryClient();
  const [lost, setLost] = useState<Lost>(null);
  useEffect(
    () =>
      listen({
        onChange(change) {
          const isOld = madeOldBy(change);
          void queries.invalidateQueries({
            predicate: ({ queryKey: [path], state }) =>
              typeof path === "string" && (isOld(path) || (change.type === "begun" && hasFailed(state))),
          });
        },
        onLost: setLost,
      }),
    [queries],
  );
  const isSaid = useLate(lost !== null, saidAfterMs);
  useEffect(() => {
    // No event tells of a change from now on. What is asked for now says that it is not renewed, or is as it was; what was refused is left.
    if (isSaid) void queries.invalidateQueries({ predicate: ({ state }) => state.data !== undefined });
  }, [isSaid, queries]);
  return (
    <div role="status">
      {lost !== null && isSaid && (
        <p className={styles["lost"]}>{words.reconnecting(format.moment(lost, Date.now()))}</p>
      )}
    </div>
  );
}

/** It could not be had while the platform was away, so no event that was missed made it old. */
function hasFailed({ error, fetchFailureCount }: Pick<QueryState, "error" | "fetchFailureCount">): boolean {
  return error !== null || fetchFailureCount > 0;
}
