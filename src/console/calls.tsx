/** GPU calls: what each held, used and was charged, and what it waits for. */
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { CallView } from "../contract/api.ts";
import { SaidInline } from "./said.tsx";
import { WideTable } from "./table.tsx";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

export function CallTable({ calls }: { readonly calls: readonly CallView[] }): ReactNode {
  const { words, format } = useSpoken();
  return (
    <WideTable
      label={words.calls}
      names={[words.time, words.call, words.space, words.state, words.held, words.used, words.charged, words.receipt]}
    >
      {calls.map(({ id, at, space, stage, outcome, code, heldMs, usedMs, chargedMs, receipt, waiting }) => (
        <tr key={id}>
          <td className={ui["whole"]}>{format.moment(at, Date.now())}</td>
          <td>
            <Link href={`/w/${id}`}>{id}</Link>
          </td>
          <td>
            <Link href={`/spaces/${space}`}>{space}</Link>
          </td>
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
          </td>
          <td className={ui["amount"]}>{format.seconds(heldMs)}</td>
          <td className={ui["amount"]}>{format.seconds(usedMs)}</td>
          <td className={ui["amount"]}>{format.seconds(chargedMs)}</td>
          <td>{receipt !== null && <a href={`/api/receipts/${receipt}`}>{receipt}</a>}</td>
        </tr>
      ))}
    </WideTable>
  );
}
