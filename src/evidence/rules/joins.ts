/**
 * What became of an event that a request had asked a Gradio app for. The edge heard it end on another request's answer, and knows
 * nothing of GPU calls: what ended one that the platform refused or stopped is told by that call's own record, never by the error
 * that the app made of it.
 */
import { codeRow, isCode } from "../codes.ts";
import type { Code } from "../codes.ts";
import type { Entry } from "../entry.ts";
import { unknown } from "../finding.ts";
import type { Finding } from "../finding.ts";
import { all, codeOf, coded, first, idsOf, last, number, text } from "../reading.ts";
import type { Reading } from "../reading.ts";
import type { Inference } from "../verdict.ts";
import type { LinkedWork } from "../work-record.ts";
import { ordinal, sentence, spell } from "../words.ts";
import { replicaOf } from "./symptoms.ts";

/** Undefined where the request was no join, or its end is not its event's. */
export function findJoin(reading: Reading, code: Code, ends: readonly Entry[]): Finding | undefined {
  const failed = last(reading, "app.respond", "failed");
  if (failed?.facts["brokenStream"] === true) return streamBroke(reading, code, ends, failed);
  const isEvent = text(failed?.facts, "event") !== undefined;
  if (failed && isEvent && (code === "app/exception" || code === "runtime/device-out-of-memory"))
    return eventFailed(reading, code, ends, failed);
  const delivered = last(reading, "edge.deliver", "failed");
  if (failed === undefined && (code === "app/exception" || code === "runtime/device-out-of-memory"))
    return unknown(code, `${codeRow(code).says} The entry that says how it failed is not in what was read.`, ends);
  if (code === "route/visitor-left" && text(delivered?.facts, "event") !== undefined) return left(reading, ends);
  return undefined;
}

/** One sentence for a join that is open or went well; undefined for every other request. */
export function joinSays(reading: Reading): string | undefined {
  const delivered = last(reading, "edge.deliver", "done");
  if (delivered) return text(delivered.facts, "event") === undefined ? undefined : endedSays(reading, delivered);
  const calls = callsOf(reading).filter(({ outcome }) => outcome === "open");
  if (calls.length > 0)
    return `The app's function has begun.${calls.map(({ id, sentence: says }) => ` Its GPU call ${id}: ${says}`).join("")}`;
  const queued = first(reading, "app.queue", "took");
  if (!queued) return undefined;
  if (first(reading, "app.queue", "done")) return "The app's function is running.";
  const estimate = number(queued.facts, "estimateMs");
  const about = estimate === undefined ? "" : `, ${spell(estimate)} by its own estimate`;
  return `Waiting inside the app: ${placeSays(queued)}${about}. It has not asked for a GPU, and nothing is charged.`;
}

function endedSays(reading: Reading, delivered: Entry): string {
  const { facts } = delivered;
  const because = text(facts, "because");
  if (facts["followed"] === false)
    return `The app took the request and answered ${number(facts, "status") ?? ""}. How its event ended was not followed: ${because ?? "it is not said why"}.`;
  const waited = waitedMs(reading, delivered);
  const queue =
    waited === undefined
      ? ""
      : `, of which it waited ${spell(waited)} inside the app (${placeSays(first(reading, "app.queue", "took") ?? delivered)})`;
  return `The app's function ended well after ${spell(number(facts, "ms") ?? 0)}${queue}.`;
}

/** From the app's answer to the join until its function began; undefined where the app did not tell both. */
function waitedMs(reading: Reading, delivered: Entry): number | undefined {
  const began = number(first(reading, "app.queue", "done")?.facts, "ms");
  const joined = number(delivered.facts, "joinedMs");
  return began === undefined || joined === undefined ? undefined : Math.max(0, began - joined);
}

function placeSays({ facts }: Entry): string {
  const position = number(facts, "position");
  if (position === undefined) return "in the app's own queue";
  return `${ordinal(position)} of ${number(facts, "of") ?? position} in the app's own queue when it came`;
}

