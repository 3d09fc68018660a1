/** Judges the records of what was caused once more, without the platform: beside others', by other clocks, and with evidence taken away. */
import { splitCode } from "../../src/evidence/codes.ts";
import type { Code } from "../../src/evidence/codes.ts";
import { explain } from "../../src/evidence/explain.ts";
import { judgeAll } from "../../src/evidence/judging.suite.ts";
import type { Judgement } from "../../src/evidence/judging.suite.ts";
import { isWhole, wayNames } from "../../src/evidence/ways.suite.ts";
import type { WorkRecord } from "../../src/evidence/work-record.ts";
import type { CaseReport, ControlReport } from "./document.ts";

/** What was caused, and all that is recorded of it. */
export interface Recorded {
  readonly name: string;
  /** Null of a control. */
  readonly code: Code | null;
  readonly record: WorkRecord;
}

/** Enough of others' to be confused by; each is looked through for every work. */
const othersMax = 100;
const toldMax = 3;

export function lookAgain(recorded: Recorded, all: readonly Recorded[]): readonly CaseReport[] {
  const { name, code, record } = recorded;
  if (code === null) return [];
  const [boundary, short] = splitCode(code);
  const { verdict, sentence } = explain(record);
  const said = {
    boundary: verdict?.boundary ?? "none",
    code: verdict?.code ?? "none",
    certainty: verdict?.certainty ?? "none",
  };
  return wayNames.flatMap((way): readonly CaseReport[] => {
    const since = performance.now();
    const judged = judgeAll(way, record, othersOf(recorded, all));
    if (judged.length === 0) return [];
    const wrong = judged.filter((one) => one.judged === "wrong");
    return [
      {
        name: `${name}; ${way}`,
        injected: { boundary, code: short },
        said,
        score: wrong.length > 0 ? "wrong" : "right",
        why: wrong.length > 0 ? whySays(wrong) : null,
        id: record.id,
        sentence,
        tookMs: Math.round(performance.now() - since),
        way,
        looks: {
          same: count(judged, "same"),
          weaker: count(judged, "weaker"),
          unknown: count(judged, "unknown"),
          wrong: wrong.length,
        },
      },
    ];
  });
}

/** The same of a control: nobody else may be blamed for less evidence. An emitter that dies is a fault, and none is caused here. */
export function lookAtControl(recorded: Recorded, all: readonly Recorded[]): Pick<ControlReport, "blamed" | "why"> {
  const ways = wayNames.filter((way) => way !== "an emitter dead");
  const wrong = ways.flatMap((way) =>
    judgeAll(way, recorded.record, othersOf(recorded, all))
      .filter(({ judged }) => judged === "wrong")
      .map((one) => ({ ...one, says: `${way}: ${one.says}` })),
  );
  return { blamed: wrong.length > 0, why: wrong.length > 0 ? whySays(wrong) : null };
}

export function isWholeWay(way: string | null): boolean {
  return way === null || wayNames.some((one) => one === way && isWhole(one));
}

/** Those caused before and after it, on whatever platform. */
function othersOf({ record }: Recorded, all: readonly Recorded[]): readonly WorkRecord[] {
  return all
    .filter((other) => other.record.id !== record.id)
    .slice(-othersMax)
    .map((other) => other.record);
}

function whySays(wrong: readonly (Judgement & { readonly says: string })[]): string {
  const more = wrong.length > toldMax ? `, and ${wrong.length - toldMax} more` : "";
  return `${wrong
    .slice(0, toldMax)
    .map(({ says, why }) => `${says}: ${why}`)
    .join("; ")}${more}`;
}

function count(judged: readonly Judgement[], kind: Judgement["judged"]): number {
  return judged.filter((one) => one.judged === kind).length;
}
