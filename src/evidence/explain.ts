/**
 * From a work's record to a verdict: which boundary stopped it, how certain that is, and what it rests on. Pure and deterministic:
 * the same record gives the same explanation, in whatever order its entries come. It renders what the parts recorded and never
 * recomputes what one of them decided; where the record does not tell, `unknown` is the answer, and it names what is missing.
 */
import { codeRow, isCode } from "./codes.ts";
import type { Entry, Gap, WorkKind } from "./entry.ts";
import { verdictOf } from "./finding.ts";
import type { Finding } from "./finding.ts";
import { workKindOf } from "./id-kinds.ts";
import { payerOf } from "./payer.ts";
import { gapsOf, read } from "./reading.ts";
import type { Reading } from "./reading.ts";
import { buildOutcome, buildSays, findBuild } from "./rules/builds.ts";
import { callOutcome, callSays, chargeOf, findCall } from "./rules/calls.ts";
import { connectionOutcome, connectionSays, findConnection } from "./rules/connections.ts";
import { findReplica, replicaOutcome, replicaSays } from "./rules/replicas.ts";
import { findRequest, requestOutcome, requestSays } from "./rules/requests.ts";
import { findTransfer, transferOutcome, transferSays } from "./rules/transfers.ts";
import type { Charge, Explanation, Link, Verdict, WorkOutcome } from "./verdict.ts";
import type { WorkRecord } from "./work-record.ts";
import { sentence } from "./words.ts";

/** Explains one work. Never throws, and cites only entries of its input. */
export function explain(record: WorkRecord): Explanation {
  const reading = read(record);
  const charge = record.kind === "call" ? chargeOf(reading) : record.charge;
  const { finding, outcome, says } = told(reading, charge);
  const verdict = finding ? verdictOf(finding, charge) : null;
  const payer = record.kind === "call" || record.kind === "request" ? payerOf(reading) : undefined;
  return {
    id: record.id,
    kind: record.kind,
    outcome,
    sentence: [verdict?.sentence ?? says, record.trimmed?.says ?? []].flat().join(" "),
    verdict,
    ...(payer && { payer }),
    entries: [...reading.entries, ...cited(reading.neighbours, verdict)],
    gaps: gapsOf(reading, () => true),
    links: linksOf(reading),
    ...(record.clocks !== undefined && record.clocks.length > 0 && { clocks: record.clocks }),
    read: record.read,
  };
}

interface Told {
  readonly finding: Finding | undefined;
  readonly outcome: WorkOutcome;
  readonly says: string;
}

function told(reading: Reading, charge: Charge | null): Told {
  switch (reading.record.kind) {
    case "request": {
      const finding = findRequest(reading);
      return { finding, outcome: requestOutcome(reading, finding), says: requestSays(reading) };
    }
    case "call": {
      const finding = findCall(reading, charge);
      return {
        finding,
        outcome: finding?.code === null ? "unknown" : callOutcome(reading),
        says: callSays(reading, charge),
      };
    }
    case "build": {
      const { trimmed } = reading.record;
      if (trimmed !== undefined && reading.entries.length === 0)
        return { finding: undefined, outcome: trimmed.outcome, says: trimmed.ended };
      const finding = findBuild(reading);
      return { finding, outcome: buildOutcome(reading, finding), says: buildSays(reading) };
    }
    case "connection": {
      const finding = findConnection(reading);
      return { finding, outcome: connectionOutcome(reading, finding), says: connectionSays(reading) };
    }
    case "transfer": {
      const finding = findTransfer(reading);
      return { finding, outcome: transferOutcome(reading, finding), says: transferSays(reading) };
    }
    case "space":
      return { finding: undefined, outcome: "ok", says: "The Space's own record." };
    case "replica":
    case "node": {
      const finding = findReplica(reading);
      return {
        finding,
        outcome: replicaOutcome(reading, finding),
        says: reading.record.kind === "node" ? "The node is connected." : replicaSays(reading),
      };
    }
  }
}

/** What stands behind a Space's state. */
export interface SpaceRecord {
  /** `owner/name`. */
  readonly id: string;
  readonly state: keyof typeof spaceOutcomes;
  /** Since when, and what its machine recorded as the reason. */
  readonly since: string;
  readonly says: string;
  readonly code: string | null;
  /** Who brought it there, in words; what ends it and who can, as a sentence; and when it ends by itself. */
  readonly by: string;
  readonly ends: string;
  readonly deadline: string | null;
  /** What happened to it last, newest first. */
  readonly events: readonly Entry[];
  /** Its newest build and replica; null where there is none. */
  readonly build: WorkRecord | null;
  readonly replica: WorkRecord | null;
  readonly read: WorkRecord["read"];
}

const spaceOutcomes = {
  "no-release": "open",
  building: "open",
  starting: "open",
  running: "ok",
  sleeping: "ok",
  waking: "open",
  paused: "ok",
  stopping: "open",
  stopped: "ok",
  failing: "failed",
  "crash-looping": "failed",
} as const satisfies Readonly<Record<string, WorkOutcome>>;

/** States that a work brings about: its verdict says why. Of all others the Space's own record does. */
const ofWorks: readonly SpaceRecord["state"][] = ["no-release", "building", "starting", "failing", "crash-looping"];

