/**
 * Whether what is asked is a command at all: every field there, of its kind and within its bounds, and no other. What comes
 * over a wire was checked where it arrived; this holds whatever that check forgot, so that nothing but commands is decided on,
 * and nothing is recorded that a journal could not give back as it was (L25).
 */
import type { Command } from "./model.ts";
import type { Route } from "./routes.ts";
import { areCards } from "./nodes.ts";
import { nodeCardsMax, poolNameMax, routePoolsMax, textMax, tierNames } from "./policy.ts";

type Check = (value: unknown) => boolean;
/** Every field of a shape; one that is left out does not compile. */
type Shape<T> = { readonly [Key in keyof Required<T>]: Check };
type Of<Type extends Command["type"]> = Omit<Extract<Command, { type: Type }>, "type">;

/** Text that JSON in UTF-8 gives back as it was. */
const text: Check = (value) => typeof value === "string" && value.length <= textMax && value.isWellFormed();
/** Whole or not, negative or not: what is wrong with an amount is said by its own refusal. */
const number: Check = (value) => typeof value === "number";
/** One that is recorded also where it is refused: JSON has no other. */
const finite: Check = (value) => Number.isFinite(value);
const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const flag: Check = (value) => typeof value === "boolean";
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const oneOf = (...names: readonly string[]): Check => {
  const known: ReadonlySet<unknown> = new Set(names);
  return (value) => known.has(value);
};
const listOf =
  (check: Check, max = Infinity): Check =>
  (value) =>
    // `every` passes over holes.
    Array.isArray(value) && value.length <= max && !value.values().some((each) => !check(each));
/** A part of it: what is named is right, and nothing else is named. */
const some = (shape: Readonly<Record<string, Check>>): Check =>
  object(Object.fromEntries(Object.entries(shape).map(([name, check]) => [name, optional(check)])));

function object(shape: Readonly<Record<string, Check>>): Check {
  const fields = Object.entries(shape);
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
    const has = value as Readonly<Record<string, unknown>>;
    let named = 0;
    for (const [name, check] of fields) {
      const field = has[name];
      if (!check(field)) return false;
      if (field !== undefined || Object.hasOwn(has, name)) named++;
    }
    for (const name in has) if (Object.hasOwn(has, name)) named--;
    return named === 0;
  };
}

/** It stands in names of shares and in URLs. */
const poolName: Check = (value) =>
  typeof value === "string" && value.length <= poolNameMax && /^[a-z0-9][a-z0-9._-]*$/i.test(value);

const tier = oneOf(...tierNames);
const cardFault = oneOf("device-fault", "nvml-lost");

const billedBy = oneOf("token", "session", "address", "owner");
const size = oneOf("large", "xlarge");
type Terms = Of<"schedule">["terms"];
/** Each call brings one, and fields are read faster by their written names than by a list of them. */
const terms: Check = (value) => {
  if (typeof value !== "object" || value === null) return false;
  const t = value as { readonly [Key in keyof Terms]: unknown };
  const isRight =
    text(t.call) &&
    text(t.account) &&
    tier(t.tier) &&
    billedBy(t.billedBy) &&
    (t.request === null || text(t.request)) &&
    (t.root === undefined || text(t.root)) &&
    text(t.space) &&
    text(t.release) &&
    text(t.replica) &&
    text(t.node) &&
    text(t.pool) &&
    text(t.task) &&
    (t.endpoint === null || text(t.endpoint)) &&
    finite(t.declaredMs) &&
    size(t.size);
  if (!isRight) return false;
  for (const name in t) if (!termNames.has(name)) return false;
  return true;
};
const termNames: ReadonlySet<string> = new Set(
  Object.keys({
    ...{ call: 1, account: 1, tier: 1, billedBy: 1, request: 1, root: 1, space: 1, release: 1, replica: 1, node: 1 },
    ...{ pool: 1, task: 1, endpoint: 1, declaredMs: 1, size: 1 },
  } satisfies Record<keyof Terms, 1>),
);

const tierSettings = {
  windowLimitMs: orNull(number),
  windowMs: number,
  durationMaxMs: orNull(number),
  runsMax: orNull(number),
  callsMax: orNull(number),
  weight: number,
} satisfies Shape<Of<"set-tier">["settings"]>;

