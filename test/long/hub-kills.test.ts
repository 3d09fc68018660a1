/**
 * kill -9 of the server at random instants of pushes and pulls by 200 clients at once: whatever was acknowledged to one of them is there
 * afterwards, whole, and the store is sound. `WAYBILL_TEST_SEED` repeats a run's draws, `WAYBILL_KILLS` is how often.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { prng } from "../../src/stdx/prng.ts";
import { freePort } from "../support/free-port.ts";
import { GitClient } from "../support/git-client.ts";
import { HubClient } from "../support/hub-client.ts";
import { HubLoad } from "../support/hub-load.ts";
import { needs } from "../support/needs.ts";
import { Platform, until } from "../support/platform.ts";
import { sha256 } from "../support/sha256.ts";

const run = promisify(execFile);
const waybill = resolve(import.meta.dirname, "../../bin/waybill.js");
const seed = Number(process.env["WAYBILL_TEST_SEED"] ?? 20_261_130);
const kills = Number(process.env["WAYBILL_KILLS"] ?? 3);
/** It is killed when fewer than so many, drawn anew each time, have come through since its start: all others are somewhere in the middle then. */
const throughMax = 14;
/** On a slow machine not later than this. */
const aliveMaxMs = 20_000;
/** Of git's and of plain HTTP; those of the Python client are beside them, as its processes are large. */
const clients = { push: 60, pull: 40, commit: 50, fetch: 30, lfs: 12, xet: 8 };
const accounts = 8;

const gitLfs = (await needs("git-lfs")).skip;
const pypi = (await needs("gradio")).skip;

describe("kill -9 of the server among 200 clients", () => {
  let up: Platform;
  let git: GitClient;
  let hub: HubClient | undefined;
  before(async () => {
    if (pypi === false) hub = await HubClient.make();
    up = await Platform.start({ gpus: null, port: await freePort() });
    git = new GitClient();
  });
  after(async () => {
    git?.[Symbol.dispose]();
    hub?.[Symbol.dispose]();
    await up?.[Symbol.asyncDispose]();
  });

  test("nothing that was acknowledged is lost, and all that is stored is right", async (t) => {
    const random = prng(seed);
    t.diagnostic(`seed ${seed}`);
    // Draws of its own: in which order clients come to theirs is nobody's to say.
    const load = new HubLoad({ up, git, hub, random: prng(seed + 1), withLfs: gitLfs === false });
    await load.prepare(accounts);
    const all = Promise.all(load.start(clients));
    // Whoever fails for good ends the run at once.
    all.catch(() => undefined);
    for (let n = 0; n < kills; n += 1) {
      const through = load.done + random.int(throughMax);
      const since = performance.now();
      const isTime = (): boolean => load.done >= through || performance.now() - since > aliveMaxMs;
      await Promise.race([until("it has done so much", isTime), all]);
      load.isDown();
      await up.restart();
      load.isUp();
    }
    const promisedBefore = load.promises;
    load.finish();
    await all;
    t.diagnostic(`${kills} kills, ${promisedBefore} promises before the last; ${load.said()}`);
    assert.ok(promisedBefore > 0);
    assert.ok(load.done >= 100, `${load.done} pushes and pulls came through`);

    const promised = await load.check();
    t.diagnostic(promised);
    const env = { ...process.env, WAYBILL_URL: up.url, WAYBILL_TOKEN: up.operatorToken };
    const verified = await run(process.execPath, [waybill, "hub", "verify", "--json"], { env });
    assert.deepEqual((JSON.parse(verified.stdout) as { problems: unknown }).problems, []);
    // What is stored now is stored as before: also after all of it.
    const bytes = random.bytes(2_000);
    assert.equal(sha256(await load.storeOne(bytes)), sha256(bytes));
    if (gitLfs !== false) t.diagnostic(`skipped: git-lfs: ${gitLfs}`);
    if (pypi !== false) t.diagnostic(`skipped: hf_xet: ${pypi}`);
  });
});
