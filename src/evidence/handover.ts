/**
 * What became of a request's bytes between the edge and the app: the rules by which missing evidence is evidence.
 *
 *   answered        the taker said how many bytes the app's socket accepted; final once both sockets are closed
 *   never-arrived   the attempt is closed, the taker answered past it, and it is not among the taken: proved
 *   died            the taker is known to have died: whether it took the hand-over stays unknown
 *   unknown         a gap, or no answer that far
 *
 * Times of two emitters are never compared.
 */
import { isEmitterOf } from "./entry.ts";
import type { Entry, Facts, Json } from "./entry.ts";
import { all, gapsOf, last, number, spanSays, text } from "./reading.ts";
import type { Reading } from "./reading.ts";

export interface Answer {
  readonly connected: boolean;
  readonly accepted: number;
  /** Given to the app's socket without its word that they were taken. */
  readonly uncertain: number;
  readonly returned: number;
  readonly final: boolean;
  /** The platform had begun to end the app when its side of the connection closed. */
  readonly stopping: boolean;
}

export type HandOver =
  | { readonly state: "none" }
  | {
      readonly state: "answered";
      readonly answer: Answer;
      readonly delivered: Delivered;
      readonly by: readonly Entry[];
    }
  | { readonly state: "never-arrived"; readonly by: readonly Entry[]; readonly says: string }
  | { readonly state: "died"; readonly by: readonly Entry[]; readonly says: string }
  | { readonly state: "unknown"; readonly by: readonly Entry[]; readonly says: string }
  | { readonly state: "contradicts"; readonly by: readonly Entry[]; readonly says: string };

/** How much of the request the app's socket accepted. `uncertain`: the count is not final or not whole. */
export type Delivered = "whole" | "partly" | "nothing" | "uncertain";

/**
 * The hand-over by which a request ended: the one that its failure names, as the app may have died of an earlier one and the next
 * reached nobody; else the last, as an earlier one was repeated because it broke without a byte of answer.
 */
export function handOver(reading: Reading): HandOver {
  const failed = last(reading, "edge.connect", "failed") ?? last(reading, "app.respond", "failed");
  const handed = attemptOf(all(reading, "edge.connect", "handed"), failed && text(failed.facts, "connection"));
  if (!handed) return { state: "none" };
  const channel = text(handed.facts, "channel") ?? "";
  const taker = channel.split("→")[1] ?? text(handed.facts, "replica") ?? "";
  const connection = number(handed.facts, "number");
  const answers = [...takenBy(reading, { channel, taker, connection }), ...relayedBy(reading, handed)];
  const finals = answers.filter((one) => one.answer !== undefined && one.answer.final);
  const absent = [
    ...answers.filter((one) => one.answer === undefined),
    ...watermarked(reading, handed, channel, connection),
  ];
  const by = (list: readonly Heard[]): readonly Entry[] => [handed, ...list.map(({ entry }) => entry)];

  if (new Set(finals.map(({ answer }) => `${answer?.connected} ${answer?.accepted}`)).size > 1) {
    return {
      state: "contradicts",
      by: by(finals),
      says: "the replica's shim gave two different final answers about one connection.",
    };
  }
  const best = finals[0] ?? answers.find((one) => one.answer !== undefined);
  if (best?.answer && absent.length > 0) {
    return {
      state: "contradicts",
      by: by([best, ...absent]),
      says: "the replica's shim both took the connection and said that it never arrived.",
    };
  }
  if (best?.answer)
    return {
      state: "answered",
      answer: best.answer,
      delivered: deliveredOf(handed, best.answer),
      by: by(finals.length > 0 ? finals : [best]),
    };
  if (handed.facts["closed"] !== true)
    return {
      state: "unknown",
      by: [handed],
      says: "the edge's attempt is not recorded as closed, so it may still arrive",
    };
  if (absent[0])
    return {
      state: "never-arrived",
      by: by(absent),
      says: `the edge closed connection ${connection ?? "?"}, and the replica's shim answered that it never arrived and would be refused`,
    };
  return silence(reading, handed, taker);
}

interface Heard {
  readonly entry: Entry;
  /** Undefined: "it never arrived". */
  readonly answer: Answer | undefined;
}

