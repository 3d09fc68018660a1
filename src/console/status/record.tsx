/** Up to when each source's record is there, and what else runs: for who is signed in; strangers are told less by the platform itself. */
import type { ReactNode } from "react";
import { isOpen } from "../../contract/isolation.ts";
import type { EvidenceView, StatusView } from "../../contract/status.ts";
import { SaidInline } from "../said.tsx";
import { TableHead } from "../table.tsx";
import { useSpoken } from "../words/words.tsx";
import ui from "../ui.module.css";

export function RecordPart({ status }: { readonly status: StatusView }): ReactNode {
  const { words, format } = useSpoken();
  const { ofStatus } = words;
  const { version, spaces, journalIndex, isolation, tls, edge, evidence = [] } = status;
  return (
    <section>
      <h2>{ofStatus.platform}</h2>
      <dl className={ui["facts"]}>
        <dt>{ofStatus.version}</dt>
        <dd>{version}</dd>
        <dt>{words.spaces}</dt>
        <dd>{format.number(spaces)}</dd>
        <dt>{ofStatus.journal}</dt>
        <dd>{ofStatus.journalAt(format.number(journalIndex))}</dd>
        {isolation && (
          <>
            <dt>{words.isolation}</dt>
            <dd className={isOpen(isolation) ? ui["failed"] : undefined}>
              {isOpen(isolation) ? "✕ " : ""}
              <SaidInline text={isolation.says} />
            </dd>
          </>
        )}
        {tls && <Certificates tls={tls} />}
        {edge && <Workers edge={edge} />}
      </dl>
      {evidence.length > 0 && <Sources evidence={evidence} />}
    </section>
  );
}

function Certificates({ tls }: { readonly tls: NonNullable<StatusView["tls"]> }): ReactNode {
  const { words, format } = useSpoken();
  const first = tls.certificates.toSorted((a, b) => a.notAfter.localeCompare(b.notAfter))[0];
  return (
    <>
      <dt>TLS</dt>
      <dd>
        {words.ofStatus.certificates(tls.certificates.length)}
        {first && `; ${words.ofStatus.endsFirst(first.names[0] ?? "", format.day(first.notAfter))}`}
        {tls.problems.map((says) => (
          <div key={says} className={ui["failed"]}>
            ✕ <SaidInline text={says} />
          </div>
        ))}
      </dd>
    </>
  );
}

function Workers({ edge }: { readonly edge: NonNullable<StatusView["edge"]> }): ReactNode {
  const { words } = useSpoken();
  return (
    <>
      <dt>{words.ofStatus.edge}</dt>
      <dd>
        {edge.length === 0 && (
          <span className={ui["failed"]}>
            ✕ {words.ofStatus.noWorker} <code>waybill edge</code>
          </span>
        )}
        {edge.map(({ name, behind }) => (
          <div key={name}>
            {name}: {words.ofStatus.copy(behind)}
          </div>
        ))}
      </dd>
    </>
  );
}

function Sources({ evidence }: { readonly evidence: readonly EvidenceView[] }): ReactNode {
  const { words, format } = useSpoken();
  const { ofStatus } = words;
  return (
    <details>
      <summary>{ofStatus.sources(evidence.length)}</summary>
      <table className={ui["table"]}>
        <TableHead names={[ofStatus.source, ofStatus.completeTo]} />
        <tbody>
          {evidence.map(({ kind, name, completeTo }) => (
            <tr key={`${kind} ${name}`}>
              <td>
                <code>
                  {kind}
                  {name === kind || name === "" ? "" : ` ${name}`}
                </code>
              </td>
              <td>{completeTo === null ? `? ${ofStatus.notHeard}` : format.exact(completeTo)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
