/** A backup of a platform under load, and what a restore makes of it: the same records, and fences that never were. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import type { BackupJobView, BackupView } from "../../src/contract/api.ts";
import { ApiError } from "../../src/client/errors.ts";
import type { Event } from "../../src/core/model.ts";
import type { LedgerRecord } from "../../src/core/record.ts";
import { Platform, until, upRefused, visit, type Account, type App } from "../support/platform.ts";

const waybill = resolve(import.meta.dirname, "../../bin/waybill.js");

/** Runs a command to its end; with `--json`. */
async function run(...args: string[]): Promise<{ code: number; document: Record<string, unknown> }> {
  const { code, stdout } = await promisify(execFile)(process.execPath, [waybill, ...args, "--json"], {
    maxBuffer: 1 << 26,
  }).then(
    ({ stdout: out }) => ({ code: 0, stdout: out }),
    (error: { code: number; stdout: string }) => error,
  );
  return { code, document: JSON.parse(stdout) as Record<string, unknown> };
}

function eventsOf(file: string): readonly Event[] {
  return readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .flatMap((line) => (JSON.parse(line) as LedgerRecord).events);
}

const fencesOf = (events: readonly Event[]): number[] =>
  events.flatMap((event) => (event.type === "call-granted" ? [event.lease.fence] : []));

describe("backup and restore", () => {
  let up: Platform;
  let alice: Account;
  let app: App;
  let made: BackupView;
  const file = (name: string): string => join(up.folder, name);

  before(async () => {
    up = await Platform.start();
    alice = await up.account("alice", "unlimited");
    app = await up.deploy(alice, "app");
  });
  after(() => up[Symbol.asyncDispose]());

  test("under load: every call that had ended when it was asked for is in it, and no call waited for it", async () => {
    const calls: string[] = [];
    const load = { over: false };
    const visitor = async (): Promise<void> => {
      while (!load.over) {
        const { status, call } = await visit(`${app.url}/gpu/hold?seconds=0`, alice);
        assert.equal(status, 200);
        calls.push(call);
      }
    };
    const visitors = [visitor(), visitor()];
    await until("some calls have ended", () => calls.length >= 6);
    const before = calls.slice();
    const told: BackupJobView[] = [];
    made = await up.admin.backup({ folder: file("backup") }, { onProgress: (job) => told.push(job) });
    assert.ok(told.length > 0 && told.every(({ state, folder }) => state === "running" && folder === file("backup")));
    const mayNot = { headers: { authorization: `Bearer ${alice.token}` } };
    assert.equal((await fetch(`${up.url}/api/backups/${told[0]?.id}`, mayNot)).status, 403);
    load.over = true;
    await Promise.all(visitors);
    await up.stop();
    assert.equal((await run("journal", "export", file("copied"), "--data", made.folder)).code, 0);
    assert.equal((await run("journal", "export", file("whole"), "--data", up.data)).code, 0);
    const [copied, whole] = [readFileSync(file("copied")), readFileSync(file("whole"))];
    assert.ok(copied.length < whole.length && whole.subarray(0, copied.length).equals(copied), "the same records");
    const ended = eventsOf(file("copied")).flatMap((event) => (event.type === "call-settled" ? [event.call] : []));
    assert.deepEqual(
      before.filter((call) => !ended.includes(call)),
      [],
    );
  });

  test("L18: restored, it is the platform of then, and gives no fence that was ever given", async () => {
    const data = file("restored");
    const restored = await run("restore", made.folder, "--data", data);
    assert.equal(restored.code, 0, JSON.stringify(restored.document));
    assert.equal((await run("journal", "verify", "--data", data)).code, 0);
    const given = Math.max(...fencesOf(eventsOf(file("whole"))));
    rmSync(up.data, { recursive: true });
    await promisify(execFile)("cp", ["-a", data, up.data]);
    await up.up();
    const { spaces } = { spaces: (await alice.client.spaces()).items };
    assert.deepEqual(
      spaces.map(({ id }) => id),
      [app.space],
    );
    const again = await up.deploy(alice, "app");
    assert.equal((await visit(`${again.url}/gpu/hold?seconds=0`, alice)).status, 200);
    await up.stop();
    assert.equal((await run("journal", "export", file("after"), "--data", up.data)).code, 0);
    const after = eventsOf(file("after"));
    const raised = after.findIndex(({ type }) => type === "fences-raised");
    const fresh = fencesOf(after.slice(raised));
    assert.ok(
      raised > 0 && fresh.length > 0 && fresh.every((fence) => fence > given),
      `${fresh.join()} after ${given}`,
    );
  });

  test("a folder with anything in it is left as it is, and a copy with a changed byte is not restored", async () => {
    assert.equal((await run("restore", made.folder, "--data", up.folder)).document["code"], "folder-not-empty");
    const bytes = readFileSync(join(made.folder, "evidence.db"));
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    writeFileSync(join(made.folder, "evidence.db"), bytes);
    const { code, document } = await run("restore", made.folder, "--data", file("other"));
    assert.deepEqual([code, document["code"]], [1, "backup-damaged"]);
    assert.ok(!existsSync(file("other")));
  });

  test("a restore that was cut off is no platform: a start says that the journal is not there", async () => {
    const data = file("half");
    await promisify(execFile)("mkdir", [data]);
    await promisify(execFile)("cp", [join(made.folder, "journal.mark"), data]);
    const { code, out } = await upRefused(data, 0);
    assert.notEqual(code, 0);
    assert.match(out, /the file is missing/);
  });

  test("only an administrator makes one, into a folder that is not there yet and outside the data folder", async () => {
    await up.up();
    const folder = file("second");
    const refused = (client: Account["client"], where: string): Promise<number> =>
      client.backup({ folder: where }).then(
        () => 200,
        (error: unknown) => (error instanceof ApiError ? error.problem.status : assert.fail(String(error))),
      );
    assert.equal(await refused(alice.client, folder), 403);
    assert.equal(await refused(up.admin, made.folder), 409);
    assert.equal(await refused(up.admin, join(up.data, "inside")), 409);
    assert.equal(await refused(up.admin, "relative"), 400);
    assert.ok(!existsSync(folder));
  });
});