function eventFailed(reading: Reading, code: Code, ends: readonly Entry[], failed: Entry): Finding {
  const calls = callsOf(reading);
  const said = saidOf(failed);
  const open = calls.find(({ outcome }) => outcome === "open" || outcome === "unknown");
  if (open)
    return unknown(
      code,
      `The app's function ended with an error${said}. What ended it is not known before its GPU call ${open.id} has ended in the record.`,
      ends,
    );
  const cause = causeAmong(calls, failed);
  if (cause) return callEndedIt(cause, ends, failed, said);
  if (failed.facts["unexpected"] === true) return streamError(reading, ends, said);
  const base = {
    code,
    facts: ends,
    sentence: `The app's function ended with an error${said || ", which the app does not show"}.`,
  };
  if (code === "app/exception") {
    const before = calls.find((call) => isOfPlatform(call) && call.code !== "gpu/grant-unused");
    return before ? { ...base, ...wentOnAfter(before, ends) } : { ...base, certainty: "proved" };
  }
  const says = "These are the words of the GPU's driver or of its library, as the app passed them on.";
  return { ...base, certainty: "likely", inferred: [{ rule: "by-the-apps-words", from: idsOf(ends), says }] };
}

/**
 * The newest call that the platform refused or ended, where the app shows the words of Gradio's GPU client. Where it shows others, only
 * the newest call of all: a function that made another one had got over what became of those before.
 */
function causeAmong(calls: readonly LinkedWork[], failed: Entry): (LinkedWork & { code: Code }) | undefined {
  const inOrder = calls.toSorted(byStart);
  if (isClientsWord(failed)) return inOrder.findLast(isOfPlatform);
  const newest = inOrder.at(-1);
  return newest && isOfPlatform(newest) && newest.code !== "gpu/grant-unused" ? newest : undefined;
}

/** Only likely: two calls may have run at a time, and then the error may still be what the app made of the other one. */
function wentOnAfter({ id, code }: LinkedWork, ends: readonly Entry[]): Pick<Finding, "certainty" | "inferred"> {
  const says = `The request's GPU call ${id} ended with ${code ?? ""}; the app's function made another one after it, and the error has not the words of Gradio's GPU client.`;
  return { certainty: "likely", inferred: [{ rule: "went-on-after-call", from: idsOf(ends), says }] };
}

/** The error that the app showed is only what it made of that. */
function callEndedIt(cause: LinkedWork & { code: Code }, ends: readonly Entry[], failed: Entry, said: string): Finding {
  const { id, code, certainty, owner, sentence: says } = cause;
  const isTold = certainty === "proved" && isClientsWord(failed);
  return {
    code,
    certainty: isTold ? "proved" : "likely",
    sentence: `Its GPU call ${id} ended it: ${sentence(says)} ${toldSays(ends, said)}`,
    facts: ends,
    inferred: [
      {
        rule: "call-ended-it",
        from: idsOf(ends),
        says: `The request's GPU call ${id} ended with ${code}, and the app's function with an error${isTold ? " that Gradio's GPU client makes of it" : ""}.`,
      },
    ],
    ...(owner === undefined || owner === "unknown" ? {} : { owner }),
  };
}

function toldSays(ends: readonly Entry[], said: string): string {
  const isReplaced = ends.some(({ facts }) => facts["toldInstead"] !== undefined);
  if (isReplaced) return `The app's words for that${said} reached its visitor as this platform's own.`;
  return `The app told its visitor${said || " nothing of that"}.`;
}

