import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import type { EvidenceBatch } from "../contract/agent.ts";
import type { Facts, Hop, Mark } from "../evidence/entry.ts";
import { bucketOf } from "../evidence/waits.ts";
import { EvidenceDatabase } from "./evidence-database.ts";
import { retain } from "./retention.ts";

const start = Date.parse("2026-11-22T12:00:00.000Z");
const hourMs = 3_600_000;
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0).reverse()) close();
});

function database(): EvidenceDatabase {
  const folder = mkdtempSync(join(tmpdir(), "waybill-counts-"));
  const store = new EvidenceDatabase(join(folder, "evidence.db"));
  closers.push(
    () => rmSync(folder, { recursive: true }),
    () => store.close(),
  );
  return store;
}

class Emitting {
  seq = 0;
  readonly records: EvidenceBatch["records"][number][] = [];

  entry(work: string, hop: Hop, mark: Mark, facts: Facts = {}, at = start): this {
    this.seq += 1;
    const told = { emitter: "edge", epoch: 1, seq: this.seq, at: new Date(at).toISOString() };
    this.records.push({ kind: "entry", body: { id: `edge/1/${this.seq}`, work, hop, mark, facts, ...told } });
    return this;
  }

  packed(work: string, at = start, facts: Facts = {}): this {
    this.seq += 1;
    const told = { emitter: "edge", epoch: 1, seq: this.seq, at: new Date(at).toISOString() };
    const stages = [
      ["edge.accept", 0],
      ["edge.connect", 3],
      ["app.take", 4],
      ["app.respond", 20],
      ["edge.deliver", 21],
    ];
    const about = { status: 200, answeredBy: "app", space: "a/b", ...facts };
    this.records.push({ kind: "packed", body: { work, kind: "request", stages, facts: about, ...told } });
    return this;
  }

  get batch(): EvidenceBatch {
    return { emitter: "edge", epoch: 1, records: this.records };
  }
}

function worksOf(store: EvidenceDatabase, from = 0): readonly string[] {
  return (store.workCounts.find([from]).spans[0]?.works ?? []).map(
    ({ kind, code, count }) => `${kind} ${code || "ok"} ${count}`,
  );
}

function waitsOf(store: EvidenceDatabase): readonly string[] {
  return (store.workCounts.find([0]).spans[0]?.waits ?? []).map(
    ({ boundary, bucket, count }) => `${boundary} ${bucket} ${count}`,
  );
}

const keep = {
  packedMaxAgeMs: 7 * 24 * hourMs,
  packedMaxRows: 1e6,
  entriesMaxAgeMs: 30 * 24 * hourMs,
  failedMaxRows: 1e6,
  countsMaxRows: 1e6,
};

