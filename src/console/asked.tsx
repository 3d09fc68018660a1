/** What a page has asked for, in each of its states: not there yet, there, there but old, refused, or not to be had. */
import { useQuery } from "@tanstack/react-query";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { ask, ApiRefusal } from "./api.ts";
import { Away } from "./away.tsx";
import { addressOf } from "./find.ts";
import { useLate } from "./late.ts";
import { Said, SaidInline } from "./said.tsx";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

/** A page that waits longer says for what. */
const saysAfterMs = 2_000;

/** What moves by the clock is asked for again so often: places in a queue, leases, a work that is open. */
export const movesEveryMs = 2_000;
/** And all else of which no event tells, or not each: cards, incidents, sums of the record. The platform itself looks every ten seconds. */
export const looksEveryMs = 15_000;

export interface AskedOptions {
  /** Asked again so often beside what the stream of events tells: numbers that change by the clock. */
  readonly everyMs?: number;
  /** False: not asked for yet. */
  readonly enabled?: boolean;
}

/** The answer at `path`; its key is the path, so that events can tell which answers are old. */
export function useAsked<Answer>(path: string, { everyMs, enabled = true }: AskedOptions = {}): UseQueryResult<Answer> {
  return useQuery<Answer>({
    queryKey: [path],
    queryFn: ({ signal }) => ask<Answer>(path, signal),
    enabled,
    ...(everyMs !== undefined && { refetchInterval: everyMs }),
  });
}

/** What is known of an answer, be it one or a list in pages. */
type AskedFor<Answer> = Pick<UseQueryResult<Answer>, "data" | "error" | "failureReason" | "dataUpdatedAt"> & {
  refetch(): Promise<unknown>;
};

/** `what`: a few words for what is waited for. */
export function Asked<Answer>({
  asked,
  what,
  children,
}: {
  readonly asked: AskedFor<Answer>;
  readonly what: string;
  readonly children: (answer: Answer) => ReactNode;
}): ReactNode {
  const { data, error } = asked;
  const failure = error ?? asked.failureReason;
  if (data === undefined)
    return error === null ? <Loading what={what} /> : <Failure error={error} again={() => void asked.refetch()} />;
  return (
    <>
      {failure !== null && <Stale at={asked.dataUpdatedAt} failure={failure} />}
      {children(data)}
    </>
  );
}

export function Loading({ what }: { readonly what: string }): ReactNode {
  const { words } = useSpoken();
  const isSlow = useLate(true, saysAfterMs);
  return (
    <p className={ui["loading"]} role="status">
      {isSlow ? words.loadingFor(what) : words.loading} …
    </p>
  );
}

/** What was known stays, with since when it is not renewed, and why: nobody answers, which holds of all of a page, or what the platform says of this. */
function Stale({ at, failure }: { readonly at: number; readonly failure: Error }): ReactNode {
  const { words, format } = useSpoken();
  if (!(failure instanceof ApiRefusal)) return <Away at={at} />;
  return (
    <p className={ui["stale"]} role="status">
      {words.stale(format.moment(at, Date.now()))}: <SaidInline text={failure.message} />
    </p>
  );
}

/** An error in the form that all of ours have: what, why, and what to do. */
export function Failure({ error, again }: { readonly error: Error; readonly again?: () => void }): ReactNode {
  const { words } = useSpoken();
  if (!(error instanceof ApiRefusal))
    return (
      <section className={ui["panel"]} role="alert">
        <h2 className={ui["failed"]}>✕ {words.unreachable}</h2>
        <p>{words.unreachableNext}</p>
        <p className={ui["muted"]} lang="en">
          {error.message}
        </p>
        {again !== undefined && <AgainButton again={again} />}
      </section>
    );
  const { status, problem } = error;
  const isForbidden = status === 401 || status === 403;
  const title = isForbidden ? words.forbiddenTitle : status === 404 ? words.notFoundTitle : words.failedTitle;
  return (
    <section className={ui["panel"]} role="alert">
      <h2 className={ui["failed"]}>✕ {title}</h2>
      <Said text={error.message} />
      {problem.next !== undefined && problem.next !== "" && <Said text={problem.next} />}
      {status === 403 && <p>{words.forbiddenRole}</p>}
      {status === 401 && (
        <p>
          <SignInLink>{words.signInFirst}</SignInLink>
        </p>
      )}
      <p className={ui["muted"]}>
        {problem.boundary !== undefined && (
          <code>
            {problem.boundary}/{problem.code}
          </code>
        )}{" "}
        {problem.waybill !== undefined && <code>{problem.waybill}</code>}
      </p>
      {again !== undefined && !isForbidden && status !== 404 && <AgainButton again={again} />}
    </section>
  );
}

function AgainButton({ again }: { readonly again: () => void }): ReactNode {
  const { words } = useSpoken();
  return (
    <button type="button" className={ui["button"]} onClick={again}>
      {words.again}
    </button>
  );
}

/** To the server's own page, and back to this one. */
export function SignInLink({ children }: { readonly children: ReactNode }): ReactNode {
  const next = location.pathname + location.search;
  return <a href={addressOf("/login", { next: next === "/" ? null : next })}>{children}</a>;
}
