/** What the audit log must do over any database. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SqlRunner } from "../stdx/sql.ts";
import { instant } from "../stdx/time.ts";
import { Audit } from "./audit.ts";
import type { AuditFilter, AuditRow } from "./audit.ts";
import { Catalog } from "./catalog.ts";
import { openDatabase } from "./database.ts";
import type { Effects } from "./request-keys.ts";

const t0 = instant(Date.UTC(2026, 10, 22, 12));

const entry = (over: Partial<AuditRow> = {}): Omit<AuditRow, "id"> => ({
  ...{ at: t0, account: "alice", token: "t_1", session: null, address: "192.0.2.7" },
  ...{ action: "space.pause", target: "space/alice/demo", owner: "alice", request: "q_1", outcome: "begun" },
  ...{ was: null, became: null },
  ...over,
});

export function auditSuite(name: string, openSql: () => Promise<SqlRunner>): void {
  const open = async (effects?: Effects) => {
    const sql = await openSql();
    return { sql, catalog: await Catalog.open(sql, { wall: () => t0 }, effects) };
  };

  describe(`Audit over ${name}`, () => {
    test("an entry is read as it was written, the newest first, page by page", async () => {
      const { audit } = (await open()).catalog;
      for (const request of ["q_1", "q_2", "q_3"]) await audit.add(entry({ request }));
      const first = await audit.list({}, { page: undefined, limit: 2 });
      const second = await audit.list({}, { page: first?.next ?? "", limit: 2 });
      assert.deepEqual(
        [first, second].map((page) => page?.items.map(({ request }) => request)),
        [["q_3", "q_2"], ["q_1"]],
      );
      const { id, ...row } = second!.items[0]!;
      assert.deepEqual([id > 0, row], [true, entry({ request: "q_1" })]);
      assert.equal(await audit.list({}, { page: "!", limit: 2 }), undefined);
    });

    test("what is done stays done, what is refused leaves nothing", async () => {
      const { audit } = (await open()).catalog;
      const [done, refused] = [await audit.add(entry()), await audit.add(entry({ request: "q_2" }))];
      const ending = { id: done, target: "space/alice/demo", owner: "alice", was: '{"a":1}', became: '{"a":2}' };
      await audit.end({ ...ending, outcome: "done" });
      await audit.end({ ...ending, outcome: "failed", became: null });
      await audit.forget(done);
      await audit.forget(refused);
      const page = await audit.list({}, { page: undefined, limit: 9 });
      assert.deepEqual(
        page?.items.map(({ id, outcome, was, became }) => ({ id, outcome, was, became })),
        [{ id: done, outcome: "done", was: '{"a":1}', became: '{"a":2}' }],
      );
    });

    test("a change and its entry's end are one commit: a change that is refused leaves the entry as it was", async () => {
      const carried: { id: number } = { id: 0 };
      const { catalog } = await open({
        take: () => null,
        entry: () => ({ id: carried.id, target: "t", owner: null, outcome: "done", was: null, became: null }),
      });
      await catalog.accounts.create({ name: "alice", tier: "free", role: "user", createdAt: t0 });
      const token = { id: "t_1", hash: "ab", name: "n", scopes: [], createdAt: t0, expiresAt: null };
      const outcome = async () => (await catalog.audit.list({}, { page: undefined, limit: 1 }))?.items[0]?.outcome;
      carried.id = await catalog.audit.add(entry());
      await assert.rejects(catalog.tokens.create({ ...token, account: "nobody" }), { code: "sql-refused" });
      assert.equal(await outcome(), "begun");
      await catalog.tokens.create({ ...token, account: "alice" });
      assert.equal(await outcome(), "done");
    });

    const filters: readonly (readonly [AuditFilter, readonly string[]])[] = [
      [{}, ["q_4", "q_3", "q_2", "q_1"]],
      [{ account: "admin" }, ["q_3", "q_2"]],
      [{ concerns: "alice" }, ["q_2", "q_1"]],
      [{ concerns: "alice", account: "admin" }, ["q_2"]],
      [{ action: "space" }, ["q_2", "q_1"]],
      [{ action: "space.set" }, ["q_2"]],
      [{ target: "pool/main" }, ["q_3"]],
      [{ request: "q_1" }, ["q_1"]],
      [{ since: instant(t0 + 2), until: instant(t0 + 3) }, ["q_3"]],
    ];
    test("each filter gives what fits all of it", async () => {
      const { audit } = (await open()).catalog;
      await audit.add(entry());
      await audit.add(entry({ request: "q_2", account: "admin", action: "space.set", at: instant(t0 + 1) }));
      const pool = { action: "pool.set", target: "pool/main", owner: null };
      await audit.add(entry({ request: "q_3", account: "admin", ...pool, at: instant(t0 + 2) }));
      const spaces = { action: "spaces.x", target: "space/bob/a", owner: "bob" };
      await audit.add(entry({ request: "q_4", account: "bob", ...spaces, at: instant(t0 + 3) }));
      for (const [filter, requests] of filters) {
        const page = await audit.list(filter, { page: undefined, limit: 9 });
        assert.deepEqual(
          page?.items.map(({ request }) => request),
          requests,
          JSON.stringify(filter),
        );
      }
    });

    test("an account that changes much pushes out its own entries, and never another's", async () => {
      const { sql } = await open();
      const audit = new Audit(openDatabase(sql), sql, { ofAccount: 3, all: 5 });
      await audit.add(entry({ account: "bob", request: "q_b" }));
      for (let n = 0; n < 120; n += 1) await audit.add(entry({ request: `q_${n}` }));
      await audit.trim("alice");
      const requests = async () =>
        (await audit.list({}, { page: undefined, limit: 200 }))?.items.map(({ request }) => request);
      assert.deepEqual(await requests(), ["q_119", "q_118", "q_117", "q_b"]);
      for (const account of ["x", "y"]) await audit.add(entry({ account, request: `q_${account}` }));
      await audit.trim("alice");
      assert.deepEqual(await requests(), ["q_y", "q_x", "q_119", "q_118", "q_117"]);
    });
  });
}
