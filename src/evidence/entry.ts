/**
 * Entries: what each hop signs for. A *work* (request, call, build) has a *waybill*, the ordered hops that it passed;
 * the giver of a hop writes `handed`, the taker `took`, and whoever ends it `done`, `refused` or `failed`.
 *
 * Within one emitter and epoch, `seq` is 1, 2, 3…: a hole is missing evidence, and says so.
 */

export const workKinds = ["request", "call", "build", "replica", "connection", "transfer", "node", "space"] as const;
export type WorkKind = (typeof workKinds)[number];

/** Hops in the order in which work passes them. */
export const hopsOf = {
  request: [
    "edge.accept",
    "identity.resolve",
    "edge.route",
    "edge.wake",
    "edge.connect",
    "app.take",
    "app.queue",
    "app.respond",
    "edge.deliver",
  ],
  call: [
    "gpu.schedule",
    "identity.verify",
    "gpu.admit",
    "gpu.queue",
    "gpu.grant",
    "gpu.attach",
    "app.run",
    "gpu.release",
    "gpu.settle",
  ],
  build: [
    "build.request",
    "build.queue",
    "build.claim",
    "build.fetch",
    "build.step",
    "runtime.check",
    "build.publish",
    "replica.start",
    "replica.ready",
  ],
  replica: ["replica.start", "replica.ready", "replica.disk", "replica.card", "replica.exit", "replica.stop"],
  connection: ["egress.open", "egress.resolve", "egress.policy", "egress.dial", "egress.stream"],
  transfer: ["transfer.auth", "transfer.negotiate", "transfer.move", "transfer.verify"],
  node: ["node.start", "node.cards", "node.drain", "node.stop"],
  space: ["space.state"],
} as const satisfies Record<WorkKind, readonly string[]>;

export type Hop = (typeof hopsOf)[WorkKind][number];
export const marks = ["handed", "took", "done", "refused", "failed"] as const;
export type Mark = (typeof marks)[number];

/** JSON that survives a round trip; facts hold nothing else. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type Facts = { readonly [key: string]: Json };

/**
 * One signed-for step. `id` is `<emitter>/<epoch>/<seq>`, or `journal/<index>/<n>` for the n-th view of a journal record.
 * Facts with a meaning of their own, by convention: `code` (`boundary/name`) where the mark is `refused` or `failed`;
 * `channel` and `number` on both sides of a hand-over; `closed: true` when the giver has closed its attempt;
 * `link` (another work's id) where work causes work; `build.step` names its step in `step`.
 */
export interface Entry {
  readonly id: string;
  readonly work: string;
  readonly hop: Hop;
  readonly mark: Mark;
  readonly emitter: string;
  readonly epoch: number;
  readonly seq: number;
  /** RFC 3339, UTC, milliseconds. Shown; never compared across emitters. */
  readonly at: string;
  readonly facts: Facts;
}

/** What an emitter knows when it writes; the spool adds id, emitter, epoch, seq and time. */
export type Draft = Pick<Entry, "work" | "hop" | "mark" | "facts">;

/**
 * A work that went well, packed: one record instead of an entry a hop. `stages` are milliseconds from its start, in hop order.
 * It occupies one `seq` of its emitter. Expanded into entries only when somebody reads it.
 */
export interface Packed {
  readonly work: string;
  readonly kind: WorkKind;
  readonly emitter: string;
  readonly epoch: number;
  readonly seq: number;
  readonly at: string;
  readonly stages: readonly (readonly [hop: Hop, ms: number])[];
  readonly facts: Facts;
}

/** What an emitter's name ends in that lost its counter, and with it its own name. */
const renamed = /-[0-9a-z]{8}$/;

/** The name that an emitter was given: `agent-n1` of `agent-n1-0k3x9m2p`. One that ends like that by itself is both. */
export function namesOfEmitter(emitter: string): readonly string[] {
  return renamed.test(emitter) ? [emitter, emitter.replace(renamed, "")] : [emitter];
}

