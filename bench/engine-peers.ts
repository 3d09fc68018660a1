/** What others do with the same durability, in the same run: PostgreSQL's transfers, BullMQ's jobs, and our engine on PostgreSQL. */
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { Queue, Worker } from "bullmq";
import type { PostgresServer } from "../test/support/postgres.ts";
import { postgresqlPrograms } from "../test/support/postgres.ts";
import { programOnPath } from "../test/support/needs.ts";

/** A system that is measured, and ends with its scope. */
export interface RunningPeer extends Disposable {
  readonly name: string;
  readonly cyclesPerSecond: () => Promise<number>;
}

const runSeconds = 3;
/** Of PostgreSQL: each is a process, and commits of waiting ones go to disk together. */
const connections = 64;
const accounts = 10_000;
const redisStartsMs = 10_000;

/**
 * Two-phase transfers between two of many accounts, double entry: a hold that is pending on both, then its posting, each a commit of
 * its own (`synchronous_commit = on`). Functions, so that each phase is one round trip; driven by PostgreSQL's own `pgbench`.
 */
export async function postgresTransfers(server: PostgresServer, folder: string): Promise<RunningPeer> {
  const programs = postgresqlPrograms() ?? "";
  const url = await server.database();
  await server.sql(url, transferSchema);
  const script = join(folder, "transfer.sql");
  writeFileSync(
    script,
    `\\set payer random(1, ${accounts})\n\\set payee random(1, ${accounts})\nSELECT hold(:payer, :payee, 10000) AS transfer \\gset\nSELECT post(:transfer, 400);\n`,
  );
  const args = ["-n", "-c", `${connections}`, "-j", "2", "-T", `${runSeconds}`, "-M", "prepared", "-f", script, url];
  return {
    name: `PostgreSQL ${serverVersion()}: two-phase double-entry transfer, 2 commits, ${connections} connections of pgbench`,
    cyclesPerSecond: async () => {
      const { stdout } = await promisify(execFile)(join(programs, "pgbench"), args);
      const [, perSecond] = /tps = ([\d.]+)/.exec(stdout) ?? [];
      if (perSecond === undefined) throw new Error(`pgbench does not say how fast it was:\n${stdout}`);
      return Number(perSecond);
    },
    [Symbol.dispose]: () => undefined,
  };
}

function serverVersion(): string {
  return /postgresql\/(\d+)/.exec(postgresqlPrograms() ?? "")?.[1] ?? "";
}

const transferSchema = `
  CREATE TABLE account (id int PRIMARY KEY, pending bigint NOT NULL DEFAULT 0, debits bigint NOT NULL DEFAULT 0,
    credits bigint NOT NULL DEFAULT 0, most bigint NOT NULL DEFAULT 9000000000000);
  CREATE TABLE transfer (id bigserial PRIMARY KEY, payer int NOT NULL, payee int NOT NULL, held bigint NOT NULL, posted bigint,
    at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE TABLE entry (transfer bigint NOT NULL, account int NOT NULL, amount bigint NOT NULL);
  INSERT INTO account (id) SELECT generate_series(1, ${accounts});
  CREATE FUNCTION hold(a int, b int, amount bigint) RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE made bigint;
    BEGIN
      PERFORM 1 FROM account WHERE id IN (a, b) ORDER BY id FOR UPDATE;
      UPDATE account SET pending = pending + amount WHERE id = a AND debits + pending + amount <= most;
      IF NOT FOUND THEN RAISE 'over the limit'; END IF;
      INSERT INTO transfer (payer, payee, held) VALUES (a, b, amount) RETURNING id INTO made;
      RETURN made;
    END $$;
  CREATE FUNCTION post(made bigint, charge bigint) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE t transfer;
    BEGIN
      UPDATE transfer SET posted = charge WHERE id = made AND posted IS NULL AND charge <= held RETURNING * INTO t;
      IF NOT FOUND THEN RAISE 'posted before'; END IF;
      PERFORM 1 FROM account WHERE id IN (t.payer, t.payee) ORDER BY id FOR UPDATE;
      UPDATE account SET pending = pending - t.held, debits = debits + charge WHERE id = t.payer;
      UPDATE account SET credits = credits + charge WHERE id = t.payee;
      INSERT INTO entry VALUES (made, t.payer, -charge), (made, t.payee, charge);
    END $$;
`;

/** Where PostgreSQL can't be used, the reason. */
export function lackingForPostgres(): string | undefined {
  const programs = postgresqlPrograms();
  if (programs === null) return "no PostgreSQL programs (apt-get install postgresql)";
  return existsSync(join(programs, "pgbench")) ? undefined : "no pgbench beside PostgreSQL";
}

/** Where Redis can't be used, the reason. */
export function lackingForRedis(): string | undefined {
  return programOnPath(["redis-server"]) ? undefined : "no redis-server (apt-get install redis-server)";
}

/** Jobs that are added, taken by a worker and completed, `parallel` at once, on a Redis that syncs each write (`appendfsync always`). */
export async function bullmqJobs(folder: string, parallel: number): Promise<RunningPeer> {
  const path = join(folder, "redis.sock");
  const data = join(folder, "redis");
  mkdirSync(data);
  const settings = ["--port", "0", "--unixsocket", path, "--dir", data, "--save", "", "--appendonly", "yes"];
  const redis = spawn("redis-server", [...settings, "--appendfsync", "always"], { stdio: "ignore" });
  await listening(path);
  const connection = { path, maxRetriesPerRequest: null };
  const name = "cycles";
  const cyclesPerSecond = async (): Promise<number> => {
    const queue = new Queue(name, { connection, skipWaitingForReady: true });
    const done = Promise.withResolvers<number>();
    // From the first job that is completed: until then queue and worker find each other.
    let startedAt: number | undefined;
    let [completed, isOver] = [0, false];
    const add = (): void => {
      queue.add("call", { declaredMs: 10_000 }, { removeOnComplete: true }).catch(done.reject);
    };
    const worker = new Worker(name, async () => ({ usedMs: 1 }), { connection, concurrency: parallel });
    worker.on("error", done.reject);
    worker.on("completed", () => {
      if (isOver) return;
      if (startedAt === undefined) startedAt = performance.now();
      else completed += 1;
      const tookMs = performance.now() - startedAt;
      if (tookMs < runSeconds * 1000) return add();
      isOver = true;
      done.resolve((completed / tookMs) * 1000);
    });
    for (let i = 0; i < parallel; i++) add();
    const perSecond = await done.promise;
    await worker.close();
    await queue.obliterate({ force: true });
    await queue.close();
    return perSecond;
  };
  const label = `BullMQ on Redis, appendfsync always: jobs added, taken, completed, ${parallel} at once`;
  return { name: label, cyclesPerSecond, [Symbol.dispose]: () => void redis.kill("SIGKILL") };
}

async function listening(path: string): Promise<void> {
  for (const startedAt = performance.now(); ; await delay(20)) {
    const socket = connect(path);
    const isThere = await new Promise((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (isThere) return;
    if (performance.now() - startedAt > redisStartsMs) throw new Error("redis-server does not listen");
  }
}
