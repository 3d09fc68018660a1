/** Spools and the evidence store on real files: what survives a kill, a torn line, a lost counter, a repeat and a hole. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";

import type { EvidenceBatch } from "../src/contract/agent.ts";
import { explain } from "../src/evidence/explain.ts";
import type { Draft, Entry } from "../src/evidence/entry.ts";
import { drain, openShipper } from "../src/record/ship.ts";
import { openSpool, type Spool, type SpoolOptions } from "../src/record/spool.ts";
import { openEvidenceStore } from "../src/record/store.ts";
import type { EvidenceStore, EvidenceStoreOptions } from "../src/record/store.ts";
import { prng } from "../src/stdx/prng.ts";
import { instant } from "../src/stdx/time.ts";

const seeded = prng(11);
const random = (count: number): Uint8Array => seeded.bytes(count);
let now = Date.parse("2026-11-22T12:00:00.000Z");
const clock = { wall: () => instant(now), monotonic: () => now };

const folders: string[] = [];
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "waybill-record-"));
  folders.push(made);
  return made;
}

async function spoolIn(at: string, options: Partial<SpoolOptions> = {}): Promise<Spool> {
  const spool = await openSpool({ folder: at, name: "edge", clock, random, ...options });
  closers.push(() => spool.close());
  return spool;
}

async function storeIn(at: string, options: Partial<EvidenceStoreOptions> = {}): Promise<EvidenceStore> {
  const store = await openEvidenceStore({ path: join(at, "evidence.db"), clock, random, ...options });
  closers.push(() => store.close());
  return store;
}

const failure = (work: string): Draft => ({
  work,
  hop: "edge.deliver",
  mark: "failed",
  facts: { code: "route/reset-midway", status: 502, answeredBy: "edge" },
});
const success = (work: string) =>
  ({
    work,
    kind: "request",
    startedAt: now,
    stages: [
      ["edge.accept", 0],
      ["edge.route", 1],
      ["edge.connect", 1],
      ["app.take", 2],
      ["app.respond", 20],
      ["edge.deliver", 21],
    ],
    facts: { method: "GET", path: "/", space: "alice/demo", status: 200, answeredBy: "app", account: "alice" },
  }) as const;

/** What a descriptor of this process is of; the one that lists them is gone again. */
function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}

function everything(at: string): { readonly batches: EvidenceBatch[]; readonly seqs: number[] } {
  const shipper = openShipper({ folder: at });
  const batches: EvidenceBatch[] = [];
  for (let batch = shipper.next(); batch; batch = shipper.next()) batches.push(batch);
  return { batches, seqs: batches.flatMap(({ records }) => records.map(({ body }) => (body as Entry).seq)) };
}

