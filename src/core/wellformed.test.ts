/** Whatever is asked: a refusal that says why and changes nothing, or a record that keeps every rule and that JSON gives back. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { after, durationMs, seconds } from "../stdx/time.ts";
import { gpuMs, maxGpuMs } from "./amounts.ts";
import { decide } from "./decide.ts";
import { apply } from "./evolve.ts";
import { take } from "./audit.ts";
import { checkInvariants } from "./invariants.ts";
import type { Ledger } from "./ledger.suite.ts";
import { card, hello, ledger, noon, terms } from "./ledger.suite.ts";
import type { Command, CommandRefusal } from "./model.ts";
import type { LedgerRecord } from "./record.ts";
import { cloneState, stateHashInput } from "./state.ts";

/** Something of everything: calls in each stage, credits, a sponsor, a card in trouble. */
function lived(): Ledger {
  const it = ledger([card(0), card(1)]);
  it.do({ type: "set-pool", pool: "fast", settings: {} });
  it.run("ended", 1_000);
  it.schedule("attached");
  it.attach("attached");
  it.schedule("granted", { account: "bob" });
  it.schedule("refused", { declaredMs: seconds(9_999) });
  it.do({ type: "set-budget", space: "alice/demo", sponsor: "alice", tier: "free", settings: { limitMs: gpuMs(9) } });
  it.do(commands.allow);
  it.schedule("whole", { size: "xlarge" });
  it.schedule("queued");
  return it;
}

const fence = 1;
/** One of each, that would do something. */
const commands: { readonly [Type in Command["type"]]: Extract<Command, { type: Type }> } = {
  "start-writer": { type: "start-writer", epoch: 7 },
  "raise-fences": { type: "raise-fences", above: 1_000 },
  "open-account": { type: "open-account", account: "carol", tier: "pro" },
  "set-tier": { type: "set-tier", tier: "free", settings: { windowLimitMs: gpuMs(1_000), runsMax: 3, callsMax: null } },
  "set-pool": { type: "set-pool", pool: "main", settings: { queueMax: 9, admission: "strict", spaceCallsMax: null } },
  allow: {
    type: "allow",
    account: "alice",
    tier: "free",
    allowance: { id: "al_1", by: "admin", reason: "why", terms: { kind: "credits", ms: gpuMs(5), expiresAt: null } },
  },
  revoke: { type: "revoke", account: "alice", allowance: "al_1", by: "admin", reason: "a mistake" },
  "set-budget": {
    type: "set-budget",
    space: "alice/demo",
    sponsor: "alice",
    tier: "free",
    settings: { limitMs: gpuMs(50_000), whenOut: "refuse" },
  },
  "join-node": hello([card(0), card(1)]) as Extract<Command, { type: "join-node" }>,
  "hear-node": { type: "hear-node", node: "n1" },
  "report-cards": { type: "report-cards", node: "n1", trouble: [{ device: 0, cause: "nvml-lost", says: "lost" }] },
  "set-drain": {
    type: "set-drain",
    of: { kind: "card", node: "n1", device: 1 },
    drain: { reason: "fan", by: "admin", endInMs: seconds(60) },
  },
  "set-card-pool": { type: "set-card-pool", node: "n1", device: 1, pool: "fast" },
  "set-route": {
    type: "set-route",
    of: { kind: "space", space: "alice/demo" },
    route: { pools: ["fast", "main"], moveAfterMs: seconds(5) },
  },
  schedule: {
    type: "schedule",
    terms: terms("c", { request: "q_1", root: "q_0" }),
    misfit: { code: "arch-mismatch", says: "no" },
  },
  leave: { type: "leave", call: "queued" },
  attach: { type: "attach", call: "granted", fence, pid: 7 },
  end: {
    ...{ type: "end", call: "attached", fence, cause: "returned", usedMs: durationMs(9) },
    ...{ workerAlive: true, unused: false },
  },
  "clear-slot": { type: "clear-slot", slot: "n1/0/0", fence },
  "lose-replica": { type: "lose-replica", replica: "p_1", cause: "app-exit" },
  tick: { type: "tick" },
};

const numbers = fc.oneof(
  fc.constantFrom(0, -0, -1, 1, 0.5, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 32, -(2 ** 53)),
  fc.constantFrom(maxGpuMs - 1, maxGpuMs, maxGpuMs + 1, maxGpuMs + 3, 2 ** 60, Number.MAX_VALUE, Number.MIN_VALUE),
  fc.constantFrom(noon, noon - 1, noon + 1, after(noon, seconds(3600))),
  fc.double(),
);
const texts = fc.oneof(
  fc.constantFrom("", " ", "0", "__proto__", "constructor", "toString", "n1/0/0", "\ud800", "a\udc00b", "\u0000", "é"),
  fc.constantFrom("e\u0301", "😀", "../..", "x".repeat(10_000), "x".repeat(10_001), "free", "xlarge", "queued"),
  fc.string({ unit: "binary" }),
);
const others = fc.constantFrom<unknown>(null, undefined, true, false, [], {}, [null], { length: 1 }, 1n, Symbol("x"));
const junk = fc.oneof(numbers, texts, others, fc.jsonValue());

type Place = readonly (string | number)[];

/** All places in a value, its own among them. */
function placesIn(value: unknown, at: Place = []): Place[] {
  if (typeof value !== "object" || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([key, inner]) => placesIn(inner, [...at, key]))];
}

