/** Writes the fields `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10). */
import { serializeList } from "structured-headers";
import type { BareItem, Item } from "structured-headers";

/** One limit as it stands now. Whole numbers at least 0, of at most 15 digits (RFC 9651 §3.3.1). */
export interface RateLimit {
  readonly name: string;
  /** What is counted: `requests`, `concurrent-requests`, or a unit of our own; null: it is not said. */
  readonly unit: string | null;
  readonly quota: number;
  readonly remaining: number;
  /** Seconds that a window lasts; null where the limit has none. */
  readonly windowSeconds: number | null;
  /** Seconds until the quota is whole again; null while no window runs. */
  readonly resetSeconds: number | null;
}

/** The value of `RateLimit-Policy` (§3): what the limits are. */
export function serializeRateLimitPolicy(limits: readonly RateLimit[]): string {
  return serializeList(
    limits.map(({ name, unit, quota, windowSeconds }) =>
      item(name, [
        ["q", quota],
        ["qu", unit],
        ["w", windowSeconds],
      ]),
    ),
  );
}

/** The value of `RateLimit` (§4): what is left of each. */
export function serializeRateLimit(limits: readonly RateLimit[]): string {
  return serializeList(
    limits.map(({ name, remaining, resetSeconds }) =>
      item(name, [
        ["r", remaining],
        ["t", resetSeconds],
      ]),
    ),
  );
}

function item(name: string, parameters: readonly (readonly [string, BareItem | null])[]): Item {
  return [name, new Map(parameters.filter((each): each is readonly [string, BareItem] => each[1] !== null))];
}