/** What stands before a taker's name in its emitters': an agent and a gateway are called after their node, a shim after its replica. */
const prefixes = ["", "agent-", "gateway-", "shim.", "shim-"] as const;

/** The names that a taker's emitters are given. */
export function emittersOf(taker: string): readonly string[] {
  return prefixes.map((prefix) => prefix + taker);
}

/** An emitter is a taker's when it is called so, also after it lost its counter. */
export function isEmitterOf(emitter: string, taker: string): boolean {
  const given = emittersOf(taker);
  return namesOfEmitter(emitter).some((name) => given.includes(name));
}

/** How long the work took by its packed record, in milliseconds. */
export function lastedMs({ stages }: Pick<Packed, "stages">): number {
  return Math.max(0, ...stages.map(([, ms]) => ms));
}

/** Whom a work was handed to: the right side of each channel `<giver>→<taker>`, and the replica that a route names. */
export function takersOf(entries: readonly Pick<Entry, "facts">[]): readonly string[] {
  const takers = entries.flatMap(({ facts }) => {
    const channel = facts["channel"];
    const taker = typeof channel === "string" ? channel.split("→")[1] : undefined;
    return [taker, facts["replica"]].filter((name): name is string => typeof name === "string" && name !== "");
  });
  return [...new Set(takers)];
}

/**
 * The taker's answer about a channel: "of everything up to `upTo` I took exactly `taken` (all of it where `taken` is absent);
 * whatever arrives later under that number I refuse". Only what is synced may be answered for.
 */
export interface Watermark {
  readonly channel: string;
  readonly upTo: number;
  readonly taken?: readonly number[];
  /** The answer is about the numbers above this; earlier answers were about the others. Absent: from the first on. */
  readonly from?: number;
  readonly emitter: string;
  readonly epoch: number;
  readonly seq: number;
  readonly at: string;
}

/** An emitter's last record of an epoch that it ended by itself: nothing follows, so nothing after it can be missing. */
export interface Closing {
  readonly emitter: string;
  readonly epoch: number;
  readonly seq: number;
  readonly at: string;
}

/**
 * What is known of an epoch. `open`: more may come, or a SIGKILL may have taken the tail; `closed`: its closing record is stored;
 * `dead`: not closed, and a later epoch of the same emitter is known, so this one ended without a word.
 */
export interface EpochState {
  readonly emitter: string;
  readonly epoch: number;
  /** The highest number that is stored; 0 where none is. */
  readonly lastSeq: number;
  readonly state: "open" | "closed" | "dead";
}

/** How far an emitter's clock is from the evidence store's, estimated when its records come in. Shown; orders nothing. */
export interface EmitterClock {
  readonly emitter: string;
  /** It is ahead by no less than this; below zero: behind by no more than that. */
  readonly aheadMs: number;
  readonly measuredBefore: string;
}

/** A span of one emitter's numbers that the record does not hold. */
export interface Gap {
  readonly emitter: string;
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
  readonly why: string;
}

/** The order in which the hops of a work are told; hops that share no emitter are ordered by cause, never by clock. */
export function hopOrder(kind: WorkKind, hop: Hop): number {
  return (hopsOf[kind] as readonly Hop[]).indexOf(hop);
}

/**
 * What a part writes its evidence with. `record/` implements it over a spool file; the epoch was registered before the first number.
 */
export interface Emitter {
  readonly name: string;
  readonly epoch: number;
  /** Writes an entry to the spool before it returns (it survives SIGKILL of this process); on disk within a second. */
  write(draft: Draft): Entry;
  /** As {@link Emitter.write} does, all of one moment at once. */
  writeAll(drafts: readonly Draft[]): void;
  /** Queues a packed record of a work that went well; in the spool within a second, sooner when many wait. */
  pack(record: Pick<Packed, "work" | "kind" | "stages" | "facts"> & { readonly startedAt: number }): void;
  /** Writes the taker's answer about a channel, synced to disk before it resolves. */
  answer(mark: Pick<Watermark, "channel" | "upTo" | "taken" | "from">): Promise<Watermark>;
  /** Everything written so far is on disk when this resolves. */
  sync(): Promise<void>;
}