/** A copy in which `change` was applied to what stands at `place`. */
function changed(value: unknown, place: Place, change: (found: unknown) => unknown): unknown {
  const [key, ...rest] = place;
  if (key === undefined) return change(value);
  const copy: Record<string | number, unknown> = Array.isArray(value)
    ? ([...value] as never)
    : { ...(value as object) };
  const inner = changed(copy[key], rest, change);
  if (inner === absent) delete copy[key];
  else copy[key] = inner;
  return copy;
}
const absent = Symbol("absent");

const types = Object.keys(commands) as readonly Command["type"][];
const at = fc.record({ type: fc.constantFrom(...types), which: fc.nat() });
const spoilt = fc
  .oneof(
    fc.record({ at, change: junk.map((value) => () => value) }),
    fc.record({ at, change: fc.constant(() => absent) }),
    fc.record({ at, change: fc.tuple(texts, junk).map(([name, value]) => with_(name, value)) }),
  )
  .map(({ at: { type, which }, change }) => {
    const places = placesIn(commands[type]);
    return changed(commands[type], places[which % places.length] as Place, change);
  });

function with_(name: string, value: unknown): (found: unknown) => unknown {
  return (found) => (typeof found === "object" && found !== null ? { ...found, [name]: value } : value);
}

const known: ReadonlySet<CommandRefusal> = new Set<CommandRefusal>([
  ...(["malformed", "account-exists-otherwise", "unknown-account", "no-window", "not-ahead", "too-many"] as const),
  ...([
    "unknown-pool",
    "unknown-node",
    "unknown-call",
    "unknown-slot",
    "unknown-card",
    "unknown-allowance",
    "already-revoked",
    "other-content",
    "not-holder",
  ] as const),
  ...(["already-final", "not-granted", "amount-overflow"] as const),
]);

describe("a command with anything in any place", () => {
  const base = lived();
  const before = stateHashInput(base.state);

  test("L4, L25: is refused with a reason, or recorded so that nothing is wrong and a journal gives it back", () => {
    const check = (command: unknown): void => {
      const state = cloneState(base.state);
      // A writer's epoch is its host's, who counts it: a lower one is a bug of ours and an assertion (L29).
      if (isLowerEpoch(command)) return;
      const decision = decide(state, command as Command, base.now);
      assert.equal(stateHashInput(state), before, "deciding changes nothing");
      if (!decision.ok) return assert.ok(known.has(decision.why), decision.why);
      if (decision.events.length === 0) return;
      const record: LedgerRecord = { index: state.index + 1, at: base.now, events: decision.events };
      const read = JSON.parse(JSON.stringify(record)) as LedgerRecord;
      const again = cloneState(state);
      apply(state, record);
      apply(again, read);
      assert.equal(stateHashInput(again), stateHashInput(state), "what is read back is what was written");
      assert.equal(stateHashInput(cloneState(state)), stateHashInput(state));
      const audit = structuredClone(base.audit);
      take(audit, record);
      assert.deepEqual(checkInvariants(state, audit), []);
    };
    fc.assert(fc.property(spoilt, check), { numRuns: 1_000 });
  });
});

function isLowerEpoch(command: unknown): boolean {
  const { type, epoch } = (command ?? {}) as { readonly type?: unknown; readonly epoch?: unknown };
  return type === "start-writer" && typeof epoch === "number" && epoch < 1;
}

describe("malformed", () => {
  const it = lived();
  const asks = (command: unknown) => decide(it.state, command as Command, it.now);

  for (const [type, command] of Object.entries(commands)) {
    test(`is no ${type} as it should be`, () => {
      const decision = asks(command);
      assert.ok(decision.ok || decision.why !== "malformed", decision.ok ? "" : decision.why);
    });

    test(`is ${type} without a field, with another kind of one, or with one more`, () => {
      const fields = placesIn(command).filter((place) => place.length > 0);
      for (const place of fields) {
        const symbol = changed(command, place, () => Symbol("no value of any command"));
        assert.deepEqual(asks(symbol), { ok: false, why: "malformed" }, `${type} ${place.join(".")}`);
        const more = changed(command, place.slice(0, -1), with_("another", 1));
        if (typeof place.at(-1) === "string" && !/^\d+$/.test(String(place.at(-1))))
          assert.deepEqual(asks(more), { ok: false, why: "malformed" }, `${type} ${place.join(".")}`);
      }
      assert.deepEqual(asks({ ...command, another: 1 }), { ok: false, why: "malformed" });
    });
  }

  for (const [what, command] of Object.entries({
    nothing: null,
    text: "tick",
    "a list": [commands.tick],
    "no type": {},
    "a type that is none": { type: "constructor" },
    "a tier that every object has": { ...commands["open-account"], tier: "constructor" },
    "half of a character": { ...commands.leave, call: "\ud800" },
    "text beyond its bound": { ...commands.leave, call: "x".repeat(10_001) },
    "two cards of one index": { ...commands["join-node"], devices: [card(0), card(0)] },
    "a card of more slots than one has": { ...commands["join-node"], devices: [card(0, 65)] },
    "a duration that JSON has no word for": { type: "schedule", terms: terms("c", { declaredMs: NaN as never }) },
  })) {
    test(`is ${what}`, () => assert.deepEqual(asks(command), { ok: false, why: "malformed" }));
  }
});
