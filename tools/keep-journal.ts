/**
 * `npm run keep-journal`: writes the next folder of `test/kept-journals/`, a data folder's journal as this version of Waybill writes
 * it, once whole and once compacted, with what it came to beside it. For whoever changes what is stored: CONTRIBUTING says when.
 *
 * What is in it is drawn: lives of the ledger's properties, one after the other, until all kinds of events that are known have come.
 */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { Catalog } from "../src/catalog/catalog.ts";
import { worksOf } from "../src/control/engine.ts";
import { begin, cardsUpTo, life, nodes, play, replicas } from "../src/core/life.suite.ts";
import type { Ledger } from "../src/core/ledger.suite.ts";
import type { LedgerRecord } from "../src/core/record.ts";
import { tierDefaults } from "../src/core/policy.ts";
import { emptyState, encodeState } from "../src/core/state.ts";
import type { State } from "../src/core/state.ts";
import { apply } from "../src/core/evolve.ts";
import { Replay } from "../src/core/totals.ts";
import { knownVersions } from "../src/journal/encoding.ts";
import { openSqliteJournal } from "../src/journal/index.ts";
import type { SqliteJournal } from "../src/journal/index.ts";
import { compact } from "../src/main/compact.ts";
import { instant } from "../src/stdx/time.ts";
import type { Clock, Instant } from "../src/stdx/time.ts";
import {
  balancesOf,
  callsIn,
  hubIn,
  identityIn,
  keptFolder,
  keptJournals,
  keptWebhook,
  keptXet,
  webhooksIn,
} from "../test/support/kept-journals.ts";
import type { KeptJournal } from "../test/support/kept-journals.ts";

/** Of each kind of event, and of calls that were settled: a few hundred kilobytes, which stay in the repository for ever. */
const eachLeast = 2;
const settledLeast = 40;
const livesMost = 100;
/** Of the whole one's file. Tables that a version adds take room too, so that records alone do not tell. */
const fileMaxBytes = 1 << 20;
const recordsMost = 1_200;
const drawsMost = 30;
/** More than there will be folders. */
const seedStep = 1_000;
/** Of a life's end; the ledger's time is its own. */
const clockOf = (it: Pick<Drawn, "now">): Clock => ({ wall: () => it.now, monotonic: () => 0 });
const onFatal = (failure: Error): never => {
  throw failure;
};

const number = 1 + Math.max(0, ...readdirSync(keptJournals).map(Number));
const folder = join(keptJournals, String(number));
const kept = await keepFirst();
writeFileSync(join(folder, "kept.json"), `${JSON.stringify(kept, null, 2)}\n`);
console.log(`${folder}: ${kept.totals.records} records, ${Object.keys(kept.events).length} kinds of events`);

/** The first draw of this number that is not too long, and of which a compaction removes some calls that are listed, and leaves some. */
async function keepFirst(): Promise<KeptJournal> {
  const [whole, compacted] = [join(folder, "whole"), join(folder, "compacted")];
  for (let n = 0; n < drawsMost; n += 1) {
    rmSync(folder, { recursive: true, force: true });
    const it = drawn(number + n * seedStep);
    if (it === undefined || it.records.length > recordsMost) continue;
    const rows = await keepWhole(whole, it);
    if (statSync(join(whole, "journal.db")).size >= fileMaxBytes) continue;
    const left = await keepCompacted(compacted, whole, it);
    if (left > 0 && left < rows.catalog.calls) return { ...whatItCameTo(it), ...rows };
  }
  assert.fail(
    `of ${drawsMost} draws none has all kinds of events in at most ${recordsMost} records, with calls before and after what a compaction removes: see src/core/life.suite.ts`,
  );
}

/** What is kept of lives that were drawn. */
type Drawn = Pick<Ledger, "records" | "now">;

