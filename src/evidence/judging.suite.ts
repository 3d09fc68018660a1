/** Compares what is said of a record that something was done to with what was said of the whole. For tests. */
import type { Code } from "./codes.ts";
import { explain } from "./explain.ts";
import type { Certainty, Explanation, Verdict } from "./verdict.ts";
import { isWhole, look } from "./ways.suite.ts";
import type { Looked, Way } from "./ways.suite.ts";
import type { WorkRecord } from "./work-record.ts";

export type Judged = "same" | "weaker" | "unknown" | "wrong";

export interface Judgement {
  readonly judged: Judged;
  /** Of a wrong one. */
  readonly why?: string;
}

const ranks: readonly Certainty[] = ["unknown", "likely", "proved"];

/** All looks at one record in one way. */
export function judgeAll(
  way: Way,
  record: WorkRecord,
  others: readonly WorkRecord[] = [],
): readonly (Judgement & { readonly says: string })[] {
  const before = explain(record);
  return look(way, record, others).map((looked) => ({
    says: looked.says,
    ...judge(before, explain(looked.record), looked, isWhole(way)),
  }));
}

/** Evidence that is whole leads to the same verdict; what was taken away makes it less certain, and never another one. */
export function judge(
  before: Explanation,
  after: Explanation,
  { record, death }: Pick<Looked, "record" | "death">,
  whole = false,
): Judgement {
  const dangling = citedBeyond(after, record);
  if (dangling.length > 0) return wrong(`cites what is not there: ${dangling.join(", ")}`);
  if (whole) return judgeWhole(before, after);
  const [was, is] = [before.verdict, after.verdict];
  if (is === null) return judgeNone(before, after);
  if (is.certainty === "unknown") return { judged: "unknown" };
  if (is.certainty === "likely" && codeOf(is) === death) return { judged: "weaker" };
  if (was === null || was.certainty === "unknown") return wrong(`says ${codeOf(is)}, ${is.certainty}: ${is.sentence}`);
  if (codeOf(is) !== codeOf(was)) return wrong(`says ${codeOf(is)}, not ${codeOf(was)}: ${is.sentence}`);
  if (is.owner !== was.owner) return wrong(`blames ${is.owner}, not ${was.owner}: ${is.sentence}`);
  if (ranks.indexOf(is.certainty) > ranks.indexOf(was.certainty))
    return wrong(`is ${is.certainty}, and was ${was.certainty}: ${is.sentence}`);
  return { judged: is.certainty === was.certainty ? "same" : "weaker" };
}

function judgeWhole({ verdict: was, outcome }: Explanation, after: Explanation): Judgement {
  const told = (verdict: Verdict | null): string => JSON.stringify(verdict);
  return told(after.verdict) === told(was) && after.outcome === outcome
    ? { judged: "same" }
    : wrong(`says ${after.outcome}, ${told(after.verdict)}, and not ${outcome}, ${told(was)}`);
}

/** Nothing is wrong with it, as far as that tells: right of a work that may go on, and of one that went well. */
function judgeNone(before: Explanation, after: Explanation): Judgement {
  if (after.outcome !== "ok") return before.verdict === null ? { judged: "same" } : { judged: "unknown" };
  return before.verdict === null ? { judged: "same" } : wrong(`says that it went well: ${after.sentence}`);
}

function citedBeyond({ verdict, entries }: Explanation, record: WorkRecord): readonly string[] {
  if (verdict === null) return [];
  const cited = [
    ...verdict.facts,
    ...verdict.inferred.flatMap(({ from }) => from),
    ...Object.values(verdict.ruledOut).flat(),
  ];
  const there = new Set([...record.entries, ...(record.neighbours ?? [])].map(({ id }) => id));
  const shown = new Set(entries.map(({ id }) => id));
  return cited.filter((id) => !there.has(id) || !shown.has(id));
}

function codeOf({ boundary, code }: Verdict): Code {
  return `${boundary}/${code}` as Code;
}

function wrong(why: string): Judgement {
  return { judged: "wrong", why };
}
