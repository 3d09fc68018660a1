/** The platform on a disk that is full, read-only or fails to sync, and by a clock that is set: it stops in time, and keeps its word. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { exit } from "../../src/cli/exit.ts";
import { Books } from "../crash/books.ts";
import { callsOf, endedCall, newestCall, running } from "../support/calls.ts";
import { FaultyLibc } from "../support/faulty-libc.ts";
import { needs } from "../support/needs.ts";
import { lives, Platform, until, upRefused, visit } from "../support/platform.ts";
import { SmallDisk } from "../support/small-disk.ts";

const ownDisk = await needs("own-disk");
const preload = await needs("cc");
/** A platform, an app's files, and ext4's own. */
const diskBytes = 256 << 20;
/** What is refused for a low disk is not what is tested. */
const noReserve = { WAYBILL_DISK_RESERVE_MB: "0" };
const dayMs = 86_400_000;
const hourMs = 3_600_000;

/** Writes 1, 2, 3… until it is not answered; gives the last that was acknowledged. */
async function writesUntilItStops(up: Platform): Promise<number> {
  const base = 1_000_000;
  for (let n = 1; ; n++) {
    const answered = await up.admin.changePool("main", { queueLimitMs: base + n }).catch(() => null); // Not acknowledged.
    if (answered === null) return n - 1;
    assert.equal(answered.queueLimitMs, base + n);
  }
}

/** It ended by itself and said why; started again it has what it acknowledged, or one write more. */
async function stoppedAndKept(up: Platform, acknowledged: number, mend: () => void = () => undefined): Promise<void> {
  assert.equal(await up.ended(), exit.failed);
  const said = up.log.find((line) => line.includes("the platform cannot go on"));
  assert.match(said ?? "", /the journal has stopped: .*Nothing unacknowledged was kept\. Look at the disk/);
  mend();
  await up.up();
  const { queueLimitMs } = await up.admin.pool("main");
  const kept = acknowledged === 0 && queueLimitMs < 1_000_000 ? 0 : queueLimitMs - 1_000_000;
  assert.ok(kept === acknowledged || kept === acknowledged + 1, `${kept} of ${acknowledged}`);
}

describe("the disk of the data folder", ownDisk, () => {
  test("L27: full: it stops, what was acknowledged is kept, the app goes on, and with space it is as before", async () => {
    using disk = new SmallDisk(diskBytes);
    await using up = await Platform.start({ within: disk.path, env: noReserve });
    const alice = await up.account("alice");
    const app = await up.deploy(alice, "app");
    const replica = await up.replica(app.space);
    disk.fill();
    const acknowledged = await writesUntilItStops(up);
    await stoppedAndKept(up, acknowledged, () => disk.free());
    assert.ok(lives(replica.app) && lives(replica.shim), "app and shim are the same processes");
    await until("its app answers", async () => (await visit(`${app.url}/`)).status === 200);
    const { call } = await visit(`${app.url}/gpu/hold?seconds=0.1`, alice);
    assert.equal((await endedCall(alice.client, call)).outcome, "ok");
  });

  test("L27: read-only in the middle: it stops; repaired it has what was acknowledged", async () => {
    using disk = new SmallDisk(diskBytes);
    await using up = await Platform.start({ within: disk.path, env: noReserve });
    for (let n = 0; n < 10; n++) await up.account(`account${n}`);
    disk.break();
    await stoppedAndKept(up, await writesUntilItStops(up), () => disk.repair());
    const again = await up.admin.createToken({ account: "account9", create: false });
    assert.equal(again.account, "account9");
  });

  for (const [how, breakIt, mend] of [
    ["read-only", (disk: SmallDisk) => disk.break(), (disk: SmallDisk) => disk.repair()],
    ["full", (disk: SmallDisk) => disk.fill(), (disk: SmallDisk) => disk.free()],
  ] as const) {
    test(`${how} at the start: it is refused with a code and what to do, and starts when that was done`, async () => {
      using disk = new SmallDisk(diskBytes);
      await using up = await Platform.start({ within: disk.path, env: noReserve });
      await up.account("alice");
      await up.kill();
      breakIt(disk);
      const refused = await upRefused(up.data, 0, noReserve);
      assert.equal(refused.code, exit.failed, refused.err);
      const { code, detail, next } = JSON.parse(refused.out) as Record<string, string>;
      assert.equal(code, "data-folder-unfit", refused.out);
      assert.match(detail ?? "", /nothing can be kept in .*data/);
      assert.match(next ?? "", /full or read-only/);
      mend(disk);
      await up.up();
      assert.equal((await up.admin.createToken({ account: "alice" })).account, "alice");
    });
  }
});

