/** The whole of ZeroGPU with the unmodified packages: an app with functions of every kind, called with both of Gradio's clients. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { deviceApiTimes } from "../src/gpu/device-api.ts";
import { browserCaller } from "./support/browser.ts";
import { callsOf, endedCall, newestCall } from "./support/calls.ts";
import { httpCaller, type Said } from "./support/gradio-callers.ts";
import { needs } from "./support/needs.ts";
import { Platform, isRunning, killProcess, slotsAreFree, until, visit } from "./support/platform.ts";
import { assertEnded, kindsWith, withoutExits } from "./support/zerogpu-kinds.ts";
import { ZeroGpuSpace, type Visitor } from "./support/zerogpu-world.ts";

const { skip } = await needs("gradio");
const { skip: noSandbox } = await needs("sandbox");
const { skip: noExits } = await needs("exits");
const { skip: noChromium } = await needs("chromium");
const kinds = kindsWith(noExits === false ? {} : withoutExits);
/** Gradio and its packages start in seconds, on a busy machine in more. */
const againWithinMs = 300_000;

describe("ZeroGPU on Gradio 6.31", { skip }, () => {
  let up: Platform;
  let space: ZeroGpuSpace;
  let node: Visitor;
  let python: Visitor;

  before(async () => {
    up = await Platform.start({ gpus: "1x2", sandbox: noSandbox === false ? "bubblewrap" : "none" });
    space = await ZeroGpuSpace.deploy(up, await up.account("owner"), "kinds", { gradio: "6.31.0" });
    [node, python] = space.visitors;
  });
  after(async () => {
    await space?.[Symbol.asyncDispose]();
    await up?.[Symbol.asyncDispose]();
  });

  /** Both slots for so long; resolves when they are taken. */
  const fill = async (seconds: number): Promise<{ readonly held: Promise<readonly unknown[]> }> => {
    const held: Promise<unknown>[] = [];
    for (let slot = 0; slot < 2; slot++) {
      const before_ = await callsOf(node.account);
      held.push(space.say(node, "holds", seconds).then(({ result }) => result));
      await newestCall(node.account, "running", before_);
    }
    return { held: Promise.all(held) };
  };

  test("the app sees what Spaces show, and nothing of the driver", async () => {
    const { result } = await space.say(node, "surroundings", 0);
    const { id } = await up.replica(space.app.space);
    const { device, ...seen } = result as Record<string, unknown>;
    assert.deepEqual(seen, {
      SPACES_ZERO_GPU: "1",
      SYSTEM: "spaces",
      SPACE_ID: "owner/kinds",
      SPACE_HOST: "owner-kinds.localhost",
      SPACE_AUTHOR_NAME: "owner",
      SPACE_REPO_NAME: "kinds",
      SPACE_TITLE: "Every kind",
      SPACE_CREATOR_USER_ID: "owner",
      GRADIO_SERVER_NAME: noSandbox === false ? "0.0.0.0" : "127.0.0.1",
      GRADIO_SERVER_PORT: seen["GRADIO_SERVER_PORT"],
      GRADIO_ANALYTICS_ENABLED: "False",
      cgroup: `0::/${id}\n1:devices:/${id}\n`,
      driver: false,
    });
    assert.match(String(device), /^http:\/\/127\.0\.0\.1:\d+\/\w{20,}$/);
  });

  for (const kind of kinds) {
    test(`${kind.says} (${kind.api}): its outcome, its charge, its verdict, with both clients`, async () => {
      // Two calls that the owner pays for cannot be told apart, so they follow each other.
      const atOnce = kind.paidBy === "owner" ? space.visitors.map((visitor) => [visitor]) : [space.visitors];
      for (const visitors of atOnce)
        for (const ended of await Promise.all(visitors.map((visitor) => space.call(visitor, kind))))
          assertEnded(kind, ended);
    });
  }

  test("a call is known by its function's name, by whichever way it was asked for", async () => {
    await using http = httpCaller();
    const { account } = node;
    for (const visitor of [node, python, { account, caller: http }]) {
      const { call, explained } = await space.call(visitor, { api: "worker", x: 0 });
      const schedule = explained.entries.find(({ hop }) => hop === "gpu.schedule");
      assert.equal(schedule?.facts["endpoint"], "/worker", `${visitor.caller.name}, ${call.id}`);
    }
    const asked = { space: space.app.space, declaredMs: 10_000, endpoint: "/worker" };
    assert.ok(((await account.client.quote(asked)).usual?.runs ?? 0) >= 3, "a quote goes by its runs");
  });

  test("L31: a worker that goes on past its lease is gone within a second of it, by its own clock", async () => {
    await space.call(node, { api: "overstays", x: 10 });
    const { result } = await space.say(node, "marks", 0);
    const livedMs = Number(result) * 1_000;
    assert.ok(livedMs > 1_900 && livedMs < 8_000, `lived ${livedMs} ms of a lease of 2000 ms`);
  });

  test("a warm worker is used again, of each function its own, also where two functions share a slot", async () => {
    const pidOf = async (api: string): Promise<string> => (await space.call(node, { api, x: 0 })).said.result as string;
    const first = await pidOf("worker");
    assert.equal(await pidOf("worker"), first);
    const other = await pidOf("other_worker");
    assert.equal(await pidOf("worker"), first, "it waited on the other slot");
    assert.equal(await pidOf("other_worker"), other);
    const before = await callsOf(python.account);
    const filling = space.say(python, "holds", 2);
    await newestCall(python.account, "running", before);
    // One slot is left: each of the two takes it from the other.
    const taken = [await pidOf("worker"), await pidOf("other_worker"), await pidOf("worker"), await pidOf("worker")];
    assert.equal(new Set(taken.slice(0, 3)).size, 3, taken.join());
    assert.equal(taken[3], taken[2]);
    assert.equal((await filling).result, "held 2");
    await slotsAreFree(up);
  });

  // Of a plain process nobody can tell whose daemon it is, once it is nobody's child.
  test(
    "a daemon that a function leaves behind ends with its worker, and the slot is another's",
    { skip: noSandbox },
    async () => {
      // A number that no other process sleeps for.
      const seconds = 80_000 + (process.pid % 10_000);
      const { said } = await space.call(node, { api: "leaves_a_daemon", x: seconds });
      assert.equal(said.result, "left");
      assert.ok(isRunning(["sleep", String(seconds)]), "it lives beside its warm worker");
      const { held } = await fill(2);
      assert.deepEqual(await held, ["held 2", "held 2"]);
      assert.equal(isRunning(["sleep", String(seconds)]), false);
      await slotsAreFree(up);
    },
  );

  test("SIGKILL of workers that idle: their slots are free, and the next call has one of its own", async () => {
    const { result: pid } = await space.say(node, "worker", 0);
    for (const fork of (await up.replica(space.app.space)).forks()) killProcess(fork);
    await until("all slots are free", async () =>
      (await up.admin.gpuBoard()).slots.every(({ stage }) => stage === "free"),
    );
    const next = await space.call(node, { api: "worker", x: 0 });
    assert.equal(next.call.outcome, "ok");
    assert.notEqual(next.said.result, pid);
  });

  test("two calls of one function at once run on two slots; neither waits", async () => {
    const both = await Promise.all(space.visitors.map((visitor) => space.call(visitor, { api: "holds", x: 2 })));
    for (const { call } of both) assert.ok(call.queuedMs < 1_500, `waited ${call.queuedMs} ms`);
  });

  describe("where all slots are taken", () => {
    test("a call that waits too long is told so, pays nothing, and its quota has not moved", async () => {
      const quota = async (): Promise<unknown> => {
        const { usedMs, heldMs } = await up.admin.quota({ account: python.account.name });
        return { usedMs, heldMs };
      };
      const before_ = await quota();
      const queueLimitMs = 1_000;
      await up.admin.changePool("main", { queueLimitMs });
      const { held } = await fill(6);
      const { said, call, explained } = await space.call(python, { api: "plain", x: 1 });
      assert.match(said.error ?? "", /No GPU/);
      assert.deepEqual([call.outcome, call.code, call.chargedMs, call.usedMs], ["refused", "gpu/queue-timeout", 0, 0]);
      assert.ok(call.queuedMs >= queueLimitMs && call.queuedMs < queueLimitMs + 4_000, `waited ${call.queuedMs} ms`);
      const { verdict } = explained;
      assert.deepEqual(
        [verdict?.code, verdict?.certainty, verdict?.known],
        ["queue-timeout", "proved", "waiting-is-free"],
      );
      assert.ok(verdict?.ruledOut["app"] && verdict.ruledOut["runtime"], "the function was never entered");
      assert.deepEqual(await quota(), before_);
      assert.deepEqual(await held, ["held 6", "held 6"]);
      await up.admin.changePool("main", { queueLimitMs: 60_000 });
    });

    test("a call whose stream breaks while it waits comes back for the same call, with its place", async () => {
      const { held } = await fill(12);
      const before_ = await callsOf(python.account);
      const waiting = space.say(python, "plain", 2);
      const { id, at } = await newestCall(python.account, "queued", before_);
      const streamed = async (): Promise<boolean> =>
        (await up.admin.call(id)).queuedMs > deviceApiTimes.plainWithinMs + 500;
      await until("its answer has begun as a stream", streamed);
      // Those who hold have no connection to the Device API: it is the waiting call's that breaks.
      assert.ok(Number((await space.say(node, "drops_streams", 0)).result) >= 1);
      assert.equal((await waiting).result, "plain 2");
      const ended = await endedCall(python.account.client, id);
      assert.deepEqual([ended.outcome, ended.at, ended.declaredMs], ["ok", at, 60_000]);
      const since = [...(await callsOf(python.account))].filter((call) => !before_.has(call));
      assert.deepEqual(since, [id], "one call, not two");
      assert.deepEqual(await held, ["held 12", "held 12"]);
    });
  });

  test("a function that Gradio runs one at a time waits in the app: its second call asks for a GPU when the first has ended", async () => {
    const both = await Promise.all(
      space.visitors.map((visitor) => space.call(visitor, { api: "one_at_a_time", x: 1 })),
    );
    const [first, second] = both.toSorted((a, b) => a.call.at.localeCompare(b.call.at));
    assert.ok(first && second);
    const apartMs = Date.parse(second.call.at) - Date.parse(first.call.at);
    assert.ok(apartMs >= 1_000, `asked ${apartMs} ms after the first`);
    for (const { said, call } of both) {
      assert.equal(said.result, "held 1");
      assert.ok(call.queuedMs < 1_000, `waited ${call.queuedMs} ms for a GPU`);
    }
    const joined = second.call.request ?? "";
    const explained = await until("its request has ended", async () => {
      const told = await up.admin.explain(joined);
      return told.outcome === "open" ? undefined : told;
    });
    assert.match(explained.sentence, /waited \S+ m?s inside the app/);
  });

  describe("a visitor without an account", () => {
    const stranger = (): Visitor => space.stranger(node.caller);

    test("is billed by address", async () => {
      const { said, call, receipt } = await space.call(stranger(), { api: "plain", x: 5 });
      assert.equal(said.result, "plain 5");
      assert.deepEqual([receipt.account, receipt.billedBy], ["address:127.0.0.1", "address"]);
      assert.ok(call.chargedMs > 0 && call.chargedMs === call.usedMs);
    });

    test("is refused with both numbers what is too likely to take longer than what is left", async () => {
      const { said, call, explained } = await space.call(stranger(), { api: "greedy", x: 0 });
      assert.match(
        said.error ?? "",
        // Strangers share an address: the call before has used some of it, and more of it on a slow machine.
        /^Too little GPU time left .*: 1(?:20|1\d(?:\.\d)?) s of 120 s .* asks for 280 s\. Nothing was charged\.$/,
      );
      assert.deepEqual([call.outcome, call.code, call.heldMs], ["refused", "gpu/quota-exceeded", 0]);
      assert.deepEqual([explained.verdict?.certainty, explained.verdict?.charge?.chargedMs], ["proved", 0]);
    });

    test("gets what is left, once the function has been seen to take less", async () => {
      await space.call(python, { api: "greedy", x: 0.1 });
      const { said, call } = await space.call(stranger(), { api: "greedy", x: 0.1 });
      assert.equal(said.result, "greedy");
      assert.deepEqual([call.outcome, call.declaredMs], ["ok", 280_000]);
      assert.ok(call.heldMs > 0 && call.heldMs < 120_000, `held ${call.heldMs} ms`);
      const { heldMs } = await up.admin.quota({ account: call.account });
      assert.equal(heldMs, 0);
    });

    test(
      "at a browser sees results, what a function gives meanwhile, and why it failed",
      { skip: noChromium },
      async () => {
        await using caller = await browserCaller();
        const round = ["plain", "count", "raises_for_visitors", "exits", "overstays", "too_long"];
        for (const kind of kinds.filter(({ api }) => round.includes(api)))
          assertEnded(kind, await space.call(space.stranger(caller), kind), "address");
      },
    );
  });

  test("the same Space as a plain process: the same ends, charges and verdicts", { skip: noSandbox }, async () => {
    await up.stop();
    await up.up({ sandbox: "none" });
    await until("the Space runs again", async () => (await visit(space.app.url)).status === 200, againWithinMs);
    const round = ["plain", "count_and_fail", "exits", "is_killed", "overstays", "gives_a_lock"];
    for (const kind of kinds.filter(({ api }) => round.includes(api)))
      for (const ended of await Promise.all(space.visitors.map((visitor) => space.call(visitor, kind))))
        assertEnded(kind, ended);
  });

  test("SIGKILL of the app in the middle of running calls and a waiting one: all are told, none is charged, and it runs again", async () => {
    // No client in between: Gradio's own wait for ever on a connection that they have had before.
    await using caller = httpCaller();
    // An account of its own: three kills in a day are free.
    const visitor = { account: await up.account("killed", "pro"), caller };
    const begun: { readonly id: string; readonly said: Promise<Said> }[] = [];
    for (const stage of ["running", "running", "queued"] as const) {
      const known = await callsOf(visitor.account);
      const said = space.say(visitor, "holds", 20);
      begun.push({ id: (await newestCall(visitor.account, stage, known)).id, said });
    }
    killProcess((await up.replica(space.app.space)).app);
    for (const { id, said } of begun) {
      assert.match((await said).error ?? "", /broke|50[23]/);
      const { code, chargedMs } = await endedCall(up.admin, id);
      assert.deepEqual([code, chargedMs], ["gpu/replica-lost", 0]);
      assert.equal((await up.admin.explain(id)).verdict?.certainty, "proved");
    }
    await until("the Space runs again", async () => (await visit(space.app.url)).status === 200, againWithinMs);
    await slotsAreFree(up);
    const again = await space.call(visitor, { api: "plain", x: 1 });
    assert.equal(again.said.result, "plain 1");
  });
});