describe("WorkCounts", () => {
  test("a batch that comes again, whole or in parts, counts nothing twice", () => {
    const store = database();
    const { batch } = new Emitting()
      .packed("q_1")
      .packed("q_2", start, { status: 500 })
      .entry("q_3", "edge.deliver", "refused", { code: "route/not-running", status: 503 });
    const late = { ...batch, records: batch.records.slice(1) };
    store.ingest([{ batch: late }]);
    store.ingest([{ batch }, { batch: late }, { batch }]);
    assert.deepEqual(worksOf(store), ["request ok 1", "request app/answered-5xx 1", "request route/not-running 1"]);
    assert.deepEqual(waitsOf(store), [`app ${bucketOf(16)} 2`, `route ${bucketOf(3)} 2`]);
  });

  test("what was rolled back is not counted, and is when it comes again", () => {
    const store = database();
    const { batch } = new Emitting().packed("q_1");
    const fails = {
      ...{ emitter: batch.emitter, epoch: batch.epoch },
      get records(): never {
        throw new Error("no space left on device");
      },
    };
    assert.throws(() => store.ingest([{ batch }, { batch: fails }]), /no space/);
    assert.deepEqual(worksOf(store), []);
    store.ingest([{ batch }]);
    assert.deepEqual(worksOf(store), ["request ok 1"]);
  });

  test("a work that several entries end is counted at the first of them", () => {
    const store = database();
    const told = new Emitting()
      .entry("b_1", "build.step", "failed", { code: "build/step-failed" })
      .entry("b_1", "build.claim", "failed", { code: "build/step-failed" })
      .entry("p_1", "replica.ready", "done", { tookMs: 500 })
      .entry("p_1", "replica.exit", "failed", { code: "app/exit" });
    store.ingest([{ batch: told.batch }]);
    assert.deepEqual(worksOf(store), ["build build/step-failed 1", "replica ok 1", "replica app/exit 1"]);
  });

  test("a join whose event failed is counted with the event's code", () => {
    const store = database();
    const told = new Emitting()
      .entry("q_1", "app.respond", "failed", { code: "app/exception", event: "e1" })
      .entry("q_1", "edge.deliver", "done", { event: "e1", status: 200, answeredBy: "app" });
    store.ingest([{ batch: told.batch }]);
    assert.deepEqual(worksOf(store), ["request app/exception 1"]);
  });

  test("a build's wait is from its place in the queue to the builder", () => {
    const store = database();
    const told = new Emitting()
      .entry("b_1", "build.queue", "took", {}, start)
      .entry("b_1", "build.claim", "handed", {}, start + 9_000);
    store.ingest([{ batch: told.batch }]);
    assert.deepEqual(waitsOf(store), [`build ${bucketOf(9_000)} 1`]);
  });

  test("what strangers cause is counted by what its counter grew, however often it is told", () => {
    const store = database();
    const row = { id: "n_1", code: "route/no-such-space", host: "x", block: "b", minute: start, samples: [] };
    store.count([{ ...row, count: 4 }]);
    store.count([{ ...row, count: 4 }]);
    store.count([{ ...row, count: 6 }]);
    store.count([{ ...row, id: "n_2", code: "control/not-its-own", count: 9 }]);
    assert.deepEqual(worksOf(store), ["request route/no-such-space 6"]);
  });

  test("the ledger's records are counted once, in order and without a hole", () => {
    const store = database();
    const { workCounts } = store;
    const counts = (from: number, to: number) => ({
      ...{ from, to, waits: [{ at: start, ms: 2_000 }] },
      ends: [{ at: start, call: `c_${to}`, code: "gpu/queue-timeout" as const }],
    });
    const take = (from: number, to: number): number => {
      const through = workCounts.cameCalls(counts(from, to));
      workCounts.write();
      return through;
    };
    assert.equal(workCounts.callsThrough(), null);
    assert.deepEqual([take(8, 10), take(8, 10), take(13, 15), take(11, 12)], [10, 10, 10, 12]);
    assert.deepEqual(worksOf(store), ["call gpu/queue-timeout 2"]);
    assert.deepEqual(
      workCounts.samples(["gpu/queue-timeout"], 0).map(({ work }) => work),
      ["c_12", "c_10"],
    );
  });

  test("samples are the newest works of a code, and no more than are kept", () => {
    const store = database();
    const told = new Emitting();
    for (let n = 1; n <= 50; n += 1)
      told.entry(`q_${n}`, "edge.deliver", "failed", { code: "route/control-down" }, start + n);
    store.ingest([{ batch: told.batch }]);
    const works = store.workCounts.samples(["route/control-down"], 0).map(({ work }) => work);
    assert.deepEqual([works.length, works[0], works.at(-1)], [20, "q_50", "q_31"]);
  });

  test("retention folds minutes into hours and days, and changes no sum", () => {
    const store = database();
    const told = new Emitting();
    for (let n = 0; n < 300; n += 1) told.packed(`q_${n}`, start + n * 20 * 60_000);
    store.ingest([{ batch: told.batch }]);
    const rows = (): number => Number(store.prepare("SELECT count(*) AS n FROM work_counts").get()?.["n"]);
    assert.equal(rows(), 300);
    retain(store, { ...keep, now: start + 100 * hourMs + 48 * hourMs });
    assert.equal(rows(), 100, "a row an hour");
    retain(store, { ...keep, now: start + 50 * 24 * hourMs });
    assert.equal(rows(), 5, "a row a day");
    assert.deepEqual(worksOf(store), ["request ok 300"]);
    assert.equal(retain(store, { ...keep, now: start + 50 * 24 * hourMs }), 0);
  });
});