/** The same number draws the same lives. Undefined where they have not enough of some kind. */
function drawn(seed: number): Drawn | undefined {
  const it = begin();
  const missing = new Map<string, number>(Object.keys(knownVersions).map((type) => [type, eachLeast]));
  missing.set("call-settled", settledLeast);
  for (const steps of fc.sample(life, { seed, numRuns: livesMost, unbiased: true })) {
    const from = it.records.length;
    asShipped(it);
    for (const step of steps) play(it, step);
    for (const { type } of it.records.slice(from).flatMap(({ events }) => events)) {
      const left = (missing.get(type) ?? 0) - 1;
      if (left <= 0) missing.delete(type);
      else missing.set(type, left);
    }
    if (missing.size === 0) return { records: namedApart(it.records), now: it.now };
  }
  console.log(`${livesMost} lives of seed ${seed} have not drawn enough of ${[...missing.keys()].join(", ")}`);
  return undefined;
}

/** Lives know a dozen names of calls, and use them again; a platform never does, and each of its calls has a receipt of its own. */
function namedApart(records: readonly LedgerRecord[]): LedgerRecord[] {
  const names = new Map<string, string>();
  let calls = 0;
  return records.map((record) => {
    for (const event of record.events)
      if ("terms" in event && "call" in event.terms) names.set(event.terms.call, `${event.terms.call}_${++calls}`);
    const renamed = (_: string, value: unknown): unknown =>
      typeof value === "string" ? (names.get(value) ?? value) : value;
    return JSON.parse(JSON.stringify(record, renamed)) as LedgerRecord;
  });
}

/** Each life begins with what the one before took out of use, and with the limits of a tier that is not set. */
function asShipped(it: Ledger): void {
  for (const tier of ["free", "anonymous"] as const) it.do({ type: "set-tier", tier, settings: tierDefaults[tier] });
  for (const { of } of it.state.drains.values()) it.do({ type: "set-drain", of, drain: null });
  for (const node of nodes) {
    it.do({ type: "join-node", node, pool: "main", devices: cardsUpTo(2), replicas });
    it.do({ type: "report-cards", node, trouble: [] });
  }
}

/** What the catalog has, as those read it who look whether it is still there. */
type Rows = Pick<KeptJournal, "catalog" | "identity" | "hub" | "webhooks">;

/** Two snapshots, and records after both. */
async function keepWhole(to: string, it: Drawn): Promise<Rows> {
  mkdirSync(to, { recursive: true });
  await using journal = await openSqliteJournal({ folder: to, onFatal });
  const last = it.records.length;
  const snapshots = [Math.floor(last / 2), Math.floor((last * 3) / 4)];
  const state = emptyState();
  for (const record of it.records) {
    void journal.append(record, worksOf(record.events));
    apply(state, record);
    if (snapshots.includes(record.index)) await keepSnapshot(journal, state);
  }
  return await keepCatalog(journal, it);
}

async function keepSnapshot(journal: SqliteJournal, state: State): Promise<void> {
  const body = encodeState(state);
  await journal.saveSnapshot({ index: state.index, stateHash: hash("sha256", body, "hex"), body });
}

/** Its tables as they are now, with an account, a Space, all calls with their receipts, and something of all that lets somebody in, is kept of repositories or told to webhooks. */
async function keepCatalog(journal: SqliteJournal, it: Drawn): Promise<Rows> {
  const catalog = await Catalog.open(journal.sql, clockOf(it));
  await catalog.accounts.create({ name: "alice", tier: "free", role: "user", createdAt: it.now });
  const created = await catalog.spaces.create("alice", "demo", it.now);
  assert.ok(created.ok);
  await catalog.calls.project(it.records);
  await keepIdentity(catalog, it.now);
  await keepHub(catalog, it.now);
  await keepWebhooks(catalog, it.now);
  return {
    ...{ catalog: await callsIn(catalog), identity: await identityIn(catalog), hub: await hubIn(catalog) },
    webhooks: await webhooksIn(catalog),
  };
}

