/** `/` goes to the search, `?` lists the keys. Both can be turned off (WCAG 2.2, 2.1.4). */
import { useEffect, useRef, useState } from "react";
import type { ReactNode } from "react";
import { keep, kept } from "./kept.ts";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

const keptAs = "waybill-keys";

interface Keys {
  readonly areOn: boolean;
  turn(on: boolean): void;
}

export function useKeys(does: { readonly slash: () => void; readonly question: () => void }): Keys {
  const [areOn, setOn] = useState(() => kept(keptAs) !== "off");
  const latest = useRef(does);
  latest.current = does;
  useEffect(() => {
    if (!areOn) return undefined;
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const act = event.key === "/" ? latest.current.slash : event.key === "?" ? latest.current.question : undefined;
      if (act === undefined) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [areOn]);
  const turn = (on: boolean): void => {
    keep(keptAs, on ? "on" : "off");
    setOn(on);
  };
  return { areOn, turn };
}

export function KeysDialog({
  isOpen,
  onClose,
  keys,
}: {
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly keys: Keys;
}): ReactNode {
  const { words } = useSpoken();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="keys-title">
      <h2 id="keys-title">{words.keysTitle}</h2>
      <dl className={ui["facts"]}>
        <dt>
          <kbd>/</kbd>
        </dt>
        <dd>{words.keySlash}</dd>
        <dt>
          <kbd>?</kbd>
        </dt>
        <dd>{words.keyQuestion}</dd>
        <dt>
          <kbd>Esc</kbd>
        </dt>
        <dd>{words.keyEscape}</dd>
      </dl>
      <p>
        <label className={ui["row"]}>
          <input type="checkbox" checked={keys.areOn} onChange={({ target }) => keys.turn(target.checked)} />
          {words.keysOn}
        </label>
      </p>
      <button type="button" className={ui["button"]} onClick={onClose}>
        {words.close}
      </button>
    </dialog>
  );
}

/** A key that is a letter of what somebody writes does nothing else. */
function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}
