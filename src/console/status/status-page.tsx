/** `/status`: how the platform does, boundary by boundary, from its own record; public. */
import type { ReactNode } from "react";
import { Link, useSearch } from "wouter";
import type { BoundaryView, StatusView, SumsView } from "../../contract/status.ts";
import { Asked, looksEveryMs, useAsked } from "../asked.tsx";
import { SaidInline } from "../said.tsx";
import { OwnerSign } from "../signs.tsx";
import { PageTitle } from "../title.tsx";
import { TableHead } from "../table.tsx";
import { useSpoken } from "../words/words.tsx";
import { OpenIncidents, PastIncidents } from "./incidents.tsx";
import { RecordPart } from "./record.tsx";
import { countedFrom, rateOf, stateGlyphs, troubled } from "./standing.ts";
import ui from "../ui.module.css";
import styles from "./status.module.css";

const statusPath = "/api/status";

export function StatusPage(): ReactNode {
  const { words } = useSpoken();
  const status = useAsked<StatusView>(statusPath, { everyMs: looksEveryMs });
  const page = new URLSearchParams(useSearch()).get("page");
  return (
    <>
      <PageTitle title={words.ofStatus.title} />
      <Asked asked={status} what={words.ofStatus.what}>
        {(told) => <Told status={told} />}
      </Asked>
      <PastIncidents page={page} />
    </>
  );
}

function Told({ status }: { readonly status: StatusView }): ReactNode {
  const { words, format } = useSpoken();
  const { ofStatus } = words;
  const { boundaries = [], incidents = [], asOf, isLastKnown = false } = status;
  const counted = countedFrom(status);
  const wrong = troubled(boundaries);
  return (
    <>
      {isLastKnown && asOf !== undefined && (
        <p className={ui["stale"]} role="status">
          {ofStatus.lastKnown(format.moment(asOf, Date.now()))}
        </p>
      )}
      <p>
        <span role="status">
          {boundaries.length === 0
            ? ofStatus.nothingKnown
            : wrong.length === 0
              ? `✓ ${ofStatus.allWell}`
              : ofStatus.notWell(wrong.length, boundaries.length)}
        </span>{" "}
        {asOf !== undefined && <span className={ui["muted"]}>{ofStatus.asOf(format.moment(asOf, Date.now()))}</span>}
      </p>
      <OpenIncidents incidents={incidents} />
      {boundaries.length > 0 && (
        <section>
          <h2>{ofStatus.boundaries}</h2>
          <BoundariesTable status={status} boundaries={boundaries} />
          {counted !== null && (
            <p className={ui["muted"]}>{ofStatus.countedSince(format.moment(counted, Date.now()))}</p>
          )}
        </section>
      )}
      <RecordPart status={status} />
    </>
  );
}

function BoundariesTable({
  status,
  boundaries,
}: {
  readonly status: StatusView;
  readonly boundaries: readonly BoundaryView[];
}): ReactNode {
  const { words } = useSpoken();
  const { ofStatus } = words;
  return (
    <table className={`${ui["table"]} ${ui["stacked"]} ${styles["labelled"]}`}>
      <TableHead names={[ofStatus.boundary, words.state, ofStatus.hour, ofStatus.day, ofStatus.waits]} />
      <tbody>
        {boundaries.map((boundary) => (
          <tr key={boundary.boundary}>
            <th scope="row" className={styles["name"]}>
              <code>{boundary.boundary}</code>
              <br />
              <span className={ui["muted"]}>{nameOf(ofStatus.names, boundary.boundary)}</span>
            </th>
            <td>
              <State boundary={boundary} />
              <Now status={status} boundary={boundary.boundary} />
            </td>
            <td data-label={ofStatus.hour}>
              <Ended sums={boundary.hour} />
            </td>
            <td data-label={ofStatus.day}>
              <Ended sums={boundary.day} hasCodes />
            </td>
            <td data-label={ofStatus.waits}>
              <Waited waits={boundary.hour.waits} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function State({ boundary: { state, since, says, behind } }: { readonly boundary: BoundaryView }): ReactNode {
  const { words, format } = useSpoken();
  return (
    <>
      <strong className={state === "failing" ? ui["failed"] : undefined}>
        {stateGlyphs[state]} {words.ofStatus.states[state]}
      </strong>{" "}
      <span className={ui["muted"]}>{words.since(format.moment(since, Date.now()))}</span>
      {state !== "ok" && (
        <div>
          <SaidInline text={says} />
        </div>
      )}
      {behind.length > 0 && <div className={ui["muted"]}>{words.ofStatus.behind(behind.join(", "))}</div>}
    </>
  );
}

/** What is under way at this moment, where the platform tells it. */
function Now({ status, boundary }: { readonly status: StatusView; readonly boundary: string }): ReactNode {
  const { words } = useSpoken();
  const waiting = status.pools.reduce((sum, pool) => sum + pool.waiting, 0);
  if (boundary === "build")
    return <div className={ui["muted"]}>{words.ofStatus.builds(status.builds.queued, status.builds.building)}</div>;
  if (boundary !== "gpu") return null;
  return (
    <div className={ui["muted"]}>
      <Link href="/gpu">{words.ofStatus.waiting(waiting)}</Link>
    </div>
  );
}

function Ended({ sums, hasCodes = false }: { readonly sums: SumsView; readonly hasCodes?: boolean }): ReactNode {
  const { words, format } = useSpoken();
  const { works, failed, share, by, codes } = rateOf(sums);
  if (share === null) return <span className={ui["muted"]}>{words.ofStatus.nothingEnded}</span>;
  if (failed === 0) return words.ofStatus.allPassed(works, format.number(works));
  return (
    <>
      {words.ofStatus.stopped(format.number(failed), format.number(works), format.percent(share))}
      <ul className={styles["owners"]}>
        {by.map(({ owner, count }) => (
          <li key={owner}>
            <OwnerSign owner={owner} /> {format.number(count)}
          </li>
        ))}
      </ul>
      {hasCodes && codes.length > 0 && (
        <details>
          <summary>{words.ofStatus.byCode}</summary>
          <ul className={styles["codes"]}>
            {codes.map(({ code, count }) => (
              <li key={code}>
                <code>{code}</code> {format.number(count)}
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function Waited({ waits }: { readonly waits: SumsView["waits"] }): ReactNode {
  const { words, format } = useSpoken();
  if (waits === null) return <span className={ui["muted"]}>{words.ofStatus.neverWaits}</span>;
  const { count, p50Ms, p95Ms, p99Ms } = waits;
  if (p50Ms === null || p95Ms === null || p99Ms === null)
    return <span className={ui["muted"]}>{words.ofStatus.nobodyWaited}</span>;
  return (
    <>
      {words.ofStatus.waited(format.number(count), format.short(p50Ms))}
      <div className={ui["muted"]}>{words.ofStatus.waitedMost(format.short(p95Ms), format.short(p99Ms))}</div>
    </>
  );
}

/** A later version's boundary has its code alone. */
function nameOf(names: Readonly<Record<string, string>>, boundary: string): string {
  return names[boundary] ?? "";
}
