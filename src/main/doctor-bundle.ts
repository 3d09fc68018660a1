/** `waybill doctor --bundle`: what whoever helps needs to see, in one archive without secrets. */
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { exit } from "../cli/exit.ts";
import { CliFailure } from "../cli/failures.ts";
import type { Bundle, Bundled, DoctorOptions } from "../cli/world.ts";
import { readLogFiles } from "../log/segments.ts";
import { dataFolder } from "./config.ts";
import { configOf } from "./doctor.ts";
import type { DoctorWorld } from "./doctor.ts";
import { reading } from "./doctor-data.ts";
import { statusAt } from "./doctor-machine.ts";
import { hiderOf, withoutRuns } from "./doctor-secrets.ts";
import { tarOf } from "./tar.ts";
import type { TarFile } from "./tar.ts";

const hourMs = 3_600_000;
const failuresMax = 500;
/** Of replicas, and of builds: the newest. */
const logsMax = 5;
const logLines = 200;
/** Settings whose values say nothing of anybody: numbers, and words of ours. Of others it is told that they are set. */
const shownValue = /^(?:\d{1,15}|true|false|ca|acme|names|ports(?::\d+-\d+)?)$/;
/** Facts of entries that are codes, names and numbers of the platform's; what a visitor or an app wrote is not among them. */
const shownFacts: readonly string[] = [
  "code",
  "status",
  "answeredBy",
  "space",
  "replica",
  "build",
  "step",
  "ms",
  "errno",
  "exitCode",
  "signal",
  "pool",
  "channel",
  "number",
];

export async function bundle(
  { options, rows, file, signInToken }: Bundle,
  { env, version }: DoctorWorld,
): Promise<Bundled> {
  const data = dataFolder(env, options.data);
  const tokens = [options.server?.token, signInToken].filter((token) => typeof token === "string");
  const read = configOf(options, env);
  const secretsKeyFile = read.ok ? read.config.secretsKeyFile : join(data, "secrets.key");
  const journal = options.journal === undefined ? {} : { WAYBILL_JOURNAL_OPTION: options.journal };
  const hide = await hiderOf({ data, secretsKeyFile, env: { ...env, ...journal }, tokens });
  const now = Date.now();
  const hidden = (_: string, value: unknown): unknown => (typeof value === "string" ? hide(value) : value);
  const json = (name: string, value: unknown): TarFile => ({ name, text: `${JSON.stringify(value, hidden, 2)}\n` });
  const files = [
    json("versions.json", {
      waybill: version,
      node: process.versions.node,
      system: process.platform,
      release: release(),
      arch: process.arch,
      madeAt: new Date(now).toISOString(),
    }),
    json("configuration.json", configurationOf(env, options)),
    json("doctor.json", rows),
    json("status.json", await statusOf(options)),
    json("failures.json", failuresIn(join(data, "evidence.db"), now - hourMs)),
    ...[...logsIn(join(data, "node", "replicas"), "replica"), ...logsIn(join(data, "builds"), "build")].map(
      ({ name, text }) => ({ name, text: withoutRuns(hide(text)) }),
    ),
  ];
  try {
    writeFileSync(file, gzipSync(tarOf(files, now)), { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw new CliFailure(exit.usage, {
      code: "bundle",
      says: `the bundle could not be written: ${(error as Error).message}`,
      next: "Name a file that is not there yet, in a folder that you may write.",
      cause: error,
    });
  }
  return { file, bytes: statSync(file).size, files: files.map(({ name }) => name) };
}

function configurationOf(env: DoctorWorld["env"], options: DoctorOptions): unknown {
  const { server, journal, ...others } = options;
  const own = Object.entries(env).filter(
    ([name, value]) => name.startsWith("WAYBILL_") && value !== undefined && value !== "",
  );
  const variables = own.map(([name, value = ""]) => [name, shownValue.test(value) ? value : "(set)"] as const);
  return {
    variables: Object.fromEntries(variables.toSorted(([a], [b]) => (a < b ? -1 : 1))),
    options: { ...others, journal: journal === undefined ? null : "(set)" },
    server: server === null ? null : { url: server.url, token: server.token === null ? null : "(set)" },
  };
}

async function statusOf({ server }: DoctorOptions): Promise<unknown> {
  if (server === null) return { none: "no server is named" };
  try {
    return (await statusAt(server.url, server.token))?.body ?? { none: "what answers is not Waybill" };
  } catch (error) {
    return { none: (error as Error).message };
  }
}

/** Entries of what failed or was refused; read beside a platform that runs. */
function failuresIn(file: string, since: number): unknown {
  if (!existsSync(file)) return [];
  const select = `SELECT body FROM entries WHERE at >= ? AND body ->> '$.mark' IN ('failed', 'refused') ORDER BY at DESC LIMIT ${failuresMax}`;
  return reading(file, (db) => db.prepare(select).all(since)).map((row) => {
    const { id, work, hop, mark, at, facts } = JSON.parse(String(row["body"])) as Record<string, unknown>;
    const all = facts as Record<string, unknown>;
    const shown = shownFacts.flatMap((name) => (Object.hasOwn(all, name) ? [[name, all[name]] as const] : []));
    return { id, work, hop, mark, at, facts: Object.fromEntries(shown) };
  });
}

/** The last lines of the newest ones. They were masked when they were stored. */
function logsIn(folder: string, of: string): TarFile[] {
  if (!existsSync(folder)) return [];
  const newest = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, at: statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .toSorted((a, b) => b.at - a.at)
    .slice(0, logsMax);
  return newest.map(({ name }) => {
    const { lines } = readLogFiles(join(folder, name), -logLines, logLines);
    const text = lines.map((line) => `${line.at} ${line.source} ${line.stream} ${line.text}\n`).join("");
    return { name: `logs/${of}-${name}.txt`, text };
  });
}
