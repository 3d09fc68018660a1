/** `/w/ID`: the story of one work. Its verdict for whoever has the id; its proof for those whom it concerns. */
import { lazy, Suspense, useState } from "react";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { shortened, type ChainStep } from "../../evidence/chain.ts";
import { clockSays } from "../../evidence/clocks.ts";
import { known } from "../../evidence/known.ts";
import type { Charge, Link as WorkLink, Verdict, WorkTold } from "../../evidence/verdict.ts";
import { Asked, Loading, movesEveryMs, useAsked } from "../asked.tsx";
import { CopyButton } from "../copy.tsx";
import { Said, SaidInline } from "../said.tsx";
import { pathOf, storyPath } from "../find.ts";
import { OwnerSign } from "../signs.tsx";
import { PageTitle } from "../title.tsx";
import { useSpoken } from "../words/words.tsx";
import { timelineOf } from "./timeline.ts";
import { EntriesTable, TimelineDrawing } from "./drawing.tsx";
import { verdictText } from "./verdict-text.ts";
import ui from "../ui.module.css";
import styles from "./drawing.module.css";

const LogView = lazy(() => import("../log/log-view.tsx"));

export function WorkPage({ id }: { readonly id: string }): ReactNode {
  const path = `/api/works/${pathOf(id)}`;
  const work = useAsked<WorkTold>(path);
  // The stream of events tells of its end sooner where it can.
  useAsked<WorkTold>(path, { everyMs: movesEveryMs, enabled: work.data?.outcome === "open" });
  return (
    <>
      {work.data === undefined && <PageTitle title={id} />}
      <Asked asked={work} what={id}>
        {(told) => <Story told={told} />}
      </Asked>
    </>
  );
}

function Story({ told }: { readonly told: WorkTold }): ReactNode {
  const { words } = useSpoken();
  const [lit, setLit] = useState<readonly string[]>([]);
  const {
    id,
    kind,
    outcome,
    verdict,
    sentence,
    payer,
    entries,
    gaps,
    links,
    chain = [],
    clocks = [],
    read,
    details,
  } = told;
  const shown = new Set(lit);
  const light = (ids: readonly string[]): void => setLit(ids.join() === lit.join() ? [] : ids);
  return (
    <>
      <PageTitle title={words.workTitle(words.kinds[kind], id)}>
        {words.kinds[kind]} <code>{id}</code>
      </PageTitle>
      <p className={outcome === "refused" || outcome === "failed" ? ui["failed"] : ui["muted"]}>
        {outcome === "refused" || outcome === "failed" ? "✕ " : ""}
        {words.outcomes[outcome]}
      </p>
      <div className={ui["panel"]}>
        {verdict === null ? <Said text={sentence} /> : <VerdictPart verdict={verdict} lit={lit} light={light} />}
        {payer && (
          <p className={ui["muted"]}>
            {words.countedAs} <span lang="en">{payer.says}</span>
          </p>
        )}
        <p className={ui["row"]}>
          <CopyButton text={() => verdictText(told, location.href)}>{words.copyVerdict}</CopyButton>
          <a className={ui["target"]} href={`/api/works/${pathOf(id)}`}>
            {words.json}
          </a>
        </p>
      </div>
      {kind === "build" && details && (
        <section>
          <h2>{words.log}</h2>
          <Suspense fallback={<Loading what={words.log} />}>
            <LogView path={`/api/builds/${encodeURIComponent(id)}/log`} />
          </Suspense>
        </section>
      )}
      {chain.length > 0 && <Chain chain={chain} own={id} />}
      {links.length > 0 && <Linked links={links} />}
      {entries.length === 0 && details && <p className={ui["panel"]}>{words.noEntries}</p>}
      {entries.length === 0 && !details && <p className={ui["muted"]}>{words.proofFor}</p>}
      {entries.length > 0 && (
        <section>
          <h2>{words.timeline}</h2>
          <TimelineDrawing timeline={timelineOf({ kind, outcome, entries, gaps, verdict })} lit={shown} />
          {verdict && <Proof verdict={verdict} lit={lit} light={light} />}
          <details>
            <summary>
              {words.asTable}: {words.entriesCount(entries.length)}
            </summary>
            <EntriesTable entries={entries} lit={shown} />
          </details>
          {clocks
            .flatMap((clock) => clockSays(clock) ?? [])
            .map((says) => (
              <p key={says} className={ui["muted"]}>
                {words.clock}: <span lang="en">{says}</span>
              </p>
            ))}
          <p className={ui["muted"]}>{words.readTo(read.journal, read.evidence)}</p>
        </section>
      )}
    </>
  );
}

interface Lighting {
  readonly verdict: Verdict;
  readonly lit: readonly string[];
  light(ids: readonly string[]): void;
}

/** A sentence that lights the entries that it rests on. */
function Sentence({
  ids,
  lit,
  light,
  children,
}: Omit<Lighting, "verdict"> & { readonly ids: readonly string[]; readonly children: ReactNode }): ReactNode {
  if (ids.length === 0) return <div>{children}</div>;
  return (
    <button
      type="button"
      className={styles["sentence"]}
      aria-pressed={ids.join() === lit.join()}
      onClick={() => light(ids)}
    >
      {children}
    </button>
  );
}

