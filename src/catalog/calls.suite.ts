/** What the view of the calls must do: follow the journal exactly, however its records arrive, with a receipt for every end. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { gpuMs } from "../core/amounts.ts";
import type { CallTerms, DeviceSpec, EndCause, Event, Refusal, VoidCause } from "../core/model.ts";
import type { LedgerRecord } from "../core/record.ts";
import { callOutcomes } from "../evidence/call-outcomes.ts";
import type { Receipt } from "../evidence/receipt.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import { durationMs, instant } from "../stdx/time.ts";
import { Catalog } from "./catalog.ts";
import type { Receipts } from "./receipts.ts";

const t0 = Date.UTC(2026, 10, 22, 12);
const clock = { wall: () => instant(t0) };
const device: DeviceSpec = { index: 0, uuid: "GPU-sim-0", name: "Simulated GPU", slots: 2, simulated: true };
const joined: Event = { v: 1, type: "node-joined", node: "n1", pool: "main", devices: [device] };

function terms(over: Partial<CallTerms> = {}): CallTerms {
  return {
    call: "c_1", account: "alice", tier: "free", billedBy: "token", request: "q_1", space: "alice/demo", release: "rel_1",
    replica: "p_1", node: "n1", pool: "main", task: "1", endpoint: null, declaredMs: durationMs(10_000), size: "large", ...over,
  }; // prettier-ignore
}

const admitted = (over: Partial<CallTerms> = {}): Event => ({
  v: 1, type: "call-admitted", terms: terms(over), heldMs: gpuMs(10_000), leaseMs: durationMs(10_000), clipped: false, leftMs: gpuMs(290_000),
}); // prettier-ignore
const queued = (call: string): Event => ({
  v: 1, type: "call-queued", call, position: 1, of: 1, deadline: instant(t0 + 60_000), blockers: [], estimateMs: null, basis: "none",
}); // prettier-ignore
const granted = (call: string): Event => ({
  v: 1, type: "call-granted", call, number: 1, attachBy: instant(t0 + 30_000),
  lease: { slots: ["n1/0/1"], fence: 1, leaseMs: durationMs(10_000), warm: false },
}); // prettier-ignore
const attached = (call: string): Event => ({ v: 1, type: "call-attached", call, pid: 42 });
const left = (call: string): Event => ({ v: 1, type: "visitor-left", call });
const voided = (call: string, cause: VoidCause): Event => ({
  v: 1,
  type: "call-voided",
  call,
  cause,
  releasedMs: gpuMs(10_000),
  rule: cause,
});
const settled = (call: string, cause: EndCause, charged = 412): Event => ({
  v: 1, type: "call-settled", call, cause, usedMs: durationMs(412), chargedMs: gpuMs(charged), releasedMs: gpuMs(10_000 - charged), rule: cause,
}); // prettier-ignore
const refusal: Refusal = { code: "queue-full", waiting: 3, max: 3 };
const refused = (call: string): Event => ({ v: 1, type: "call-refused", terms: terms({ call }), refusal });

/** One record for each list of events, 100 ms apart. */
function journal(...decisions: readonly (readonly Event[])[]): LedgerRecord[] {
  return decisions.map((events, n) => ({ index: n + 1, at: instant(t0 + 100 * n), events }));
}

/** Lives of a call, as the records in which it happens. */
const lives: readonly ((call: string) => readonly (readonly Event[])[])[] = [
  (call) => [[refused(call)]],
  (call) => [[admitted({ call }), queued(call)]],
  (call) => [[admitted({ call }), queued(call)], [voided(call, "queue-timeout")]],
  (call) => [[admitted({ call }), granted(call)]],
  (call) => [[admitted({ call }), granted(call)], [voided(call, "grant-unused")]],
  (call) => [[admitted({ call }), queued(call)], [granted(call)], [attached(call)], [left(call)]],
  (call) => [[admitted({ call }), granted(call)], [attached(call)], [settled(call, "returned")]],
  (call) => [[admitted({ call }), granted(call)], [attached(call)], [left(call)], [settled(call, "operator-stop", 0)]],
];

