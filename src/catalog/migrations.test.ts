import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { memorySql } from "./memory-sql.ts";
import { Catalog } from "./catalog.ts";
import { settingDefaults } from "./spaces.ts";
import { instant } from "../stdx/time.ts";
import { migrate, migrations } from "./migrations/index.ts";
import type { Migration } from "./migrations/index.ts";

const one: Migration = { number: 1, name: "one", statements: ["CREATE TABLE a (x INTEGER) STRICT"] };
const two: Migration = {
  number: 2,
  name: "two",
  statements: ["ALTER TABLE a ADD COLUMN y INTEGER", "CREATE TABLE b (z TEXT) STRICT"],
};
const applied = "SELECT number, name, appliedAt FROM catalogMigrations ORDER BY number";

describe("migrate", () => {
  test("applies what is missing, once, in order, and records when", async () => {
    const sql = memorySql();
    await migrate(sql, 1000, [one]);
    await migrate(sql, 2000, [one, two]);
    await migrate(sql, 3000, [one, two]);
    assert.deepEqual(
      (await sql.all(applied)).map(({ number, name, appliedAt }) => [number, name, appliedAt]),
      [
        [1, "one", 1000],
        [2, "two", 2000],
      ],
    );
    await sql.run("INSERT INTO a (x, y) VALUES (1, 2)");
  });

  test("refuses a newer program's database and leaves it as it was", async () => {
    const sql = memorySql();
    await migrate(sql, 1000, [one, two]);
    await assert.rejects(migrate(sql, 2000, [one]), {
      name: "CatalogError",
      code: "catalog-too-new",
      message: /newer Waybill.*step 2.*knows 1/,
    });
    assert.equal((await sql.all(applied)).length, 2);
  });

  test("a step that fails is not recorded and leaves nothing behind", async () => {
    const sql = memorySql();
    const broken: Migration = {
      number: 2,
      name: "broken",
      statements: ["CREATE TABLE b (z TEXT) STRICT", "CREATE TABLE a (x TEXT)"],
    };
    await assert.rejects(migrate(sql, 1000, [one, broken]), { code: "sql-refused" });
    assert.equal((await sql.all(applied)).length, 1);
    assert.equal((await sql.all("SELECT name FROM sqlite_schema WHERE name = 'b'")).length, 0);
  });

  test("a Space of the first shape is kept, with the default settings", async () => {
    const sql = memorySql();
    await migrate(sql, 1000, migrations.slice(0, 1));
    await sql.run("INSERT INTO accounts VALUES ('alice', 'free', 'user', 1)");
    await sql.run(
      `INSERT INTO spaces VALUES ('alice/demo', 'alice', 'demo', 'node', 'running', 1, '', NULL, NULL, NULL, 'alice-demo', '127.1.2.3', 1)`,
    );
    const { spaces } = await Catalog.open(sql, { wall: () => instant(2000) });
    assert.deepEqual((await spaces.get("alice/demo"))?.settings, settingDefaults);
  });

  test("the shipped steps are numbered without a hole", () => {
    assert.deepEqual(
      migrations.map(({ number }) => number),
      migrations.map((_step, n) => n + 1),
    );
  });
});
