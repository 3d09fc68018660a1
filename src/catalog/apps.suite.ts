/** What signing in to apps keeps, over any database. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SqlRunner } from "../stdx/sql.ts";
import { instant } from "../stdx/time.ts";
import { Apps } from "./apps.ts";
import type { AppArtifact, AppToken } from "./apps.ts";
import { Catalog } from "./catalog.ts";
import { openDatabase } from "./database.ts";

const t0 = instant(Date.UTC(2026, 10, 22, 12));
const later = (ms: number) => instant(t0 + ms);

const artifact = (over: Partial<AppArtifact> = {}): AppArtifact => ({
  ...{ model: "AuthorizationCode", id: "a", grantId: "g", lookup: null, key: "k_1", sealed: "x" },
  ...{ expiresAt: later(60_000), consumedAt: null },
  ...over,
});
const token = (over: Partial<AppToken> = {}): AppToken => ({
  ...{ id: "t_1", account: "alice", hash: "h1", name: "alice/demo", app: "alice/demo", scopes: ["read"] },
  ...{ createdAt: t0, expiresAt: later(60_000) },
  ...over,
});

export function appsSuite(name: string, openSql: () => Promise<SqlRunner>): void {
  const open = async () => {
    const sql = await openSql();
    const catalog = await Catalog.open(sql, { wall: () => t0 });
    await catalog.accounts.create({ name: "alice", tier: "free", role: "user", createdAt: t0 });
    return { sql, catalog, apps: catalog.apps };
  };

  describe(`Apps over ${name}`, () => {
    test("a Space has one client, whoever comes first", async () => {
      const { apps } = await open();
      const row = { space: "alice/demo", client: "app_1", key: "k_1", sealed: "x", createdAt: t0 };
      assert.deepEqual(await apps.clientOnce(row), row);
      assert.deepEqual(await apps.clientOnce({ ...row, client: "app_2" }), row);
      await apps.reseal({ ...row, key: "k_2", sealed: "y" });
      assert.deepEqual(await apps.clients(), [{ ...row, key: "k_2", sealed: "y" }]);
    });

    test("an artifact is read as it was written, by its id and by what leads to it", async () => {
      const { apps } = await open();
      await apps.put(artifact({ lookup: "l" }), t0);
      assert.deepEqual(await apps.get({ model: "AuthorizationCode", id: "a" }), artifact({ lookup: "l" }));
      assert.equal(await apps.get({ model: "Grant", id: "a" }), undefined);
      await apps.put(artifact({ id: "b", lookup: "l", expiresAt: later(90_000) }), t0);
      assert.equal((await apps.getBy({ model: "AuthorizationCode", lookup: "l" }))?.id, "b");
      await apps.put(artifact({ sealed: "y" }), t0);
      assert.equal((await apps.get({ model: "AuthorizationCode", id: "a" }))?.sealed, "y");
    });

    test("a code is used once, also by two at a time", async () => {
      const { apps } = await open();
      await apps.put(artifact(), t0);
      const used = await Promise.all([1, 2, 3].map(() => apps.consume(artifact(), t0)));
      assert.deepEqual(used.filter(Boolean).length, 1);
      assert.equal((await apps.get(artifact()))?.consumedAt, t0);
      assert.equal(await apps.consume({ model: "AuthorizationCode", id: "none" }, t0), false);
    });

    test("a grant's end ends its tokens and what was given by it, and nothing else", async () => {
      const { apps, catalog } = await open();
      await catalog.tokens.create({ ...token({ id: "t_own", hash: "own" }), name: "mine" });
      await apps.put(artifact({ model: "Grant", id: "g", grantId: null }), t0);
      await apps.put(artifact(), t0);
      await apps.put(artifact({ model: "AccessToken", id: "h1" }), t0, token());
      await apps.put(
        artifact({ model: "AccessToken", id: "h2", grantId: "other" }),
        t0,
        token({ id: "t_2", hash: "h2" }),
      );
      assert.equal(await apps.tokenHolds("h1", t0), true);
      assert.equal(await apps.tokenHolds("h1", later(60_000)), false, "its end is its own");
      const grant = await apps.grantOf("h1");
      assert.equal(await apps.grantOf("own"), undefined);
      assert.equal(await catalog.tokens.revoke("t_1", later(1), { grant }), true);
      assert.equal(await apps.tokenHolds("h1", later(2)), false);
      assert.equal(await apps.tokenHolds("h2", later(2)), true);
      assert.equal(await apps.tokenHolds("own", later(2)), true);
      assert.equal(await apps.get({ model: "Grant", id: "g" }), undefined);
      assert.equal(await apps.get(artifact()), undefined);
    });

    test("a token is the account's, with the app that has it; the oldest beyond the bound end", async () => {
      const { sql, catalog } = await open();
      const apps = new Apps(openDatabase(sql), sql, { ofModel: 10, tokensOfApp: 2 });
      for (const n of [1, 2, 3])
        await apps.put(
          artifact({ model: "AccessToken", id: `h${n}` }),
          t0,
          token({ id: `t_${n}`, hash: `h${n}`, createdAt: later(n) }),
        );
      const rows = await catalog.tokens.list("alice");
      assert.deepEqual(
        rows.map(({ id, app, revokedAt }) => [id, app, revokedAt]),
        [
          ["t_3", "alice/demo", null],
          ["t_2", "alice/demo", null],
          ["t_1", "alice/demo", later(3)],
        ],
      );
      assert.deepEqual((await catalog.tokens.find("h3"))?.token.scopes, ["read"]);
    });

    test("what is over goes, and of one model what is too many, those that end first", async () => {
      const { sql } = await open();
      const apps = new Apps(openDatabase(sql), sql, { ofModel: 2, tokensOfApp: 2 });
      await apps.put(artifact({ id: "over", expiresAt: t0 }), t0);
      await apps.put(artifact({ model: "Grant", id: "kept", expiresAt: later(1) }), t0);
      for (const n of [1, 2, 3]) await apps.put(artifact({ id: `c${n}`, expiresAt: later(n) }), t0);
      await apps.trim("AuthorizationCode", t0);
      const there = await Promise.all(
        ["over", "c1", "c2", "c3"].map(
          async (id) => (await apps.get({ model: "AuthorizationCode", id })) !== undefined,
        ),
      );
      assert.deepEqual(there, [false, false, true, true]);
      assert.ok(await apps.get({ model: "Grant", id: "kept" }));
    });

    test("signing keys are kept, the oldest first", async () => {
      const { apps } = await open();
      const row = { id: "a", alg: "EdDSA", key: "k_1", sealed: "x", createdAt: later(1) };
      await apps.addKey(row);
      await apps.addKey({ ...row, id: "b", createdAt: t0 });
      assert.deepEqual(
        (await apps.keys()).map(({ id }) => id),
        ["b", "a"],
      );
      await apps.removeKey("b");
      assert.deepEqual(await apps.keys(), [row]);
    });
  });
}