describe("syncs that fail", preload, () => {
  // SQLite syncs its log once more as it is closed with its process; of records none is tried again.
  for (const [file, tries] of [
    ["journal.db-wal", 2],
    ["journal.mark", 1],
  ] as const) {
    test(`L27: of ${file}: it stops at the first, and what was acknowledged is kept`, async () => {
      using libc = new FaultyLibc();
      await using up = await Platform.start({ env: libc.env });
      for (let n = 0; n < 10; n++) await up.account(`account${n}`);
      libc.failSyncsOf(file);
      const acknowledged = await writesUntilItStops(up);
      await up.ended();
      assert.ok(libc.failed >= 1 && libc.failed <= tries, `${libc.failed} syncs were tried`);
      await stoppedAndKept(up, acknowledged, () => libc.failSyncsOf(""));
      for (let n = 0; n < 10; n++)
        assert.equal((await up.admin.createToken({ account: `account${n}` })).account, `account${n}`);
    });
  }

  test("of the edge's spool: at the second one in a row it stops, and started again it tells of what it had answered", async () => {
    using libc = new FaultyLibc();
    await using up = await Platform.start({ env: libc.env });
    const alice = await up.account("alice");
    const app = await up.deploy(alice, "app");
    libc.failSyncsOf(".jsonl");
    const { status, work } = await visit(`${app.url}/`, { ...alice, token: "hf_wbnobody" });
    assert.equal(status, 401);
    assert.equal(await up.ended(), exit.failed);
    assert.ok(
      up.log.some((line) => line.includes("the platform cannot go on") && line.includes("could not be synced")),
    );
    libc.failSyncsOf("");
    await up.up();
    await until("it knows the request", async () => (await up.admin.explain(work)).outcome === "refused");
  });
});

describe("a wall clock that is set while calls run and wait", preload, () => {
  for (const [way, offMs] of [
    ["back by a day", -dayMs],
    ["forward by an hour", hourMs],
  ] as const) {
    test(`L14, L15, L17: ${way}: nothing expires early, no record is older than the one before, and a restart goes on`, async () => {
      using libc = new FaultyLibc();
      await using up = await Platform.start({ gpus: "1x1", env: libc.env });
      const alice = await up.account("alice");
      const app = await up.deploy(alice, "app");
      await using run = await running(alice, app, "seconds=4");
      const before = await callsOf(alice);
      const waits = visit(`${app.url}/gpu/hold?seconds=0.2`, alice);
      const queued = await newestCall(alice, "queued", before);
      libc.setWall(offMs);
      const [first, second] = await Promise.all([run.call, queued].map(({ id }) => endedCall(alice.client, id)));
      assert.deepEqual([first?.outcome, second?.outcome], ["ok", "ok"]);
      assert.ok((first?.chargedMs ?? 0) >= 4_000 && (first?.chargedMs ?? 0) < 60_000, `charged ${first?.chargedMs} ms`);
      assert.ok((second?.queuedMs ?? 0) < 60_000, `waited ${second?.queuedMs} ms`);
      await waits;
      await up.restart();
      await until("its app answers", async () => (await visit(`${app.url}/`)).status === 200);
      const { call } = await visit(`${app.url}/gpu/hold?seconds=0.1`, alice);
      assert.equal((await endedCall(alice.client, call)).outcome, "ok");
      const { usedMs, heldMs } = await up.admin.quota({ account: "alice" });
      const charged = (await alice.client.calls()).items.reduce((sum, { chargedMs }) => sum + chargedMs, 0);
      assert.deepEqual([usedMs, heldMs], [charged, 0]);
      await up.kill();
      const books = new Books();
      assert.ok(await books.readOn(up.data));
      assert.deepEqual(books.broken(), []);
    });
  }
});
