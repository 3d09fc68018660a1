/** Lives of one node in three pools, whose calls move on all the time: rarer in the lives of properties.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seconds } from "../stdx/time.ts";
import { nextDeadline } from "./deadlines.ts";
import { card, ledger } from "./ledger.suite.ts";
import type { Ledger } from "./ledger.suite.ts";
import type { CallTerms } from "./model.ts";
import { planOn } from "./plan.ts";
import { grantOn } from "./queue.ts";
import { nodeOf } from "./state.ts";
import { clearingOn } from "./views.ts";

const pools = ["main", "fast", "aux"];
/** Short, so that there are gaps that a call fits into. */
const attachWithinMs = seconds(1);
const spaces = ["s/0", "s/1", "s/2"];

type Step = (it: Ledger) => void;
const calls: fc.Arbitrary<Partial<CallTerms>> = fc.record({
  account: fc.constantFrom("a0", "a1", "a2"),
  space: fc.constantFrom(...spaces, "s/3"),
  replica: fc.constantFrom("p_1", "p_2"),
  size: fc.constantFrom("large", "large", "xlarge"),
  declaredMs: fc.constantFrom(seconds(1), seconds(3), seconds(20)),
});
const put = (device: number, pool: string | null): Step => {
  return (it) => void it.do({ type: "set-card-pool", node: "n1", device, pool });
};
const route = (space: string, through: readonly string[], moveAfterS: number): Step => {
  const of = { kind: "space", space } as const;
  return (it) => void it.do({ type: "set-route", of, route: { pools: through, moveAfterMs: seconds(moveAfterS) } });
};
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: calls.map(
      (call): Step =>
        (it) =>
          void it.schedule(`c${it.state.calls.size}`, call),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.nat(100), fc.boolean()).map(
      ([which, workerAlive]): Step =>
        (it) =>
          end(it, which, workerAlive),
    ),
  },
  { weight: 3, arbitrary: fc.constant<Step>((it) => tickAt(it, nextDeadline(it.state) ?? it.now)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(1, 1_000, 4_000).map(
      (ms): Step =>
        (it) =>
          tickAt(it, it.now + ms),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.nat(100).map(
      (which): Step =>
        (it) =>
          clear(it, which),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.nat(100).map(
      (which): Step =>
        (it) =>
          attach(it, which),
    ),
  },
  { weight: 1, arbitrary: fc.tuple(fc.nat(2), fc.constantFrom(null, ...pools)).map(([at, pool]) => put(at, pool)) },
);
const begins = fc.tuple(
  ...spaces.map((space) =>
    fc
      .tuple(fc.shuffledSubarray(pools, { minLength: 2 }), fc.constantFrom(1, 2, 4))
      .map(([through, moveAfterS]) => route(space, through, moveAfterS)),
  ),
);

function begin(): Ledger {
  const it = ledger([card(0, 2), card(1, 2), card(2, 1)], { queueMax: 6, queueLimitMs: seconds(8), attachWithinMs });
  it.do({ type: "set-tier", tier: "free", settings: { windowLimitMs: null } });
  it.do({ type: "set-pool", pool: "fast", settings: { queueMax: 2, oldestEvery: 1, attachWithinMs } });
  const aux = { queueMax: 2, oldestEvery: 3, queueLimitMs: seconds(4), attachWithinMs };
  it.do({ type: "set-pool", pool: "aux", settings: aux });
  for (const step of [put(1, "fast"), put(2, "aux")]) step(it);
  return it;
}

function attach(it: Ledger, which: number): void {
  const granted = [...it.state.calls.values()].filter(({ stage }) => stage === "granted");
  const call = granted[which % granted.length];
  if (call) it.attach(call.terms.call);
}

function clear(it: Ledger, which: number): void {
  const slots = clearingOn(it.state, "n1");
  const one = slots[which % slots.length];
  if (one) it.do({ type: "clear-slot", slot: one.slot, fence: one.fence });
}

function end(it: Ledger, which: number, workerAlive: boolean): void {
  const open = [...it.state.calls.values()].filter(({ stage }) => stage === "granted" || stage === "attached");
  const call = open[which % open.length];
  if (call?.stage === "granted") it.attach(call.terms.call);
  if (call) it.end(call.terms.call, 10, { workerAlive });
}

function tickAt(it: Ledger, at: number): void {
  it.wait(Math.max(0, at - it.now));
  it.do({ type: "hear-node", node: "n1" });
  it.tick();
}

test("L49–L51: calls that move on wait in one line, are granted once, and leave no slot to nobody", () => {
  fc.assert(
    fc.property(begins, fc.array(steps, { minLength: 40, maxLength: 120, size: "max" }), (rules, life) => {
      const it = begin();
      for (const step of [...rules, ...life]) {
        const from = it.records.length;
        step(it);
        it.check();
        const node = nodeOf(it.state, "n1");
        const told = it.records.slice(from).flatMap(({ events }) => events);
        if (told.length === 0 || node.stage === "lost") continue;
        const plan = planOn(it.state, it.now);
        grantOn(plan, node);
        assert.deepEqual(plan.events, [], "what could be granted was");
      }
    }),
    { numRuns: 200 },
  );
});
