/** Keeps what the page shows new, and says so where it cannot. */
import { useQueryClient } from "@tanstack/react-query";
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
            predicate: ({ queryKey: [path] }) => typeof path === "string" && isOld(path),
          });
        },
        onLost: setLost,
      }),
    [queries],
  );
  const isSaid = useLate(lost !== null, saidAfterMs);
  return (
    <div role="status">
      {lost !== null && isSaid && (
        <p className={styles["lost"]}>{words.reconnecting(format.moment(lost, Date.now()))}</p>
      )}
    </div>
  );
}
