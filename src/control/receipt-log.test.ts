import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { createReceiptKeys, ReceiptWorld, refusedCall, settledCall } from "../../test/support/receipts.ts";
import { migrate, migrations } from "../catalog/migrations/index.ts";
import { parseCheckpoint } from "../receipts/checkpoint.ts";
import { verifyReceipt } from "../receipts/document.ts";
import { parseNote } from "../receipts/note.ts";
import { growTree, ReceiptLogChanged } from "./receipt-log.ts";

const rootOf = async (world: ReceiptWorld): Promise<string> =>
  Buffer.from((await world.log.settle()).root).toString("hex");
const countOf = async (world: ReceiptWorld, table: string): Promise<number> =>
  Number((await world.sql.all(`SELECT count(*) AS n FROM ${table}`))[0]?.["n"]);

describe("ReceiptLog", () => {
  test("L37: every call that ended has a leaf, and each proof verifies", async () => {
    const world = await ReceiptWorld.open();
    const ids = await world.calls(600);
    await world.log.settle();
    for (const [leaf, id] of ids.entries()) {
      if (leaf % 50 !== 0 && leaf < 595) continue;
      const document = await world.receipt(id);
      assert.equal(document.log?.leaf, leaf);
      assert.equal((await verifyReceipt(document)).ok, true, id);
    }
    assert.equal(await world.catalog.receipts.size(), 600);
    assert.equal(await world.log.get("c_9999"), undefined);
  });

  test("leaves are in the order of the records that ended their calls, and within one by the calls' ids", async () => {
    const world = await ReceiptWorld.open();
    const [begun, ended] = [settledCall("c_b", 1).slice(0, 2), settledCall("c_b", 1).slice(2)];
    await world.records(begun, [refusedCall("c_z"), refusedCall("c_a")], ended);
    const leaves = await Promise.all(["c_a", "c_z", "c_b"].map(async (id) => (await world.receipt(id)).log?.leaf));
    assert.deepEqual(leaves, [0, 1, 2]);
  });

  test("its tree follows from the receipts alone: in whatever portions it follows them, and wherever it was cut off", async () => {
    const whole = await ReceiptWorld.open();
    await whole.calls(540);
    const expected = await rootOf(whole);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 4 }), async (portions) => {
        const world = await ReceiptWorld.open();
        let made = 0;
        for (const portion of [...portions, 540]) {
          const count = Math.min(portion, 540 - made);
          if (count > 0) await world.calls(count, made);
          made += count;
          await growTree(world.catalog.receipts);
          await world.reopen();
        }
        assert.equal(await rootOf(world), expected);
      }),
      { numRuns: 6 },
    );
  });

  test("a receipt asked for a moment after its call's end is in the log that is told with it", async () => {
    const world = await ReceiptWorld.open();
    const empty = await world.log.checkpoint();
    assert.deepEqual([empty.size, empty.origin], [0, "waybill/log"]);
    await world.calls(1);
    const head = parseCheckpoint(parseNote((await world.receipt("c_0000")).log?.checkpoint ?? "")?.text ?? "");
    assert.equal(head?.size, 1);
    await world.calls(2, 1);
    assert.equal((await world.log.checkpoint()).size, 1, "until it is settled, or asked for what is beyond");
    const both = await Promise.all([world.receipt("c_0001"), world.receipt("c_0002")]);
    for (const document of both) assert.equal((await verifyReceipt(document)).ok, true);
  });

  test("a receipt that is told while another key takes the place of the one that signs verifies", async () => {
    const world = await ReceiptWorld.open();
    await world.calls(300);
    await world.log.settle();
    const { receipts } = world.catalog;
    const read = receipts.tile.bind(receipts);
    let rotations = 0;
    receipts.tile = async (level, index) => {
      const isForExtension = level === 0 && index === 0;
      if (isForExtension && rotations++ === 0) await world.log.rotate();
      return read(level, index);
    };
    const { ok, checks } = await verifyReceipt(await world.receipt("c_0280", 100));
    assert.ok(ok, JSON.stringify(checks));
    assert.equal(rotations, 1);
  });

  test("a checkpoint of each hour is kept, and the newest", async () => {
    const world = await ReceiptWorld.open();
    for (let hour = 0; hour < 3; hour++) {
      for (let n = 0; n < 3; n++) {
        await world.calls(1, hour * 3 + n);
        await world.log.settle();
        await world.log.settle();
      }
      world.now += 3_600_000;
    }
    assert.equal(await countOf(world, "receiptCheckpoints"), 3);
    assert.equal((await world.log.checkpoint()).size, 9);
  });

  test("proofs of consistency are of sizes that it has had", async () => {
    const world = await ReceiptWorld.open();
    await world.calls(9);
    await world.log.settle();
    assert.equal((await world.log.consistency(9, 9))?.length, 0);
    assert.ok(((await world.log.consistency(3, 9))?.length ?? 0) > 0);
    for (const [from, to] of [
      [0, 9],
      [5, 4],
      [3, 10],
    ] as const)
      // prettier-ignore
      assert.equal(await world.log.consistency(from, to), undefined, `${from} to ${to}`);
  });

  test("a tile has the hashes that it is asked for, and no more than there are", async () => {
    const world = await ReceiptWorld.open();
    await world.calls(258);
    await world.log.settle();
    const lengthOf = async (level: number, index: number, width: number): Promise<number | undefined> =>
      (await world.log.tile({ level, index, width }))?.length;
    assert.equal(await lengthOf(0, 0, 256), 8_192);
    assert.equal(await lengthOf(0, 0, 7), 224);
    assert.equal(await lengthOf(0, 1, 2), 64);
    assert.equal(await lengthOf(0, 1, 256), undefined);
    assert.equal(await lengthOf(1, 0, 1), 32);
    assert.equal(await lengthOf(3, 0, 1), undefined);
  });

  test("signs nothing more over a tree that is not the one whose root it has signed", async () => {
    for (const damage of [
      "UPDATE receiptTiles SET hashes = zeroblob(length(hashes)) WHERE level = 0",
      "DELETE FROM receiptTiles",
      "UPDATE receiptCheckpoints SET note = 'none'",
    ]) {
      const world = await ReceiptWorld.open();
      await world.calls(5);
      await world.log.settle();
      await world.sql.run(damage);
      await world.calls(1, 5);
      await assert.rejects(world.log.settle(), ReceiptLogChanged, damage);
      assert.equal(await countOf(world, "receiptCheckpoints"), 1);
    }
  });

  test("goes on over no receipt that is missing", async () => {
    const world = await ReceiptWorld.open();
    await world.calls(5);
    await world.sql.run("DELETE FROM calls WHERE leaf = 3");
    await assert.rejects(world.log.settle(), (error: Error) => {
      return error instanceof ReceiptLogChanged && error.message.includes("place 3");
    });
  });

  test("a receipt that was changed in the database after it became a leaf does not verify", async () => {
    const world = await ReceiptWorld.open();
    await world.calls(5);
    await world.log.settle();
    await world.sql.run(`UPDATE calls SET document = replace(document, '"usedMs":1', '"usedMs":0') WHERE leaf = 2`);
    const { checks } = await verifyReceipt(await world.receipt("c_0002"));
    assert.deepEqual(
      checks.filter(({ ok }) => !ok).map(({ name }) => name),
      ["leaf"],
    );
  });

  test("what a compaction removes leaves its hashes: those that stay are proved as before", async () => {
    const world = await ReceiptWorld.open();
    await world.calls(300);
    const early = await world.receipt("c_0010");
    const { calls, receipts } = world.catalog;
    const last = await receipts.get("c_0199");
    await world.sql.transaction(
      calls.forgotten({ index: last?.receipt.journalIndex ?? 0, at: Date.parse(last?.receipt.endedAt ?? "") as never }),
    );
    await world.reopen();
    assert.equal(await world.log.get("c_0010"), undefined);
    await world.calls(5, 300);
    await world.log.settle();
    const late = await world.receipt("c_0304", 300);
    assert.equal((await verifyReceipt(late)).ok, true);
    const seen = { ...(await verifyReceipt(early)).learned, at: "then" } as never;
    assert.equal((await verifyReceipt(late, { remembered: () => seen })).ok, true);
    assert.equal(await world.catalog.receipts.removedUntil(), Date.parse(last?.receipt.endedAt ?? ""));
  });

  test("receipts of a catalog from before there was a log get the leaves that they would have had", async () => {
    const now = await ReceiptWorld.open();
    await now.records([refusedCall("c_9"), refusedCall("c_1")], settledCall("c_5", 3), settledCall("c_4", 4));
    const then = new ReceiptWorld();
    then.keys = await createReceiptKeys();
    const before = migrations.findIndex(({ name }) => name === "receipt-log");
    await migrate(then.sql, 1, migrations.slice(0, before));
    await then.sql.run("DELETE FROM callCursor");
    await then.sql.run("INSERT INTO callCursor VALUES (1, 6)");
    const rows = await now.sql.all("SELECT * FROM calls");
    for (const { leaf: _leaf, payer: _payer, creditsMs: _credits, ...row } of rows) {
      const names = Object.keys(row);
      await then.sql.run(
        `INSERT INTO calls (${names.map((name) => `"${name}"`).join()}) VALUES (${names.map(() => "?").join()})`,
        Object.values(row),
      );
    }
    await then.reopen();
    assert.equal(await rootOf(then), await rootOf(now));
    const columns = "SELECT id, leaf, payer, creditsMs FROM calls ORDER BY leaf";
    assert.deepEqual(await then.sql.all(columns), await now.sql.all(columns));
  });

  test("follows until it is disposed of, and that waits for no more than what is on its way", async () => {
    const world = await ReceiptWorld.open();
    await world.calls(600);
    const following = world.log.follow((error) => assert.fail(String(error)));
    await following[Symbol.asyncDispose]();
    const size = await world.catalog.receipts.size();
    assert.ok(size < 600, "it was cut off before it had all of them");
    assert.equal((await world.log.settle()).size, 600);
    assert.equal((await verifyReceipt(await world.receipt("c_0599"))).ok, true);
  });
});
