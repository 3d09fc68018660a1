import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, test } from "node:test";
import { apply } from "../core/evolve.ts";
import type { CallTerms, Command, DeviceSpec } from "../core/model.ts";
import type { LedgerRecord } from "../core/record.ts";
import { emptyState, stateHashInput } from "../core/state.ts";
import { MemoryJournal, MemoryStore } from "../journal/index.ts";
import type { Journal, Snapshot } from "../journal/index.ts";
import { durationMs, instant, seconds } from "../stdx/time.ts";
import type { Clock } from "../stdx/time.ts";
import { Engine, inFlightMax, worksOf } from "./engine.ts";
import type { Alarm, EngineLog } from "./engine.ts";

/** Time that moves when a test says so; alarms ring on the way. */
class TestTime {
  wallMs = Date.UTC(2026, 10, 22, 12);
  monotonicMs = 5_000;
  readonly #alarms = new Set<{ readonly at: number; readonly ring: () => void }>();
  readonly clock: Clock = { wall: () => instant(this.wallMs), monotonic: () => this.monotonicMs };
  readonly alarm: Alarm = (ms, ring) => {
    const set = { at: this.monotonicMs + ms, ring };
    this.#alarms.add(set);
    return () => this.#alarms.delete(set);
  };

  advance(ms: number): void {
    const end = this.monotonicMs + ms;
    for (;;) {
      const next = [...this.#alarms].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#alarms.delete(next);
      this.wallMs += next.at - this.monotonicMs;
      this.monotonicMs = next.at;
      next.ring();
    }
    this.wallMs += end - this.monotonicMs;
    this.monotonicMs = end;
  }
}

interface World extends AsyncDisposable {
  readonly engine: Engine;
  readonly journal: Journal;
  readonly store: MemoryStore;
  readonly time: TestTime;
  readonly failures: Error[];
}

interface Wishes {
  readonly store?: MemoryStore;
  readonly time?: TestTime;
  readonly beforeCommit?: () => Promise<void>;
  readonly snapshotEvery?: number;
  readonly log?: EngineLog;
}

async function world({
  store = new MemoryStore(),
  time = new TestTime(),
  beforeCommit,
  snapshotEvery,
  log,
}: Wishes = {}): Promise<World> {
  const journal = new MemoryJournal(store, beforeCommit === undefined ? {} : { beforeCommit });
  const failures: Error[] = [];
  const engine = await Engine.open({
    journal,
    clock: time.clock,
    alarm: time.alarm,
    onFatal: (failure) => failures.push(failure),
    ...(snapshotEvery === undefined ? {} : { snapshotEvery }),
    ...(log === undefined ? {} : { log }),
  });
  const close = async (): Promise<void> => {
    await engine[Symbol.asyncDispose]();
    await journal[Symbol.asyncDispose]();
  };
  return { engine, journal, store, time, failures, [Symbol.asyncDispose]: close };
}

/** A gate before each commit, open at first. */
function gate(): { readonly pass: () => Promise<void>; shut(): void; open(): void } {
  let door = Promise.withResolvers<void>();
  door.resolve();
  return {
    pass: () => door.promise,
    shut: () => (door = Promise.withResolvers()),
    open: () => door.resolve(),
  };
}

const card: DeviceSpec = { index: 0, uuid: "GPU-0", name: "simulated", slots: 1, simulated: true };
const join: Command = { type: "join-node", node: "n1", pool: "main", devices: [card], replicas: ["p_1"] };
const setPool: Command = { type: "set-pool", pool: "main", settings: { queueLimitMs: seconds(3) } };

function schedule(call: string, changes: Partial<CallTerms> = {}): Command {
  const terms: CallTerms = {
    call,
    account: "alice",
    tier: "free",
    billedBy: "token",
    request: null,
    space: "alice/demo",
    release: "rel_1",
    replica: "p_1",
    node: "n1",
    pool: "main",
    task: "1",
    endpoint: "/run",
    declaredMs: seconds(10),
    size: "large",
    ...changes,
  };
  return { type: "schedule", terms };
}

async function ready(engine: Engine): Promise<void> {
  await engine.submit(setPool);
  await engine.submit(join);
}

/** Lets everything that is not behind a gate come to rest. */
async function rest(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  return Promise.race([promise, rest().then(() => pending)]).then(
    (first) => first === pending,
    () => false,
  );
}

async function stageOf(engine: Engine, call: string): Promise<string | undefined> {
  return engine.read((state) => state.calls.get(call)?.stage);
}

describe("Engine", () => {
  test("L17: a start is a record of a new epoch, before anything else", async () => {
    const store = new MemoryStore();
    await (await world({ store }))[Symbol.asyncDispose]();
    await using second = await world({ store });
    const records = await second.journal.read(1, 10);
    const epochs = records.flatMap(({ events }) =>
      events.map((event) => (event.type === "writer-started" ? event.epoch : null)),
    );
    assert.deepEqual(epochs, [1, 2]);
  });

  test("L28: an answer waits until its record is durable", async () => {
    const door = gate();
    await using here = await world({ beforeCommit: door.pass });
    await ready(here.engine);
    door.shut();
    const answer = here.engine.submit(schedule("c_1"));
    assert.ok(await isPending(answer));
    assert.equal(here.journal.head.index, 3);
    door.open();
    const { ok, index } = await answer;
    assert.deepEqual([ok, index, here.journal.head.index], [true, 4, 4]);
  });

  test("L28: a refusal, a repeat and a view wait for the head that they saw", async () => {
    const door = gate();
    await using here = await world({ beforeCommit: door.pass });
    await ready(here.engine);
    door.shut();
    const first = here.engine.submit(schedule("c_1"));
    const repeat = here.engine.submit(schedule("c_1"));
    const refusal = here.engine.submit(schedule("c_1", { task: "2" }));
    const view = stageOf(here.engine, "c_1");
    for (const answer of [first, repeat, refusal, view]) assert.ok(await isPending(answer));
    door.open();
    await first;
    assert.deepEqual({ ...(await repeat), at: 0 }, { ok: true, events: [], index: 4, at: 0 });
    assert.deepEqual({ ...(await refusal), at: 0 }, { ok: false, why: "other-content", index: 4, at: 0 });
    assert.equal(await view, "granted");
  });

  test("L12: of two commands at once the second sees what the first did, though nothing is durable yet", async () => {
    await using here = await world();
    await ready(here.engine);
    const answers = await Promise.all([here.engine.submit(schedule("c_1")), here.engine.submit(schedule("c_2"))]);
    assert.deepEqual(
      answers.map(({ index }) => index),
      [4, 5],
    );
    assert.deepEqual([await stageOf(here.engine, "c_1"), await stageOf(here.engine, "c_2")], ["granted", "queued"]);
  });

  test("a command without events is not recorded", async () => {
    await using here = await world();
    await ready(here.engine);
    await here.engine.submit(setPool);
    assert.equal(here.journal.head.index, 3);
  });

  test("a listener hears each record once, in order, when it is durable and before its answer", async () => {
    const door = gate();
    await using here = await world({ beforeCommit: door.pass });
    await ready(here.engine);
    const heard: string[] = [];
    const end = here.engine.subscribe((record) => heard.push(`record ${record.index}`));
    door.shut();
    const answers = ["c_1", "c_2"].map((call) =>
      here.engine.submit(schedule(call)).then(({ index }) => heard.push(`answer ${index}`)),
    );
    await rest();
    assert.equal(heard.length, 0);
    door.open();
    await Promise.all(answers);
    assert.deepEqual(
      heard.filter((line) => line.startsWith("record")),
      ["record 4", "record 5"],
    );
    assert.ok(heard.indexOf("record 5") < heard.indexOf("answer 5"));
    end();
    await here.engine.submit(schedule("c_3"));
    assert.ok(!heard.includes("record 6"));
  });

  test("a call is found by its id in the journal, from its schedule to its settlement", async () => {
    await using here = await world();
    await ready(here.engine);
    await here.engine.submit(schedule("c_1"));
    await here.engine.submit({ type: "attach", call: "c_1", fence: 1, pid: 7 });
    await here.engine.submit({
      type: "end",
      call: "c_1",
      fence: 1,
      cause: "returned",
      usedMs: durationMs(5),
      workerAlive: false,
    });
    const records = await here.journal.readWork("c_1");
    const types = records.flatMap(({ events }) => events.map(({ type }) => type));
    assert.ok(types.includes("call-admitted") && types.includes("call-attached") && types.includes("call-settled"));
  });

  test("L15: a deadline is met without anybody asking, and not a millisecond early", async () => {
    await using here = await world();
    await ready(here.engine);
    await here.engine.submit(schedule("c_1"));
    await here.engine.submit(schedule("c_2"));
    here.time.advance(2_999);
    assert.equal(await stageOf(here.engine, "c_2"), "queued");
    here.time.advance(20);
    assert.equal(await stageOf(here.engine, "c_2"), "voided");
  });

  test("L14: time follows the monotonic clock, whatever the wall clock does", async () => {
    await using here = await world();
    const before = here.engine.now();
    here.time.wallMs -= 3_600_000;
    here.time.advance(10);
    assert.equal(here.engine.now() - before, 10);
    here.time.wallMs += 7_200_000;
    assert.equal(here.engine.now() - before, 10);
  });

  test("L14: after a start with an earlier wall clock time goes on from the last record", async () => {
    const store = new MemoryStore();
    const first = await world({ store });
    await ready(first.engine);
    const { at } = first.journal.head;
    await first[Symbol.asyncDispose]();
    const earlier = new TestTime();
    earlier.wallMs -= 86_400_000;
    await using second = await world({ store, time: earlier });
    assert.equal(second.journal.head.at, at);
    earlier.advance(5);
    assert.equal(second.engine.now(), at + 5);
  });

  test("L25: snapshot and replay give the state that the whole log gives", async () => {
    const store = new MemoryStore();
    const first = await world({ store, snapshotEvery: 4 });
    await ready(first.engine);
    for (const call of ["c_1", "c_2", "c_3"]) await first.engine.submit(schedule(call));
    const left = first.engine.stateHash();
    assert.equal(left, await foldedHash(first.journal));
    (first.journal as MemoryJournal).crash();
    assert.ok((store.snapshots.at(-1)?.index ?? 0) >= 4);
    await using second = await world({ store, snapshotEvery: 4 });
    assert.equal(second.engine.stateHash(), await foldedHash(second.journal));
  });

  test("an end keeps a snapshot of all that was answered", async () => {
    const store = new MemoryStore();
    const first = await world({ store });
    await ready(first.engine);
    const last = first.engine.submit(schedule("c_1"));
    await first[Symbol.asyncDispose]();
    assert.equal(store.snapshots.at(-1)?.index, (await last).index);
    assert.equal(store.snapshots.at(-1)?.stateHash, first.engine.stateHash());
    await assert.rejects(first.engine.submit(setPool), { code: "engine-stopped" });
  });

  for (const [what, spoil] of [
    ["is not the state it was taken of", (whole: Snapshot) => ({ ...whole, stateHash: "0".repeat(64) })],
    ["is torn", (whole: Snapshot) => ({ ...whole, body: whole.body.slice(0, -9) })],
    ["is of a later version", (whole: Snapshot) => ({ ...whole, body: whole.body.replace('"v":1', '"v":2') })],
  ] as const)
    for (const [older, count] of [
      ["the one before it", 1],
      ["the first record", 2],
    ] as const)
      test(`L25: after a snapshot that ${what} a start goes on from ${older}, says so, and keeps a good one`, async () => {
        const store = new MemoryStore();
        const first = await world({ store, snapshotEvery: 3 });
        await ready(first.engine);
        for (const call of ["c_1", "c_2", "c_3"]) await first.engine.submit(schedule(call));
        await first[Symbol.asyncDispose]();
        const [old, last] = store.snapshots as [Snapshot, Snapshot];
        store.snapshots = [count === 2 ? spoil(old) : old, spoil(last)];
        const warned: object[] = [];
        await using second = await world({ store, log: { info: () => {}, warn: (facts) => warned.push(facts) } });
        assert.equal(second.engine.stateHash(), await foldedHash(second.journal));
        const { index, stateHash } = store.snapshots.at(-1) as Snapshot;
        assert.deepEqual([index, stateHash], [second.journal.head.index, second.engine.stateHash()]);
        assert.deepEqual(
          warned.map((facts) => ({ ...facts, why: "" })),
          [last, old]
            .slice(0, count)
            .map(({ index: at }) => ({ index: at, why: "", from: count === 1 ? old.index : 0 })),
        );
        assert.equal(second.engine.passedOver.length, count);
      });

  test("too many commands at once are refused before anything is decided", async () => {
    const door = gate();
    await using here = await world({ beforeCommit: door.pass });
    await ready(here.engine);
    door.shut();
    const answers = Array.from({ length: inFlightMax }, (_, i) =>
      here.engine.submit({ type: "open-account", account: `a${i}`, tier: "free" }),
    );
    await assert.rejects(here.engine.submit(schedule("c_1")), { code: "engine-busy" });
    door.open();
    await Promise.all(answers);
    assert.equal(await stageOf(here.engine, "c_1"), undefined);
  });

  test("L27: a failed commit answers nobody, is told once, and ends the engine", async () => {
    let isBroken = false;
    const beforeCommit = async (): Promise<void> => {
      if (isBroken) throw new Error("disk gone");
    };
    await using here = await world({ beforeCommit });
    await ready(here.engine);
    isBroken = true;
    const answers = await Promise.allSettled([here.engine.submit(schedule("c_1")), stageOf(here.engine, "c_1")]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      ["rejected", "rejected"],
    );
    assert.deepEqual(
      here.failures.map(({ message }) => message),
      ["disk gone"],
    );
    await assert.rejects(here.engine.submit(setPool), /disk gone/);
  });

  test("a listener that throws ends the engine: it would be wrong for good", async () => {
    await using here = await world();
    here.engine.subscribe(() => {
      throw new Error("listener broke");
    });
    await assert.rejects(here.engine.submit(setPool), /listener broke/);
    assert.equal(here.failures.length, 1);
  });
});

test("worksOf names each call, node and allowance of a record once, and not the forgotten ones", () => {
  const works = worksOf([
    { v: 1, type: "call-attached", call: "c_1", pid: 1 },
    { v: 1, type: "visitor-left", call: "c_1" },
    { v: 1, type: "visitor-left", call: "c_2" },
    { v: 1, type: "calls-forgotten", calls: ["c_9"] },
    { v: 1, type: "node-lost", node: "n1" },
    { v: 1, type: "drain-set", of: { kind: "card", node: "n1", device: 0 }, drain: null },
    { v: 1, type: "allowance-revoked", account: "alice", allowance: "al_1", by: "root", reason: "over" },
    { v: 1, type: "drain-set", of: { kind: "pool", pool: "main" }, drain: null },
  ]);
  assert.deepEqual(works, ["c_1", "c_2", "n1", "al_1"]);
});

async function foldedHash(journal: Journal): Promise<string> {
  const state = emptyState();
  const records: readonly LedgerRecord[] = await journal.read(1, 1_000);
  for (const record of records) apply(state, record);
  return hash("sha256", stateHashInput(state), "hex");
}
