/** What holds when processes of a running platform are killed, stopped, or told to end: calls, slots, logs, replicas. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { exit } from "../src/cli/exit.ts";
import { readLogFiles } from "../src/log/segments.ts";
import { verifyReceipt } from "../src/receipts/document.ts";
import { callsOf, endedCall, newestCall, running } from "./support/calls.ts";
import {
  Platform,
  killProcess,
  lives,
  slotsAreFree,
  until,
  visit,
  type Account,
  type App,
} from "./support/platform.ts";

const readySoonMs = 90_000;

describe("SIGKILL of the platform", () => {
  let up: Platform;
  let alice: Account;
  let crowd: Account;
  let app: App;
  before(async () => {
    up = await Platform.start();
    alice = await up.account("alice");
    crowd = await up.account("crowd", "unlimited");
    app = await up.deploy(alice, "app");
  });
  after(() => up[Symbol.asyncDispose]());

  test("in the middle of granted calls: they are settled as used, the app lives on, no slot and no hold stays, no log line is lost", async () => {
    const replica = await up.replica(app.space);
    await visit(`${app.url}/count-lines?lines=300`);
    // One ends while the platform is away, the other after it is back.
    const short = await running(alice, app, "seconds=0.6");
    const long = await running(alice, app, "seconds=4");
    await up.kill();
    await until("the short call has ended in the app", () =>
      readLogFiles(replica.folder, 1, 1_000).lines.some(({ text }) => text === `call ${short.call.id}: ok`),
    );
    await up.up();
    const calls = await Promise.all([short, long].map(({ call }) => endedCall(up.admin, call.id)));
    for (const [at, ms] of [600, 4_000].entries()) {
      const call = calls[at];
      assert.ok(call);
      assert.deepEqual([call.outcome, call.code, call.chargedMs], ["ok", null, call.usedMs]);
      assert.ok(call.chargedMs >= ms && call.chargedMs < ms + 4_000, `charged ${call.chargedMs} ms of about ${ms}`);
    }
    assert.ok(lives(replica.app) && lives(replica.shim), "app and shim are the same processes");
    assert.equal((await up.replica(app.space)).id, replica.id);
    assert.equal((await visit(`${app.url}/`)).status, 200);
    const { heldMs, usedMs } = await up.admin.quota({ account: "alice" });
    assert.deepEqual([heldMs, usedMs], [0, calls.reduce((sum, { chargedMs }) => sum + chargedMs, 0)]);
    await slotsAreFree(up);
    await until("the app has counted", async () => (await up.logTexts(app.space)).includes("line 300 of 300"));
    const counted = (await up.logTexts(app.space)).filter((text) => text.startsWith("line "));
    assert.deepEqual(
      counted,
      Array.from({ length: 300 }, (_, n) => `line ${n + 1} of 300`),
    );
  });

  test("while a call is queued: it ends with its visitor, charge 0", async () => {
    const full = await Promise.all(Array.from({ length: 4 }, () => runningOf(crowd)));
    const before = await callsOf(alice);
    const answer = visit(`${app.url}/gpu/hold?seconds=1`, alice).catch(() => undefined); // The platform goes away under it.
    const { id } = await newestCall(alice, "queued", before);
    const held = (await up.admin.quota({ account: "alice" })).heldMs;
    assert.ok(held > 0, "it holds what it may use");
    await up.restart();
    await answer;
    const call = await endedCall(up.admin, id);
    assert.deepEqual([call.code, call.chargedMs], ["gpu/visitor-left", 0]);
    for (const one of full) await endedCall(up.admin, one);
    assert.equal((await up.admin.quota({ account: "alice" })).heldMs, 0);
    await slotsAreFree(up);
  });

  test("twice in a row, and the accounts, Spaces, calls and receipts are what they were", async () => {
    const seen = async (): Promise<unknown> => ({
      space: await up.admin
        .space(app.space)
        .then(({ id, state, addresses, release }) => ({ id, state, addresses, release })),
      calls: (await up.admin.calls({ account: "alice" })).items,
      quota: await up.admin
        .quota({ account: "alice" })
        .then(({ usedMs, heldMs, limitMs }) => ({ usedMs, heldMs, limitMs })),
      receipts: await Promise.all(
        (await up.admin.calls({ account: "alice" })).items.map(async ({ id }) => {
          const document = await up.admin.receipt(id);
          const known = { ...document, log: document.log?.leaf };
          return { known, verifies: (await verifyReceipt(document)).ok };
        }),
      ),
    });
    const before = await seen();
    for (let kill = 1; kill <= 2; kill++) {
      await up.restart();
      await until("the Space runs", async () => (await up.admin.space(app.space)).state === "running");
      assert.deepEqual(await seen(), before);
    }
    assert.equal((await alice.client.whoami()).name, "alice", "tokens are good across restarts");
  });

  test("between a grant and its attachment: the app may still use it, and pays for its use", async () => {
    const own = await up.deploy(alice, "granted");
    const { call, text } = await visit(`${own.url}/raw/schedule?seconds=60`, alice);
    // In an event stream where the call had to wait for a moment.
    const [, allowToken = ""] = /"allowToken":\s*"([^"]+)"/.exec(text) ?? [];
    await up.restart();
    await until("the Space runs", async () => (await up.admin.space(own.space)).state === "running");
    assert.equal((await up.admin.call(call)).stage, "granted");
    assert.equal((await visit(`${own.url}/raw/allow?token=${allowToken}`)).status, 200);
    await until("the call runs", async () => (await up.admin.call(call)).stage === "running");
    assert.equal((await visit(`${own.url}/raw/release?token=${allowToken}`)).status, 200);
    const { outcome, usedMs, chargedMs } = await endedCall(up.admin, call);
    assert.deepEqual([outcome, chargedMs], ["ok", usedMs]);
  });

  for (const how of ["SIGKILL", "SIGSTOP"] as const) {
    test(`/release is answered while the platform has ${how}, and settled afterwards`, async () => {
      const own = await up.deploy(alice, `release-${how.toLowerCase()}`);
      const { app: process } = await up.replica(own.space);
      const direct = `http://127.0.0.1:${process.port}`;
      const { call, token } = await attached(own);
      if (how === "SIGKILL") await up.kill();
      else killPlatform("SIGSTOP");
      try {
        const released = await visit(`${direct}/raw/release?token=${token}`);
        assert.equal(released.status, 200);
      } finally {
        if (how === "SIGKILL") await up.up();
        else killPlatform("SIGCONT");
      }
      const ended = await endedCall(up.admin, call);
      assert.deepEqual([ended.outcome, ended.chargedMs], ["ok", ended.usedMs]);
      assert.equal((await up.admin.quota({ account: "alice" })).heldMs, 0);
    });
  }

  test("/release twice answers twice and charges once; of an unknown token and of another replica's it is refused", async () => {
    const own = await up.deploy(alice, "release");
    const other = await up.deploy(alice, "other");
    const { call, token } = await attached(own);
    const answers = [];
    answers.push(
      await visit(`${own.url}/raw/release?token=nonsense`),
      await visit(`${other.url}/raw/release?token=${token}`),
    );
    assert.equal((await up.admin.call(call)).stage, "running", "neither of these touched it");
    for (let again = 1; again <= 2; again++) answers.push(await visit(`${own.url}/raw/release?token=${token}`));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [404, 404, 200, 200],
    );
    const before = await endedCall(up.admin, call);
    const used = (await up.admin.quota({ account: "alice" })).usedMs;
    assert.equal((await visit(`${own.url}/raw/release?token=${token}`)).status, 200);
    assert.deepEqual(await up.admin.call(call), before);
    assert.equal((await up.admin.quota({ account: "alice" })).usedMs, used);
  });

  const runningOf = async (account: Account): Promise<string> => {
    const before = await callsOf(account);
    void visit(`${app.url}/gpu/hold?seconds=5`, account).catch(() => undefined); // The platform goes away under it.
    return (await newestCall(account, "running", before)).id;
  };
  /** A call whose worker is the app itself. */
  const attached = async (own: App): Promise<{ call: string; token: string }> => {
    const { call, text } = await visit(`${own.url}/raw/schedule?seconds=60`, alice);
    // In an event stream where the call had to wait for a moment.
    const [, allowToken = ""] = /"allowToken":\s*"([^"]+)"/.exec(text) ?? [];
    assert.equal((await visit(`${own.url}/raw/allow?token=${allowToken}`)).status, 200);
    await until("the call runs", async () => (await up.admin.call(call)).stage === "running");
    return { call, token: allowToken };
  };
  const killPlatform = (signal: NodeJS.Signals): void => void process.kill(up.pid, signal);
});

