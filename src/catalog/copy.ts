/** All rows of the catalog from one database into another that has its tables, empty or with what the migrations put there. */
import { createHash } from "node:crypto";
import { assert } from "../stdx/assert.ts";
import type { SqlRow, SqlRunner, SqlValue } from "../stdx/sql.ts";

/** Parents before those that refer to them; the rest in any order. */
const first: readonly string[] = ["accounts", "xorbs", "xetFiles"];
/** How far a database's own numbers of its rows go, and which migrations it has: each says that for itself. */
const own: readonly string[] = ["catalogMigrations", "sqlite_sequence"];
/** The journal's own, in the same file. */
const journals: readonly string[] = ["meta", "journal", "works", "recent_works", "snapshots"];

const rowsAtOnce = 500;
/** PostgreSQL takes 65,535 parameters of one statement. */
const paramsMax = 30_000;

/** A table, its columns in order, and which of them tell its rows apart. */
export interface Table {
  readonly name: string;
  readonly columns: readonly string[];
  readonly key: readonly string[];
}

/** All tables of a catalog in SQLite that was migrated to what this program knows. */
export async function tablesOf(from: SqlRunner): Promise<readonly Table[]> {
  const rows = await from.all("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
  const names = rows.map(({ name }) => String(name)).filter((name) => !own.includes(name) && !journals.includes(name));
  const ordered = [...first, ...names.filter((name) => !first.includes(name))];
  return Promise.all(ordered.map((name) => tableOf(from, name)));
}

async function tableOf(from: SqlRunner, name: string): Promise<Table> {
  const columns = await from.all(`SELECT name, pk FROM pragma_table_info('${name}') ORDER BY cid`);
  const keys = columns.filter(({ pk }) => Number(pk) > 0).sort((a, b) => Number(a["pk"]) - Number(b["pk"]));
  assert(keys.length > 0, `${name} has a key`);
  const named = (row: SqlRow): string => String(row["name"]);
  return { name, columns: columns.map(named), key: keys.map(named) };
}

/**
 * Copies all rows from SQLite into PostgreSQL, which has the same tables. Rejects with what the database refuses; then nothing of `to` is
 * of use, and its transaction is to be given up.
 */
export async function copyCatalog(from: SqlRunner, to: SqlRunner): Promise<void> {
  const tables = await tablesOf(from);
  for (const { name } of tables.toReversed()) await to.run(`DELETE FROM "${name}"`);
  for (const table of tables) {
    for await (const rows of pagesOf(from, table)) await insert(table, rows, to);
    await goOnNumbering(table.name, to);
  }
}

/** sha256 over all rows of these tables: the same of two databases that hold the same. */
export async function catalogDigest(of: SqlRunner, tables: readonly Table[]): Promise<string> {
  const digest = createHash("sha256");
  for (const table of tables) {
    digest.update(`${table.name}\n`);
    for await (const rows of pagesOf(of, table))
      for (const row of rows) digest.update(`${JSON.stringify(table.columns.map((name) => plain(row[name])))}\n`);
  }
  return digest.digest("hex");
}

function plain(value: SqlValue | undefined): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
}

/** In the order of the key, so that none is read twice however many there are. */
async function* pagesOf(of: SqlRunner, { name, columns, key }: Table): AsyncGenerator<readonly SqlRow[]> {
  const list = quoted(key);
  const marks = key.map((_name, n) => (of.dialect === "sqlite" ? "?" : `$${n + 1}`)).join(", ");
  const limit = Math.min(rowsAtOnce, Math.floor(paramsMax / columns.length));
  for (let last: SqlRow | undefined; ;) {
    const after = last === undefined ? "" : `WHERE (${list}) > (${marks})`;
    const place = key.flatMap((column) => (last === undefined ? [] : [last[column] as SqlValue]));
    const select = `SELECT ${quoted(columns)} FROM "${name}" ${after} ORDER BY ${list} LIMIT ${limit}`;
    const rows = await of.all(select, place);
    if (rows.length > 0) yield rows;
    last = rows.at(-1);
    if (rows.length < limit) return;
  }
}

async function insert({ name, columns: names }: Table, rows: readonly SqlRow[], to: SqlRunner): Promise<void> {
  const params = rows.flatMap((row) => names.map((name) => row[name] as SqlValue));
  const values = rows.map((_row, n) => `(${names.map((_name, i) => `$${n * names.length + i + 1}`).join(", ")})`);
  await to.run(`INSERT INTO "${name}" (${quoted(names)}) VALUES ${values.join(", ")}`, params);
}

/** Where the database numbers rows, the next one's number is above all that were copied. */
async function goOnNumbering(table: string, to: SqlRunner): Promise<void> {
  const numbered = await to.all(
    "SELECT column_name AS name FROM information_schema.columns WHERE table_schema = 'waybill' AND table_name = $1 AND is_identity = 'YES'",
    [table],
  );
  for (const { name } of numbered)
    await to.all(
      `SELECT setval(pg_get_serial_sequence('waybill."${table}"', '${String(name)}'), coalesce(max("${String(name)}"), 0) + 1, false) FROM "${table}"`,
    );
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}
