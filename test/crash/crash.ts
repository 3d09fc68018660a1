/**
 * A real platform under the load of many clients, killed at random instants and started again on the same folder; then all that was
 * acknowledged to anybody is looked for.
 */
import { join } from "node:path";
import { prng } from "../../src/stdx/prng.ts";
import { freePort } from "../support/free-port.ts";
import { Platform, until } from "../support/platform.ts";
import { Books, wholeLog } from "./books.ts";
import { compareDeeds, DeedsFile } from "./deeds.ts";
import { Findings } from "./promises.ts";
import { Run } from "./run.ts";
import { gpus, moveIn, type Tenants } from "./tenants.ts";

export interface CrashOptions {
  readonly kills: number;
  /** It goes on until it was killed under load so often too: a kill in a start is none of these. */
  readonly lives?: number;
  readonly seed: number;
  /** Hears what is going on. */
  readonly say: (line: string) => void;
  /** Called while the platform is down after each of its lives under load; what it does to the data folder is to be found out. */
  readonly onKilled?: (data: string, life: number) => void;
  /** How long all may take to come to rest at the end. */
  readonly restWithinMs?: number;
}

/** What `npm run crash -- --json` prints; fields are added and never renamed. Times are whole milliseconds. */
export interface CrashDocument {
  readonly kills: number;
  /** Those that met the platform before it had said that it is ready. */
  readonly killsInStart: number;
  readonly seed: number;
  /** Answers that promised something. */
  readonly acknowledged: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly stuckHolds: number;
  /** A recovery gives the state of the whole log, and gives it again. */
  readonly stateHashEqual: boolean;
  /** From a process's start until it is ready. */
  readonly recoveryMs: { readonly p50: number; readonly max: number };
  readonly records: number;
  readonly calls: number;
  /** Sentences: all that is not as it should be. */
  readonly findings: readonly string[];
  readonly tookMs: number;
}

/** What one platform of those came to. */
type Part = Omit<CrashDocument, "recoveryMs"> & { readonly recoveries: readonly number[] };

/** Of one platform: its operator's writes have keys, of which an account has 10,000 a day. */
const killsOfOne = 200;
/** After so many lives the journal is read before the platform reads it. */
const booksEvery = 20;
/** Characters of one that are shown as it is found; all of it at the end. */
const findingShown = 300;
/** A call that is left to itself ends when its grant was not taken up, or with its lease. */
const restsWithinMs = 90_000;

export async function crash(options: CrashOptions): Promise<CrashDocument> {
  const parts: Part[] = [];
  for (let left = options.kills; left > 0; left -= killsOfOne) {
    const kills = Math.min(left, killsOfOne);
    parts.push(await crashOne({ ...options, kills, seed: options.seed + parts.length }));
  }
  const sum = (of: (part: Part) => number): number => parts.reduce((total, part) => total + of(part), 0);
  return {
    kills: sum(({ kills }) => kills),
    killsInStart: sum(({ killsInStart }) => killsInStart),
    seed: options.seed,
    acknowledged: sum(({ acknowledged }) => acknowledged),
    lost: sum(({ lost }) => lost),
    duplicated: sum(({ duplicated }) => duplicated),
    stuckHolds: sum(({ stuckHolds }) => stuckHolds),
    stateHashEqual: parts.every(({ stateHashEqual }) => stateHashEqual),
    recoveryMs: quantiles(parts.flatMap(({ recoveries }) => recoveries)),
    records: sum(({ records }) => records),
    calls: sum(({ calls }) => calls),
    findings: parts.flatMap(({ findings }) => findings),
    tookMs: sum(({ tookMs }) => tookMs),
  };
}