describe("a replica that is killed", () => {
  let up: Platform;
  let alice: Account;
  before(async () => {
    up = await Platform.start();
    alice = await up.account("alice");
  });
  after(() => up[Symbol.asyncDispose]());

  for (const what of ["app", "shim"] as const) {
    test(`SIGKILL of the ${what}: what it started is gone, the Space says so and runs again, its slot is free`, async () => {
      const app = await up.deploy(alice, what);
      await using run = await running(alice, app, "seconds=60");
      const replica = await up.replica(app.space);
      const processes = [replica.app, replica.shim, ...replica.workers()];
      assert.equal(processes.length, 3);
      killProcess(replica[what]);
      const down = await until("a request is refused", async () => {
        const answer = await visit(`${app.url}/`);
        return answer.status === 200 ? undefined : answer;
      });
      assert.ok([502, 503].includes(down.status), String(down.status));
      assert.match(down.text, /"code":"/);
      await until("all its processes are gone", () => processes.every((one) => !lives(one)));
      await until("the Space runs again", async () => (await visit(`${app.url}/`)).status === 200, readySoonMs);
      assert.notEqual((await up.replica(app.space)).id, replica.id);
      const { code, chargedMs } = await endedCall(alice.client, run.call.id);
      assert.deepEqual([code, chargedMs], ["gpu/replica-lost", 0]);
      await slotsAreFree(up);
      assert.equal((await visit(`${app.url}/gpu/hold?seconds=0.1`, alice)).status, 200);
    });
  }

  test("a visitor who leaves a running call pays for it until it ends by itself", async () => {
    const app = await up.deploy(alice, "leaves");
    await using run = await running(alice, app, "seconds=1");
    run.leave();
    const { outcome, chargedMs, usedMs } = await endedCall(alice.client, run.call.id);
    assert.deepEqual([outcome, chargedMs], ["ok", usedMs]);
    assert.ok(chargedMs >= 1_000 && chargedMs < 6_000, String(chargedMs));
  });
});

test("SIGTERM of the platform ends all that it started, in the middle of calls, and nothing else", async () => {
  await using up = await Platform.start();
  await using neighbour = await Platform.start();
  const stranger = spawn("sleep", ["120"], { stdio: "ignore" });
  const theirs = await neighbour.deploy(await neighbour.account("bob"), "app");
  const alice = await up.account("alice");
  const app = await up.deploy(alice, "app");
  await using run = await running(alice, app, "seconds=60");
  const replica = await up.replica(app.space);
  const started = [replica.app, replica.shim, ...replica.workers()];
  assert.equal(await up.stop(), exit.done);
  assert.deepEqual(up.leftovers(), []);
  for (const one of started) assert.equal(lives(one), false);
  assert.equal(stranger.exitCode, null);
  assert.equal((await visit(`${theirs.url}/`)).status, 200);
  stranger.kill();

  await up.up();
  const call = await endedCall(up.admin, run.call.id);
  assert.deepEqual([call.code, call.chargedMs], ["gpu/stopped", 0]);
  await until("the Space runs again", async () => (await visit(`${app.url}/`)).status === 200, readySoonMs);
  assert.equal((await up.admin.quota({ account: "alice" })).heldMs, 0);
});