/** One that has another secret now, with a delivery that came and one that waits. */
async function keepWebhooks({ webhooks, deliveries }: Catalog, now: Instant): Promise<void> {
  await webhooks.add({
    ...{
      id: keptWebhook,
      owner: "alice",
      url: "https://hooks.example/a",
      types: ["webhook.test"],
      description: "ours",
    },
    ...{ state: "on", since: now, says: "alice added it", failingSince: now, key: "k_1", sealed: "sealed" },
    ...{ formerKey: "k_1", formerSealed: "sealed before", formerUntil: instant(now + 3_600_000) },
    ...{ createdAt: now, createdBy: "alice" },
  });
  for (const key of ["test/1", "test/2"])
    await webhooks.tell([
      { type: "webhook.test", key, at: now, owner: "alice", data: { webhook: keptWebhook, by: "alice" } },
    ]);
  const first = await deliveries.next(keptWebhook);
  assert.ok(first);
  const attempt = { at: now, tookMs: 7, outcome: "delivered", status: 200, says: "it was answered by 200" } as const;
  const done = { state: "delivered", dueAt: null, endedAt: now, says: attempt.says } as const;
  await deliveries.tried(first, { ...attempt, answer: "ok" }, done);
}

/** A gated model for which somebody has asked, with a file that came by Xet, one that git-lfs brought and a pull request that was merged; a repository that was given up; a limit. */
async function keepHub({ repos, largeFiles, accessRequests, discussions }: Catalog, now: Instant): Promise<void> {
  const made = { createdAt: now, createdBy: "alice", changedAt: now, changedBy: "alice" };
  const tiny = {
    kind: "models",
    owner: "alice",
    name: "Tiny",
    folder: keptFolder,
    private: true,
    gated: "manual",
  } as const;
  await repos.begin(keptFolder, now);
  assert.ok(await repos.create({ ...tiny, ...made }));
  await repos.begin("datasets/d_1", now);
  await accessRequests.put({
    ...{ folder: keptFolder, account: "alice", id: "ar_1", status: "rejected", askedAt: now },
    ...{ fields: { Company: "Example", "I agree": true }, decidedAt: now, decidedBy: "alice", reason: "not now" },
  });
  const holders = [{ holder: "models/alice/Tiny", owner: "alice" }];
  await largeFiles.addXorb({ hash: keptXet.xorb, packedBytes: 90, bytes: 100 }, holders, now);
  const terms = [{ xorb: keptXet.xorb, bytes: 100, from: 0, to: 2 }];
  const chunks = [{ chunk: keptXet.chunk, xorb: keptXet.xorb }];
  const file = { hash: keptXet.file, sha256: keptXet.sha256, bytes: 100, terms };
  await largeFiles.addFile(file, { holders, chunks, at: now });
  const xorbs = [{ hash: "e".repeat(64), lengths: [40, 60] }];
  await largeFiles.keepConversion({ sha256: keptXet.converted, hash: "f".repeat(64), bytes: 100, xorbs }, now);
  await largeFiles.setLimit("alice", 1_000_000, now);
  const pull = { repo: "models/m_1", num: 1, title: "Add weights", author: "bob", pull: true, status: "open" } as const;
  const said = { author: "bob", at: now };
  const texts = [
    { text: "better", by: "bob", at: now },
    { text: "first", by: "bob", at: now },
  ];
  await discussions.begin({ ...pull, base: "1".repeat(40), createdAt: now });
  await discussions.opened(pull, { ...said, id: "a".repeat(24), kind: "comment", texts });
  const [title, status] = ["b".repeat(24), "c".repeat(24)];
  const retitled = { ...said, id: title, kind: "title", from: pull.title, to: "Add all weights" } as const;
  await discussions.add(pull, [retitled], { title: retitled.to });
  const merged = { ...said, id: status, kind: "status", status: "merged" } as const;
  await discussions.merged(pull, "2".repeat(40), [merged]);
  await largeFiles.addProposer("bob", pull.repo);
}

