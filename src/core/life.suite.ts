/**
 * Random lives of a small ledger: two nodes, few ids, so that calls meet; reports late, repeated, from the wrong holder,
 * restarts of the writer. The properties are about them, and kept journals are written from them: a command that is drawn here is
 * in the next one.
 */
import fc from "fast-check";
import { durationMs, instant } from "../stdx/time.ts";
import type { DurationMs, Instant } from "../stdx/time.ts";
import { gpuMs } from "./amounts.ts";
import { nextDeadline } from "./deadlines.ts";
import { Ledger, card, terms } from "./ledger.suite.ts";
import type { DrainScope } from "./drained.ts";
import type { AllowanceTerms, CardFault, Command, EndCause, LiftablePolicy, Size, TierName } from "./model.ts";
import type { RouteOf } from "./routes.ts";
import type { State } from "./state.ts";

export const replicas = ["p_0", "p_1", "p_2"];
export const nodes = ["n0", "n1"];
const causes: EndCause[] = [
  "returned",
  "returned",
  "raised",
  "lease-end",
  "worker-exit",
  "worker-killed",
  "worker-killed",
  "worker-oom",
  "without-lease",
  "app-exit",
  "app-killed",
  "visitor-stop",
  "operator-stop",
  "shim-lost",
  "node-lost",
];

/** What somebody does next. */
export type Step =
  /** Time passes; nodes that are not `silent` are heard, and come back where they were lost. */
  | { readonly kind: "wait"; readonly ms: number; readonly silent: boolean }
  | { readonly kind: "restart" }
  | { readonly kind: "tick-at-deadline" }
  | { readonly kind: "command"; readonly make: (state: State) => Command };

const asked = (arbitrary: fc.Arbitrary<(state: State) => Command>): fc.Arbitrary<Step> =>
  arbitrary.map((make): Step => ({ kind: "command", make }));

/** One of the calls: mostly one that has a lease, else any, else one that nobody knows. */
function someCall(state: State, pick: number): { id: string; fence: number } {
  const known = [...state.calls.values()];
  const holders = known.filter(({ stage }) => stage === "granted" || stage === "attached");
  const from = holders.length > 0 && pick % 5 > 0 ? holders : known;
  const chosen = from[pick % from.length];
  if (chosen === undefined) return { id: "c_nobody", fence: 1 };
  return { id: chosen.terms.call, fence: "lease" in chosen && chosen.lease ? chosen.lease.fence : 1 };
}

const pick = fc.nat(999);
const wrong = fc.constantFrom(0, 0, 0, 0, 0, 0, 1, -1);

const scheduled = fc.record({
  account: fc.constantFrom("a0", "a1"),
  tier: fc.constantFrom<TierName>("free", "free", "free", "anonymous"),
  request: fc.constantFrom(null, "q_0", "q_1"),
  replica: fc.nat(2),
  space: fc.constantFrom("alice/demo", "bob/demo"),
  task: fc.constantFrom("t0", "t1"),
  declaredMs: fc.constantFrom(0, 1, 999, 20_000, 20_000, 60_000, 100_000).map(durationMs),
  size: fc.constantFrom<Size>("large", "large", "large", "xlarge"),
});
const schedule = fc.tuple(scheduled, pick).map(([{ replica, ...rest }, again]) => (state: State): Command => {
  // One in eight comes under an id that is known already.
  const id = again % 8 === 0 ? `c${again % (state.calls.size + 1)}` : `c${state.calls.size}`;
  const at = { replica: replicas[replica] as string, node: replica === 2 ? "n1" : "n0" };
  return { type: "schedule", terms: terms(id, { ...rest, ...at }) };
});
const attach = fc.tuple(pick, wrong).map(([which, off]) => (state: State): Command => {
  const { id, fence } = someCall(state, which);
  return { type: "attach", call: id, fence: fence + off, pid: 9 };
});
const end = fc
  .record({
    which: pick,
    off: wrong,
    cause: fc.constantFrom(...causes),
    used: fc.nat(30_000),
    workerAlive: fc.boolean(),
    unused: fc.constantFrom(false, false, false, true),
  })
  .map(({ which, off, cause, used, workerAlive, unused }) => (state: State): Command => {
    const { id, fence } = someCall(state, which);
    return { type: "end", call: id, fence: fence + off, cause, usedMs: durationMs(used), workerAlive, unused };
  });
const clear = fc.tuple(pick, wrong).map(([which, off]) => (state: State): Command => {
  const slots = [...state.slots];
  const [slot, { fence }] = slots[which % slots.length] as (typeof slots)[number];
  return { type: "clear-slot", slot, fence: fence + off };
});
const join = fc
  .tuple(fc.constantFrom(...nodes), fc.subarray(replicas), fc.constantFrom(1, 2))
  .map(([node, alive, cards]) => (): Command => ({
    type: "join-node",
    node,
    pool: "main",
    replicas: alive,
    devices: cardsUpTo(cards),
  }));
