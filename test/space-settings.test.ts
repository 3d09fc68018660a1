/** What a Space's settings change, on a running platform with real workers. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { CallView } from "../src/contract/api.ts";
import { Client } from "@gradio/client";
import { callsOf, endedCall, newestCall, running } from "./support/calls.ts";
import { needs } from "./support/needs.ts";
import { Platform, lives, until, visit, type Account, type App } from "./support/platform.ts";
import { deployWithPackages } from "./support/run.ts";

/** L31: a process is gone within a second of its end; the rest is what our polls may take on a busy machine. */
const goneWithinMs = 1_000 + 9_000;

describe("on-leave", () => {
  let up: Platform;
  let alice: Account;
  let app: App;
  before(async () => {
    up = await Platform.start({ gpus: "1x1" });
    alice = await up.account("alice");
    app = await up.deploy(alice, "app");
  });
  after(() => up[Symbol.asyncDispose]());

  const set = (value: "finish" | "stop") => alice.client.changeSpace(app.space, { "on-leave": value });
  const workerOf = async (call: string) => {
    const { entries } = await up.admin.explain(call);
    const pid = entries.find(({ hop }) => hop === "gpu.attach")?.facts["pid"];
    const worker = (await up.replica(app.space)).workers().find((one) => one.pid === pid);
    assert.ok(worker, `the worker of ${call} lives`);
    return worker;
  };
  const rightAfter = async ({ id }: CallView): Promise<void> => {
    const { slots } = await up.admin.gpuBoard();
    assert.ok(
      slots.every(({ call }) => call !== id),
      "its slot is free",
    );
    const next = await visit(`${app.url}/gpu/hold?seconds=0.05`, alice);
    assert.equal(next.status, 200, next.text);
    assert.equal((await endedCall(alice.client, next.call)).outcome, "ok");
    assert.equal((await alice.client.quota()).heldMs, 0);
  };

  test("finish is the default: the function runs on, its time is charged, and the receipt says that its visitor had left", async () => {
    assert.equal((await alice.client.space(app.space)).settings["on-leave"], "finish");
    const run = await running(alice, app, "seconds=1.5");
    const worker = await workerOf(run.call.id);
    run.leave();
    const call = await endedCall(alice.client, run.call.id);
    assert.deepEqual([call.outcome, call.code, call.chargedMs], ["ok", null, call.usedMs]);
    assert.ok(call.chargedMs >= 1_500, `charged ${call.chargedMs} ms`);
    assert.equal((await alice.client.receipt(call.id)).receipt.rule, "visitor-left-running");
    assert.match(
      (await alice.client.explain(call.id)).sentence,
      /Its visitor had left, and it finished\. Charged \d\.\d s/,
    );
    assert.ok(lives(worker), "its worker is warm");
    await rightAfter(call);
  });

  test("stop ends the worker when the visitor leaves: charged until then, by a rule that says so", async () => {
    assert.equal((await set("stop"))["on-leave"], "stop");
    const run = await running(alice, app, "seconds=30");
    const worker = await workerOf(run.call.id);
    const leftAt = performance.now();
    run.leave();
    await until("its worker is gone", () => !lives(worker));
    const goneAfterMs = performance.now() - leftAt;
    assert.ok(goneAfterMs <= goneWithinMs, `gone after ${Math.round(goneAfterMs)} ms`);
    const call = await endedCall(alice.client, run.call.id);
    assert.deepEqual([call.outcome, call.code, call.chargedMs], ["failed", "gpu/visitor-left", call.usedMs]);
    assert.ok(call.chargedMs > 0 && call.chargedMs < 20_000, `charged ${call.chargedMs} ms`);
    assert.equal((await alice.client.receipt(call.id)).receipt.rule, "visitor-stop");
    const { verdict } = await alice.client.explain(call.id);
    assert.deepEqual([verdict?.owner, verdict?.certainty], ["visitor", "proved"]);
    await rightAfter(call);
  });

  test("stop takes a grant back that the app has not attached to, and nothing is charged", async () => {
    const leave = new AbortController();
    const answer = visit(`${app.url}/raw/schedule?seconds=20&wait=1`, alice, { signal: leave.signal }).catch(
      () => undefined, // We leave ourselves.
    );
    const { id } = await newestCall(alice, "granted");
    leave.abort();
    await answer;
    const call = await endedCall(alice.client, id);
    assert.deepEqual([call.code, call.usedMs, call.chargedMs], ["gpu/visitor-left", 0, 0]);
    assert.equal((await alice.client.receipt(id)).receipt.rule, "visitor-stop");
    await rightAfter(call);
  });

  test("a visitor who was cut off by SIGKILL of the platform has not left: the function runs on", async () => {
    const run = await running(alice, app, "seconds=6");
    const worker = await workerOf(run.call.id);
    await up.restart();
    await run.answer;
    assert.ok(lives(worker), "nobody ended it");
    const call = await endedCall(up.admin, run.call.id);
    assert.deepEqual([call.outcome, call.chargedMs], ["ok", call.usedMs]);
  });
});