async function keepIdentity({ tokens, sessions, passwords, members, identities, apps, audit }: Catalog, now: Instant) {
  const later = instant(now + 3_600_000);
  const alice = { account: "alice", createdAt: now };
  await tokens.create({ ...alice, id: "t_own", hash: "aa", name: "laptop", scopes: ["read", "gpu"], expiresAt: null });
  const spaces = [{ space: "alice/demo", right: "write" }] as const;
  await tokens.create({ ...alice, id: "t_space", hash: "bb", name: "ci", scopes: [], spaces, expiresAt: later });
  await sessions.create({
    ...{ ...alice, id: "s_1", hash: "cc", how: "password", expiresAt: later, address: "192.0.2.7", agent: null },
  });
  await passwords.set({ account: "alice", hash: "$argon2id$…", changedAt: now }, { keep: "s_1" });
  const acme = { name: "acme", tier: "free", role: "user", kind: "organisation", createdAt: now } as const;
  const member = { organisation: "acme", account: "alice", role: "admin", since: now, addedBy: "admin" } as const;
  await members.found(acme, member);
  const at = { issuer: "https://id.example", subject: "248289761001", linkedAt: now, linkedBy: "admin" };
  await identities.link({ ...at, account: "alice" });
  const seal = { key: "k_1", sealed: "sealed" };
  await apps.clientOnce({ ...seal, space: "alice/demo", client: "app_1", createdAt: now });
  await apps.addKey({ ...seal, id: "ok_1", alg: "EdDSA", createdAt: now });
  const artifact = { ...seal, lookup: null, expiresAt: later, consumedAt: null };
  await apps.put({ ...artifact, model: "Grant", id: "grant", grantId: null }, now);
  const token = { ...alice, id: "t_app", hash: "dd", name: "alice/demo", app: "alice/demo", expiresAt: later } as const;
  await apps.put({ ...artifact, model: "AccessToken", id: "dd", grantId: "grant" }, now, {
    ...token,
    scopes: ["read"],
  });
  await audit.add({
    ...{ at: now, account: "alice", token: null, session: "s_1", address: "192.0.2.7", action: "app.allow" },
    ...{ target: "space/alice/demo", owner: "alice", request: "q_1", outcome: "done", was: null, became: null },
  });
}

/** A quarter of the ledger's life. */
function keptMsOf({ records, now }: Drawn): number {
  const [first] = records;
  assert.ok(first);
  return (now - first.at) / 4;
}

/** All records go that are older than that; how many calls are listed still. */
async function keepCompacted(to: string, whole: string, it: Drawn): Promise<number> {
  cpSync(whole, to, { recursive: true });
  const { removed } = await compact({ data: to, journal: null, keepMs: keptMsOf(it) }, clockOf(it));
  assert.ok(removed > 0 && removed < it.records.length, `${removed} records went`);
  const calls = await listedIn(to, it);
  for (const lock of [to, whole]) rmSync(join(lock, "journal.lock"));
  return calls;
}

async function listedIn(folder: string, it: Drawn): Promise<number> {
  await using journal = await openSqliteJournal({ folder, onFatal });
  return (await callsIn(await Catalog.open(journal.sql, clockOf(it)))).calls;
}

function whatItCameTo(it: Drawn): Omit<KeptJournal, keyof Rows> {
  const replay = new Replay();
  const events: Record<string, number> = {};
  for (const record of it.records) {
    replay.take(record);
    for (const { type } of record.events) events[type] = (events[type] ?? 0) + 1;
  }
  assert.deepEqual(replay.differences(), []);
  return {
    at: instant(it.now),
    stateHash: hash("sha256", encodeState(replay.state), "hex"),
    totals: replay.totals(),
    balances: balancesOf(replay.state),
    counts: replay.counts(),
    events,
  };
}
