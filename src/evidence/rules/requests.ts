/**
 * Why a request ended. The edge says what it saw; what became of the request on the app's side is decided by the hand-over's
 * evidence, never by the edge's guess. A verdict is proved only when the edge's last entry (`edge.deliver`) is there.
 */
import { codeRow } from "../codes.ts";
import type { Code } from "../codes.ts";
import type { Entry, WorkKind } from "../entry.ts";
import { contradiction, nothing, unknown } from "../finding.ts";
import type { Excluded, Finding } from "../finding.ts";
import { handOver } from "../handover.ts";
import { known } from "../known.ts";
import type { KnownId } from "../known.ts";
import {
  all,
  codeOf,
  codesIn,
  coded,
  epochOf,
  first,
  gapsOf,
  idsOf,
  last,
  number,
  spanSays,
  text,
  texts,
} from "../reading.ts";
import type { Reading } from "../reading.ts";
import type { Inference, WorkOutcome } from "../verdict.ts";
import { sentence, spell } from "../words.ts";
import { findJoin, joinSays } from "./joins.ts";
import { findSymptom, identityExcluded, isSymptom, replicaOf } from "./symptoms.ts";
import type { Answered } from "./symptoms.ts";

/** Why a request was refused or failed; undefined when it went well or is open. */
export function findRequest(reading: Reading): Finding | undefined {
  const delivered = all(reading, "edge.deliver");
  if (delivered.length === 0) return findUndelivered(reading);
  const codes = codesIn(reading.entries.filter(({ hop }) => hop !== "app.take"));
  if (codes.length > 1) return contradiction(`the edge ended it as ${codes.join(" and as ")}.`, coded(reading.entries));
  const ends = coded(delivered);
  const code = codeOf(ends[0]);
  const ended = ends[0];
  if (code === undefined || ended === undefined) {
    const well = delivered.filter(({ mark }) => mark === "done");
    if (codes[0] !== undefined && well.length > 0)
      return contradiction(`a hop failed with ${codes[0]}, and yet the answer was delivered.`, [
        ...coded(reading.entries),
        ...well,
      ]);
    return well.length > 0
      ? undefined
      : unknown(null, "The edge recorded that it ended badly, but not with which code.", delivered);
  }
  if (all(reading, "edge.deliver", "done").length > 0)
    return contradiction(`it was delivered, and ended as ${code}.`, delivered);
  const seen = [...coded(reading.entries).filter(({ hop }) => hop !== "app.take")];
  const join = findJoin(reading, code, seen);
  if (join) return join;
  if (isSymptom(code)) return findSymptom({ reading, symptom: code, ends: seen });
  if (code === "route/visitor-left") return visitorLeft(reading, seen);
  if (code === "route/node-away") return nodeAway(reading, seen);
  const hand = code === "route/control-down" ? handOver(reading) : undefined;
  return hand?.state === "answered" && hand.answer.stopping
    ? stopped(reading, seen, hand)
    : edgeDecided(reading, code, seen);
}

export function requestOutcome(reading: Reading, finding: Finding | undefined): WorkOutcome {
  if (finding) {
    if (finding.code === null) return "unknown";
    const ends = all(reading, "edge.deliver");
    return ends.some(({ mark }) => mark === "refused") ? "refused" : ends.length > 0 ? "failed" : "unknown";
  }
  return all(reading, "edge.deliver", "done").length > 0 ? "ok" : "open";
}

/** One sentence for a request that went well or is open. */
export function requestSays(reading: Reading): string {
  const delivered = last(reading, "edge.deliver", "done");
  const told = `${movedSays(reading)}${linkedSays(reading)}`;
  const join = joinSays(reading);
  if (join !== undefined) return `${join}${told}`;
  if (!delivered) return `The request is open: its end is not recorded yet.${told}`;
  const status = number(delivered.facts, "status");
  const ms = number(delivered.facts, "ms");
  if (delivered.facts["page"] === "waking")
    return `The Space was asleep: its visitor was shown a page while it started${ms === undefined ? "" : `, for ${spell(ms)} in all`}, and that page then asked for the app.${told}`;
  const by = delivered.facts["answeredBy"];
  const byApp = by !== "edge" && by !== "platform";
  const own = byApp && (status ?? 0) >= 500 ? ` ${known["app-status-is-the-apps"]}` : "";
  return `${byApp ? "The app" : by === "edge" ? "The edge" : "The platform"} answered${status === undefined ? "" : ` ${status}`}${ms === undefined ? "" : ` in ${spell(ms)}`}.${own}${told}`;
}

