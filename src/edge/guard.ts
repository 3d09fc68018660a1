/**
 * How much one address and one Space may ask of the edge at a time: requests under way, requests a second, connections. What it keeps of
 * addresses is bounded, and an IPv6 address counts by its /64, since whoever has one has all of them. Where the edge has several workers
 * a limit is for all of them together, to a sixteenth for each other one and what comes between two tellings.
 */
import type { Code } from "../evidence/codes.ts";
import { addressGroup } from "../http/address-group.ts";
import { serializeRateLimit, serializeRateLimitPolicy } from "../http/rate-limit.ts";
import type { RateLimit } from "../http/rate-limit.ts";
import { isLoopback } from "../http/visitor.ts";
import { least, sweepEveryMs } from "./limits.ts";
import type { SpaceLimits } from "./ports.ts";
import { UsedElsewhere } from "./used-elsewhere.ts";
import type { SharedUse } from "./used-elsewhere.ts";

export interface GuardLimits {
  readonly addressConnections: number;
  readonly addressRequests: number;
  readonly addressPerSecond: number;
  readonly spaceRequests: number;
  readonly spacePerSecond: number;
}

export const guardLimits: GuardLimits = {
  // A building full of people behind one address, each with a browser's six connections; a fifth of what the edge has.
  addressConnections: 2_000,
  addressRequests: 2_000,
  addressPerSecond: 500,
  // What ten replicas take at a time.
  spaceRequests: 5_000,
  spacePerSecond: 10_000,
};

/** A burst may be as long as this at the full rate: a page with hundreds of parts comes at once. */
const burstSeconds = 4;
/** Addresses that are kept of: 20 MB. Those with something open are fewer, as connections are bounded. */
const addressesMax = 100_000;

export type Entered =
  | { readonly ok: true; readonly leave: () => void }
  | {
      readonly ok: false;
      readonly code: Extract<Code, "capacity/rate-limited" | "capacity/space-busy">;
      readonly detail: string;
      readonly retryAfterMs: number;
      /** `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers). */
      readonly headers: Readonly<Record<string, string>>;
    };

/** Who uses less than this part of a limit is not told of: nearly everybody. */
const toldPart = 1 / 16;
/** All that is open is told again after so many looks, for a worker that began meanwhile. */
const allToldEvery = 16;
/** What others took may be ahead of a rate by so much, and is waited for. */
const aheadSeconds = 1;

interface Use {
  readonly of: SharedUse["of"];
  readonly key: string;
  connections: number;
  requests: number;
  /** Requests that may come at once at `at`; never more than `full`. */
  tokens: number;
  full: number;
  /** Requests that may be under way. */
  most: number;
  at: number;
  /** Something is to be told, and how many requests of it. */
  isChanged: boolean;
  taken: number;
}

export interface Asking {
  /** Undefined where it is not known whether the asker may know of one. */
  readonly space: string | undefined;
  readonly limits: SpaceLimits | undefined;
  /** Undefined where addresses are not told apart: an app of this platform's. */
  readonly address: string | undefined;
}

export class Guard {
  readonly #limits: GuardLimits;
  readonly #monotonic: () => number;
  /** The last used at the end. */
  readonly #addresses = new Map<string, Use>();
  readonly #spaces = new Map<string, Use>();
  readonly #elsewhere = new UsedElsewhere();
  readonly #share: ((uses: readonly SharedUse[]) => void) | undefined;
  readonly #told = new Set<Use>();
  #changed: Use[] = [];
  #looks = 0;

  /** `share`: tells the edge's other workers; absent where there are none. */
  constructor(limits: GuardLimits, monotonic: () => number, share?: (uses: readonly SharedUse[]) => void) {
    this.#limits = limits;
    this.#monotonic = monotonic;
    this.#share = share;
  }

