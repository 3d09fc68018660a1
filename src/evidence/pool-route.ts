/** Which pool served a GPU call, and why: by whose rule, what could not take it, how it moved on. As receipts and entries tell it. */
import { assert } from "../stdx/assert.ts";
import { callOutcomes } from "./call-outcomes.ts";
import type { CallRefusal, CallVoid } from "./call-outcomes.ts";
import { isCode } from "./codes.ts";
import type { Code } from "./codes.ts";
import type { Entry, Json } from "./entry.ts";
import { all, first, text } from "./reading.ts";
import type { Reading } from "./reading.ts";
import { spell } from "./words.ts";

export interface PassedPool {
  readonly pool: string;
  /** The code of why it could not take the call. */
  readonly code: string;
  /** Of a drain, or of its cards' trouble. */
  readonly says?: string;
}

export interface PoolMove {
  readonly from: string;
  readonly to: string;
  /** Its time there was over, or the pool lost the cards that could hold it. */
  readonly why: "waited" | "no-capacity";
  /** For so long it had waited in `from`. */
  readonly waitedMs: number;
}

export interface PoolRoute {
  /** Whose rule: the Space's, the account's, or that of the app's node, all of whose cards are in another pool. */
  readonly by: "space" | "account" | "node";
  /** In the order of the rule. */
  readonly pools: readonly string[];
  /** Those that could not take it when it came. */
  readonly passed: readonly PassedPool[];
  readonly moves: readonly PoolMove[];
}

/** `Served by pool b, by the rule of its Space (a, then b): a lets no more calls wait. It moved on from …`. */
export function routeSays(pool: string, { by, pools, passed, moves }: PoolRoute, verb = "Served by"): string {
  const rule = pools.length > 1 ? ` (${pools.join(", then ")})` : "";
  const over = passed.length === 0 ? "" : `: ${passed.map(passedSays).join(", ")}`;
  const moved = moves.map(({ from, to, why, waitedMs }) =>
    why === "waited"
      ? ` It moved on from ${from} to ${to} after ${spell(waitedMs)}.`
      : ` It moved on from ${from} to ${to}, since ${from} lost the cards that could hold it.`,
  );
  return `${verb} pool ${pool}, by the rule of ${ruleOf[by]}${rule}${over}.${moved.join("")}`;
}

/** `a is out of use (driver), b lets no more calls wait`, for a quote or a refusal; "" where nothing was passed over. */
export function passedSay(passed: readonly PassedPool[]): string {
  return passed.map(passedSays).join(", ");
}

const ruleOf: Readonly<Record<PoolRoute["by"], string>> = {
  space: "its Space",
  account: "its account",
  node: "its node",
};

/** By code; the code itself where none is foreseen. */
const passedBecause: { readonly [Of in Code]?: string } = {
  "gpu/no-capacity": "has no card on the app's node",
  "gpu/size-not-available": "has no card of that size there",
  "capacity/pool-draining": "is out of use",
  "gpu/device-fault": "has only cards in trouble there",
  "runtime/nvml-lost": "has only cards there that cannot be asked",
  "gpu/duration-not-allowed": "allows less time",
  "gpu/space-busy": "allows the Space no more calls at once",
  "gpu/queue-full": "lets no more calls wait",
};

function passedSays({ pool, code, says }: PassedPool): string {
  const because = isCode(code) ? passedBecause[code] : undefined;
  return `${pool} ${because ?? code}${says === undefined ? "" : ` (${says})`}`;
}

/** As the ledger has it when the call comes: its causes in the words of codes. */
export function poolRoute({ by, pools, passed }: LedgersRoute): PoolRoute {
  return { by, pools, passed: passed.map(passedPool), moves: [] };
}

export function passedPool({ pool, code: cause, says }: LedgersRoute["passed"][number]): PassedPool {
  const { code } = callOutcomes[cause];
  assert(code !== null, `what passes a pool over has a code: ${cause}`);
  return { pool, code, ...(says !== undefined && { says }) };
}

interface LedgersRoute extends Pick<PoolRoute, "by" | "pools"> {
  readonly passed: readonly { readonly pool: string; readonly code: CallRefusal | CallVoid; readonly says?: string }[];
}

/** The pool that served a call, or that it waited for, and the sentence of why; by the journal's entries. */
export interface PoolTold {
  readonly pool: string | undefined;
  /** "" where it had its node's pool by no rule. */
  readonly says: string;
  readonly entries: readonly Entry[];
}

export function poolTold(reading: Reading): PoolTold {
  const scheduled = first(reading, "gpu.schedule", "took");
  const decided = first(reading, "gpu.admit");
  const moved = all(reading, "gpu.queue", "done").filter(({ facts }) => facts["moved"] === true);
  const pool = text(moved.at(-1)?.facts, "to") ?? text(decided?.facts, "pool") ?? text(scheduled?.facts, "pool");
  const route = routeIn(decided?.facts["route"]);
  if (decided === undefined || pool === undefined || route === undefined) return { pool, says: "", entries: [] };
  let since = Date.parse(decided.at);
  const moves = moved.map(({ facts, at }): PoolMove => {
    const [from, to] = [text(facts, "from") ?? "", text(facts, "to") ?? ""];
    // Both are the scheduler's: one clock.
    const waitedMs = Math.max(0, Date.parse(at) - since);
    since = Date.parse(at);
    return { from, to, why: text(facts, "why") === "waited" ? "waited" : "no-capacity", waitedMs };
  });
  const isServed = first(reading, "gpu.grant", "handed") !== undefined;
  const says = routeSays(pool, { ...route, moves }, isServed ? "Served by" : "It was for");
  return { pool, says, entries: [decided, ...moved] };
}

/** As it stands in an entry's facts; undefined where it does not, or is of a shape that this version does not know. */
function routeIn(facts: Json | undefined): Omit<PoolRoute, "moves"> | undefined {
  if (typeof facts !== "object" || facts === null || Array.isArray(facts)) return undefined;
  const { by, pools, passed } = facts as { readonly [key: string]: Json };
  if (typeof by !== "string" || !Object.hasOwn(ruleOf, by) || !Array.isArray(pools) || !Array.isArray(passed))
    return undefined;
  const isPassed = (one: Json): boolean => typeof one === "object" && one !== null && "pool" in one && "code" in one;
  if (!passed.every(isPassed)) return undefined;
  return {
    by: by as PoolRoute["by"],
    pools: pools as readonly string[],
    passed: passed as unknown as readonly PassedPool[],
  };
}
