/** What people do with a Space, and what becomes of its state when the platform is killed: on a real platform with real apps. */
import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { ApiError } from "../../src/client/errors.ts";
import { Platform, lives, until, visit, type Account, type App } from "../support/platform.ts";
import { versionedApp } from "../support/versioned-app.ts";

let up: Platform;
let alice: Account;
before(async () => {
  up = await Platform.start({ gpus: null });
  alice = await up.account("alice");
  mkdirSync(marks());
});
after(() => up[Symbol.asyncDispose]());

const marks = (): string => `${up.folder}/marks`;
const mark = (name: string): void => writeFileSync(`${marks()}/${name}`, "");
const unmark = (name: string): void => rmSync(`${marks()}/${name}`, { force: true });

async function deploy(name: string, version = "1"): Promise<App> {
  const app = await up.deploy(alice, name, versionedApp(version, marks()));
  assert.equal(app.deployed.ok, true, app.deployed.says);
  return app;
}

const view = ({ space }: App) => alice.client.space(space);
const inState = (app: App, state: string, withinMs = 180_000) =>
  until(`${app.space} is ${state}`, async () => (await view(app)).state === state, withinMs).catch(
    async (error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify((await alice.client.spaceEvents(app.space)).items)}`);
    },
  );
const states = async (app: App): Promise<string[]> => {
  const { items } = await alice.client.spaceEvents(app.space);
  return items.toReversed().flatMap(({ from, to }) => (from === to ? [] : [to]));
};

async function answer(app: App): Promise<{ version: string; pid: number; requests: number }> {
  const { status, text } = await visit(`${app.url}/`, alice);
  assert.equal(status, 200, text);
  return JSON.parse(text) as { version: string; pid: number; requests: number };
}

function refusal(status: number, code: string, says: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ApiError, String(error));
    assert.deepEqual([error.problem.status, error.problem.code], [status, code]);
    assert.match(error.problem.detail, says);
    return true;
  };
}

describe("a paused Space", () => {
  let app: App;
  before(async () => (app = await deploy("paused")));

  test("ends its app, refuses visitors with who paused it, and builds no commit", async () => {
    const old = await up.replica(app.space);
    assert.equal((await alice.client.pause(app.space, { reason: "over the weekend" })).stage, "PAUSED");
    await inState(app, "paused");
    await until("its processes have ended", () => !lives(old.app) && !lives(old.shim));
    const refused = await visit(`${app.url}/`, alice);
    assert.equal(refused.status, 503);
    assert.match(refused.text, /paused by its owner/);
    const { verdict } = await alice.client.explain(refused.work);
    assert.deepEqual([verdict?.code, verdict?.certainty], ["not-running", "proved"]);
    const bytes = [
      { key: "header", value: { summary: "x", description: "" } },
      { key: "file", value: { path: "a.txt", content: "YQ==", encoding: "base64" } },
    ];
    const commit = await alice.client.commit(
      app.space,
      Buffer.from(bytes.map((one) => JSON.stringify(one)).join("\n")),
    );
    assert.deepEqual([commit.build, commit.noBuild?.why], [null, "paused"]);
    assert.match(commit.noBuild?.says ?? "", /over the weekend\. Its owner or the operator can lift that/);
  });

  test("is paused, by the same person and for the same reason, after SIGKILL of the platform, and nothing of it runs", async () => {
    const { since } = await view(app);
    await up.restart();
    const { state, reason, actor, ends, deadline, ...rest } = await view(app);
    assert.deepEqual([state, reason.says, actor.account, deadline], ["paused", "over the weekend", "alice", null]);
    assert.equal(rest.since, since);
    assert.match(ends, /Its owner or the operator/);
    assert.equal(up.leftovers().length, 0);
    const { sentence } = await alice.client.explain(app.space);
    assert.match(
      sentence,
      /^alice\/paused is paused since .*, by alice\. Over the weekend\. Its owner or the operator can lift/,
    );
  });

  test("goes on when its owner resumes it, and a second time is harmless", async () => {
    await alice.client.resume(app.space);
    await inState(app, "running");
    const { pid } = await answer(app);
    await alice.client.resume(app.space);
    assert.equal((await answer(app)).pid, pid);
    assert.deepEqual((await states(app)).slice(-4), ["stopping", "paused", "starting", "running"]);
  });

  test("builds the commit that came while it was paused, once", async () => {
    const built = async (): Promise<readonly string[]> =>
      (await alice.client.builds(app.space)).items.map(({ stage }) => stage);
    await until("the commit is built", async () => (await built()).filter((stage) => stage === "done").length === 2);
    await alice.client.resume(app.space);
    assert.equal((await built()).length, 2);
  });

  test("by the operator: its owner can't restart, rebuild or resume it, and hears why and who can; the operator can", async () => {
    await up.admin.pause(app.space, { reason: "too hot" });
    await inState(app, "paused");
    const no = refusal(403, "paused", /too hot\. Only the operator can lift that/);
    await assert.rejects(alice.client.restart(app.space), no);
    await assert.rejects(alice.client.restart(app.space, { factory: true }), no);
    await assert.rejects(alice.client.resume(app.space), no);
    await alice.client.pause(app.space, { reason: "mine" });
    assert.equal((await view(app)).says, "too hot");
    await up.admin.resume(app.space);
    await inState(app, "running");
  });

  test("by its owner is lifted by a restart, as on the Hub", async () => {
    await alice.client.pause(app.space);
    await inState(app, "paused");
    assert.equal((await alice.client.restart(app.space)).stage, "APP_STARTING");
    await inState(app, "running");
  });
});

describe("a Space that nobody asks for", () => {
  let app: App;
  before(async () => {
    app = await deploy("sleepy");
    await alice.client.changeSpace(app.space, { "sleep-after": "1s" });
  });

  test("goes to sleep; the requests that come then are held, and all are answered by one start", async () => {
    const old = await up.replica(app.space);
    await inState(app, "sleeping");
    await until("its processes have ended", () => !lives(old.app) && !lives(old.shim));
    const bodies = Array.from({ length: 20 }, (_, n) => "x".repeat(n * 10_000));
    const visits = await Promise.all(bodies.map((body) => visit(`${app.url}/`, alice, { method: "POST", body })));
    assert.deepEqual(new Set(visits.map(({ status }) => status)), new Set([200]));
    assert.equal(new Set(visits.map(({ text }) => (JSON.parse(text) as { pid: number }).pid)).size, 1);
    const { entries } = await alice.client.explain(visits[0]?.work ?? "");
    assert.ok(
      entries.some(({ hop, mark: how }) => hop === "edge.wake" && how === "done"),
      JSON.stringify(entries),
    );
    const woken = (await alice.client.spaceEvents(app.space)).items.find(({ to }) => to === "waking");
    assert.deepEqual([woken?.actor.kind, woken?.actor.account], ["visitor", "alice"]);
  });

  test("sleeps on through SIGKILL of the platform, and the next request wakes it", async () => {
    await inState(app, "sleeping");
    const { since } = await view(app);
    await up.restart();
    const { state, since: still } = await view(app);
    assert.deepEqual([state, still], ["sleeping", since]);
    assert.equal((await answer(app)).version, "1");
  });

  test("killed while it wakes up, the platform brings it up all the same", async () => {
    await inState(app, "sleeping");
    mark("slow");
    const cut = visit(`${app.url}/`, alice).catch(() => undefined); // The kill breaks it.
    await inState(app, "waking");
    await up.restart();
    await cut;
    assert.ok(["waking", "running"].includes((await view(app)).state), JSON.stringify(await view(app)));
    assert.equal((await answer(app)).version, "1");
    unmark("slow");
  });

  test("frozen, it keeps its process and goes on within a moment", async () => {
    await alice.client.changeSpace(app.space, { "sleep-mode": "freeze" });
    await answer(app);
    const { pid } = await answer(app);
    await inState(app, "sleeping");
    const from = performance.now();
    const woken = await answer(app);
    const tookMs = performance.now() - from;
    assert.equal(woken.pid, pid, "the same process");
    assert.ok(tookMs < 20_000, `answered after ${Math.round(tookMs)} ms`);
  });

  test("frozen, it is frozen after SIGKILL of the platform too", async () => {
    const { pid } = await answer(app);
    await inState(app, "sleeping");
    await up.restart();
    assert.equal((await view(app)).state, "sleeping");
    assert.equal((await answer(app)).pid, pid);
  });
});

describe("a Space with two releases", () => {
  let app: App;
  before(async () => {
    app = await deploy("versions", "1");
    await deploy("versions", "2");
  });

  test("goes back to the one before without a build, and no request is refused meanwhile", async () => {
    assert.equal((await answer(app)).version, "2");
    const { build } = await view(app);
    const seen: string[] = [];
    let over = false;
    const visitor = (async () => {
      while (!over) seen.push((await answer(app)).version);
    })();
    await alice.client.rollBack(app.space);
    await until("version 1 answers", () => seen.includes("1"));
    over = true;
    await visitor;
    assert.equal(seen.lastIndexOf("2") < seen.indexOf("1"), true, "the switch is one");
    assert.equal((await view(app)).build?.id, build?.id, "nothing was built");
    const { items } = await alice.client.releases(app.space);
    assert.deepEqual(
      items.map(({ current }) => current),
      [false, true],
    );
  });

  test("and forward again by name, also after SIGKILL of the platform; what is not its own is not found", async () => {
    await up.restart();
    assert.equal((await answer(app)).version, "1");
    const [newest] = (await alice.client.releases(app.space)).items;
    await alice.client.rollBack(app.space, { release: newest?.id });
    await until("version 2 answers", async () => (await answer(app)).version === "2");
    await assert.rejects(
      alice.client.rollBack(app.space, { release: "rel_none" }),
      refusal(404, "not-found", /has no release/),
    );
  });

  test("the old one serves on where the next never listens, and why is said", async () => {
    mark("silent");
    const failed = await up.deploy(alice, "versions", versionedApp("3", marks()));
    unmark("silent");
    assert.equal(failed.deployed.ok, false);
    assert.equal((await answer(app)).version, "2");
    assert.equal((await view(app)).state, "running");
    const { items } = await alice.client.spaceEvents(app.space);
    await until("it is given up", async () =>
      (await alice.client.spaceEvents(app.space)).items.some(({ reason }) => /never answered/.test(reason.says)),
    ).catch(() => assert.fail(JSON.stringify(items.slice(0, 6))));
  });
});

describe("replicas", () => {
  let app: App;
  before(async () => (app = await deploy("many")));

  test("as many run as are wanted, and requests go to all of them; 0 stops it and says so", async () => {
    await alice.client.changeSpace(app.space, { replicas: "3" });
    const pids = new Set<number>();
    await until("three processes answer", async () => {
      await Promise.all(Array.from({ length: 6 }, async () => pids.add((await answer(app)).pid)));
      return pids.size === 3;
    });
    await alice.client.changeSpace(app.space, { replicas: "0" });
    await inState(app, "stopped");
    assert.equal((await visit(`${app.url}/`, alice)).status, 503);
    await assert.rejects(alice.client.restart(app.space), refusal(409, "conflict", /replicas=1. starts it/));
    assert.match((await alice.client.explain(app.space)).sentence, /alice set replicas to 0/i);
    await alice.client.changeSpace(app.space, { replicas: "1" });
    await inState(app, "running");
    assert.equal((await alice.client.runtime(app.space)).replicas.current, 1);
  });

  test("hardware that the platform has not is refused by name; what it has starts the app anew", async () => {
    await assert.rejects(
      alice.client.changeSpace(app.space, { hardware: "a100-large" }),
      refusal(400, "invalid", /no hardware "a100-large"; it has cpu-basic/),
    );
    const { pid } = await answer(app);
    await alice.client.changeSpace(app.space, { hardware: "cpu-basic" });
    await until("another process answers", async () => (await answer(app)).pid !== pid);
  });
});
