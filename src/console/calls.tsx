/** GPU calls: what each held, used and was charged, and what it waits for. */
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { CallView } from "../contract/api.ts";
import { Doing } from "./doing.tsx";
import { SaidInline } from "./said.tsx";
import { WideTable } from "./table.tsx";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

/** `by`: what tells the rows apart, the Spaces of one account's calls or the accounts of one Space's. */
export function CallTable({
  calls,
  by = "space",
}: {
  readonly calls: readonly CallView[];
  readonly by?: "space" | "account";
}): ReactNode {
  const { words, format } = useSpoken();
  return (
    <WideTable
      label={words.calls}
      names={[
        words.time,
        words.call,
        by === "space" ? words.space : words.who,
        words.state,
        words.held,
        words.used,
        words.charged,
        words.receipt,
      ]}
    >
      {calls.map(({ id, at, space, stage, outcome, code, heldMs, usedMs, chargedMs, receipt, waiting, account }) => (
        <tr key={id}>
          <td className={ui["whole"]}>{format.moment(at, Date.now())}</td>
          <td>
            <Link href={`/w/${id}`}>{id}</Link>
          </td>
          <td>{by === "space" ? <Link href={`/spaces/${space}`}>{space}</Link> : account}</td>
          <td>
            <span className={outcome === "refused" || outcome === "failed" ? ui["failed"] : undefined}>
              {outcome === null ? words.callStages[stage] : `${outcome === "ok" ? "" : "✕ "}${words.outcomes[outcome]}`}
            </span>{" "}
            {code !== null && <code>{code}</code>}
            {waiting !== null && (
              <div className={ui["muted"]}>
                <SaidInline text={waiting.says} />
              </div>
            )}
            {stage === "queued" && <CancelCall id={id} />}
          </td>
          <td className={ui["amount"]}>{format.seconds(heldMs)}</td>
          <td className={ui["amount"]}>{stage === "ended" && format.seconds(usedMs)}</td>
          <td className={ui["amount"]}>{stage === "ended" && format.seconds(chargedMs)}</td>
          <td>{receipt !== null && <a href={`/api/receipts/${receipt}`}>{receipt}</a>}</td>
        </tr>
      ))}
    </WideTable>
  );
}

/** One that waits costs nothing so far, and nothing is asked before it goes. */
export function CancelCall({ id }: { readonly id: string }): ReactNode {
  const { words } = useSpoken();
  return <Doing method="POST" path={`/api/calls/${id}/cancel`} body={{}} name={words.cancel} />;
}