  /** A request comes. `leave` is called once, when it is over. */
  enter({ space, limits, address }: Asking): Entered {
    const now = this.#monotonic();
    const key = address === undefined ? undefined : countedAs(address);
    const { addressRequests, addressPerSecond, spaceRequests, spacePerSecond } = this.#limits;
    const perSecond = least(spacePerSecond, limits?.perSecond);
    const ofSpace = space === undefined ? undefined : this.#useOf("space", space, perSecond, now);
    const ofAddress = key === undefined ? undefined : this.#useOf("address", key, addressPerSecond, now);
    if (ofSpace !== undefined) ofSpace.most = least(spaceRequests, limits?.requests);
    if (ofAddress !== undefined) ofAddress.most = addressRequests;
    const refused = (ofAddress && this.#refusal(ofAddress)) ?? (ofSpace && this.#refusal(ofSpace));
    if (refused !== undefined) return refused;
    for (const use of [ofSpace, ofAddress]) {
      if (use === undefined) continue;
      use.requests += 1;
      use.tokens -= 1;
      use.taken += 1;
      this.#note(use);
    }
    return {
      ok: true,
      leave: () => {
        for (const use of [ofSpace, ofAddress]) {
          if (use === undefined) continue;
          use.requests -= 1;
          this.#note(use);
        }
      },
    };
  }

  /** A connection comes; undefined where its address has too many. The answer is called when it is over. */
  connect(address: string): (() => void) | undefined {
    const key = countedAs(address);
    if (key === undefined) return () => {};
    const use = this.#useOf("address", key, this.#limits.addressPerSecond, this.#monotonic());
    const { connections } = this.#elsewhere.open("address", key);
    if (use.connections + connections >= this.#limits.addressConnections) return undefined;
    use.connections += 1;
    this.#note(use);
    return () => {
      use.connections -= 1;
      this.#note(use);
    };
  }

  /** What another worker told. */
  learn(worker: string, uses: readonly SharedUse[]): void {
    this.#elsewhere.learn(worker, uses);
    const now = this.#monotonic();
    for (const { of, key, taken, perSecond } of uses) {
      if (taken === 0) continue;
      const use = this.#useOf(of, key, perSecond, now);
      use.tokens = Math.max(use.tokens - taken, -perSecond * aheadSeconds);
    }
  }

  /** Another worker has ended. */
  forget(worker: string): void {
    this.#elsewhere.forget(worker);
  }

  /** Tells the other workers; forgets what nobody uses and whose rate is full again. */
  sweep(): void {
    this.#tell();
    const now = this.#monotonic();
    for (const uses of [this.#addresses, this.#spaces])
      for (const [key, use] of uses) {
        if (now - use.at < (burstSeconds + aheadSeconds) * 1_000) break;
        if (isUnused(use)) uses.delete(key);
        else {
          use.tokens = use.full;
          toEnd(uses, key, { use, now });
        }
      }
  }

  get size(): number {
    return this.#addresses.size;
  }

  #tell(): void {
    if (this.#share === undefined) return;
    const isAll = ++this.#looks % allToldEvery === 0;
    const changed = this.#changed;
    this.#changed = [];
    const told = new Set(isAll ? this.#told : undefined);
    for (const use of changed) if (this.#told.has(use) || this.#isMuch(use)) told.add(use);
    const uses = Array.from(told, ({ of, key, connections, requests, taken, full }) => ({
      ...{ of, key, connections, requests, taken },
      perSecond: full / burstSeconds,
    }));
    for (const use of changed) [use.isChanged, use.taken] = [false, 0];
    for (const use of told) {
      if (isUnused(use)) this.#told.delete(use);
      else this.#told.add(use);
    }
    if (uses.length > 0) this.#share(uses);
  }

  #isMuch({ of, connections, requests, most, taken, full }: Use): boolean {
    const ofSweep = (full / burstSeconds) * (sweepEveryMs / 1_000);
    return (
      (of === "address" && connections >= toldPart * this.#limits.addressConnections) ||
      (requests > 0 && requests >= toldPart * most) ||
      (taken > 0 && taken >= toldPart * ofSweep)
    );
  }

  #note(use: Use): void {
    if (use.isChanged || this.#share === undefined) return;
    use.isChanged = true;
    this.#changed.push(use);
  }

  #refusal(use: Use): Exclude<Entered, { ok: true }> | undefined {
    const under = use.requests + this.#elsewhere.open(use.of, use.key).requests;
    return refusal(use, under);
  }

  #useOf(of: SharedUse["of"], key: string, perSecond: number, now: number): Use {
    const uses = of === "address" ? this.#addresses : this.#spaces;
    const known = uses.get(key);
    const full = perSecond * burstSeconds;
    const use = known ?? {
      ...{ of, key, connections: 0, requests: 0, tokens: full, full, most: 0, at: now },
      ...{ isChanged: false, taken: 0 },
    };
    use.full = full;
    // Of those of one moment the order is all the same.
    if (known !== undefined && known.at === now) return known;
    use.tokens = Math.min(full, use.tokens + ((now - use.at) / 1_000) * perSecond);
    toEnd(uses, key, { use, now });
    if (known === undefined && uses.size > addressesMax) forgetOne(uses);
    return use;
  }
}

/** What its counters are kept under; undefined for this machine itself: tunnels and proxies that tell nothing share it. */
export function countedAs(address: string): string | undefined {
  return isLoopback(address) ? undefined : addressGroup(address);
}

/** `under`: its requests under way, at all workers. */
function refusal(use: Use, under: number): Exclude<Entered, { ok: true }> | undefined {
  const { of: whose, most: requests, full: quota } = use;
  const perSecond = quota / burstSeconds;
  const code = whose === "address" ? "capacity/rate-limited" : "capacity/space-busy";
  const who = whose === "address" ? "This address" : "The Space";
  const verb = whose === "address" ? "make" : "be asked";
  if (under >= requests)
    return {
      ok: false,
      code,
      detail: `${who} has ${under} requests under way, and may have ${requests}.`,
      retryAfterMs: 1_000,
      headers: fieldsOf({ name: `${whose}-at-once`, quota: requests, windowSeconds: null, resetSeconds: null }),
    };
  if (use.tokens >= 1) return undefined;
  const retryAfterMs = Math.ceil(((1 - use.tokens) / perSecond) * 1_000);
  return {
    ok: false,
    code,
    detail: `${who} may ${verb} ${perSecond} requests a second, and ${quota} in a burst.`,
    retryAfterMs,
    headers: fieldsOf({
      ...{ name: whose, quota, windowSeconds: burstSeconds },
      resetSeconds: Math.max(1, Math.ceil(retryAfterMs / 1_000)),
    }),
  };
}

/** Of a limit that nothing is left of. */
function fieldsOf(limit: Omit<RateLimit, "unit" | "remaining">): Readonly<Record<string, string>> {
  const limits = [{ ...limit, unit: null, remaining: 0 }];
  return { "ratelimit-policy": serializeRateLimitPolicy(limits), ratelimit: serializeRateLimit(limits) };
}

function isUnused({ connections, requests }: Use): boolean {
  return connections === 0 && requests === 0;
}

/** The oldest that has nothing open. There is one: what is open is bounded by the edge's connections. */
function forgetOne(uses: Map<string, Use>): void {
  for (const [key, use] of uses) if (isUnused(use)) return void uses.delete(key);
}

function toEnd(uses: Map<string, Use>, key: string, { use, now }: { readonly use: Use; readonly now: number }): void {
  use.at = now;
  uses.delete(key);
  uses.set(key, use);
}