const poolSettings = {
  queueLimitMs: number,
  queueMax: number,
  durationMaxMs: number,
  attachWithinMs: number,
  admission: oneOf("clip", "strict"),
  tokenMaxCalls: number,
  tokenMaxGpuMs: number,
  spaceCallsMax: orNull(number),
  shareHalfLifeMs: number,
  oldestEvery: number,
} satisfies Shape<Of<"set-pool">["settings"]>;

const budgetSettings = {
  limitMs: orNull(number),
  whenOut: oneOf("visitor", "refuse"),
} satisfies Shape<Of<"set-budget">["settings"]>;

const device = { index: count, uuid: text, name: text, slots: count, simulated: flag } satisfies Shape<
  Of<"join-node">["devices"][number]
>;
const devices = listOf(object(device), nodeCardsMax);

const trouble = { device: count, cause: cardFault, says: text } satisfies Shape<Of<"report-cards">["trouble"][number]>;

const drainScopes: readonly Check[] = [
  object({ kind: oneOf("pool"), pool: text }),
  object({ kind: oneOf("node"), node: text }),
  object({ kind: oneOf("card"), node: text, device: number }),
];
const drain = {
  reason: text,
  by: text,
  endInMs: orNull(number),
} satisfies Shape<NonNullable<Of<"set-drain">["drain"]>>;

const routeOwners: readonly Check[] = [
  object({ kind: oneOf("space"), space: text }),
  object({ kind: oneOf("account"), account: text }),
];
const routePools = listOf(poolName, routePoolsMax);
const route = {
  // At least one, and none twice.
  pools: (value) => routePools(value) && new Set(value as string[]).size === Math.max(1, (value as string[]).length),
  moveAfterMs: orNull(number),
} satisfies Shape<Route>;

const allowanceTerms: readonly Check[] = [
  object({ kind: oneOf("window"), ms: number }),
  object({ kind: oneOf("credits"), ms: number, expiresAt: orNull(number) }),
  object({ kind: oneOf("lift"), policy: oneOf("window", "runs", "calls", "duration"), until: number }),
];
const allowance = {
  id: text,
  terms: (value) => allowanceTerms.some((check) => check(value)),
  by: text,
  reason: text,
} satisfies Shape<Of<"allow">["allowance"]>;

const endCause = oneOf(
  ...["returned", "raised", "lease-end", "worker-exit", "worker-killed", "worker-oom", "app-exit", "app-killed"],
  ...["without-lease", "visitor-stop", "operator-stop", "device-fault", "nvml-lost", "shim-lost", "node-lost"],
);

const shapes: { readonly [Type in Command["type"]]: Shape<Of<Type>> } = {
  "start-writer": { epoch: count },
  "raise-fences": { above: count },
  "open-account": { account: text, tier },
  "set-tier": { tier, settings: some(tierSettings) },
  "set-pool": { pool: poolName, settings: some(poolSettings) },
  allow: { account: text, tier, allowance: object(allowance) },
  revoke: { account: text, allowance: text, by: text, reason: text },
  "set-budget": { space: text, sponsor: text, tier, settings: some(budgetSettings) },
  "join-node": {
    node: text,
    pool: poolName,
    devices: (value) => devices(value) && areCards(value as Of<"join-node">["devices"]),
    replicas: listOf(text),
  },
  "hear-node": { node: text },
  "report-cards": { node: text, trouble: listOf(object(trouble), nodeCardsMax) },
  "set-card-pool": { node: text, device: orNull(count), pool: orNull(poolName) },
  "set-route": { of: (value) => routeOwners.some((check) => check(value)), route: orNull(object(route)) },
  "set-drain": { of: (value) => drainScopes.some((check) => check(value)), drain: orNull(object(drain)) },
  schedule: {
    terms,
    misfit: optional(object({ code: oneOf("arch-mismatch", "driver-too-old"), says: text })),
  },
  leave: { call: text },
  attach: { call: text, fence: number, pid: count },
  end: {
    call: text,
    fence: number,
    cause: endCause,
    usedMs: number,
    workerAlive: flag,
    unused: optional(flag),
  },
  "clear-slot": { slot: text, fence: number },
  "lose-replica": { replica: text, cause: oneOf("app-exit", "app-killed", "operator-stop", "shim-lost") },
  tick: {},
};

const checks: ReadonlyMap<unknown, Check> = new Map(
  Object.entries(shapes).map(([type, shape]) => [type, object({ type: oneOf(type), ...shape })]),
);

export function isWellFormed(command: unknown): command is Command {
  if (typeof command !== "object" || command === null) return false;
  return checks.get((command as { readonly type?: unknown }).type)?.(command) === true;
}
