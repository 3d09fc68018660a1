/** What was wrong with the platform: what goes on now, and before; each with what operators said, and the works behind it for who may see them. */
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Page } from "../../contract/api.ts";
import type { IncidentView } from "../../contract/incidents.ts";
import { Asked, looksEveryMs, useAsked } from "../asked.tsx";
import { addressOf, storyPath } from "../find.ts";
import { Pages } from "../page-links.tsx";
import { SaidInline } from "../said.tsx";
import { useSpoken } from "../words/words.tsx";
import ui from "../ui.module.css";
import styles from "./status.module.css";

const listPath = "/api/incidents";

export function OpenIncidents({ incidents }: { readonly incidents: readonly IncidentView[] }): ReactNode {
  const { words } = useSpoken();
  const open = incidents.filter(({ until }) => until === null);
  if (open.length === 0) return null;
  return (
    <section>
      <h2>{words.ofStatus.openIncidents}</h2>
      <IncidentList incidents={open} />
    </section>
  );
}

/** The page of the list that the address names. */
export function PastIncidents({ page }: { readonly page: string | null }): ReactNode {
  const { words } = useSpoken();
  const list = useAsked<Page<IncidentView>>(addressOf(listPath, { page }), { everyMs: looksEveryMs });
  return (
    <section>
      <h2>{words.ofStatus.pastIncidents}</h2>
      <Asked asked={list} what={words.ofStatus.incidents}>
        {({ items, next }) => {
          const over = items.filter(({ until }) => until !== null);
          return (
            <>
              {over.length === 0 && <p className={ui["muted"]}>{words.ofStatus.noIncidents}</p>}
              <IncidentList incidents={over} />
              <Pages page={page} next={next} here="/status" />
            </>
          );
        }}
      </Asked>
    </section>
  );
}

/** `children`: what stands below each, such as what an operator may do. */
export function IncidentList({
  incidents,
  children,
}: {
  readonly incidents: readonly IncidentView[];
  readonly children?: (incident: IncidentView) => ReactNode;
}): ReactNode {
  return (
    <ul className={ui["list"]}>
      {incidents.map((incident) => (
        <li key={incident.id}>
          <Incident incident={incident} />
          {children?.(incident)}
        </li>
      ))}
    </ul>
  );
}

function Incident({ incident }: { readonly incident: IncidentView }): ReactNode {
  const { words, format } = useSpoken();
  const { ofStatus } = words;
  const { id, boundary, wrong, planned, says, since, until, closedBy, counts, notes, behind = [] } = incident;
  const now = Date.now();
  const isBad = until === null && !planned;
  return (
    <>
      <p>
        <Link href={storyPath(id)}>
          <code>{id}</code>
        </Link>{" "}
        <strong className={isBad ? ui["failed"] : undefined}>
          {isBad ? "✕ " : ""}
          {ofStatus.wrongs[wrong] ?? wrong}
        </strong>{" "}
        <code>{boundary}</code> {planned && <span className={ui["badge"]}>{ofStatus.planned}</span>}{" "}
        <span className={ui["muted"]}>
          {until === null
            ? words.since(format.moment(since, now))
            : ofStatus.fromTo(format.moment(since, now), format.moment(until, now))}
          {closedBy === "operator" && `, ${ofStatus.closedByOperator}`}
        </span>
      </p>
      <p>
        <SaidInline text={says} />
        {counts !== null && (
          <span className={ui["muted"]}>
            {" "}
            {ofStatus.counts(format.number(counts.failed), format.number(counts.works))}
          </span>
        )}
      </p>
      {notes.map(({ at, says: word, by }) => (
        <blockquote key={at} className={styles["note"]}>
          <bdi>{word}</bdi>{" "}
          <span className={ui["muted"]}>
            {format.moment(at, now)}
            {by === undefined ? "" : `, ${by}`}
          </span>
        </blockquote>
      ))}
      {behind.length > 0 && (
        <details>
          <summary>{ofStatus.worksBehind(behind.length)}</summary>
          <ul className={styles["owners"]}>
            {behind.map((work) => (
              <li key={work}>
                <Link className={ui["target"] ?? ""} href={storyPath(work)}>
                  {work}
                </Link>
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