function attemptOf(attempts: readonly Entry[], named: string | undefined): Entry | undefined {
  const meant = attempts.filter((entry) => text(entry.facts, "connection") === named);
  const handed = meant.length > 0 ? meant : attempts;
  const numbers = handed.map((entry) => number(entry.facts, "number") ?? 0);
  const latest = handed.filter((entry) => (number(entry.facts, "number") ?? 0) === Math.max(...numbers));
  return latest.find((entry) => entry.facts["closed"] === true) ?? latest[0];
}

/** The shim's own entries about this connection. */
function takenBy(
  reading: Reading,
  {
    channel,
    taker,
    connection,
  }: { readonly channel: string; readonly taker: string; readonly connection: number | undefined },
): readonly Heard[] {
  return all(reading, "app.take", "took", "failed").flatMap((entry) => {
    const named = number(entry.facts, "number") ?? number(entry.facts, "connection");
    const along = text(entry.facts, "channel");
    const other =
      (taker !== "" && !isEmitterOf(entry.emitter, taker)) ||
      (named !== undefined && connection !== undefined && named !== connection) ||
      (along !== undefined && !channel.startsWith(along));
    if (other || number(entry.facts, "acceptedBytes") === undefined) return [];
    return [{ entry, answer: answerOf(entry.facts, entry.facts["final"] === true) }];
  });
}

/** What the shim answered when the edge asked, as the edge recorded it. The shim syncs its own entry before it answers. */
function relayedBy(reading: Reading, handed: Entry): readonly Heard[] {
  const mine = text(handed.facts, "connection");
  return reading.entries.flatMap((entry): readonly Heard[] => {
    const shim = recordOf(entry.facts["shim"]);
    if (!shim || entry.mark !== "failed" || (mine !== undefined && text(entry.facts, "connection") !== mine)) return [];
    if (shim["state"] === "unknown") return [{ entry, answer: undefined }];
    if (shim["state"] !== "open" && shim["state"] !== "closed") return [];
    return [{ entry, answer: answerOf(shim, shim["state"] === "closed") }];
  });
}

function watermarked(
  reading: Reading,
  handed: Entry,
  channel: string,
  connection: number | undefined,
): readonly Heard[] {
  if (connection === undefined) return [];
  const past = reading.record.watermarks.filter(
    (mark) =>
      mark.channel === channel && (mark.from ?? 0) < connection && connection <= mark.upTo && mark.taken !== undefined,
  );
  // The watermark is no entry of the work: the hand-over that it answers stands for it.
  return past.some((mark) => mark.taken?.includes(connection)) || past.length === 0
    ? []
    : [{ entry: handed, answer: undefined }];
}

function silence(reading: Reading, handed: Entry, taker: string): HandOver {
  const isTaker = (emitter: string): boolean => isEmitterOf(emitter, taker);
  const ended = reading.neighbours.find(
    (entry) => entry.work === taker && entry.mark === "failed" && entry.facts["code"] === "runtime/shim-lost",
  );
  if (ended)
    return {
      state: "died",
      by: [handed, ended],
      says: `the shim of ${taker} died without an answer; whether it had taken the request stays unknown`,
    };
  const gap = gapsOf(reading, isTaker)[0];
  if (gap) return { state: "unknown", by: [handed], says: `${spanSays(gap)} are missing, and may hold its answer` };
  const epoch = reading.record.epochs.find(({ emitter }) => isTaker(emitter));
  const after = epoch
    ? `after number ${epoch.lastSeq} of ${epoch.emitter} in epoch ${epoch.epoch} nothing is stored`
    : `nothing of the shim of ${taker || "the replica"} is stored`;
  return { state: "unknown", by: [handed], says: `the replica's shim has not answered for it: ${after}` };
}

function answerOf(facts: Facts, final: boolean): Answer {
  return {
    connected: facts["connected"] === true,
    accepted: number(facts, "acceptedBytes") ?? 0,
    uncertain: number(facts, "uncertainBytes") ?? 0,
    returned: number(facts, "returnedBytes") ?? 0,
    final,
    stopping: facts["stopping"] === true,
  };
}

function deliveredOf(handed: Entry, { accepted, uncertain, final }: Answer): Delivered {
  const from = number(handed.facts, "from");
  const to = number(handed.facts, "to");
  if (from === undefined || to === undefined) return "uncertain";
  if (accepted >= to) return "whole";
  if (!final || accepted + uncertain >= to) return "uncertain";
  return accepted + uncertain <= from ? "nothing" : accepted > from ? "partly" : "uncertain";
}

function recordOf(value: Json | undefined): Facts | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Facts) : undefined;
}
