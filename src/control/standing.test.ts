import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { EvidenceBatch } from "../contract/agent.ts";
import { openEvidenceStore } from "../record/store.ts";
import { instant, iso } from "../stdx/time.ts";
import { ControlWorld, replica, request } from "./control.suite.ts";
import { incidentView } from "./incidents.ts";
import { nodeViews } from "./node-views.ts";
import { StandingDesk, unnamed } from "./standing.ts";

/** A ledger in memory with a store of evidence on the disk, and a desk over both. */
async function open(before?: { folder: string; world: ControlWorld }) {
  const folder = before?.folder ?? mkdtempSync(join(tmpdir(), "waybill-standing-"));
  const world = before?.world ?? (await ControlWorld.open());
  const { clock, random } = world;
  const store = await openEvidenceStore({ path: join(folder, "evidence.db"), clock, random });
  const failures: string[] = [];
  const told = { shippedAt: clock.wall() as number | null, connected: new Set(["n1"]) };
  const desk = await StandingDesk.open({
    ...{ record: store.status, engine: world.engine, journal: world.journal, clock, random },
    nodes: () =>
      world.engine.read((state) => ({
        views: nodeViews(state, () => ({ devices: [], use: undefined })),
        drains: [...state.drains.values()],
      })),
    isConnected: (node) => told.connected.has(node),
    shippedAt: () => told.shippedAt,
    onFailure: (what, error) => failures.push(`${what}: ${String(error)}`),
  });
  let seq = 0;
  return {
    ...{ folder, world, store, desk, told, failures },
    /** Looks when so much time has passed in which all was heard of. */
    async look(afterMs = 10_000) {
      clock.advance(afterMs);
      if (told.shippedAt !== null) told.shippedAt = clock.wall();
      await desk.look();
    },
    async requests(count: number, code: string | null) {
      const records: EvidenceBatch["records"][number][] = [];
      for (let n = 0; n < count; n += 1) {
        seq += 1;
        const by = { emitter: "edge", epoch: 1, seq, at: iso(instant(clock.wall())) };
        const facts = code === null ? { status: 200 } : { status: 503, code };
        const told_ = { hop: "edge.deliver", mark: code === null ? "done" : "failed", facts } as const;
        records.push({ kind: "entry", body: { id: `edge/1/${seq}`, work: `q_${seq}`, ...told_, ...by } });
      }
      await store.ingest({ emitter: "edge", epoch: 1, records });
    },
    async close() {
      await desk[Symbol.asyncDispose]();
      await store.close();
      assert.deepEqual(failures, []);
    },
    async [Symbol.asyncDispose]() {
      await this.close();
      await world[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

describe("StandingDesk", () => {
  test("opens an incident where works fail by the platform's fault, with those behind it, and closes it when they no longer do", async () => {
    await using of = await open();
    await of.requests(40, null);
    await of.requests(10, "route/not-running");
    await of.look();
    assert.equal(of.desk.incidents.open.length, 0, "the app's own failures are none of the platform's");
    await of.requests(6, "route/control-down");
    await of.look();
    const [incident] = of.desk.incidents.open;
    assert.ok(incident);
    assert.deepEqual([incident.boundary, incident.counts], ["route", { works: 56, failed: 6 }]);
    assert.deepEqual(incident.behind, ["q_56", "q_55", "q_54", "q_53", "q_52", "q_51"]);
    const route = (await of.desk.view("operator"))?.boundaries.find(({ boundary }) => boundary === "route");
    assert.equal(route?.state, "failing");
    for (let n = 0; n < 100; n += 1) await of.look();
    assert.deepEqual(of.desk.incidents.open, []);
    const over = await of.desk.incidents.get(incident.id);
    assert.deepEqual([over?.closedBy, over?.id], ["detection", incident.id]);
    const after = (await of.desk.view("operator"))?.boundaries.find(({ boundary }) => boundary === "route");
    assert.deepEqual([after?.state, after?.day.failedBy["platform"]], ["ok", 6]);
  });

  test("a drain is planned, and a word beside it stays when it is over, also after a restart", async () => {
    const of = await open();
    await of.world.node();
    const drain = { reason: "driver", by: "admin", endInMs: null };
    await of.world.engine.submit({ type: "set-drain", of: { kind: "node", node: "n1" }, drain });
    await of.look();
    const [incident] = of.desk.incidents.open;
    assert.ok(incident);
    assert.equal(incident.says, "node n1 draining, planned, by admin: driver");
    const capacity = (await of.desk.view("account"))?.boundaries.find(({ boundary }) => boundary === "capacity");
    assert.equal(capacity?.state, "ok", "what is planned is no failure");
    const word = { by: "admin", says: "half an hour" };
    for (let time = 1; time <= 2; time += 1) assert.equal((await of.desk.incidents.note(incident.id, word)).ok, true);
    await of.close();

    await using again = await open(of);
    assert.deepEqual(
      again.desk.incidents.open.map(({ id }) => id),
      [incident.id],
    );
    await again.world.engine.submit({ type: "set-drain", of: { kind: "node", node: "n1" }, drain: null });
    await again.look();
    const over = await again.desk.incidents.get(incident.id);
    assert.ok(over?.until);
    assert.deepEqual(
      over.notes.map(({ says }) => says),
      ["half an hour"],
    );
    const stranger = incidentView(over, "stranger");
    assert.doesNotMatch(JSON.stringify(stranger), /n1|admin|driver/);
    assert.equal(incidentView(over, "account").subject, "drain/node/n1");
    assert.deepEqual(incidentView(over, "operator").behind, ["n1"]);
  });

  test("what an operator closed stays closed while it goes on, also after a restart", async () => {
    const of = await open();
    await of.requests(20, "route/control-down");
    await of.look();
    const [incident] = of.desk.incidents.open;
    assert.ok(incident);
    const word = { by: "admin", says: "known" };
    assert.equal((await of.desk.incidents.close(incident.id, word)).ok, true);
    const repeated = await of.desk.incidents.close(incident.id, word);
    assert.equal(
      repeated.ok && repeated.incident.notes.length,
      1,
      "asked again over a restart it is answered as it was",
    );
    const other = { by: "admin", says: "another word" };
    assert.deepEqual(await of.desk.incidents.close(incident.id, other), { ok: false, why: "over" });
    assert.deepEqual(await of.desk.incidents.note("i_none", word), { ok: false, why: "none" });
    await of.look();
    await of.close();
    await using again = await open(of);
    await again.look();
    assert.deepEqual(again.desk.incidents.open, []);
  });

  test("a boundary whose record is behind is unknown, and its incident says whose", async () => {
    await using of = await open();
    of.told.shippedAt = null;
    await of.look();
    const view = await of.desk.view("account");
    assert.ok(view);
    const route = view.boundaries.find(({ boundary }) => boundary === "route");
    assert.deepEqual([route?.state, route?.completeTo, route?.behind], ["unknown", null, ["edge"]]);
    const gpu = view.boundaries.find(({ boundary }) => boundary === "gpu");
    assert.equal(gpu?.state, "ok", "the ledger is never behind");
    assert.deepEqual(
      unnamed(view).boundaries.flatMap(({ behind }) => behind),
      [],
    );
    for (let n = 0; n < 4; n += 1) await of.look();
    const subjects = of.desk.incidents.open.map(({ subject }) => subject).toSorted();
    assert.deepEqual(subjects, ["evidence/edge", "evidence/server"]);
    of.told.shippedAt = 0;
    await of.look();
    const known = (await of.desk.view("account"))?.boundaries.find(({ boundary }) => boundary === "route");
    assert.equal(known?.state, "ok");
  });

  test("goes on answering where its record does not: its last numbers, all unknown", async () => {
    const of = await open();
    await of.requests(3, null);
    const before = await of.desk.view("stranger");
    await of.store.close();
    const after = await of.desk.view("stranger");
    assert.deepEqual(
      after?.boundaries.map(({ day }) => day.works),
      before?.boundaries.map(({ day }) => day.works),
    );
    assert.ok(after?.boundaries.every(({ state }) => state === "unknown"));
    assert.match(of.failures.splice(0).join(), /telling how the platform stands/);
    await of[Symbol.asyncDispose]();
  });

  test("a journal that took nothing more is an incident, which the next start closes", async () => {
    const of = await open();
    await of.desk.cannotWrite("ENOSPC");
    await of.close();
    await using again = await open(of);
    const [incident] = again.desk.incidents.open;
    assert.match(incident?.says ?? "", /could not be written: ENOSPC$/);
    for (let n = 0; n < 8; n += 1) await again.look();
    assert.deepEqual(again.desk.incidents.open, []);
  });

  test("calls are counted once with how long they waited, also those of before a restart", async () => {
    const of = await open();
    const { world } = of;
    await world.space();
    await world.release("rel_1", 1);
    const node = await world.node([replica("p_1", "ready")]);
    const ask = async (call: string) => {
      node.say({ type: "schedule", request: request(call, { task: call }) });
      await world.settled();
    };
    await ask("c_1");
    await ask("c_2");
    await of.look();
    const sums = async (desk: StandingDesk) =>
      (await desk.view("operator"))?.boundaries.find(({ boundary }) => boundary === "gpu")?.day;
    assert.equal((await sums(of.desk))?.waits?.count, 1, "one was granted, and one waits");
    await of.close();
    await using again = await open(of);
    assert.equal((await sums(again.desk))?.waits?.count, 1, "nothing is counted again");
  });
});