const cards = fc
  .tuple(fc.constantFrom(...nodes), fc.subarray([0, 1]), fc.constantFrom<CardFault>("device-fault", "nvml-lost"))
  .map(([node, devices, cause]) => (): Command => ({
    type: "report-cards",
    node,
    trouble: devices.map((device) => ({ device, cause, says: "lost" })),
  }));
const drain = fc
  .tuple(
    fc.constantFrom<DrainScope>(
      { kind: "pool", pool: "main" },
      { kind: "pool", pool: "fast" },
      { kind: "node", node: "n0" },
      { kind: "card", node: "n1", device: 0 },
      { kind: "card", node: "n9", device: 0 },
    ),
    fc.constantFrom(undefined, null, 0, 4_000, -1),
  )
  .map(([of, endInMs]) => (): Command => ({
    type: "set-drain",
    of,
    drain: endInMs === undefined ? null : { reason: "driver", by: "admin", endInMs: endInMs as DurationMs | null },
  }));
const tier = fc
  .record({
    tier: fc.constantFrom<TierName>("free", "anonymous"),
    limitMs: fc.constantFrom(0, 1_000, 120_000, 300_000),
    windowMs: fc.constantFrom(1, 60_000, 24 * 3600 * 1000),
    durationMaxMs: fc.constantFrom(null, 999, 60_000),
    runsMax: fc.constantFrom(null, 0, 1, 3),
    callsMax: fc.constantFrom(null, 0, 1, 2),
  })
  .map(({ tier: name, limitMs, windowMs, durationMaxMs, runsMax, callsMax }) => (): Command => ({
    type: "set-tier",
    tier: name,
    settings: {
      windowLimitMs: gpuMs(limitMs),
      windowMs: durationMs(windowMs),
      durationMaxMs: durationMaxMs === null ? null : durationMs(durationMaxMs),
      runsMax,
      callsMax,
    },
  }));
/** One id in eight is known already. */
const allowance = fc
  .record({
    which: pick,
    account: fc.constantFrom("a0", "a1", "bob"),
    terms: fc.oneof(
      fc.record({ kind: fc.constant("window" as const), ms: fc.constantFrom(1, 20_000, 100_000) }),
      fc.record({
        kind: fc.constant("credits" as const),
        ms: fc.constantFrom(1, 20_000, 100_000),
        forMs: fc.constantFrom(null, 1, 60_000),
      }),
      fc.record({
        kind: fc.constant("lift" as const),
        policy: fc.constantFrom<LiftablePolicy>("window", "runs", "calls", "duration"),
        forMs: fc.constantFrom(1, 30_000),
      }),
    ),
  })
  .map(({ which, account, terms: wished }) => (state: State): Command => {
    const count = [...state.accounts.values()].reduce((sum, { allowances }) => sum + allowances.length, 0);
    const id = `al${which % 8 === 0 ? which % (count + 1) : `_${state.index}`}`;
    const given = { id, by: "admin", reason: "asked" };
    const at = (forMs: number): Instant => instant(state.at + forMs);
    const allowed = (): AllowanceTerms => {
      if (wished.kind === "window") return { kind: "window", ms: gpuMs(wished.ms) };
      if (wished.kind === "lift") return { kind: "lift", policy: wished.policy, until: at(wished.forMs) };
      const expiresAt = wished.forMs === null ? null : at(wished.forMs);
      return { kind: "credits", ms: gpuMs(wished.ms), expiresAt };
    };
    const tierName = state.accounts.get(account)?.tier ?? "free";
    return { type: "allow", account, tier: tierName, allowance: { ...given, terms: allowed() } };
  });
/** Mostly one that is there. */
const revocation = fc
  .tuple(pick, fc.constantFrom("a mistake", "over"))
  .map(([which, reason]) => (state: State): Command => {
    const given = [...state.accounts.values()].flatMap(({ id, allowances }) =>
      allowances.map((each) => ({ account: id, allowance: each.id })),
    );
    const { account, allowance: id } = given[which % given.length] ?? { account: "a0", allowance: "al_none" };
    return { type: "revoke", account, allowance: id, by: "admin", reason };
  });
const budget = fc
  .record({
    space: fc.constantFrom("alice/demo", "bob/demo"),
    limitMs: fc.constantFrom(null, 0, 10_000, 150_000),
    whenOut: fc.constantFrom("visitor" as const, "refuse" as const),
  })
  .map(({ space, limitMs, whenOut }) => (state: State): Command => {
    // An owner calls its own Spaces too: then it is no visitor.
    const sponsor = space === "bob/demo" ? "bob" : "a1";
    const settings = { limitMs: limitMs === null ? null : gpuMs(limitMs), whenOut };
    return { type: "set-budget", space, sponsor, tier: state.accounts.get(sponsor)?.tier ?? "free", settings };
  });