/** One platform, from its beginning. */
async function crashOne({
  kills,
  lives = 0,
  seed,
  say,
  onKilled,
  restWithinMs = restsWithinMs,
}: CrashOptions): Promise<Part> {
  const began = performance.now();
  const chance = prng(seed);
  const findings = new Findings();
  await using up = await Platform.start({ gpus, port: await freePort() });
  using deeds = new DeedsFile(join(up.folder, "deeds.jsonl"));
  const tenants = await moveIn(up, deeds.file, { chance, findings });
  const run = new Run(up, { clients: tenants.clients, chance, findings });
  const books = new Books();
  const hashes: boolean[] = [];
  const told = new Set<string>();
  /** A long run is looked at while it goes on. */
  const sayFindings = (): void => {
    for (const finding of findings.all) if (!told.has(finding)) say(finding.slice(0, findingShown));
    for (const finding of findings.all) told.add(finding);
  };
  say(`seed ${seed}: ${tenants.clients.length} clients, ${kills} kills`);
  for (let life = 1; run.kills < kills || life <= lives; life++) {
    await run.liveAndDie();
    onKilled?.(up.data, life);
    sayFindings();
    if (life % booksEvery === 0) {
      hashes.push(await books.readOn(up.data));
      say(`${run.kills} kills: ${findings.acknowledged} answers of the API, ${findings.all.length} findings`);
    }
    await run.start();
  }
  await run.compare();
  await comeToRest(tenants, restWithinMs, findings);
  const used = await usedBy(tenants);
  await up.kill();
  hashes.push(await books.readOn(up.data));
  const whole = await wholeLog(up.data);
  hashes.push(whole.stateHash === books.stateHash);
  for (const [account, usedMs] of used)
    if (usedMs !== books.chargedMs(account))
      findings.duplicated.push(
        `${account} has used ${usedMs} ms, and its calls were charged ${books.chargedMs(account)}`,
      );
  findings.other.push(...books.broken());
  findings.stuck.push(...books.open().map((call) => `call ${call} has not ended`));
  compareDeeds(deeds.readOn(), books.calls, findings);
  return {
    kills: run.kills,
    killsInStart: run.killsInStart,
    seed,
    acknowledged: findings.acknowledged,
    lost: findings.lost.length,
    duplicated: findings.duplicated.length,
    stuckHolds: findings.stuck.length,
    stateHashEqual: hashes.every((equal) => equal),
    recoveries: run.recoveryMs,
    records: whole.records,
    calls: books.calls.size,
    findings: findings.all,
    tookMs: Math.round(performance.now() - began),
  };
}

/** Whether all that was promised is there, and nothing else is wrong. */
export function isWhole({ findings, stateHashEqual }: CrashDocument): boolean {
  return findings.length === 0 && stateHashEqual;
}

/** Until no call is open and no slot is taken; what stays is a finding. */
async function comeToRest({ operator, visitors }: Tenants, withinMs: number, findings: Findings): Promise<void> {
  const held = async (): Promise<readonly string[]> => {
    const { slots } = await operator.client.gpuBoard();
    const taken = slots.flatMap(({ slot, call, stage }) =>
      call !== null || !["free", "warm"].includes(stage) ? `slot ${slot} is ${stage} for ${call}` : [],
    );
    const quotas = await Promise.all(visitors.map(({ client, name }) => client.quota({ account: name })));
    return [...taken, ...quotas.flatMap(({ account, heldMs }) => (heldMs > 0 ? `${account} holds ${heldMs} ms` : []))];
  };
  try {
    await until("nothing is held", async () => (await held()).length === 0, withinMs);
  } catch {
    findings.stuck.push(...(await held())); // Not within the bound: what is held then is told.
  }
}

async function usedBy({ visitors }: Tenants): Promise<ReadonlyMap<string, number>> {
  const quotas = await Promise.all(visitors.map(({ client, name }) => client.quota({ account: name })));
  return new Map(quotas.map(({ account, usedMs }) => [account, usedMs]));
}

function quantiles(times: readonly number[]): CrashDocument["recoveryMs"] {
  const sorted = times.toSorted((a, b) => a - b);
  return { p50: sorted[Math.floor(sorted.length / 2)] ?? 0, max: sorted.at(-1) ?? 0 };
}
