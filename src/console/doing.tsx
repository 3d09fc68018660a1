/** A button that changes something: it asks first where that is said, is pressed once, and shows a refusal beside itself. */
import { useEffect, useRef, useState } from "react";
import type { ReactNode } from "react";
import { useSending, Wrong } from "./sending.tsx";
import type { Order } from "./sending.tsx";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

export function Doing({ name, asks, ...wish }: Order & { readonly name: string; readonly asks?: string }): ReactNode {
  const { words } = useSpoken();
  const sending = useSending();
  const [isAsked, setAsked] = useState(false);
  const first = useRef<HTMLButtonElement>(null);
  const wasAsked = useRef(false);
  useEffect(() => {
    // The button that was pressed is gone: the keyboard goes on at what stands in its place.
    if (isAsked !== wasAsked.current) first.current?.focus();
    wasAsked.current = isAsked;
  }, [isAsked]);
  const act = (): void => {
    setAsked(false);
    sending.mutate(wish);
  };
  return (
    <span className={ui["row"]}>
      {isAsked ? (
        <>
          <span role="status">{asks}</span>
          <button type="button" ref={first} className={`${ui["button"]} ${ui["danger"]}`} onClick={act}>
            {name}
          </button>
          <button type="button" className={ui["button"]} onClick={() => setAsked(false)}>
            {words.no}
          </button>
        </>
      ) : (
        <button
          type="button"
          ref={first}
          className={ui["button"]}
          disabled={sending.isPending}
          onClick={() => (asks === undefined ? act() : setAsked(true))}
        >
          {name}
        </button>
      )}
      <Wrong sending={sending} />
    </span>
  );
}