/** The whole stream ended with an error: the app was going away, and its replica's record may say why. */
function streamError(reading: Reading, ends: readonly Entry[], said: string): Finding {
  const own = reading.neighbours.filter(({ work }) => work === replicaOf(reading));
  const exit = coded(own).find(({ hop }) => hop === "replica.exit");
  const stop = own.find(({ hop, mark }) => hop === "replica.stop" && mark === "done");
  const base = `The app ended its event stream with an error${said}.`;
  const exitCode = codeOf(exit);
  const found =
    exit && exitCode
      ? { by: exit, code: exitCode, why: text(exit.facts, "says") ?? codeRow(exitCode).says }
      : stop && ({ by: stop, code: "route/control-down", why: "The platform had stopped the replica." } as const);
  const from = found ? [...ends, found.by] : ends;
  const says = found
    ? "Its replica ended, and the events that it held with it."
    : "The app said it of all its events, and the end of its replica is not recorded.";
  return {
    code: found?.code ?? "app/exception",
    certainty: "likely",
    sentence: found ? `${base} ${sentence(found.why)}` : base,
    facts: from,
    inferred: [{ rule: "stream-ended-with-error", from: idsOf(from), says }],
  };
}

/** What broke the stream is told by that request's record. */
function streamBroke(reading: Reading, code: Code, ends: readonly Entry[], failed: Entry): Finding {
  const id = text(failed.facts, "link") ?? "";
  const stream = reading.record.links.find((link) => link.id === id);
  const base = `The app took the request, and the answer that carried its event (${id}) ended early.`;
  if (!stream?.code || !isCode(stream.code) || stream.certainty === "unknown")
    return unknown(code, `${base} ${codeRow(code).says}`, ends);
  const inferred: Inference = {
    rule: "stream-broke",
    from: idsOf(ends),
    says: `What became of ${id} is what became of its events.`,
  };
  return {
    code: stream.code,
    certainty: stream.certainty ?? "likely",
    sentence: `${base} ${sentence(stream.sentence)}`,
    facts: ends,
    inferred: [inferred],
    ...(stream.owner === undefined || stream.owner === "unknown" ? {} : { owner: stream.owner }),
  };
}

function left(reading: Reading, ends: readonly Entry[]): Finding {
  const isCancelled = all(reading, "edge.deliver", "failed").some(({ facts }) => facts["cancelled"] === true);
  const isWaiting = first(reading, "app.queue", "took") && !first(reading, "app.queue", "done");
  const when = isWaiting ? "while it waited inside the app" : "before the app's function had ended";
  return {
    code: "route/visitor-left",
    certainty: "proved",
    sentence: isCancelled
      ? `The visitor cancelled it ${when}.`
      : `The visitor closed the event stream ${when}, and did not come back.`,
    facts: ends,
  };
}

function callsOf({ record }: Reading): readonly LinkedWork[] {
  return record.links.filter(({ kind }) => kind === "call");
}

/** A call that ended by something else than an error of the function itself. A grant that was not used is most often left by one. */
function isOfPlatform(call: LinkedWork): call is LinkedWork & { code: Code } {
  const isBad = call.outcome === "refused" || call.outcome === "failed";
  return isBad && call.code !== null && isCode(call.code) && call.code !== "app/exception";
}

function byStart(a: LinkedWork, b: LinkedWork): number {
  const [first_, second] = [`${a.at ?? ""} ${a.id}`, `${b.at ?? ""} ${b.id}`];
  return first_ < second ? -1 : first_ > second ? 1 : 0;
}

/** What the `spaces` package says when the platform said no, or ended a worker. An app's own error is not worded so. */
function isClientsWord({ facts }: Entry): boolean {
  return [text(facts, "appTitle"), text(facts, "appSays")].some(
    (said) =>
      said !== undefined && /\bZeroGPU\b|^GPU task aborted|\bNo GPU\b|\bGPU (?:quota|limit|runs|duration)\b/.test(said),
  );
}

/** ` ("ZeroGPU worker error: GPU task aborted")`; "" where the app shows nothing. */
function saidOf({ facts }: Entry): string {
  const says = [text(facts, "appTitle"), text(facts, "appSays")].filter((part) => part !== undefined).join(": ");
  return says === "" ? "" : ` ("${says}")`;
}
