/** What the table of sessions must do over any database. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SqlRunner } from "../stdx/sql.ts";
import { instant } from "../stdx/time.ts";
import { Catalog } from "./catalog.ts";
import { sessionKeptMs, sessionRowsMax, sessionsMax } from "./sessions.ts";

const t0 = instant(Date.UTC(2026, 10, 22, 12));
const at = (ms: number) => instant(t0 + ms);
const session = {
  ...{ id: "s_1", account: "alice", hash: "ab", how: "password", createdAt: t0, expiresAt: at(1_000) },
  ...{ address: "192.0.2.7", agent: "a browser" },
} as const;

export function sessionsSuite(name: string, openSql: () => Promise<SqlRunner>): void {
  const open = async () => {
    const catalog = await Catalog.open(await openSql(), { wall: () => t0 });
    for (const account of ["alice", "bob"])
      await catalog.accounts.create({ name: account, tier: "free", role: "user", createdAt: t0 });
    return catalog;
  };

  describe(`Sessions over ${name}`, () => {
    test("a session is found by its hash, with its account's tier and role of now", async () => {
      const { sessions, accounts } = await open();
      const row = await sessions.create(session);
      assert.deepEqual(row, { ...session, usedAt: t0, endedAt: null });
      await accounts.setTier("alice", "pro");
      assert.deepEqual(await sessions.find("ab"), { session: row, tier: "pro", role: "user" });
      assert.equal(await sessions.find("cd"), undefined);
    });

    test("a use is noted, and never takes an earlier one's place", async () => {
      const { sessions } = await open();
      await sessions.create(session);
      await sessions.touch("s_1", at(50));
      await sessions.touch("s_1", at(20));
      assert.equal((await sessions.find("ab"))?.session.usedAt, at(50));
    });

    test("one is ended once, by whose it is, and stays findable and unlisted", async () => {
      const { sessions } = await open();
      await sessions.create(session);
      assert.equal(await sessions.end({ id: "s_1", account: "bob" }, at(5)), false);
      assert.equal(await sessions.end({ id: "s_1", account: "alice" }, at(5)), true);
      assert.equal(await sessions.end({ id: "s_1", account: "alice" }, at(6)), false);
      assert.equal((await sessions.find("ab"))?.session.endedAt, at(5));
      assert.deepEqual(await sessions.list("alice"), []);
    });

    test("an account has so many, and another one ends the one that was not used for longest; what ended long ago is forgotten", async () => {
      const { sessions } = await open();
      await sessions.create({ ...session, id: "s_bob", account: "bob", hash: "bob" });
      for (let n = 1; n <= sessionsMax; n += 1)
        await sessions.create({ ...session, id: `s_${n}`, hash: String(n), createdAt: at(n), expiresAt: at(1_000) });
      await sessions.touch("s_1", at(500));
      await sessions.create({ ...session, id: "s_new", hash: "new", createdAt: at(600) });
      const ids = (await sessions.list("alice")).map(({ id }) => id);
      assert.deepEqual([ids.length, ids[0], ids.at(-1), ids.includes("s_2")], [sessionsMax, "s_new", "s_1", false]);
      const later = at(1_000 + sessionKeptMs + 1);
      await sessions.create({ ...session, id: "s_last", hash: "last", createdAt: later, expiresAt: at(2 * later) });
      assert.deepEqual([await sessions.find("1"), await sessions.find("2")], [undefined, undefined]);
      assert.equal((await sessions.list("bob")).length, 1);
    });

    test("of those that ended an account's newest are kept, and all that hold", async () => {
      const { sessions } = await open();
      await sessions.create({ ...session, id: "s_old", hash: "old" });
      for (let n = 1; n <= sessionRowsMax + 1; n += 1) {
        await sessions.create({ ...session, id: `s_${n}`, hash: String(n), createdAt: at(n) });
        await sessions.end({ id: `s_${n}`, account: "alice" }, at(n));
      }
      await sessions.create({ ...session, id: "s_new", hash: "new", createdAt: at(900) });
      const found = await Promise.all(["old", "1", "2", "3", "new"].map(async (hash) => sessions.find(hash)));
      assert.deepEqual(
        found.map((one) => one?.session.id),
        ["s_old", undefined, undefined, "s_3", "s_new"],
      );
    });

    test("all of an account but one are ended, and from where it came is known of those too", async () => {
      const { sessions } = await open();
      for (const id of ["s_1", "s_2", "s_3"]) await sessions.create({ ...session, id, hash: id });
      await sessions.create({ ...session, id: "s_bob", account: "bob", hash: "bob", address: "192.0.2.9" });
      assert.equal(await sessions.endOthers("alice", at(5), { keep: "s_2" }), 2);
      assert.deepEqual(
        [...(await sessions.list("alice")), ...(await sessions.list("bob"))].map(({ id }) => id),
        ["s_2", "s_bob"],
      );
      assert.equal(await sessions.endOthers("alice", at(6), { keep: null }), 1);
      assert.deepEqual(await sessions.addresses("alice"), ["192.0.2.7"]);
      assert.deepEqual(await sessions.addresses("nobody"), []);
      assert.deepEqual((await sessions.places()).toSorted(), ["192.0.2.7", "192.0.2.9"]);
    });

    test("a password is its account's one, and ends its sessions but one in the same commit", async () => {
      const { sessions, passwords } = await open();
      for (const id of ["s_1", "s_2"]) await sessions.create({ ...session, id, hash: id });
      await sessions.create({ ...session, id: "s_bob", account: "bob", hash: "bob" });
      assert.equal(await passwords.get("alice"), undefined);
      await passwords.set({ account: "alice", hash: "h1", changedAt: at(1) }, { keep: "s_2" });
      await passwords.set({ account: "alice", hash: "h2", changedAt: at(2) }, { keep: "s_2" });
      assert.deepEqual(await passwords.get("alice"), { account: "alice", hash: "h2", changedAt: at(2) });
      assert.deepEqual(
        [...(await sessions.list("alice")), ...(await sessions.list("bob"))].map(({ id }) => id),
        ["s_2", "s_bob"],
      );
      await assert.rejects(passwords.set({ account: "nobody", hash: "h", changedAt: at(1) }, { keep: null }), {
        code: "sql-refused",
      });
      await passwords.set({ account: "alice", hash: "h3", changedAt: at(3) }, { keep: null });
      assert.deepEqual(await sessions.list("alice"), []);
    });

    test("two with one hash, or of no account, cannot be", async () => {
      const { sessions } = await open();
      await sessions.create(session);
      await assert.rejects(sessions.create({ ...session, id: "s_2" }), { code: "sql-refused" });
      await assert.rejects(sessions.create({ ...session, id: "s_3", hash: "cd", account: "nobody" }), {
        code: "sql-refused",
      });
    });
  });
}
