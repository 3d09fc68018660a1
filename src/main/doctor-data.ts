/** What a data folder has that a start would refuse, for `waybill doctor`: journal, keys, certificates. Reads only. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { checkFolder } from "../journal/check.ts";
import { DataFolderBusy, databaseName, lockFolder } from "../journal/index.ts";
import { Connection } from "../journal/postgres-connection.ts";
import type { MachineFacts } from "../doctor/machine.ts";
import { authorityFolder, readRoot } from "../tls/index.ts";
import { PairUnfit, readPair } from "../tls/pair.ts";
import type { PlatformConfig } from "./config.ts";

export async function journalFacts({ data, journal }: PlatformConfig): Promise<MachineFacts["journal"]> {
  if (journal !== null) return databaseFacts(journal);
  const place = join(data, databaseName);
  if (!existsSync(data)) return { place, state: "new", says: "", tornFrom: null };
  // Held while it is read: a platform that starts meanwhile writes files beside it that are removed after reading.
  const lock = lockOf(data);
  if (lock === "in-use") return { place, state: "in-use", says: "", tornFrom: null };
  using _ = lock;
  try {
    const found = checkFolder(data);
    if (found.state === "new") return { place, state: "new", says: "", tornFrom: null };
    return {
      place,
      state: "whole",
      says: `whole up to record ${found.mark.index}, as its mark says`,
      tornFrom: found.cutFrom,
    };
  } catch (error) {
    return { place, state: "damaged", says: (error as Error).message, tornFrom: null };
  }
}

/** A platform works on the folder. */
export function isInUse(data: string): boolean {
  const lock = lockOf(data);
  if (lock === "in-use") return true;
  lock?.close();
  return false;
}

/** Undefined where none has been made. */
function lockOf(data: string): DatabaseSync | "in-use" | undefined {
  if (!existsSync(join(data, "journal.lock"))) return undefined;
  try {
    return lockFolder(data);
  } catch (error) {
    if (error instanceof DataFolderBusy) return "in-use";
    throw error;
  }
}

async function databaseFacts(url: string): Promise<MachineFacts["journal"]> {
  try {
    await using connection = await Connection.open(url, () => undefined);
    const [row] = await connection.query<{ server_version: string }>("SHOW server_version");
    return {
      place: connection.place,
      state: "whole",
      says: `${connection.place}, version ${row?.server_version}`,
      tornFrom: null,
    };
  } catch (error) {
    return { place: "PostgreSQL", state: "unreachable", says: (error as Error).message, tornFrom: null };
  }
}

/** Of receipts and visitors' tokens: what each has to be. */
const keptKeys: Readonly<Record<string, (value: unknown) => boolean>> = {
  "receipt-signing-key": (value) => isObject(value) && typeof value["x"] === "string" && typeof value["d"] === "string",
  "visitor-keys": (value) => Array.isArray(value) && value.length > 0,
};

/** Null where there is no data folder. The catalog in PostgreSQL is not asked: its server reads these at its start. */
export function keyFacts({ data, journal, secretsKeyFile: file }: PlatformConfig): MachineFacts["keys"] | null {
  if (!existsSync(data)) return null;
  const catalog = join(data, databaseName);
  // Nobody else reads what a platform writes; it has read these.
  const hasCatalog = journal === null && existsSync(catalog) && !isInUse(data);
  const damaged = hasCatalog ? damagedIn(catalog) : [];
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined)
    return { file, state: hasCatalog && secretsIn(catalog) > 0 ? "missing" : "new", mode: null, damaged };
  const lines = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "");
  const isWhole = lines.length > 0 && lines.every((line) => /^k_\w+ [A-Za-z0-9+/]{43}=$/.test(line.trim()));
  return { file, state: isWhole ? "whole" : "damaged", mode: found.mode & 0o777, damaged };
}

function damagedIn(catalog: string): string[] {
  return reading(catalog, (db) => {
    if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'catalogSettings'").get() === undefined) return [];
    return Object.entries(keptKeys).flatMap(([key, isWhole]) => {
      const value = db.prepare("SELECT value FROM catalogSettings WHERE key = ?").get(key)?.["value"];
      return value === undefined || isWhole(parsed(String(value))) ? [] : [key];
    });
  });
}

function secretsIn(catalog: string): number {
  return reading(catalog, (db) => {
    const there = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'spaceSecrets'").get();
    return there === undefined ? 0 : Number(db.prepare("SELECT count(*) AS n FROM spaceSecrets").get()?.["n"]);
  });
}

/** A database that is only read, also while the platform runs. */
export function reading<Value>(file: string, read: (db: DatabaseSync) => Value): Value {
  using db = new DatabaseSync(file, { readOnly: true });
  return read(db);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // What is no JSON is no key.
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** Null where the edge speaks no TLS. */
export function certificateFacts(config: PlatformConfig, now: number): MachineFacts["certificates"] | null {
  const { tls, data, appsDomain, network } = config;
  if (tls === null) return null;
  const asked = [`waybill-doctor.${appsDomain}`, ...(network.consoleHost === null ? [] : [network.consoleHost])];
  const files = tls.files.map((pair) => certificateIn(pair, now));
  const covered = (name: string): boolean => files.some(({ covers }) => covers(name));
  // What no file is for comes from an authority, where there is one.
  const uncovered = tls.isAuthority || tls.acme !== null ? [] : asked.filter((name) => !covered(name)).map(shown);
  const own = files.map(({ facts }, index) => ({ ...facts, uncovered: index === 0 ? uncovered : [] }));
  return tls.isAuthority ? [...own, rootIn(join(data, "tls"), now)] : own;
}

const shown = (name: string): string => name.replace(/^waybill-doctor\./, "*.");

function certificateIn({ cert, key }: { readonly cert: string; readonly key: string }, now: number) {
  const common = { of: cert, renewed: false };
  try {
    const { names, notAfter, covers } = readPair(
      { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") },
      now,
    );
    return { facts: { ...common, names, leftMs: notAfter - now, wrong: null }, covers };
  } catch (error) {
    if (!(error instanceof PairUnfit) && (error as NodeJS.ErrnoException).code === undefined) throw error;
    return { facts: { ...common, names: [], leftMs: null, wrong: (error as Error).message }, covers: () => false };
  }
}

function rootIn(folder: string, now: number): MachineFacts["certificates"][number] {
  const of = "the private authority's root";
  const common = { of, names: [], renewed: false, uncovered: [] };
  if (!existsSync(authorityFolder(folder))) return { ...common, leftMs: Number.MAX_SAFE_INTEGER, wrong: null };
  const root = readRoot(authorityFolder(folder));
  return {
    ...common,
    leftMs: root === undefined ? null : Date.parse(root.notAfter) - now,
    wrong: root === undefined ? "it is not there" : null,
  };
}