describe("Spool", () => {
  test("numbers entries, packed records and answers in one sequence, in the order of the calls", async () => {
    const at = folder();
    const spool = await spoolIn(at);
    spool.pack(success("q_1"));
    const entry = spool.write(failure("q_2"));
    spool.pack(success("q_3"));
    const mark = await spool.answer({ channel: "edge/1→p_1", upTo: 17, taken: [16, 17] });
    assert.deepEqual([entry.id, entry.seq, mark.seq], ["edge/1/2", 2, 4]);
    spool.writeAll([failure("q_4"), failure("q_5")]);
    await spool.close();
    assert.deepEqual(everything(at).seqs, [1, 2, 3, 4, 5, 6, 7]);
    assert.equal(everything(at).batches[0]?.records.at(-1)?.kind, "closing");
  });

  test("everything that write returned for is readable after SIGKILL, without a hole", async () => {
    const at = folder();
    const child = spawn(process.execPath, [join(import.meta.dirname, "support/spool-child.ts"), at], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let told = "";
    for await (const part of child.stdout) {
      told += String(part);
      if (told.length > 20_000) break;
    }
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    const lines = told.slice(0, told.lastIndexOf("\n")).split("\n");
    const acknowledged = Number(lines.at(-1)?.split(" ")[1]);
    const { seqs } = everything(at);
    assert.ok(acknowledged > 100);
    assert.ok((seqs.at(-1) ?? 0) >= acknowledged);
    assert.deepEqual(
      seqs,
      Array.from(seqs, (_, index) => index + 1),
    );
    assert.ok(readdirSync(at).filter((file) => file.endsWith(".jsonl")).length > 1, "it went through several segments");
  });

  test("each opening is a new epoch, and a torn line of an earlier one is skipped", async () => {
    const at = folder();
    const one = await spoolIn(at);
    one.write(failure("q_1"));
    await one.close();
    appendFileSync(join(at, "edge.1.1.jsonl"), '{"kind":"entry","body":{"id":"edge/1/3');
    const two = await spoolIn(at);
    assert.equal(two.epoch, 2);
    two.write(failure("q_2"));
    const { batches } = everything(at);
    assert.deepEqual(
      batches.map(({ epoch, records }) => [epoch, records.length]),
      [
        [1, 2],
        [2, 1],
      ],
    );
  });

  test("a lost or unreadable counter makes a new emitter, says so, and keeps the new name", async () => {
    for (const spoil of [(file: string) => unlinkSync(file), (file: string) => writeFileSync(file, "{")]) {
      const at = folder();
      const one = await spoolIn(at);
      one.write(failure("q_1"));
      await one.close();
      spoil(join(at, "edge.epoch"));
      const two = await spoolIn(at);
      assert.match(two.name, /^edge-[0-9a-z]{8}$/);
      assert.equal(two.epoch, 1);
      assert.match(two.renamed ?? "", /counter of "edge" (is lost|can't be read): it goes on as/);
      await two.close();
      const three = await spoolIn(at);
      assert.deepEqual([three.name, three.epoch], [two.name, 2]);
    }
  });

  test("packed records reach the file within their bound, without a sync", async () => {
    const at = folder();
    const spool = await spoolIn(at);
    for (let n = 0; n < 256; n += 1) spool.pack(success(`q_${n}`));
    assert.equal(everything(at).seqs.length, 256);
    spool.pack(success("q_last"));
    assert.equal(everything(at).seqs.length, 256);
    await spool.sync();
    assert.equal(everything(at).seqs.length, 257);
  });

  test("over its bound it drops its oldest segment, which is a hole and not a lie", async () => {
    const at = folder();
    const said: string[] = [];
    const spool = await spoolIn(at, {
      segmentBytes: 2000,
      maxBytes: 6000,
      onFailure: (error) => said.push(error.message),
    });
    for (let n = 0; n < 100; n += 1) spool.write(failure(`q_${n}`));
    const { seqs } = everything(at);
    assert.ok((seqs[0] ?? 0) > 1);
    assert.equal(seqs.at(-1), 100);
    assert.match(said[0] ?? "", /oldest segment was dropped/);
  });

  test("what the disk does not take is kept and written when it does: the work goes on, and nothing is missing", async () => {
    const at = folder();
    const said: string[] = [];
    const spool = await spoolIn(at, { segmentBytes: 1, onFailure: (error) => said.push(error.message) });
    spool.write(failure("q_1"));
    rmSync(at, { recursive: true });
    assert.equal(spool.write(failure("q_2")).seq, 2);
    assert.equal(spool.write(failure("q_3")).seq, 3);
    await assert.rejects(spool.sync());
    assert.match(said.join(), /^[^,]*could not be written$/, "the first failure is told, and once");
    mkdirSync(at);
    await spool.sync();
    assert.deepEqual([everything(at).seqs, spool.lost], [[1, 2, 3], 0]);
    spool.write(failure("q_4"));
    await spool.sync();
    assert.deepEqual(everything(at).seqs, [1, 2, 3, 4]);
  });

  test("a file that fails to close ends nothing, and what was in it is written anew", async () => {
    const at = folder();
    const said: string[] = [];
    const spool = await spoolIn(at, { onFailure: (error) => said.push(error.message) });
    spool.write(failure("q_1"));
    const file = readdirSync("/proc/self/fd").find((fd) => linkOf(fd).endsWith(".jsonl") && linkOf(fd).startsWith(at));
    closeSync(Number(file));
    spool.write(failure("q_2"));
    await spool.sync();
    assert.deepEqual([everything(at).seqs, spool.lost], [[1, 2], 0]);
    assert.match(said.join(), /could not be written,a file of the spool of .* could not be closed$/);
  });

  test("a disk that takes nothing at the second try either is broken, which is told once; memory is bounded, and what it can't hold is a gap", async () => {
    const at = folder();
    const broken: string[] = [];
    const spool = await spoolIn(at, { segmentBytes: 1, onBroken: (error) => broken.push(error.message) });
    spool.write(failure("q_1"));
    await spool.sync();
    rmSync(at, { recursive: true });
    const large = { ...failure("q_2"), facts: { says: "x".repeat(200_000) } };
    for (let n = 0; n < 60; n++) spool.write(large);
    assert.deepEqual(broken, []);
    await assert.rejects(spool.sync());
    await assert.rejects(spool.sync());
    assert.match(broken.join(), /^[^,]*could not be synced$/);
    mkdirSync(at);
    await spool.sync();
    const { seqs } = everything(at);
    assert.deepEqual([seqs.length + spool.lost, seqs.at(-1)], [60, 61]);
    assert.ok(spool.lost >= 15 && seqs.length >= 35, `${spool.lost} lost`);
  });
});

describe("Shipper", () => {
  test("forgets a segment when all of it is acknowledged, never the one still written to", async () => {
    const at = folder();
    const spool = await spoolIn(at, { segmentBytes: 2000 });
    for (let n = 0; n < 40; n += 1) spool.write(failure(`q_${n}`));
    const shipper = openShipper({ folder: at });
    let sent = 0;
    await drain(shipper, async (text) => {
      sent = text.seq;
      return text;
    });
    assert.equal(sent, 40);
    assert.equal(readdirSync(at).filter((file) => file.endsWith(".jsonl")).length, 1);
    spool.write(failure("q_40"));
    assert.equal(shipper.next()?.records.length, 1);
    assert.equal(shipper.next(), null);
  });

  test("after a lost connection everything unacknowledged comes again", async () => {
    const at = folder();
    const spool = await spoolIn(at);
    spool.write(failure("q_1"));
    const shipper = openShipper({ folder: at });
    assert.equal(shipper.next()?.records.length, 1);
    assert.equal(shipper.next(), null);
    shipper.rewind();
    assert.equal(shipper.next()?.records.length, 1);
  });
});

describe("drain", () => {
  test("after a refusal by the store nothing is forgotten, and all comes again", async () => {
    const at = folder();
    const spool = await spoolIn(at, { segmentBytes: 500 });
    for (let n = 0; n < 9; n += 1) spool.write(failure(`q_${n}`));
    const shipper = openShipper({ folder: at });
    await assert.rejects(
      drain(shipper, async () => Promise.reject(new Error("disk full"))),
      /disk full/,
    );
    const store = await storeIn(at);
    await drain(shipper, (text) => store.ingest(text));
    assert.equal(store.index(), 9);
  });
});

describe("EvidenceStore", () => {
  test("a batch twice is stored once, in any order, and survives closing", async () => {
    const at = folder();
    const spool = await spoolIn(at);
    for (let n = 1; n <= 6; n += 1) spool.write(failure(`q_${n}`));
    const [whole] = everything(at).batches;
    assert.ok(whole);
    const late: EvidenceBatch = { ...whole, records: whole.records.slice(3) };
    const store = await storeIn(at);
    const answers = await Promise.all([store.ingest(late), store.ingest(whole), store.ingest(late)]);
    assert.deepEqual(
      answers.map(({ stored, repeated, seq }) => [stored, repeated, seq]),
      [
        [3, 0, 6],
        [3, 3, 6],
        [0, 3, 6],
      ],
    );
    assert.equal(store.index(), 6);
    await store.close();
    const again = await storeIn(at);
    assert.equal(again.index(), 6);
    assert.deepEqual(
      (await again.readWork("q_4")).entries.map(({ id }) => id),
      ["edge/1/4"],
    );
    assert.equal((await again.ingest(whole)).stored, 0);
  });

  test("a hole is told to the works that it could hide something of", async () => {
    const at = folder();
    const spool = await spoolIn(at);
    spool.write({ work: "q_1", hop: "edge.accept", mark: "took", facts: { method: "GET" } });
    for (let n = 2; n <= 5; n += 1) spool.write(failure(`q_${n}`));
    const [whole] = everything(at).batches;
    assert.ok(whole);
    const store = await storeIn(at);
    await store.ingest({
      ...whole,
      records: whole.records.filter(({ body }) => ![3, 4].includes((body as Entry).seq)),
    });
    assert.deepEqual((await store.readWork("q_1")).gaps, [
      { emitter: "edge", epoch: 1, from: 3, to: 4, why: "these numbers never reached the record" },
    ]);
    assert.deepEqual((await store.readWork("q_5")).gaps, []);
  });

  test("a malformed record is refused, and its number stays missing", async () => {
    const at = folder();
    const store = await storeIn(at);
    const body = {
      id: "edge/1/2",
      work: "q_1",
      hop: "edge.nowhere",
      mark: "took",
      emitter: "edge",
      epoch: 1,
      seq: 2,
      at: "2026-11-22T12:00:00.000Z",
      facts: {},
    };
    const records = [
      { kind: "entry" as const, body: { ...body, id: "edge/1/1", seq: 1, hop: "edge.accept" } },
      { kind: "entry" as const, body },
      { kind: "entry" as const, body: { ...body, id: "edge/1/3", seq: 3, hop: "edge.route", emitter: "other" } },
      { kind: "entry" as const, body: { ...body, id: "edge/1/4", seq: 4, hop: "edge.route" } },
    ];
    const done = await store.ingest({ emitter: "edge", epoch: 1, records });
    assert.deepEqual([done.stored, done.refused, done.seq], [2, 2, 4]);
    assert.deepEqual(
      (await store.readWork("q_1")).gaps.map(({ from, to }) => [from, to]),
      [[2, 3]],
    );
  });

  test("an emitter is the node's that has sent of it first, also in later lives of the store; what another sends in its name is not stored", async () => {
    const at = folder();
    const batch = (work: string, epoch: number): EvidenceBatch => {
      const body = {
        ...{ id: `shim.p_1/${epoch}/1`, work, hop: "app.take", mark: "took", emitter: "shim.p_1" },
        ...{ epoch, seq: 1, at: "2026-11-22T12:00:00.000Z", facts: {} },
      };
      return { emitter: "shim.p_1", epoch, records: [{ kind: "entry", body }] };
    };
    const first = await storeIn(at);
    const [own, lie] = await Promise.all([first.ingest(batch("q_1", 1), "n1"), first.ingest(batch("q_2", 2), "n2")]);
    assert.deepEqual([own.stored, own.owner, lie.stored, lie.owner], [1, undefined, 0, "n1"]);
    await first.close();
    const again = await storeIn(at);
    assert.equal((await again.ingest(batch("q_3", 3), "n2")).owner, "n1");
    assert.equal((await again.ingest(batch("q_4", 4), "n1")).stored, 1);
    assert.deepEqual((await again.readWork("q_2")).entries, []);
    assert.deepEqual((await again.readWork("q_3")).entries, []);
  });

  test("only its taker answers for what was handed along a channel", async () => {
    const store = await storeIn(folder());
    const mark = (emitter: string, channel: string, seq: number) => ({
      kind: "watermark" as const,
      body: { channel, upTo: 9, taken: [], emitter, epoch: 1, seq, at: "2026-11-22T12:00:00.000Z" },
    });
    const took = (emitter: string, channel: string, seq: number) => ({
      kind: "entry" as const,
      body: {
        ...{ id: `${emitter}/1/${seq}`, work: "b_1", hop: "build.claim", mark: "took", emitter, epoch: 1, seq },
        ...{ at: "2026-11-22T12:00:00.000Z", facts: { channel, number: 1 } },
      },
    });
    const told = async (emitter: string) => {
      const records = [
        mark(emitter, "scheduler→n1", 1),
        mark(emitter, "edge/1→p_1", 2),
        took(emitter, "build-queue→n1", 3),
        took(emitter, "edge/1", 4),
      ];
      const { stored, refused } = await store.ingest({ emitter, epoch: 1, records });
      return [stored, refused];
    };
    assert.deepEqual(await told("agent-n1"), [3, 1]);
    assert.deepEqual(await told("agent-n1-0k3x9m2p"), [3, 1]);
    assert.deepEqual(await told("shim.p_1"), [2, 2]);
    assert.deepEqual(await told("agent-n2"), [1, 3]);
    assert.deepEqual(await told("agent-a-n1"), [1, 3], "a node whose name ends in another's");
  });

  test("a work is read with the epochs of its takers' emitters, also of one that lost its counter, and of no other's", async () => {
    const store = await storeIn(folder());
    const entry = (emitter: string, work: string, facts: object) => ({
      kind: "entry" as const,
      body: {
        ...{ id: `${emitter}/1/1`, work, hop: "edge.connect", mark: "handed", emitter, epoch: 1, seq: 1, facts },
        at: "2026-11-22T12:00:00.000Z",
      },
    });
    const handed = entry("edge", "q_1", { channel: "edge/1→p_1", number: 1, closed: true });
    await store.ingest({ emitter: "edge", epoch: 1, records: [handed] });
    for (const emitter of ["shim.p_1", "shim.p_1-0k3x9m2p", "shim.p_11", "shim.p_1-other"])
      await store.ingest({ emitter, epoch: 1, records: [entry(emitter, "q_other", {})] });
    const { epochs } = await store.readWork("q_1");
    assert.deepEqual(epochs.map(({ emitter }) => emitter).toSorted(), ["edge", "shim.p_1", "shim.p_1-0k3x9m2p"]);
  });

  test("an epoch is open, then dead when a later one appears, or closed by its own word", async () => {
    const at = folder();
    const store = await storeIn(at);
    const entry = (epoch: number) => ({
      kind: "entry" as const,
      body: {
        id: `edge/${epoch}/1`,
        work: "q_1",
        hop: "edge.accept",
        mark: "took",
        emitter: "edge",
        epoch,
        seq: 1,
        at: "2026-11-22T12:00:00.000Z",
        facts: {},
      },
    });
    const states = async () => (await store.readWork("q_1")).epochs.map(({ epoch, state }) => `${epoch} ${state}`);
    await store.ingest({ emitter: "edge", epoch: 1, records: [entry(1)] });
    assert.deepEqual(await states(), ["1 open"]);
    await store.ingest({
      emitter: "edge",
      epoch: 2,
      records: [
        entry(2),
        { kind: "closing", body: { emitter: "edge", epoch: 2, seq: 2, at: "2026-11-22T12:00:01.000Z" } },
      ],
    });
    assert.deepEqual(await states(), ["1 dead", "2 closed"]);
  });

  test("lists a Space's requests newest first, packed or told by entries, and a page goes on where the last ended", async () => {
    const at = folder();
    const spool = await spoolIn(at);
    spool.pack(success("q_1"));
    now += 1000;
    const route = { hop: "edge.route", mark: "done", facts: { space: "alice/demo", replica: "p_1" } } as const;
    spool.write({ work: "q_2", hop: "edge.accept", mark: "took", facts: { method: "POST", path: "/render" } });
    spool.write({ work: "q_2", hop: "identity.resolve", mark: "done", facts: { account: "bob" } });
    spool.write({ work: "q_2", ...route });
    now += 250;
    spool.write(failure("q_2"));
    now += 1000;
    spool.pack(success("q_3"));
    spool.write({ work: "q_4", ...route }); // still open
    await spool.sync();
    const store = await storeIn(at);
    await drain(openShipper({ folder: at }), (batch) => store.ingest(batch));
    const { items: all } = await store.listRequests({ space: "alice/demo", limit: 10 });
    assert.deepEqual(
      all.map(({ id }) => id),
      ["q_3", "q_2", "q_1"],
    );
    assert.deepEqual(all[1], {
      id: "q_2",
      n: 5,
      at: all[1]?.at,
      method: "POST",
      path: "/render",
      query: null,
      protocol: null,
      status: 502,
      answeredBy: "edge",
      outcome: "failed",
      code: "route/reset-midway",
      ms: 250,
      stages: {},
      bytesIn: 0,
      bytesOut: 0,
      account: "bob",
      billedBy: null,
      replica: "p_1",
    });
    assert.deepEqual(all[2], {
      id: "q_1",
      n: 1,
      at: all[2]?.at,
      method: "GET",
      path: "/",
      query: null,
      protocol: null,
      status: 200,
      answeredBy: "app",
      outcome: "ok",
      code: null,
      ms: 21,
      stages: { routed: 1, connected: 1, sent: 2, answered: 20 },
      bytesIn: 0,
      bytesOut: 0,
      account: "alice",
      billedBy: null,
      replica: null,
    });
    const [newest] = (await store.listRequests({ space: "alice/demo", limit: 1 })).items;
    const before = { space: "alice/demo", limit: 10, before: newest?.at ?? "" };
    assert.deepEqual(
      (await store.listRequests(before)).items.map(({ id }) => id),
      ["q_2", "q_1"],
    );
    assert.deepEqual((await store.listRequests({ space: "bob/other", limit: 10 })).items, []);
    const twins = await spoolIn(at, { name: "edge-2" });
    for (const work of ["q_7", "q_8", "q_9"])
      twins.pack({ ...success(work), facts: { space: "alice/twins", status: 200 } });
    await twins.sync();
    await drain(openShipper({ folder: at, emitter: "edge-2" }), (batch) => store.ingest(batch));
    const [first] = (await store.listRequests({ space: "alice/twins", limit: 1 })).items;
    assert.equal(first?.id, "q_9");
    const { items: rest } = await store.listRequests({
      space: "alice/twins",
      limit: 10,
      before: first?.at ?? "",
      beforeId: first?.id ?? "",
    });
    assert.deepEqual(
      rest.map(({ id }) => id),
      ["q_8", "q_7"],
      "requests of one millisecond are on one page or the next, never on none",
    );
  });

  test("a packed work reads as entries, with its links both ways", async () => {
    const at = folder();
    const spool = await spoolIn(at);
    const packed = success("q_1");
    spool.pack({ ...packed, facts: { ...packed.facts, link: "c_1" } });
    await spool.sync();
    const store = await storeIn(at);
    await drain(openShipper({ folder: at }), (batch) => store.ingest(batch));
    const { entries, links } = await store.readWork("q_1");
    assert.deepEqual(entries.map(({ id, hop }) => `${id} ${hop}`).slice(-2), [
      "edge/1/1.5 app.respond",
      "edge/1/1.6 edge.deliver",
    ]);
    assert.deepEqual(links, ["c_1"]);
    assert.deepEqual((await store.readWork("c_1")).links, ["q_1"]);
    const told = explain({
      id: "q_1",
      kind: "request",
      ...(await store.readWork("q_1")),
      links: [],
      charge: null,
      read: { journal: 0, evidence: store.index() },
    });
    assert.equal(told.sentence, "The app answered 200 in 21 ms.");
  });

  test("what starts took is read by the builds whose releases were started: the newest, and those alone that say it", async () => {
    const at = folder();
    const agent = await spoolIn(at, { name: "agent-n1" });
    const start = (replica: string, build: string, facts: Draft["facts"]): void => {
      agent.write({ work: replica, hop: "replica.start", mark: "took", facts: { space: "alice/demo", link: build } });
      agent.write({ work: replica, hop: "replica.ready", mark: "done", facts });
      now += 1_000;
    };
    for (let n = 1; n <= 11; n += 1)
      start(`p_${n}`, n % 2 === 0 ? "b_1" : "b_2", { tookMs: 9, stages: { healthy: n } });
    start("p_20", "b_1", { tookMs: 9 });
    for (let n = 100; n < 310; n += 1) start(`p_${n}`, "b_0", { tookMs: 9, stages: { healthy: n } });
    start("p_21", "b_3", { tookMs: 9, stages: { healthy: 99 } });
    agent.write({ work: "p_22", hop: "replica.start", mark: "took", facts: { link: "b_1" } });
    agent.write({ work: "p_22", hop: "replica.ready", mark: "failed", facts: { stages: { healthy: 77 } } });
    await agent.sync();
    const store = await storeIn(at);
    await drain(openShipper({ folder: at }), (batch) => store.ingest(batch));
    const times = async (...builds: readonly string[]) =>
      (await store.earlierStarts(builds)).map(({ healthy }) => healthy);
    assert.deepEqual(await times("b_1", "b_2"), [3, 4, 5, 6, 7, 8, 9, 10, 11]);
    assert.deepEqual(await times("b_1"), [2, 4, 6, 8, 10]);
    assert.equal((await times("b_3", "b_0")).at(-1), 99, "however many an earlier build has");
    assert.deepEqual(await times("b_9"), []);
    assert.deepEqual(await times(), []);
  });

  test("a request whose replica's shim died is explained by the replica's own record", async () => {
    const at = folder();
    const edge = await spoolIn(at);
    const agent = await spoolIn(at, { name: "agent-n1" });
    edge.write({ work: "q_1", hop: "edge.accept", mark: "took", facts: {} });
    edge.write({
      work: "q_1",
      hop: "edge.connect",
      mark: "handed",
      facts: { channel: "edge/1→p_1", number: 3, connection: "edge/1/3", from: 0, to: 90, closed: true },
    });
    edge.write({
      work: "q_1",
      hop: "edge.deliver",
      mark: "failed",
      facts: { code: "route/reset-midway", status: 502, answeredBy: "edge" },
    });
    agent.write({ work: "p_1", hop: "replica.exit", mark: "failed", facts: { code: "runtime/shim-lost" } });
    const store = await storeIn(at);
    await drain(openShipper({ folder: at }), (batch) => store.ingest(batch));
    const { verdict } = explain({
      id: "q_1",
      kind: "request",
      ...(await store.readWork("q_1")),
      links: [],
      charge: null,
      read: { journal: 0, evidence: store.index() },
    });
    assert.deepEqual([verdict?.boundary, verdict?.code, verdict?.certainty], ["runtime", "shim-lost", "likely"]);
    assert.ok(verdict?.facts.includes("agent-n1/1/1"));
  });

  test("refusals of strangers are counted, readable at once, and stored", async () => {
    const at = folder();
    const store = await storeIn(at);
    const id = store.count({ code: "route/no-such-space", host: "x.localhost", address: "127.0.0.1", sample: "GET /" });
    assert.equal((await store.readCounted(id))?.count, 1);
    store.count({ code: "route/no-such-space", host: "x.localhost", address: "127.0.0.9" });
    await store.close();
    const again = await storeIn(at);
    assert.deepEqual(await again.readCounted(id), {
      id,
      code: "route/no-such-space",
      host: "x.localhost",
      block: "127.0.0.0/24",
      minute: Math.floor(now / 60_000) * 60_000,
      count: 2,
      samples: ["GET /"],
    });
    assert.equal(await again.readCounted("n_unknown"), null);
  });

  test("retention drops packed records over age and over count, totals say how many, and nothing becomes a hole", async () => {
    const at = folder();
    const spool = await spoolIn(at);
    for (let n = 1; n <= 10; n += 1) {
      spool.pack(success(`q_${n}`));
      now += 1000;
    }
    spool.write(failure("q_bad"));
    await spool.sync();
    const store = await storeIn(at, { retention: { packedMaxRows: 4 } });
    await drain(openShipper({ folder: at }), (batch) => store.ingest(batch));
    assert.equal(await store.retain(), 6);
    const totals = await store.totals();
    assert.deepEqual([totals.index, totals.packed, totals.entries], [11, 4, 1]);
    assert.deepEqual(totals.dropped, [{ day: "2026-11-22", what: "packed", space: "alice/demo", count: 6 }]);
    const gone = await store.readWork("q_1");
    assert.deepEqual([gone.entries, gone.gaps, gone.droppedThrough], [[], [], "2026-11-22"]);
    assert.deepEqual((await store.readWork("q_bad")).gaps, []);
  });

  test("a store of another schema is refused by name", async () => {
    const at = folder();
    await (await storeIn(at)).close();
    const { DatabaseSync } = await import("node:sqlite");
    const db = new DatabaseSync(join(at, "evidence.db"));
    db.exec("UPDATE meta SET value = 99 WHERE name = 'schema'");
    db.close();
    const before = readFileSync(join(at, "evidence.db"));
    await assert.rejects(openEvidenceStore({ path: join(at, "evidence.db"), clock, random }), {
      code: "evidence-format-unknown",
      message: /schema 99, and this version of Waybill knows \d+\. Start the version that wrote it/,
    });
    assert.deepEqual(readFileSync(join(at, "evidence.db")), before, "it is left as it was");
  });
});