/** Where it was given to another replica than the one that its session was on, or than the first that was tried. */
function movedSays({ entries }: Reading): string {
  const facts = entries.map((entry) => entry.facts).findLast(({ movedFrom, passedOver }) => movedFrom ?? passedOver);
  const [from, to, dead] = [text(facts, "movedFrom"), text(facts, "replica"), texts(facts, "passedOver")];
  const moved = from === undefined ? "" : ` Its session was on the replica ${from}, and went on at ${to ?? "another"}.`;
  return dead.length === 0 ? moved : `${moved} ${dead.join(", ")} could not be reached and had nothing of it.`;
}

/** Works that a request causes, and that can end badly after it went well. */
const linkedWords: Readonly<Partial<Record<WorkKind, string>>> = { call: "Its GPU call", build: "Its build" };

function linkedSays({ record }: Reading): string {
  const bad = record.links.filter(
    ({ kind, outcome }) => kind in linkedWords && (outcome === "refused" || outcome === "failed"),
  );
  return bad
    .map(({ id, kind, sentence: says }) => ` ${linkedWords[kind]} ${id}: ${says}`)
    .sort()
    .join("");
}

/* ── decided by the edge ────────────────────────────────────────────────── */

function edgeDecided(reading: Reading, code: Code, ends: readonly Entry[]): Finding {
  const decided = ends.find(({ hop }) => hop !== "edge.deliver") ?? ends[0];
  const says = text(decided?.facts, "says");
  const space = text(decided?.facts, "space") ?? text(first(reading, "edge.route")?.facts, "space");
  const row = codeRow(code);
  const base = code === "route/not-running" && space ? `The Space ${space} is not running.` : row.says;
  const handed = first(reading, "edge.connect", "handed");
  const excluded: Excluded[] =
    handed || code.startsWith("app/")
      ? []
      : [{ boundary: "app", because: "the edge answered before it handed anything to the app", by: ends }];
  const cited: KnownId | undefined =
    code === "capacity/rate-limited" || code === "capacity/space-busy" || code === "route/no-such-space"
      ? "counted-not-recorded"
      : undefined;
  return {
    code,
    ...(isByHeader(code, decided) ? likelyByHeader(ends) : { certainty: "proved" }),
    sentence: says && !base.includes(says) ? `${base} ${sentence(says)}` : base,
    facts: ends,
    excluded: [...excluded, ...identityExcluded(reading)],
    known: cited,
  };
}

/** A loop that `CDN-Loop` told of, and no token of ours, whose refusal is an entry of its own. */
function isByHeader(code: Code, decided: Entry | undefined): boolean {
  return code === "route/loop" && decided?.hop !== "identity.resolve";
}

function likelyByHeader(ends: readonly Entry[]): Pick<Finding, "certainty" | "inferred"> {
  const says = "Its CDN-Loop names the earlier passes, and any client can write that; an honest one only hands it on.";
  return { certainty: "likely", inferred: [{ rule: "loop-by-header", from: idsOf(ends), says }] };
}

function visitorLeft(reading: Reading, ends: readonly Entry[]): Finding {
  const hand = handOver(reading);
  const answered = ends.some(({ facts }) => facts["answeredBy"] === "app" || number(facts, "status") !== undefined);
  const sawPage = ends.some(({ facts }) => facts["page"] === "waking");
  const where = sawPage
    ? "while it was shown how the Space woke up"
    : answered
      ? "while the app's answer was on its way"
      : hand.state === "none"
        ? "before it was handed to the app"
        : "before the app began its answer";
  return {
    code: "route/visitor-left",
    certainty: "proved",
    sentence: `The visitor closed the connection ${where}.`,
    facts: ends,
    excluded: identityExcluded(reading),
  };
}

