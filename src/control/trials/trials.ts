/** What operators try on the record: a past span's calls, read in parts, played in a thread of its own, within bounds. */
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { Catalog } from "../../catalog/catalog.ts";
import type { PastRow } from "../../catalog/calls.ts";
import type { TrialView } from "../../contract/trials.ts";
import type { BilledBy, Size, TierName } from "../../core/model.ts";
import { tierNames } from "../../core/policy.ts";
import type { PastCall, TrialEdits, TrialWorld } from "../../core/trial/world.ts";
import { durationMs, instant, iso } from "../../stdx/time.ts";
import type { Clock, Instant } from "../../stdx/time.ts";
import type { Refused } from "../spaces.ts";
import type { TrialAnswer, TrialAsk } from "./worker.ts";

/** With those before the span that fill the windows: some seconds of a processor, and some hundred megabytes, for a moment. */
export const trialCallsMax = 200_000;
/** A span at most. */
export const trialSpanMaxMs = 7 * 24 * 3_600_000;
/** So long before the span the replay begins at most: longer windows are not quite as full as they were. */
const warmMaxMs = 24 * 3_600_000;
/** Of one question to the database, whose thread others wait for too: some milliseconds. */
const rowsAtOnce = 1_000;
/** Calls on crowded cards cost more than others; whoever asks hears of it while they still look. */
const playsWithinMs = 25_000;
const memoryMaxMb = 1_024;

export interface TrialParts {
  readonly catalog: Pick<Catalog, "calls">;
  readonly clock: Clock;
  /** All that is durable is in the catalog. */
  caughtUp(): Promise<void>;
  world(): Promise<TrialWorld>;
}

export interface TrialWish {
  readonly from: Instant;
  readonly to: Instant;
  readonly edits: TrialEdits;
}

type Tried = { readonly ok: true; readonly value: TrialView } | Refused;

export class Trials {
  readonly #parts: TrialParts;
  #isBusy = false;

  constructor(parts: TrialParts) {
    this.#parts = parts;
  }

  async run(wish: TrialWish): Promise<Tried> {
    if (this.#isBusy)
      return no("control/conflict", "Another trial is under way.", "Ask again in a moment: there is one at a time.");
    this.#isBusy = true;
    const url = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);
    const worker = new Worker(url, { execArgv: [], resourceLimits: { maxOldGenerationSizeMb: memoryMaxMb } });
    worker.unref();
    const answered = answerOf(worker);
    try {
      return await this.#runIn({ worker, answered }, wish);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY") return tooMuch;
      throw error;
    } finally {
      this.#isBusy = false;
      await worker.terminate();
    }
  }

  async #runIn(
    { worker, answered }: { readonly worker: Worker; readonly answered: Promise<TrialAnswer> },
    { from, to, edits }: TrialWish,
  ): Promise<Tried> {
    const { catalog, clock, caughtUp } = this.#parts;
    const begun = clock.monotonic();
    const world = await this.#parts.world();
    const windows = tierNames.map((name) => edits.tiers[name]?.windowMs ?? world.tiers[name].windowMs);
    const warmMs = Math.min(warmMaxMs, Math.max(...windows));
    const warmFrom = instant(Math.max(0, from - warmMs));
    await caughtUp();
    const recorded = { calls: 0, served: 0, gpuMs: 0 };
    let read = 0;
    for await (const rows of catalog.calls.past({ from: warmFrom, to, atOnce: rowsAtOnce })) {
      read += rows.length;
      if (read > trialCallsMax) return tooMany(warmMs);
      for (const { at, grantedAt, chargedMs } of rows) {
        if (at < from) continue;
        recorded.calls += 1;
        recorded.served += Number(grantedAt !== null);
        recorded.gpuMs += chargedMs;
      }
      send(worker, { calls: rows.map(pastCall) });
    }
    send(worker, { world, edits, from });
    const outcome = await Promise.race([answered, delay(playsWithinMs, undefined, { ref: false })]);
    if (outcome === undefined) return tooMuch;
    const tookMs = Math.round(clock.monotonic() - begun);
    const span = { from: iso(from), to: iso(to), warmFrom: iso(warmFrom) };
    return { ok: true, value: { ...span, recorded, ...outcome, limits: limitsOf(warmMs), tookMs } };
  }
}

/** Rejects where the thread ends before. */
function answerOf(worker: Worker): Promise<TrialAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<TrialAnswer>();
  worker.once("message", resolve);
  worker.once("error", reject);
  worker.once("exit", (status) => reject(new Error(`a trial's thread ended with ${status}`)));
  promise.catch(() => undefined); // Whoever waits for it is told; one that was given up is waited for by nobody.
  return promise;
}

function send(worker: Worker, ask: TrialAsk): void {
  worker.postMessage(ask);
}

function pastCall(row: PastRow): PastCall {
  const { id, at, account, tier, billedBy, request, space, release, replica, node, declaredMs, size } = row;
  const { grantedAt, attachedAt, endedAt, usedMs, code } = row;
  const hadSlots = grantedAt !== null && attachedAt !== null && endedAt !== null;
  const left = grantedAt === null && endedAt !== null && code !== null && /(^|\/)visitor-left$/.test(code);
  return {
    ...{ call: id, at: instant(at), account, request, space, release, replica, node },
    ...{ tier: tier as TierName, billedBy: billedBy as BilledBy, size: size as Size },
    declaredMs: durationMs(declaredMs),
    usedMs: hadSlots ? usedMs : null,
    leftAfterMs: left ? endedAt - at : null,
  };
}

/** What it does not know, for whoever reads what came of it. */
function limitsOf(warmMs: number): readonly string[] {
  return [
    "Calls come when they came: nobody who is refused tries again, and nobody asks for more since there is more.",
    "A call has its GPU for as long as the record says. One that never had it is taken to need what half of its Space's calls needed that declared as much, else all that it declared.",
    "Cards, pools, rules and budgets are those of now, all of them in use; what operators gave to single accounts is left out.",
    "Workers begin with their grants: how long one takes to start is left out.",
    `Windows are filled by the calls of the ${Math.round(warmMs / 3_600_000)} h before; what functions usually use, by which leases are clipped, is known from those and the span's alone.`,
  ];
}

function no(code: Refused["code"], says: string, next: string): Refused {
  return { ok: false, code, says, next };
}

function tooMany(warmMs: number): Refused {
  const hours = Math.round(warmMs / 3_600_000);
  return no(
    "control/invalid",
    `The span has more than ${trialCallsMax} calls, with those of the ${hours} h before it, which fill the windows.`,
    "Try it on a shorter span.",
  );
}

const tooMuch = no(
  "control/invalid",
  `The calls of the span could not be replayed twice within ${playsWithinMs / 1_000} s.`,
  "Try it on a shorter span.",
);