/** A journal in which several calls live at once: which life each has, and whose turn comes next, are drawn. */
const histories = fc
  .record({
    lives: fc.array(fc.nat(lives.length - 1), { minLength: 1, maxLength: 6 }),
    turns: fc.array(fc.nat(5), { minLength: 30, maxLength: 30 }),
  })
  .map(({ lives: drawn, turns }) => {
    const rest = drawn.map((life, n) => [...(lives[life]?.(`c_${n}`) ?? [])]);
    const decisions: (readonly Event[])[] = [[joined]];
    for (const turn of [...turns, ...drawn.flatMap((_life, n) => [n, n, n, n])]) {
      const next = rest[turn % rest.length]?.shift();
      if (next) decisions.push(next);
    }
    return journal(...decisions);
  });

async function receiptOf(receipts: Receipts, id: string): Promise<Receipt | undefined> {
  return (await receipts.get(id))?.receipt;
}

async function everything(sql: SqlRunner): Promise<unknown> {
  const tables = ["calls", "callDevices", "callCursor"];
  return Promise.all(tables.map((table) => sql.all(`SELECT * FROM "${table}" ORDER BY 1, 2`)));
}

/** `numRuns`: how many histories each property draws; few where a database takes long to make. */
export function callsSuite(name: string, openSql: () => Promise<SqlRunner>, numRuns: number): void {
  const projected = async (...decisions: readonly (readonly Event[])[]) => {
    const catalog = await Catalog.open(await openSql(), clock);
    await catalog.calls.project(journal([joined], ...decisions));
    return catalog;
  };

  describe(`Calls over ${name}`, () => {
    test("a call is queued, granted, running, ended, and its numbers follow", async () => {
      const { calls } = await Catalog.open(await openSql(), clock);
      const records = journal(
        [joined],
        [admitted(), queued("c_1")],
        [granted("c_1")],
        [attached("c_1")],
        [settled("c_1", "returned")],
      );
      const stages: (string | undefined)[] = [];
      for (const record of records) {
        await calls.project([record]);
        stages.push((await calls.get("c_1"))?.stage);
      }
      assert.deepEqual(stages, [undefined, "queued", "granted", "running", "ended"]);
      const call = await calls.get("c_1");
      assert.deepEqual(
        [
          call?.outcome,
          call?.code,
          call?.queuedMs,
          call?.usedMs,
          call?.chargedMs,
          call?.heldMs,
          call?.receipt,
          call?.simulated,
        ],
        ["ok", null, 100, 412, 412, 10_000, "r_1", true],
      );
    });

    test("a receipt is found by its own id and by its call's, and says which card it was", async () => {
      const { receipts } = await projected(
        [admitted(), granted("c_1")],
        [attached("c_1")],
        [settled("c_1", "lease-end")],
      );
      const receipt = await receiptOf(receipts, "r_1");
      assert.ok(receipt);
      assert.deepEqual(await receiptOf(receipts, "c_1"), receipt);
      assert.deepEqual(
        [receipt.gpu, receipt.node, receipt.code, receipt.leaseMs, receipt.factorPermille, receipt.journalIndex],
        ["Simulated GPU (GPU-sim-0)", "n1", "gpu/lease-expired", 10_000, 1000, 4],
      );
      assert.deepEqual(
        [receipt.scheduledAt, receipt.endedAt],
        ["2026-11-22T12:00:00.100Z", "2026-11-22T12:00:00.300Z"],
      );
    });

    test("L37, L38: receipts have places in the order of their records, and are listed and summed by who pays", async () => {
      const { calls, receipts } = await Catalog.open(await openSql(), clock);
      await calls.project(
        journal(
          [joined],
          [admitted(), granted("c_1"), refused("c_3"), refused("c_2")],
          [{ ...admitted({ call: "c_4", account: "bob" }), sponsor: "alice" } as Event, granted("c_4")],
          [settled("c_4", "returned", 100)],
          [settled("c_1", "returned")],
        ),
      );
      assert.deepEqual(
        (await receipts.next(0, 9)).map(({ leaf, receipt }) => [leaf, receipt.call]),
        [
          [0, "c_2"],
          [1, "c_3"],
          [2, "c_4"],
          [3, "c_1"],
        ],
      );
      const asked = { payer: "alice", from: instant(t0), until: instant(t0 + 10_000), below: 4 };
      const first = await receipts.list({ ...asked, before: undefined, limit: 2 });
      const rest = await receipts.list({ ...asked, before: first?.next ?? undefined, limit: 9 });
      const listed = [...(first?.items ?? []), ...(rest?.items ?? [])].map(({ call }) => call);
      assert.deepEqual([listed, rest?.next], [["c_1", "c_4", "c_3", "c_2"], null]);
      const sums = { calls: 4, usedMs: 824, chargedMs: 512, creditsMs: 0 };
      assert.deepEqual(await receipts.total(asked), sums);
      assert.deepEqual(await receipts.lines(asked, 9), [{ space: "alice/demo", pool: "main", size: "large", ...sums }]);
      assert.deepEqual(await receipts.total({ ...asked, payer: "bob" }), {
        calls: 0,
        usedMs: 0,
        chargedMs: 0,
        creditsMs: 0,
      });
      assert.equal(await receipts.leaves(), 4);
      const hashes = Uint8Array.from({ length: 64 }, (_, n) => n);
      await receipts.grow(2, [{ level: 0, index: 0, hashes }]);
      await receipts.grow(2, [{ level: 0, index: 0, hashes }]);
      assert.deepEqual(Uint8Array.from((await receipts.tile(0, 0)) ?? []), hashes);
      assert.deepEqual([await receipts.size(), await receipts.tile(0, 1)], [2, undefined]);
      await receipts.keepCheckpoint({ size: 2, at: instant(t0), note: "a" }, instant(t0));
      await receipts.keepCheckpoint({ size: 2, at: instant(t0 + 1), note: "b" }, instant(t0));
      assert.deepEqual(await receipts.lastCheckpoint(), { size: 2, at: t0 + 1, note: "b" });
    });

    test("a receipt says who paid, what of it was credits, and what let the call in; else nothing of them", async () => {
      const parts = (ms: number) => [{ allowance: "al_1", ms: gpuMs(ms) }];
      const funding = { sponsor: "bob", credits: parts(4_000), overrides: ["al_2"] };
      const { receipts } = await projected(
        [{ ...admitted(), ...funding }, granted("c_1")],
        [{ ...settled("c_1", "returned"), credits: parts(12) } as Event],
        [admitted({ call: "c_2" }), granted("c_2")],
        [settled("c_2", "returned")],
      );
      const { paidBy, creditsMs, overrides } = (await receiptOf(receipts, "c_1")) ?? assert.fail();
      assert.deepEqual([paidBy, creditsMs, overrides], ["bob", 12, ["al_2"]]);
      const plain = Object.keys((await receiptOf(receipts, "c_2")) ?? {});
      assert.deepEqual(
        plain.filter((key) => ["paidBy", "creditsMs", "overrides"].includes(key)),
        [],
      );
    });

    test("a receipt says by whose rule its pool served it, what was passed over, and after how long it moved on", async () => {
      const rule = { by: "space", pools: ["a", "b", "c"], moveAfterMs: durationMs(50), moves: [] } as const;
      const passed = [{ pool: "a", code: "pool-draining", says: "driver" }] as const;
      const routed = { ...rule, pool: "b", passed };
      const moved = { v: 1, type: "call-moved", call: "c_1", from: "b", to: "c", why: "waited" } as const;
      const { calls, receipts } = await projected(
        [{ ...admitted(), routed } as Event],
        [moved, granted("c_1")],
        [settled("c_1", "returned")],
        [admitted({ call: "c_2" }), granted("c_2")],
        [settled("c_2", "returned")],
        [{ ...refused("c_3"), routed: { ...rule, pool: "c", passed } } as Event],
      );
      const { pool, route } = (await receiptOf(receipts, "c_1")) ?? assert.fail();
      assert.deepEqual(
        [pool, route],
        [
          "c",
          {
            ...{ by: "space", pools: ["a", "b", "c"] },
            passed: [{ pool: "a", code: "capacity/pool-draining", says: "driver" }],
            moves: [{ from: "b", to: "c", why: "waited", waitedMs: 100 }],
          },
        ],
      );
      assert.equal((await calls.get("c_1"))?.pool, "c");
      assert.ok(!("route" in ((await receiptOf(receipts, "c_2")) ?? assert.fail())));
      const { pool: refusedBy, route: refusedRoute } = (await receiptOf(receipts, "c_3")) ?? assert.fail();
      assert.deepEqual([refusedBy, refusedRoute?.passed.length], ["c", 1]);
    });

    test("L37: a refused call has a receipt too: nothing held, nothing charged", async () => {
      const { receipts } = await projected([refused("c_1")]);
      const receipt = await receiptOf(receipts, "c_1");
      assert.deepEqual(
        [receipt?.outcome, receipt?.code, receipt?.heldMs, receipt?.chargedMs, receipt?.rule, receipt?.simulated],
        ["refused", "gpu/queue-full", 0, 0, "refused", true],
      );
    });

    test("a call that has not ended has no receipt", async () => {
      const { calls, receipts } = await projected([admitted(), granted("c_1")]);
      assert.equal(await receiptOf(receipts, "c_1"), undefined);
      assert.equal((await calls.get("c_1"))?.receipt, null);
    });

    test("a replica's calls are found by the time in which they had a GPU, up to and with its first instant", async () => {
      const { calls } = await projected(
        [admitted(), granted("c_1")],
        [admitted({ call: "c_2" }), queued("c_2")],
        [settled("c_1", "returned")],
        [admitted({ call: "c_3", replica: "p_2" }), granted("c_3")],
        [granted("c_2")],
      );
      const asked = { space: "alice/demo", replica: "p_1", limit: 9 };
      const during = async (from: number, to: number): Promise<readonly string[]> =>
        (await calls.during({ ...asked, from: instant(t0 + from), to: instant(t0 + to) })).map(({ id }) => id);
      assert.deepEqual(await during(0, 100), []);
      assert.deepEqual(await during(0, 101), ["c_1"]);
      assert.deepEqual(await during(300, 501), ["c_2", "c_1"]);
      assert.deepEqual(await during(301, 9_000), ["c_2"]);
    });

    test("a visitor who left a call that returned leaves it ok", async () => {
      const { calls } = await projected(
        [admitted(), granted("c_1")],
        [attached("c_1"), left("c_1")],
        [settled("c_1", "returned")],
      );
      const call = await calls.get("c_1");
      assert.deepEqual([call?.outcome, call?.visitorLeft], ["ok", true]);
    });

    for (const cause of ["raised", "worker-oom", "app-killed", "visitor-stop", "node-lost"] as const) {
      test(`a call that ended by ${cause} has the outcome and code of the table`, async () => {
        const { calls } = await projected([admitted(), granted("c_1")], [settled("c_1", cause)]);
        const call = await calls.get("c_1");
        assert.deepEqual({ outcome: call?.outcome, code: call?.code }, callOutcomes[cause]);
      });
    }

    test("lists are newest first, by account, Space or request, in pages", async () => {
      const mine = Array.from({ length: 5 }, (_, n) => [admitted({ call: `c_${n}`, request: `q_${n}` })]);
      const { calls } = await projected(...mine, [admitted({ call: "c_x", account: "bob", space: "bob/app" })]);
      const seen: string[] = [];
      let before: string | undefined;
      do {
        const page = await calls.list({ account: "alice", limit: 2, ...(before !== undefined && { before }) });
        assert.ok(page);
        seen.push(...page.items.map(({ id }) => id));
        before = page.next ?? undefined;
      } while (before !== undefined);
      assert.deepEqual(seen, ["c_4", "c_3", "c_2", "c_1", "c_0"]);
      assert.deepEqual(
        (await calls.list({ space: "bob/app", limit: 9 }))?.items.map(({ id }) => id),
        ["c_x"],
      );
      assert.deepEqual(
        (await calls.list({ request: "q_3", limit: 9 }))?.items.map(({ id }) => id),
        ["c_3"],
      );
      assert.equal(await calls.list({ limit: 9, before: "bm8" }), undefined);
    });

    test("a record that was left out is told, and nothing is taken", async () => {
      const { calls } = await Catalog.open(await openSql(), clock);
      const records = journal([joined], [admitted()], [granted("c_1")]);
      await assert.rejects(calls.project(records.slice(1)), { code: "projection-gap" });
      assert.equal(calls.cursor, 0);
      assert.equal(await calls.project(records), 3);
    });

    test("a batch that the database refuses changes nothing and may be given again", async () => {
      const sql = await openSql();
      let broken = true;
      const flaky: SqlRunner = {
        dialect: sql.dialect,
        all: (text, params) => sql.all(text, params),
        run: (text, params) => sql.run(text, params),
        transaction: (statements) =>
          sql.transaction(broken ? [...statements, { sql: "INSERT INTO nowhere VALUES (1)" }] : statements),
      };
      await Catalog.open(sql, clock);
      const { calls } = await Catalog.open(flaky, clock);
      const records = journal([joined], [admitted(), granted("c_1")], [settled("c_1", "returned")]);
      await assert.rejects(calls.project(records), { code: "sql-refused" });
      assert.deepEqual([calls.cursor, await calls.get("c_1")], [0, undefined]);
      broken = false;
      assert.equal(await calls.project(records), 3);
      assert.equal((await calls.get("c_1"))?.outcome, "ok");
    });

    test("records give the same rows in any split, given twice, over any restart", async () => {
      const cuts = fc.array(
        fc.record({ size: fc.integer({ min: 1, max: 4 }), again: fc.nat(3), reopen: fc.boolean() }),
        { minLength: 1, maxLength: 8 },
      );
      await fc.assert(
        fc.asyncProperty(histories, cuts, async (records, drawn) => {
          const whole = await openSql();
          await (await Catalog.open(whole, clock)).calls.project(records);
          const split = await openSql();
          let { calls } = await Catalog.open(split, clock);
          for (let from = 0, n = 0; from < records.length; n += 1) {
            const { size, again, reopen } = drawn[n % drawn.length] as { size: number; again: number; reopen: boolean };
            if (reopen) ({ calls } = await Catalog.open(split, clock));
            await calls.project(records.slice(Math.max(0, from - again), from + size));
            from += size;
          }
          assert.deepEqual(await everything(split), await everything(whole));
        }),
        { numRuns },
      );
    });

    test("L6, L37: every call that ended has a receipt that adds up and equals its row", async () => {
      await fc.assert(
        fc.asyncProperty(histories, async (records) => {
          const { calls, receipts } = await Catalog.open(await openSql(), clock);
          await calls.project(records);
          for (const call of (await calls.list({ limit: 100 }))?.items ?? []) {
            const receipt = await receiptOf(receipts, call.id);
            assert.equal(receipt !== undefined, call.stage === "ended");
            if (!receipt) continue;
            assert.equal(receipt.chargedMs + receipt.releasedMs, receipt.heldMs);
            const shared = [
              "heldMs",
              "usedMs",
              "chargedMs",
              "queuedMs",
              "outcome",
              "code",
              "account",
              "request",
            ] as const;
            for (const member of shared) assert.equal(receipt[member], call[member], member);
          }
        }),
        { numRuns },
      );
    });
  });
}
