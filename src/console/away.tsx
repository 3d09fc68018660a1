/** That the platform does not answer is said once on a page, whatever of it is not renewed. */
import { createContext, useCallback, useContext, useEffect, useId, useState } from "react";
import type { ReactNode } from "react";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

/** A part of the page tells since when it is not renewed; null: it is. */
type TellAway = (part: string, at: number | null) => void;

const Telling = createContext<TellAway>(() => undefined);

export function OnceAway({ children }: { readonly children: ReactNode }): ReactNode {
  const { words, format } = useSpoken();
  const [parts, setParts] = useState<ReadonlyMap<string, number>>(new Map());
  const tell = useCallback<TellAway>(
    (part, at) =>
      setParts((now) => {
        const next = new Map(now);
        if (at === null) next.delete(part);
        else next.set(part, at);
        return next;
      }),
    [],
  );
  return (
    <Telling value={tell}>
      {parts.size > 0 && (
        <p className={ui["stale"]} role="status">
          {words.staleAway(format.moment(Math.min(...parts.values()), Date.now()))}
        </p>
      )}
      {children}
    </Telling>
  );
}

/** While it is there, a part of the page is not renewed. */
export function Away({ at }: { readonly at: number }): ReactNode {
  const tell = useContext(Telling);
  const part = useId();
  useEffect(() => {
    tell(part, at);
    return () => tell(part, null);
  }, [tell, part, at]);
  return null;
}
