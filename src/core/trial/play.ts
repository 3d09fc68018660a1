/**
 * Plays calls of the record on a ledger of its own, in virtual time, by the ledger's own two functions: each comes when it came, and has
 * its slots for as long as it had them. Workers begin with their grants, and a slot is free with its call's end.
 */
import { assert } from "../../stdx/assert.ts";
import { after, durationMs, instant } from "../../stdx/time.ts";
import type { Instant } from "../../stdx/time.ts";
import { nextDeadline } from "../deadlines.ts";
import { decide } from "../decide.ts";
import { apply } from "../evolve.ts";
import { Heap } from "../heap.ts";
import type { CallId, Command, Event } from "../model.ts";
import { settingMaxMs } from "../policy.ts";
import { emptyState } from "../state.ts";
import { commandsOf } from "./world.ts";
import type { PastCall, TrialEdits, TrialWorld } from "./world.ts";

/** What became of a call. */
export interface Fate {
  /** Why it had no slot: a refusal, or what ended its wait; null: it had one. */
  readonly code: string | null;
  readonly waitMs: number;
  /** As it would be charged. */
  readonly gpuMs: number;
  /** It held less than it declared, since less was left. */
  readonly clipped: boolean;
  /** It was ended with its lease, and had gone on in the record. */
  readonly cut: boolean;
}

type OpenFate = { -readonly [K in keyof Fate]: Fate[K] } & { readonly past: PastCall; readonly lengthMs: number };

/** More often than a node is given up for silence. */
const hearEveryMs = 40_000;
/** After a tick that had nothing to do, which a deadline that lies in the past may ask for again and again. */
const restsMs = 1_000;

/** What becomes of each, in their order, which is that of their times; those of nodes that the world has not are null. */
export function play(
  world: TrialWorld,
  edits: TrialEdits,
  calls: readonly PastCall[],
  lengthOf: (call: PastCall) => number,
): readonly (Fate | null)[] {
  const ledger = new Played(world, edits, calls[0]?.at ?? instant(0));
  const fates = calls.map((call) => ledger.come(call, lengthOf(call)));
  ledger.finish();
  return fates;
}

class Played {
  readonly #state = emptyState();
  readonly #pools: ReadonlyMap<string, string>;
  readonly #open = new Map<CallId, OpenFate>();
  readonly #coming = new Heap<{ readonly at: number; readonly call: CallId; readonly fence: number | null }>(
    (a, b) => a.at < b.at,
  );
  #now: Instant;
  #heardAt: Instant;
  #ticksFrom = 0;

  constructor(world: TrialWorld, edits: TrialEdits, begins: Instant) {
    this.#pools = new Map(world.nodes.map(({ name, pool }) => [name, pool]));
    this.#now = begins;
    this.#heardAt = begins;
    for (const command of commandsOf(world, edits)) this.#do(command, begins);
  }

  come(past: PastCall, lengthMs: number): Fate | null {
    const { call, account, tier, billedBy, request, space, release, replica, node, declaredMs, size, at } = past;
    const pool = this.#pools.get(node);
    if (pool === undefined) return null;
    this.#until(at);
    const fate: OpenFate = { past, lengthMs, code: null, waitMs: 0, gpuMs: 0, clipped: false, cut: false };
    this.#open.set(call, fate);
    const terms = {
      ...{ call, account, tier, billedBy, request, space, release, replica, node, pool, declaredMs, size },
      ...{ task: "trial", endpoint: null },
    };
    if (past.leftAfterMs !== null) this.#coming.add({ at: at + past.leftAfterMs, call, fence: null });
    this.#follow(this.#do({ type: "schedule", terms }, at), at);
    return fate;
  }

  /** Until all that is open has ended. */
  finish(): void {
    const until = after(this.#now, durationMs(2 * settingMaxMs));
    while (this.#open.size > 0 && this.#now < until) this.#until(after(this.#now, durationMs(hearEveryMs)));
  }

  #until(at: Instant): void {
    for (;;) {
      const due = nextDeadline(this.#state) ?? Infinity;
      const ticks = Math.max(due, this.#ticksFrom);
      const hears = this.#heardAt + hearEveryMs;
      const comes = this.#coming.first?.at ?? Infinity;
      const next = instant(Math.max(this.#now, Math.min(ticks, hears, comes)));
      if (next > at) break;
      this.#now = next;
      if (comes <= next) this.#next(next);
      else if (hears <= next) this.#hear(next);
      else {
        const events = this.#do({ type: "tick" }, next);
        this.#ticksFrom = next + (events.length > 0 ? 1 : restsMs);
        this.#follow(events, next);
      }
    }
    this.#now = at;
  }

  /** A call's end, or its visitor's leave while it waits. */
  #next(now: Instant): void {
    const { call, fence } = this.#coming.take() as { readonly call: CallId; readonly fence: number | null };
    const fate = this.#open.get(call);
    if (fate === undefined) return;
    if (fence === null) {
      if (this.#state.calls.get(call)?.stage === "queued") this.#follow(this.#do({ type: "leave", call }, now), now);
      return;
    }
    const known = this.#state.calls.get(call);
    assert(known?.stage === "attached", "a call that ends has its slots");
    const used = Math.min(fate.lengthMs, known.lease.leaseMs);
    const cause = fate.cut ? "lease-end" : "returned";
    this.#follow(this.#do({ type: "end", call, fence, cause, usedMs: durationMs(used), workerAlive: false }, now), now);
  }

  #hear(now: Instant): void {
    this.#heardAt = now;
    for (const node of this.#pools.keys()) this.#do({ type: "hear-node", node }, now);
  }

  #follow(events: readonly Event[], now: Instant): void {
    for (const event of events) {
      if (event.type === "call-refused") this.#close(event.terms.call, event.refusal.code);
      else if (event.type === "call-voided") this.#close(event.call, event.cause);
      else if (event.type === "call-admitted") this.#fate(event.terms.call).clipped = event.clipped;
      else if (event.type === "call-granted") this.#grant(event, now);
      else if (event.type === "call-settled") {
        this.#fate(event.call).gpuMs = event.chargedMs;
        this.#open.delete(event.call);
      }
    }
  }

  #grant({ call, lease }: Extract<Event, { type: "call-granted" }>, now: Instant): void {
    const fate = this.#fate(call);
    fate.waitMs = now - fate.past.at;
    fate.cut = fate.lengthMs > lease.leaseMs;
    this.#do({ type: "attach", call, fence: lease.fence, pid: 1 }, now);
    this.#coming.add({ at: now + Math.min(fate.lengthMs, lease.leaseMs), call, fence: lease.fence });
  }

  #close(call: CallId, code: string): void {
    const fate = this.#fate(call);
    fate.code = code;
    fate.waitMs = this.#now - fate.past.at;
    this.#open.delete(call);
  }

  #fate(call: CallId): OpenFate {
    const fate = this.#open.get(call);
    assert(fate, "what happens to a call happens while it is open", call);
    return fate;
  }

  #do(command: Command, now: Instant): readonly Event[] {
    const decision = decide(this.#state, command, now);
    assert(decision.ok, `a trial's ${command.type} is one that the ledger takes`, decision.ok ? "" : decision.why);
    const { events } = decision;
    if (events.length > 0) apply(this.#state, { index: this.#state.index + 1, at: now, events });
    return events;
  }
}
