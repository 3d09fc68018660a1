/** What the tables of large files must do over any database. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SqlRunner } from "../stdx/sql.ts";
import { instant } from "../stdx/time.ts";
import { Catalog } from "./catalog.ts";
import { proposalHolder } from "./large-files.ts";

const t0 = instant(Date.UTC(2026, 10, 22, 12));
const at = (ms: number) => instant(t0 + ms);
const hash = (letter: string): string => letter.repeat(64);
const alice = { holder: "account/alice", owner: "alice" };
const app = { holder: "spaces/alice/app", owner: "alice" };
const bob = { holder: "account/bob", owner: "bob" };
const xorb = (letter: string, packedBytes = 100) => ({ hash: hash(letter), packedBytes, bytes: packedBytes - 8 });
const file = (letter: string, ...xorbs: readonly string[]) => ({
  hash: hash(letter),
  sha256: hash("9"),
  bytes: 92 * xorbs.length,
  terms: xorbs.map((one) => ({ xorb: hash(one), bytes: 92, from: 0, to: 1 })),
});

export function largeFilesSuite(name: string, openSql: () => Promise<SqlRunner>): void {
  const open = async () => {
    return (await openCatalog()).largeFiles;
  };
  const openCatalog = async () => {
    const catalog = await Catalog.open(await openSql(), { wall: () => t0 });
    for (const account of ["alice", "bob"])
      await catalog.accounts.create({ name: account, tier: "free", role: "user", createdAt: t0 });
    return catalog;
  };

  describe(`LargeFiles over ${name}`, () => {
    test("a xorb may be named by who brought it, and by nobody else; bringing it again changes nothing", async () => {
      const rows = await open();
      await rows.addXorb(xorb("a"), [alice, app], t0);
      await rows.addXorb(xorb("a"), [alice], at(1));
      assert.deepEqual(await rows.held([hash("a"), hash("b")], ["account/alice"]), new Set([hash("a")]));
      assert.deepEqual(await rows.held([hash("a")], ["account/bob", "spaces/bob/app"]), new Set());
      assert.deepEqual(await rows.xorb(hash("a")), xorb("a"));
      assert.deepEqual(await rows.xorbs("", 9), [xorb("a")]);
    });

    test("a file has its terms in their order, and who brings one holds its xorbs", async () => {
      const rows = await open();
      for (const letter of ["a", "b"]) await rows.addXorb(xorb(letter), [alice], t0);
      const whole = file("f", "b", "a", "b");
      await rows.addFile(whole, { holders: [app], chunks: [{ chunk: hash("c"), xorb: hash("b") }], at: t0 });
      assert.deepEqual(await rows.file(hash("f")), whole);
      assert.deepEqual([await rows.fileSha256(hash("f")), await rows.fileSha256(hash("e"))], [whole.sha256, undefined]);
      assert.deepEqual(await rows.files("", 9), [whole]);
      assert.deepEqual(await rows.held([hash("a"), hash("b")], [app.holder]), new Set([hash("a"), hash("b")]));
      assert.equal(await rows.xorbOfChunk(hash("c"), [app.holder]), hash("b"));
      assert.equal(await rows.xorbOfChunk(hash("c"), [bob.holder]), undefined);
      assert.deepEqual(await rows.beside(hash("b"), [app.holder], 9), [hash("a"), hash("b")]);
      assert.deepEqual(await rows.beside(hash("b"), [bob.holder], 9), []);
      await assert.rejects(rows.addFile(file("e", "d"), { holders: [app], chunks: [], at: t0 }));
      assert.equal(await rows.file(hash("e")), undefined, "all or nothing");
    });

    test("what is used or was told of lately is not forgotten", async () => {
      const rows = await open();
      for (const letter of ["a", "b"]) await rows.addXorb(xorb(letter), [alice], t0);
      await rows.addFile(file("f", "a"), { holders: [alice], chunks: [{ chunk: hash("c"), xorb: hash("a") }], at: t0 });
      assert.equal(await rows.forgetXorb(hash("a"), at(10)), false, "it is in a file");
      assert.equal(await rows.forgetXorb(hash("b"), t0), false, "it came just then");
      await rows.touch([hash("b")], [alice.holder], at(9));
      assert.equal(await rows.forgetXorb(hash("b"), at(9)), false, "somebody was told of it");
      assert.deepEqual(await rows.held([hash("b")], [alice.holder]), new Set([hash("b")]));
      assert.equal(await rows.forgetXorb(hash("b"), at(10)), true);
      assert.equal(await rows.forgetFile(hash("f"), t0), false);
      assert.equal(await rows.forgetXorb(hash("a"), at(10)), false, "its file is still known");
      assert.equal(await rows.forgetFile(hash("f"), at(1)), true);
      assert.equal(await rows.forgetXorb(hash("a"), at(10)), true);
      assert.equal(await rows.xorbOfChunk(hash("c"), [alice.holder]), undefined);
    });

    test("usage counts a xorb once for each owner, however many of theirs have it", async () => {
      const { largeFiles: rows, repos, spaces } = await openCatalog();
      const other = { holder: "models/alice/other", owner: "alice" };
      const data = { holder: "datasets/alice/app", owner: "alice" };
      await rows.addXorb(xorb("a", 100), [alice, data, other], t0);
      await rows.addXorb(xorb("b", 30), [alice, other, { holder: "models/bob/b", owner: "bob" }], t0);
      assert.deepEqual(
        await rows.usage(),
        new Map([
          ["alice", 130],
          ["bob", 30],
        ]),
      );
      assert.deepEqual([await rows.usageOf("alice"), await rows.usageOf("carol")], [130, 0]);
      await repos.remove({ kind: "models", owner: "alice", name: "other", folder: "models/m_1" }, t0);
      assert.equal(await rows.usageOf("alice"), 100, "what a repository had is not counted when that is gone");
      assert.ok((await rows.held([hash("b")], [alice.holder])).has(hash("b")), "and may be named by the account");
      await repos.change({ kind: "datasets", owner: "alice", name: "app" }, { owner: "bob" });
      assert.deepEqual([await rows.usageOf("alice"), await rows.usageOf("bob")], [0, 130]);
      await rows.addXorb(xorb("c", 7), [app], t0);
      assert.equal(await rows.usageOf("alice"), 7);
      await spaces.remove("alice/app", t0);
      assert.equal(await rows.usageOf("alice"), 0);
    });

    test("what is proposed to a repository is its proposer's alone until it is taken, goes where the repository goes, and ends with it", async () => {
      const { largeFiles: rows, repos } = await openCatalog();
      const row = {
        kind: "models",
        owner: "alice",
        name: "a_b",
        folder: "models/m_1",
        private: true,
        gated: "no",
      } as const;
      await repos.create({ ...row, createdAt: t0, createdBy: "alice", changedAt: t0, changedBy: "alice" });
      const own = { holder: "models/alice/a_b", owner: "alice" };
      // Names that begin alike, and one that a pattern would take for it.
      const others = ["models/alice/a_bc", "models/alice/axb"];
      for (const holder of others) await rows.addXorb(xorb("e", 1), [{ holder: `${holder}#bob`, owner: "bob" }], t0);
      const proposed = { holder: proposalHolder(own.holder, "bob"), owner: "bob" };
      for (const letter of ["a", "b"]) await rows.addXorb(xorb(letter), [proposed], t0);
      await rows.addXorb(xorb("c"), [own, proposed], t0);
      const all = ["a", "b", "c"].map(hash);
      assert.deepEqual(await rows.held(all, [own.holder]), new Set([hash("c")]), "the repository names none of it");
      assert.deepEqual(await rows.held(all, [proposed.holder]), new Set(all));
      assert.equal(await rows.proposedBytes(own.holder, all.slice(1)), 100, "what it has by itself costs nothing more");
      assert.deepEqual([await rows.usageOf("alice"), await rows.usageOf("bob")], [100, 301]);
      await repos.change({ kind: "models", owner: "alice", name: "a_b" }, { owner: "bob", name: "new" });
      const moved = { holder: "models/bob/new", owner: "bob" };
      assert.deepEqual(await rows.held(all, [proposalHolder(moved.holder, "bob")]), new Set(all));
      await repos.change({ kind: "models", owner: "bob", name: "new" }, { owner: "alice", name: "a_b" });
      await rows.takeProposed(own, [hash("a"), hash("c")], at(1));
      await rows.takeProposed(own, [hash("a"), hash("c")], at(2));
      assert.deepEqual(await rows.held(all, [own.holder]), new Set([hash("a"), hash("c")]));
      assert.deepEqual(await rows.held(all, [proposed.holder]), new Set([hash("b")]));
      assert.deepEqual([await rows.usageOf("alice"), await rows.usageOf("bob")], [200, 101]);
      await repos.remove(row, t0);
      assert.deepEqual([await rows.usageOf("alice"), await rows.usageOf("bob")], [0, 1]);
      assert.deepEqual(
        await rows.held(
          [hash("e")],
          others.map((holder) => `${holder}#bob`),
        ),
        new Set([hash("e")]),
      );
    });

    test("what a file of git-lfs is by Xet is found by both names", async () => {
      const rows = await open();
      const row = { sha256: hash("1"), hash: hash("2"), bytes: 5, xorbs: [{ hash: hash("3"), lengths: [2, 3] }] };
      await rows.keepConversion(row, t0);
      await rows.keepConversion(row, at(1));
      assert.deepEqual(await rows.conversion({ sha256: hash("1") }), row);
      assert.deepEqual(await rows.conversion({ hash: hash("2") }), row);
      assert.equal(await rows.convertedHash(hash("1"), at(1)), hash("2"), "as it was worked out last");
      assert.equal(await rows.convertedHash(hash("1"), at(2)), undefined);
      assert.equal(await rows.conversion({ sha256: hash("2") }), undefined);
    });

    test("an account's limit is what an operator gave last, or none", async () => {
      const rows = await open();
      await rows.setLimit("alice", 10, t0);
      await rows.setLimit("alice", 20, at(1));
      assert.deepEqual([await rows.limit("alice"), await rows.limit("bob")], [20, undefined]);
      assert.deepEqual(await rows.limits(), new Map([["alice", 20]]));
      await rows.setLimit("alice", null, at(2));
      assert.equal(await rows.limit("alice"), undefined);
    });
  });
}
