/** Asks the platform as a user would, and compares its answer with the truth. */
import type { WaybillClient } from "../../src/client/api.ts";
import { codeRow, splitCode } from "../../src/evidence/codes.ts";
import type { Explanation, Verdict } from "../../src/evidence/verdict.ts";
import { until } from "../support/platform.ts";
import type { Answered, FaultCase, Injected, Work } from "./case.ts";
import type { CaseReport, ControlReport, Score } from "./document.ts";

/** Evidence of another process is on its way for a moment: a verdict may sharpen for so long. */
const sharpensWithinMs = 30_000;

export async function scoreCase(
  fault: FaultCase,
  name: string,
  injected: Injected,
  owner: WaybillClient,
): Promise<Scored> {
  if ("told" in injected) return { report: scoreAnswer(fault, name, injected), explanation: null };
  const { id, asks, also } = injected;
  const [boundary, code] = splitCode(fault.code);
  const explanation = await sharpest(
    asks ?? owner,
    id,
    (verdict) => verdict.boundary === boundary && verdict.code === code && fault.certainty.includes(verdict.certainty),
  );
  const { verdict, sentence } = explanation;
  const wrongs = [...judge(fault, verdict), ...cited(explanation), also?.(explanation)].filter(
    (text) => text !== undefined,
  );
  const said = {
    boundary: verdict?.boundary ?? "none",
    code: verdict?.code ?? "none",
    certainty: verdict?.certainty ?? "none",
  };
  const score: Score = isUnknown(verdict) ? "unknown" : wrongs.length > 0 ? "wrong" : "right";
  const why = wrongs.length > 0 ? wrongs.join("; ") : null;
  return {
    report: { name, injected: { boundary, code }, said, score, why, id, sentence, way: null, looks: null },
    explanation,
  };
}

/** Where the answer is all that there is: its code, whose fault it was, and what to do. */
function scoreAnswer(fault: FaultCase, name: string, { told, also }: Answered): Omit<CaseReport, "tookMs"> {
  const [boundary, code] = splitCode(fault.code);
  const { owner, status, next } = codeRow(fault.code);
  const wrongs = [
    told.boundary === boundary && told.code === code ? undefined : `said ${told.boundary}/${told.code}: ${told.detail}`,
    told.owner === (fault.owner ?? owner) ? undefined : `blames ${told.owner}, not ${owner}`,
    told.status === status ? undefined : `its status is ${told.status}, not ${status}`,
    told.next === next ? undefined : `says to do "${told.next}", not "${next}"`,
    also?.(),
  ].filter((text) => text !== undefined);
  return {
    name,
    injected: { boundary, code },
    said: { boundary: told.boundary, code: told.code, certainty: "proved" },
    score: wrongs.length > 0 ? "wrong" : "right",
    why: wrongs.length > 0 ? wrongs.join("; ") : null,
    id: told.waybill ?? null,
    sentence: told.detail,
    way: null,
    looks: null,
  };
}

/** What an answer was given to, and the explanation by which: null of an answer that is all that there is. */
export interface Scored {
  readonly report: Omit<CaseReport, "tookMs">;
  readonly explanation: Explanation | null;
}

/** `blamed`: the platform took a fault on itself where there was none. */
export async function scoreControl(
  name: string,
  { id, asks, also }: Work,
  owner: WaybillClient,
): Promise<{ readonly report: ControlReport; readonly explanation: Explanation }> {
  const explanation = await sharpest(asks ?? owner, id, () => true);
  const { verdict } = explanation;
  const platform = verdict !== null && verdict.owner !== "app" && verdict.owner !== "visitor";
  const wrongs = [
    platform ? `${verdict.boundary}/${verdict.code} (${verdict.owner}): ${verdict.sentence}` : undefined,
    ...cited(explanation),
    also?.(explanation),
  ].filter((text) => text !== undefined);
  const why = wrongs.length > 0 ? wrongs.join("; ") : null;
  return { report: { name, blamed: wrongs.length > 0, why, id }, explanation };
}

/** The first explanation that is `enough`, or the last one. One that is proved is never waited over: it may not change. */
async function sharpest(
  client: WaybillClient,
  id: string,
  enough: (verdict: Verdict) => boolean,
): Promise<Explanation> {
  let last: Explanation | undefined;
  try {
    return await until(
      `the verdict of ${id}`,
      async () => {
        last = await client.explain(id);
        const { verdict } = last;
        return verdict !== null && (enough(verdict) || verdict.certainty === "proved")
          ? last
          : last.outcome === "ok"
            ? last
            : undefined;
      },
      sharpensWithinMs,
    );
  } catch (error) {
    if (last) return last;
    throw error;
  }
}

function isUnknown(verdict: Verdict | null): boolean {
  return verdict === null || verdict.certainty === "unknown" || verdict.boundary === "unknown";
}

function judge(fault: FaultCase, verdict: Verdict | null): (string | undefined)[] {
  if (verdict === null) return ["there is no verdict"];
  const [boundary, code] = splitCode(fault.code);
  const owner = fault.owner ?? codeRow(fault.code).owner;
  return [
    verdict.boundary === boundary && verdict.code === code
      ? undefined
      : `said ${verdict.boundary}/${verdict.code}: ${verdict.sentence}`,
    fault.certainty.includes(verdict.certainty)
      ? undefined
      : `is ${verdict.certainty}, not ${fault.certainty.join(" or ")}: ${verdict.sentence}`,
    verdict.owner === owner ? undefined : `blames ${verdict.owner}, not ${owner}`,
    charged(fault, verdict),
  ];
}

function charged({ charge: expected }: FaultCase, { charge }: Verdict): string | undefined {
  if (expected === undefined) return undefined;
  if (charge === null) return "the verdict has no charge";
  const { chargedMs, heldMs, releasedMs, receipt } = charge;
  if (chargedMs + releasedMs !== heldMs) return `charged ${chargedMs} and released ${releasedMs} of ${heldMs} held`;
  if (heldMs > 0 && receipt === null) return "the call has no receipt";
  if (expected === "metered") return chargedMs > 0 ? undefined : "nothing was charged, and the call was metered";
  return chargedMs === expected ? undefined : `charged ${chargedMs} ms, not ${expected}`;
}

/** Whatever a verdict rests on is among the entries that are shown; a proved one rests on something. */
function cited({ kind, entries, verdict }: Explanation): (string | undefined)[] {
  if (verdict === null) return [];
  const ids = new Set(entries.map(({ id }) => id));
  const all = [
    ...verdict.facts,
    ...verdict.inferred.flatMap(({ from }) => from),
    ...Object.values(verdict.ruledOut).flat(),
  ];
  const missing = all.filter((id) => !ids.has(id));
  const isCounted = kind === "counter" || verdict.sentence.includes("Counted, not recorded");
  return [
    missing.length > 0 ? `cites entries that are not there: ${missing.join(", ")}` : undefined,
    verdict.facts.length === 0 && !isCounted && verdict.certainty !== "unknown" ? "cites nothing" : undefined,
  ];
}