describe("custom_headers of the front matter", () => {
  test("are on every answer of the app, in place of its own; its own content policy stands beside the Space's", async () => {
    await using up = await Platform.start({ gpus: null });
    const alice = await up.account("alice");
    const { url, deployed } = await up.deploy(alice, "app", {
      "README.md":
        "---\nsdk: node\ndisable_embedding: true\ncustom_headers:\n  cross-origin-opener-policy: same-origin\n---\n",
      "server.js": `
        import { createServer } from "node:http";
        createServer((_, response) => {
          response.setHeader("Cross-Origin-Opener-Policy", "unsafe-none").setHeader("content-security-policy", "img-src *");
          response.end("hello");
        }).listen(process.env.PORT);
      `,
    });
    assert.ok(deployed.ok, deployed.says);
    for (const round of ["", "again, after a restart of the platform"]) {
      if (round !== "") await up.restart();
      const headers = await until("the app answers", async () => {
        const response = await fetch(`${url}/`).catch(() => undefined); // the edge is not back yet
        return response?.status === 200 && response.headers;
      });
      assert.equal(headers.get("cross-origin-opener-policy"), "same-origin");
      assert.equal(headers.get("content-security-policy"), "img-src *, frame-ancestors 'self'");
    }
  });
});

const { skip } = await needs("gradio");
const { skip: noSandbox } = await needs("sandbox");

describe("on-leave=stop in a Gradio app with the unmodified packages", { skip }, () => {
  let up: Platform;
  let alice: Account;
  let app: App;
  before(async () => {
    up = await Platform.start({ gpus: "1x1", sandbox: noSandbox === false ? "bubblewrap" : "none" });
    alice = await up.account("alice");
    app = await deployWithPackages(up, alice, "app", {
      "package.json": "",
      "server.js": "",
      "work.js": "",
      "README.md": '---\nsdk: gradio\nsdk_version: 6.31.0\npython_version: "3.10"\n---\n',
      "app.py": [
        "import time",
        "import gradio as gr",
        "import spaces",
        "",
        "@spaces.GPU(duration=60)",
        "def wait(seconds):",
        "    time.sleep(seconds)",
        "    return seconds",
        "",
        'gr.Interface(wait, "number", "number", api_name="wait").launch()',
        "",
      ].join("\n"),
    });
    assert.equal(app.deployed.ok, true, app.deployed.says);
    await alice.client.changeSpace(app.space, { "on-leave": "stop" });
  });
  after(() => up[Symbol.asyncDispose]());

  const stopped = async (before_: ReadonlySet<string>, leave: () => Promise<unknown>): Promise<void> => {
    const { id } = await newestCall(alice, "running", before_);
    const leftAt = performance.now();
    await leave();
    const call = await endedCall(alice.client, id);
    const tookMs = Math.round(performance.now() - leftAt);
    assert.deepEqual([call.code, call.chargedMs], ["gpu/visitor-left", call.usedMs]);
    assert.ok(
      call.chargedMs > 0 && call.chargedMs <= tookMs + 10_000,
      `charged ${call.chargedMs} ms, ended in ${tookMs} ms`,
    );
    assert.ok(tookMs < 20_000, `ended after ${tookMs} ms`);
    assert.equal((await alice.client.receipt(id)).receipt.rule, "visitor-stop");
  };
  const client = () => Client.connect(app.url, { token: alice.token as `hf_${string}` });
  const works = async (): Promise<void> => {
    const { data } = (await (await client()).predict("/wait", [0.1])) as { data: unknown[] };
    assert.deepEqual(data, [0.1], "the next visitor's call runs");
  };

  test("a visitor who cancels ends the function, where Gradio alone lets it run on", async () => {
    const before_ = await callsOf(alice);
    const job = (await client()).submit("/wait", [40]);
    await stopped(before_, () => job.cancel());
    await works();
  });

  test("a visitor who closes the stream ends it too", async () => {
    const before_ = await callsOf(alice);
    const headers = { authorization: `Bearer ${alice.token}`, "content-type": "application/json" };
    const joined = await fetch(`${app.url}/gradio_api/call/wait`, { method: "POST", headers, body: '{"data":[40]}' });
    const { event_id } = (await joined.json()) as { event_id: string };
    const leave = new AbortController();
    const stream = fetch(`${app.url}/gradio_api/call/wait/${event_id}`, { headers, signal: leave.signal })
      .then((answer) => answer.text())
      .catch(() => undefined); // We leave ourselves.
    await stopped(before_, async () => {
      leave.abort();
      await stream;
    });
    await works();
  });
});