/** The edge knows the line to a node by itself; how far the request had come, the replica's shim tells when it can again. */
function nodeAway(reading: Reading, ends: readonly Entry[]): Finding {
  const hand = handOver(reading);
  const by = "by" in hand ? hand.by : [];
  const reach =
    hand.state === "answered" && hand.answer.connected && hand.delivered !== "uncertain"
      ? `Of the request the app's socket had taken ${{ whole: "all", partly: "a part", nothing: "nothing" }[hand.delivered]}.`
      : hand.state === "never-arrived"
        ? "The request did not reach the app."
        : "Whether the app had received it is not known.";
  const because = "the line between server and node was lost, which carries the app's connections";
  return {
    code: "route/node-away",
    certainty: "proved",
    sentence: `${codeRow("route/node-away").says} ${reach}`,
    facts: [...ends, ...by],
    excluded: [{ boundary: "app", because, by: ends }, ...identityExcluded(reading)],
  };
}

/** The app was being ended by us while it carried the request: whatever it did with it, that is not its fault. */
function stopped(reading: Reading, ends: readonly Entry[], hand: Answered): Finding {
  const inferred: Inference = {
    rule: "replica-stopping",
    from: idsOf(hand.by),
    says: "The replica's shim had begun to end the app before its connection closed.",
  };
  return {
    code: "route/control-down",
    certainty: "likely",
    sentence: "The platform was stopping the replica that carried this request.",
    facts: [...ends, ...hand.by],
    inferred: [inferred],
    excluded: identityExcluded(reading),
  };
}

/* ── no end recorded ────────────────────────────────────────────────────── */

/** A request that is carried well is recorded at its end, so what it causes is known before it. */
const onlyNamedSays =
  "Other works name this request, and its own record is not there: it is under way, or the edge ended before it wrote one.";

function findUndelivered(reading: Reading): Finding | undefined {
  const edge = reading.entries.find(({ hop }) => hop.startsWith("edge.") || hop === "identity.resolve");
  if (!edge) {
    if (reading.entries.length > 0)
      return unknown(
        null,
        "Only the replica's side of this request is recorded: the edge's entries are missing.",
        reading.entries,
      );
    return reading.record.links.length > 0 ? unknown(null, onlyNamedSays, []) : nothing(reading);
  }
  const epoch = epochOf(reading, edge);
  const gap = gapsOf(reading, (emitter) => emitter === edge.emitter)[0];
  if (gap) return unknown(null, `How the request ended is not known: ${spanSays(gap)} are missing.`, reading.entries);
  const ends = coded(reading.entries).filter(({ hop }) => hop !== "app.take");
  const code = codeOf(ends[0]);
  if (code !== undefined)
    return unknown(code, `${codeRow(code).says} What its visitor was answered is not in what was read.`, ends);
  if (epoch?.state === "dead" && !isUnderWay(reading))
    return unknown(
      "route/control-down",
      `${edgeThatEnded(edge.emitter)} ended, and how far the request had come by then is not recorded.`,
      reading.entries,
    );
  if (epoch?.state === "dead") {
    const inferred: Inference = {
      rule: "emitter-died",
      from: idsOf([edge]),
      says: `Epoch ${edge.epoch} of ${edge.emitter} ended without closing, after number ${epoch.lastSeq}.`,
    };
    return {
      code: "route/control-down",
      certainty: "likely",
      sentence: `${edgeThatEnded(edge.emitter)} ended. Whether the app answered is not known.`,
      facts: reading.entries,
      inferred: [inferred],
    };
  }
  if (epoch?.state === "closed")
    return unknown(
      null,
      `How the request ended is not recorded, though ${edge.emitter} closed its epoch ${edge.epoch}.`,
      reading.entries,
    );
  return undefined;
}

/**
 * It had passed all that the edge decides by itself, and nothing tells of another end: the end of its replica least of all. What is
 * missing behind an earlier entry may be a refusal.
 */
function isUnderWay(reading: Reading): boolean {
  const replica = replicaOf(reading);
  const hasPassed = first(reading, "edge.route", "done") ?? first(reading, "edge.connect", "handed");
  return hasPassed !== undefined && !coded(reading.neighbours).some(({ work }) => work === replica);
}

/** `edge` carries all requests of its platform; one with a number is a worker among others, which went on. */
function edgeThatEnded(emitter: string): string {
  return /^edge-\d+$/.test(emitter)
    ? `The edge worker ${emitter} that carried this request`
    : "The edge's process that carried this request";
}
