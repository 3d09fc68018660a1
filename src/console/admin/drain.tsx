/** Takes a pool, a node or a card out of use, with a reason that whoever is refused for it reads; and gives it back. */
import type { FormEvent, ReactNode } from "react";
import type { DrainRequest, DrainView } from "../../contract/nodes.ts";
import { SaidInline } from "../said.tsx";
import { useSpoken } from "../words/words.tsx";
import { Sent, useSending } from "../sending.tsx";
import { textsOf } from "./settings.ts";
import ui from "../ui.module.css";

const reasonMaxChars = 200;

export function DrainPart({
  path,
  what,
  drain,
  isIts,
}: {
  /** Of the drain, in the API. */
  readonly path: string;
  /** As it is called. */
  readonly what: string;
  readonly drain: DrainView | null;
  /** The drain is of this itself, and can be taken back here. */
  readonly isIts: boolean;
}): ReactNode {
  const { words } = useSpoken();
  const { ofAdmin } = words;
  const sending = useSending();
  const onSubmit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const { reason = "", after = "" } = textsOf(new FormData(event.currentTarget));
    const body: DrainRequest = { reason, ...(after !== "" && { endAfterMs: Math.round(Number(after) * 1000) }) };
    sending.mutate({ method: "PUT", path, body });
  };
  return (
    <>
      {drain !== null && (
        <p>
          <strong>◌ {ofAdmin.drained}</strong> <SaidInline text={drain.says} />
        </p>
      )}
      {drain !== null && isIts && (
        <button
          type="button"
          className={ui["button"]}
          disabled={sending.isPending}
          onClick={() => sending.mutate({ method: "DELETE", path, body: {} })}
        >
          {ofAdmin.giveBack(what)}
        </button>
      )}
      {drain === null && (
        <details>
          <summary>{ofAdmin.takeOut(what)}</summary>
          <form onSubmit={onSubmit}>
            <label className={ui["field"]}>
              {ofAdmin.drainReason}
              <input name="reason" required maxLength={reasonMaxChars} />
            </label>
            <label className={ui["field"]}>
              {ofAdmin.endAfter}
              <input name="after" type="number" min={0} step="any" />
            </label>
            <button type="submit" className={ui["button"]} disabled={sending.isPending}>
              {ofAdmin.takeOut(what)}
            </button>
          </form>
        </details>
      )}
      <Sent sending={sending} />
    </>
  );
}