/** Why a Space is in its state, since when, what ends it and who can; with the verdict of the work that brought it there. */
export function explainSpace(space: SpaceRecord): Explanation {
  const parts = [space.replica, space.build].flatMap((record) => (record ? [explain(record)] : []));
  const own = ownVerdict(space);
  const blamed = own === null && ofWorks.includes(space.state) ? blamedOf(space, parts) : undefined;
  const verdict = own ?? (blamed?.verdict ? lagging(space, parts, blamed.verdict) : null);
  const name = space.state === "no-release" ? "without a release" : space.state;
  const told = own?.sentence ?? (blamed?.verdict ? blamed.sentence : sentence(space.says));
  const until = space.deadline === null ? "" : ` At the latest at ${space.deadline}.`;
  return {
    id: space.id,
    kind: "space",
    outcome: spaceOutcomes[space.state],
    sentence: `${space.id} is ${name} since ${space.since}, by ${space.by}. ${told} ${space.ends}${until}`,
    verdict,
    entries: [...parts.flatMap(({ entries }) => entries), ...space.events],
    gaps: parts.flatMap(({ gaps }) => gaps),
    links: parts.map(({ id, kind, outcome, sentence: says, verdict: its }) => ({
      id,
      kind: kind as WorkKind,
      outcome,
      code: its ? `${its.boundary}/${its.code}` : null,
      sentence: says,
    })),
    read: space.read,
  };
}

/** What no build or replica has recorded, since nothing was heard of them: the Space's own record of a deadline. */
function ownVerdict({ code, says, events }: SpaceRecord): Verdict | null {
  if (code !== "route/boot-timeout" && code !== "runtime/stop-timeout") return null;
  const facts = events.filter((entry) => entry.facts["code"] === code).slice(0, 1);
  const certainty = facts.length > 0 ? "proved" : "likely";
  return verdictOf({ code, certainty, sentence: `${codeRow(code).says} ${sentence(says)}`, facts }, null);
}

/** The work with the code that the Space's own record names; else the newest that has a verdict. */
function blamedOf({ code }: SpaceRecord, parts: readonly Explanation[]): Explanation | undefined {
  const bad = parts.filter(({ verdict }) => verdict !== null);
  return (
    bad.find(({ verdict }) => `${verdict?.boundary}/${verdict?.code}` === code) ??
    bad.find(({ verdict }) => verdict?.boundary !== "unknown") ??
    bad[0]
  );
}

/** A Space failed with its newest replica: as long as that one's own end is not in the record, the build's can only be likely. */
function lagging({ state, replica }: SpaceRecord, parts: readonly Explanation[], verdict: Verdict): Verdict {
  const newest = parts.find(({ id }) => id === replica?.id);
  const isTold = newest === undefined || (newest.verdict !== null && newest.verdict.boundary !== "unknown");
  if ((state !== "failing" && state !== "crash-looping") || isTold || verdict.certainty !== "proved") return verdict;
  const says = "The end of the newest replica is not recorded yet; this is what its build met.";
  return {
    ...verdict,
    certainty: "likely",
    inferred: [...verdict.inferred, { rule: "newest-replica-untold", from: verdict.facts, says }],
  };
}

/** A counter of refusals that anyone can cause: how often in its minute, never which one. */
export interface CountedRefusals {
  readonly id: string;
  readonly code: string;
  readonly host: string;
  readonly block: string;
  /** Start of the minute, milliseconds since 1970. */
  readonly minute: number;
  readonly count: number;
  /** A few examples. */
  readonly samples: readonly string[];
}

/** Says "counted, not recorded": what such an answer's id stands for. */
export function explainCounted(counted: CountedRefusals, at: WorkRecord["read"]): Explanation {
  const { id, code, host, block, minute, count, samples } = counted;
  const since = new Date(minute).toISOString();
  const isNode = block.startsWith("node ");
  const from = host === "*" ? "from many hosts and addresses" : `${isNode ? "" : `for host "${host}" `}from ${block}`;
  const times = count === 1 ? "One such refusal" : `${count} such refusals`;
  const such = isNode && samples.length > 0 ? ` It said: ${samples.join("; ")}.` : "";
  const says = `Counted, not recorded. ${isCode(code) ? codeRow(code).says : "It was refused."} ${times} ${from} in the minute from ${since}.${such}`;
  const finding: Finding = isCode(code)
    ? { code, certainty: "proved", sentence: says, facts: [], known: "counted-not-recorded" }
    : { code: null, certainty: "unknown", sentence: says, facts: [], known: "counted-not-recorded" };
  return {
    id,
    kind: "counter",
    outcome: "refused",
    sentence: says,
    verdict: verdictOf(finding, null),
    entries: [],
    gaps: [] as readonly Gap[],
    links: [],
    read: at,
  };
}

/** Neighbours are shown only where the verdict rests on them. */
function cited(neighbours: readonly Entry[], verdict: Verdict | null): readonly Entry[] {
  if (!verdict) return [];
  const ids = new Set([
    ...verdict.facts,
    ...verdict.inferred.flatMap(({ from }) => from),
    ...Object.values(verdict.ruledOut).flat(),
  ]);
  return neighbours.filter(({ id }) => ids.has(id));
}

/** Works that were looked up, then those that the entries only name. */
function linksOf({ record, entries }: Reading): readonly Link[] {
  const known = [...record.links].sort((a, b) => (a.id < b.id ? -1 : 1));
  const named = entries.flatMap(({ facts }) => (Array.isArray(facts["link"]) ? facts["link"] : [facts["link"]]));
  const ids = new Set(
    named.filter(
      (id): id is string => typeof id === "string" && id !== record.id && !known.some((link) => link.id === id),
    ),
  );
  const rest = [...ids].sort().flatMap((id): Link[] => {
    const kind = workKindOf(id);
    return kind === undefined ? [] : [{ id, kind }];
  });
  return [...known, ...rest];
}