const pools = ["main", "fast", "spare"];
const cardPool = fc
  .tuple(fc.constantFrom(...nodes), fc.constantFrom(null, 0, 0, 1, 1, 2), fc.constantFrom(null, ...pools, "nowhere"))
  .map(([node, device, pool]) => (): Command => ({ type: "set-card-pool", node, device, pool }));
const route = fc
  .record({
    of: fc.constantFrom<RouteOf>(
      { kind: "space", space: "alice/demo" },
      { kind: "space", space: "bob/demo" },
      { kind: "account", account: "a0" },
      { kind: "account", account: "a1" },
    ),
    pools: fc.shuffledSubarray(pools, { minLength: 1 }),
    moveAfterMs: fc.constantFrom(null, 1_000, 4_000, 4_000, 20_000, 999),
    isSet: fc.constantFrom(true, true, true, false),
  })
  .map(({ of, pools: through, moveAfterMs, isSet }) => (): Command => {
    const after = moveAfterMs === null ? null : durationMs(moveAfterMs);
    return { type: "set-route", of, route: isSet ? { pools: through, moveAfterMs: after } : null };
  });
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: asked(schedule) },
  { weight: 8, arbitrary: asked(attach) },
  { weight: 8, arbitrary: asked(end) },
  { weight: 2, arbitrary: asked(pick.map((which) => (state) => ({ type: "leave", call: someCall(state, which).id }))) },
  { weight: 4, arbitrary: asked(clear) },
  {
    weight: 1,
    arbitrary: asked(
      fc.constantFrom(...replicas).map((replica) => () => ({ type: "lose-replica", replica, cause: "app-exit" })),
    ),
  },
  { weight: 1, arbitrary: asked(fc.constantFrom(...nodes).map((node) => () => ({ type: "hear-node", node }))) },
  { weight: 1, arbitrary: asked(join) },
  { weight: 1, arbitrary: asked(cards) },
  { weight: 1, arbitrary: asked(tier) },
  { weight: 1, arbitrary: asked(drain) },
  { weight: 1, arbitrary: asked(cardPool) },
  { weight: 1, arbitrary: asked(route) },
  { weight: 2, arbitrary: asked(allowance) },
  { weight: 1, arbitrary: asked(revocation) },
  { weight: 1, arbitrary: asked(budget) },
  {
    weight: 1,
    arbitrary: asked(
      fc
        .constantFrom(null, 1, 2)
        .map((spaceCallsMax) => () => ({ type: "set-pool", pool: "main", settings: { spaceCallsMax } })),
    ),
  },
  { weight: 1, arbitrary: asked(fc.constant(() => ({ type: "tick" }))) },
  { weight: 1, arbitrary: asked(fc.nat(500).map((above) => () => ({ type: "raise-fences", above }))) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("wait" as const),
      ms: fc.constantFrom(1, 1, 500, 500, 4_000, 4_000, 25_000, 25_000, 24 * 3600 * 1000),
      silent: fc.constantFrom(false, false, false, false, true),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: "tick-at-deadline" }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: "restart" }) },
);
export const life = fc.array(steps, { minLength: 20, maxLength: 80, size: "max" });

export const cardsUpTo = (count: number) => Array.from({ length: count }, (_, index) => card(index, 2));

export function begin(): Ledger {
  const it = new Ledger();
  it.do({ type: "start-writer", epoch: 1 });
  it.do({ type: "set-pool", pool: "main", settings: { queueMax: 4, tokenMaxCalls: 5 } });
  for (const pool of ["fast", "spare"]) it.do({ type: "set-pool", pool, settings: { queueMax: 2 } });
  for (const node of nodes) it.do(helloOf(node));
  for (const node of nodes) it.do({ type: "set-card-pool", node, device: 1, pool: "fast" });
  const own: RouteOf = { kind: "space", space: "bob/demo" };
  it.do({ type: "set-route", of: own, route: { pools: ["fast", "main"], moveAfterMs: durationMs(1_000) } });
  return it;
}

function helloOf(node: string): Command {
  return { type: "join-node", node, pool: "main", devices: cardsUpTo(2), replicas };
}

export function play(it: Ledger, step: Step): void {
  if (step.kind === "wait") {
    it.wait(step.ms);
    if (!step.silent) for (const node of nodes) comeBack(it, node);
  } else if (step.kind === "restart") it.do({ type: "start-writer", epoch: it.state.writer.epoch + 1 });
  else if (step.kind === "command") it.ask(step.make(it.state));
  else {
    const due = nextDeadline(it.state);
    if (due !== null && due > it.now) it.now = due;
    it.tick();
  }
}

function comeBack(it: Ledger, node: string): void {
  if (typeof it.ask({ type: "hear-node", node }) !== "string") return;
  it.do(helloOf(node));
}

export function lived(run: readonly Step[], watch: (it: Ledger, step: Step) => void = () => {}): Ledger {
  const it = begin();
  for (const step of run) {
    play(it, step);
    watch(it, step);
  }
  return it;
}
