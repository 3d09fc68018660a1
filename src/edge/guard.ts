/**
 * How much one address and one Space may ask of the edge at a time: requests under way, requests a second, connections. What it keeps of
 * addresses is bounded, and an IPv6 address counts by its /64, since whoever has one has all of them.
 */
import type { Code } from "../evidence/codes.ts";
import { addressGroup } from "../http/address-group.ts";
import { serializeRateLimit, serializeRateLimitPolicy } from "../http/rate-limit.ts";
import type { RateLimit } from "../http/rate-limit.ts";
import { isLoopback } from "../http/visitor.ts";
import { least } from "./limits.ts";
import type { SpaceLimits } from "./ports.ts";

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

interface Use {
  connections: number;
  requests: number;
  /** Requests that may come at once at `at`; never more than `full`. */
  tokens: number;
  full: number;
  at: number;
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

  constructor(limits: GuardLimits, monotonic: () => number) {
    this.#limits = limits;
    this.#monotonic = monotonic;
  }

  /** A request comes. `leave` is called once, when it is over. */
  enter({ space, limits, address }: Asking): Entered {
    const now = this.#monotonic();
    const key = address === undefined ? undefined : countedAs(address);
    const { addressRequests, addressPerSecond, spaceRequests, spacePerSecond } = this.#limits;
    const perSecond = least(spacePerSecond, limits?.perSecond);
    const ofSpace = space === undefined ? undefined : this.#useOf(this.#spaces, space, perSecond, now);
    const ofAddress = key === undefined ? undefined : this.#useOf(this.#addresses, key, addressPerSecond, now);
    const refused =
      (ofAddress && refusal("address", ofAddress, { requests: addressRequests, perSecond: addressPerSecond })) ??
      (ofSpace && refusal("space", ofSpace, { requests: least(spaceRequests, limits?.requests), perSecond }));
    if (refused !== undefined) return refused;
    for (const use of [ofSpace, ofAddress]) {
      if (use === undefined) continue;
      use.requests += 1;
      use.tokens -= 1;
    }
    return {
      ok: true,
      leave: () => {
        if (ofSpace !== undefined) ofSpace.requests -= 1;
        if (ofAddress !== undefined) ofAddress.requests -= 1;
      },
    };
  }

  /** A connection comes; undefined where its address has too many. The answer is called when it is over. */
  connect(address: string): (() => void) | undefined {
    const key = countedAs(address);
    if (key === undefined) return () => {};
    const use = this.#useOf(this.#addresses, key, this.#limits.addressPerSecond, this.#monotonic());
    if (use.connections >= this.#limits.addressConnections) return undefined;
    use.connections += 1;
    return () => void (use.connections -= 1);
  }

  /** Forgets what nobody uses and whose rate is full again. */
  sweep(): void {
    const now = this.#monotonic();
    for (const uses of [this.#addresses, this.#spaces])
      for (const [key, use] of uses) {
        if (now - use.at < burstSeconds * 1_000) break;
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

  #useOf(uses: Map<string, Use>, key: string, perSecond: number, now: number): Use {
    const known = uses.get(key);
    const full = perSecond * burstSeconds;
    const use = known ?? { connections: 0, requests: 0, tokens: full, full, at: now };
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

function refusal(
  whose: "address" | "space",
  use: Use,
  { requests, perSecond }: { readonly requests: number; readonly perSecond: number },
): Exclude<Entered, { ok: true }> | undefined {
  const code = whose === "address" ? "capacity/rate-limited" : "capacity/space-busy";
  const who = whose === "address" ? "This address" : "The Space";
  const verb = whose === "address" ? "make" : "be asked";
  if (use.requests >= requests)
    return {
      ok: false,
      code,
      detail: `${who} has ${use.requests} requests under way, and may have ${requests}.`,
      retryAfterMs: 1_000,
      headers: fieldsOf({ name: `${whose}-at-once`, quota: requests, windowSeconds: null, resetSeconds: null }),
    };
  if (use.tokens >= 1) return undefined;
  const retryAfterMs = Math.ceil(((1 - use.tokens) / perSecond) * 1_000);
  const quota = perSecond * burstSeconds;
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
