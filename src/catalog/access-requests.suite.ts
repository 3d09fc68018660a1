/** What the table of access requests must do over any database. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SqlRunner } from "../stdx/sql.ts";
import { instant } from "../stdx/time.ts";
import type { AccessRow } from "./access-requests.ts";
import { Catalog } from "./catalog.ts";
import type { RepoRow } from "./repos.ts";

const t0 = instant(Date.UTC(2026, 10, 22, 12));
const at = (ms: number) => instant(t0 + ms);
const bobs: AccessRow = {
  ...{ folder: "models/m_1", account: "bob", id: "ar_1", status: "pending", askedAt: t0 },
  ...{ fields: { Company: "Ü & Co", "I agree": true }, decidedAt: null, decidedBy: null, reason: null },
};

export function accessRequestsSuite(name: string, openSql: () => Promise<SqlRunner>): void {
  const open = async () => {
    const catalog = await Catalog.open(await openSql(), { wall: () => t0 });
    for (const account of ["alice", "bob", "carol"])
      await catalog.accounts.create({ name: account, tier: "free", role: "user", createdAt: t0 });
    return catalog;
  };
  const page = { skip: 0, limit: 10 };

  describe(`Access requests over ${name}`, () => {
    test("one is read as it was put, by its account and by its id, and in its own repository alone", async () => {
      const { accessRequests } = await open();
      await accessRequests.put(bobs);
      assert.deepEqual(await accessRequests.find("models/m_1", { account: "bob" }), bobs);
      assert.deepEqual(await accessRequests.find("models/m_1", { id: "ar_1" }), bobs);
      assert.equal(await accessRequests.find("models/m_2", { id: "ar_1" }), undefined);
      assert.deepEqual([await accessRequests.byId("ar_1"), await accessRequests.byId("ar_2")], [bobs, undefined]);
      assert.equal(await accessRequests.find("models/m_1", { account: "carol" }), undefined);
      assert.deepEqual(await accessRequests.accepted(), []);
    });

    test("an account has one of each repository, which keeps its id; what was decided is put over it", async () => {
      const { accessRequests } = await open();
      await accessRequests.put(bobs);
      const decided = { status: "rejected", decidedAt: at(9), decidedBy: "alice", reason: "no" } as const;
      await accessRequests.put({ ...bobs, id: "ar_9", ...decided });
      assert.deepEqual(await accessRequests.find("models/m_1", { account: "bob" }), { ...bobs, ...decided });
      assert.equal(await accessRequests.count("models/m_1"), 1);
      await accessRequests.put({ ...bobs, ...decided, status: "accepted", reason: null, fields: null });
      await accessRequests.put({ ...bobs, folder: "datasets/d_1", id: "ar_2" });
      assert.deepEqual(await accessRequests.accepted(), [{ folder: "models/m_1", account: "bob" }]);
      await accessRequests.remove(bobs);
      assert.deepEqual([await accessRequests.accepted(), await accessRequests.count("datasets/d_1")], [[], 1]);
    });

    test("lists are of one state, oldest first, by pages", async () => {
      const { accessRequests } = await open();
      await accessRequests.put({ ...bobs, askedAt: at(5) });
      await accessRequests.put({ ...bobs, account: "carol", id: "ar_2" });
      await accessRequests.put({ ...bobs, account: "alice", id: "ar_3", status: "accepted", askedAt: at(1) });
      const of = async (status: AccessRow["status"], asked = page) =>
        (await accessRequests.list("models/m_1", status, asked)).map(({ account }) => account);
      assert.deepEqual(await of("pending"), ["carol", "bob"]);
      assert.deepEqual(await of("pending", { skip: 1, limit: 1 }), ["bob"]);
      assert.deepEqual([await of("accepted"), await of("rejected")], [["alice"], []]);
      assert.equal(await accessRequests.count("models/m_1"), 3);
    });

    test("they go with their repository, and stay where it is renamed", async () => {
      const { accessRequests, repos } = await open();
      const tiny: RepoRow = {
        ...{ kind: "models", owner: "alice", name: "tiny", folder: "models/m_1", private: false, gated: "manual" },
        ...{ createdAt: t0, createdBy: "alice", changedAt: t0, changedBy: "alice" },
      };
      await repos.create(tiny);
      await accessRequests.put(bobs);
      await accessRequests.put({ ...bobs, folder: "models/m_2", id: "ar_2" });
      await repos.change(tiny, { owner: "carol", name: "other" });
      assert.equal(await accessRequests.count("models/m_1"), 1);
      await repos.remove({ ...tiny, owner: "carol", name: "other" }, at(1));
      assert.deepEqual([await accessRequests.count("models/m_1"), await accessRequests.count("models/m_2")], [0, 1]);
    });
  });
}