function VerdictPart({ verdict, lit, light }: Lighting): ReactNode {
  const { words } = useSpoken();
  const { sentence, boundary, code, certainty, owner, charge, next, retry, facts } = verdict;
  return (
    <>
      <Sentence ids={facts} lit={lit} light={light}>
        <strong>
          <SaidInline text={sentence} />
        </strong>
      </Sentence>
      <dl className={ui["facts"]}>
        <dt>{words.stoppedAt}</dt>
        <dd>
          <code>
            {boundary}/{code}
          </code>
          , {words.certainties[certainty]}
        </dd>
        <dt>{words.owner}</dt>
        <dd>
          <OwnerSign owner={owner} />
        </dd>
        {charge && <ChargePart charge={charge} />}
        <dt>{words.next}</dt>
        <dd>
          <SaidInline text={next} />
        </dd>
        <dt>{words.retry}</dt>
        <dd>{words.retries[retry]}</dd>
      </dl>
      {isKnown(verdict.known) && (
        <p className={ui["muted"]}>
          {words.asItShouldBe}: <SaidInline text={known[verdict.known]} />
        </p>
      )}
    </>
  );
}

function isKnown(id: string | null): id is keyof typeof known {
  return id !== null && Object.hasOwn(known, id);
}

function ChargePart({ charge }: { readonly charge: Charge }): ReactNode {
  const { words, format } = useSpoken();
  const { chargedMs, heldMs, releasedMs, receipt, paidBy } = charge;
  const parts = [
    words.chargedSays(format.seconds(chargedMs), format.seconds(heldMs)),
    ...(releasedMs > 0 ? [words.givenBack(format.seconds(releasedMs))] : []),
    ...(paidBy === undefined ? [] : [words.paidBy(paidBy)]),
  ];
  return (
    <>
      <dt>{words.charged}</dt>
      <dd>
        {parts.join(", ")}
        {receipt !== null && (
          <>
            , {words.receipt} <a href={`/api/receipts/${encodeURIComponent(receipt)}`}>{receipt}</a>
          </>
        )}
      </dd>
    </>
  );
}

function Proof({ verdict, lit, light }: Lighting): ReactNode {
  const { words } = useSpoken();
  const { inferred, ruledOut, ruledOutBecause } = verdict;
  return (
    <>
      <h2>{words.proof}</h2>
      {inferred.length === 0 && <p className={ui["muted"]}>{words.inferredNothing}</p>}
      {inferred.map(({ rule, from, says }) => (
        <Sentence key={`${rule} ${says}`} ids={from} lit={lit} light={light}>
          {words.inferred}: <SaidInline text={says} /> <code>{rule}</code>
        </Sentence>
      ))}
      {Object.entries(ruledOut).map(([boundary, ids]) => (
        <Sentence key={boundary} ids={ids} lit={lit} light={light}>
          {words.ruledOut}: <code>{boundary}</code> <SaidInline text={ruledOutBecause[boundary] ?? ""} />
        </Sentence>
      ))}
    </>
  );
}

/** From whoever asked down to the push of the code. */
function Chain({ chain, own }: { readonly chain: readonly ChainStep[]; readonly own: string }): ReactNode {
  const { words } = useSpoken();
  return (
    <section>
      <h2>{words.chain}</h2>
      <ol className={ui["list"]}>
        {chain.map(({ id, kind, by, likely }) => (
          <li key={id} aria-current={id === own ? "true" : undefined}>
            {words.kinds[kind]}{" "}
            {id === own ? (
              <code>{id}</code>
            ) : (
              <Link href={storyPath(id)}>{kind === "commit" ? shortened(id) : id}</Link>
            )}
            {by !== undefined && <> {words.pushedBy(by)}</>}
            {likely !== undefined && <Likely why={likely} />}
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Nobody's record names it. */
function Likely({ why }: { readonly why: string }): ReactNode {
  const { words } = useSpoken();
  return (
    <div className={ui["muted"]}>
      {words.likely}: <span lang="en">{why}</span>
    </div>
  );
}

function Linked({ links }: { readonly links: readonly WorkLink[] }): ReactNode {
  const { words } = useSpoken();
  return (
    <section>
      <h2>{words.linked}</h2>
      <ul className={ui["list"]}>
        {links.map(({ id, kind, outcome, code, sentence, likely }) => (
          <li key={id}>
            {words.kinds[kind]} <Link href={storyPath(id)}>{id}</Link>{" "}
            {code ? <code>{code}</code> : outcome === undefined ? "" : words.outcomes[outcome]}
            {sentence !== undefined && (
              <div className={ui["muted"]}>
                <SaidInline text={sentence} />
              </div>
            )}
            {likely !== undefined && <Likely why={likely} />}
          </li>
        ))}
      </ul>
    </section>
  );
}
