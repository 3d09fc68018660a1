/** Gradio's event stream as the edge reads it while it passes: the real packages, the real clients, the whole platform. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Client } from "@gradio/client";
import { callsOf, endedCall, newestCall } from "../support/calls.ts";
import {
  callByHand,
  endedJoin,
  gradioFiles,
  joinByHand,
  requestsOf,
  resultByHand,
  said,
  told,
} from "../support/gradio-app.ts";
import { needs } from "../support/needs.ts";
import { killProcess, Platform, until, type Account, type App } from "../support/platform.ts";
import { deployWithPackages } from "../support/run.ts";

const { skip } = await needs("gradio");

describe("Gradio's event stream", { skip }, () => {
  let up: Platform;
  let alice: Account;
  let app: App;
  const connect = (): Promise<Client> => Client.connect(app.url, { token: alice.token as `hf_${string}` });
  /** Calls a function with Gradio's own client; resolves with the join's request once that has ended. */
  const ended = async (name: string, input: unknown) => {
    const known = await requestsOf(alice, app.space);
    const client = await connect();
    const result = await client.predict(name, [input]).catch((error: unknown) => error);
    client.close();
    return { join: await endedJoin(alice, app.space, known), result };
  };

  before(async () => {
    up = await Platform.start({ gpus: "1x1" });
    alice = await up.account("alice");
    app = await deployWithPackages(up, alice, "events", gradioFiles);
    assert.equal(app.deployed.ok, true, app.deployed.says);
  });
  after(async () => {
    await up[Symbol.asyncDispose]();
  });

  test("a join's waybill ends when its function has: the record says how long it waited inside the app", async () => {
    const first = await joinByHand(app.url, "slow", [3], alice);
    const second = await joinByHand(app.url, "slow", [0.1], alice);
    assert.match(await first.told, /process_completed/);
    assert.match(await second.told, /process_completed/);
    const { outcome, sentence, entries } = await told(up, second.work);
    assert.equal(outcome, "ok", `${sentence} ${JSON.stringify(entries)} ${await second.told}`);
    assert.match(sentence, /of which it waited [1-3]\S* s inside the app \(1st of 1 in the app's own queue/);
    assert.ok(entries.some(({ hop, mark }) => hop === "app.queue" && mark === "done"));
    const { items } = await alice.client.requests(app.space);
    const listed = items.find(({ id }) => id === second.work);
    assert.deepEqual([listed?.outcome, listed?.status, (listed?.ms ?? 0) > 1_000], ["ok", 200, true]);
  });

  test("while it is open, what is said of it is where it is: inside the app, waiting for a GPU, or running", async () => {
    const running = await joinByHand(app.url, "works", [6], alice);
    await said(up, running.work, ({ links }) => links.length > 0);
    const inTheApp = await joinByHand(app.url, "works", [0.1], alice);
    const forGpu = await joinByHand(app.url, "draws", [0.1], alice);
    const expected = [
      [running, /Its GPU call c_\w+: The function is running/],
      [inTheApp, /^Waiting inside the app: 1st of 1 in the app's own queue/],
      [forGpu, /Its GPU call c_\w+: Waiting for a GPU: 1st of 1/],
    ] as const;
    for (const [{ work }, where] of expected)
      await said(up, work, ({ outcome, sentence }) => outcome === "open" && where.test(sentence));
    await Promise.all([running.told, inTheApp.told, forGpu.told]);
    for (const { work } of [running, inTheApp, forGpu]) assert.equal((await told(up, work)).outcome, "ok");
  });

  test("an error that the app shows is the app's, in its own words", async () => {
    const { join } = await ended("/shown", "no such style");
    const { verdict } = await told(up, join.id);
    assert.deepEqual(
      [verdict?.boundary, verdict?.code, verdict?.owner, verdict?.certainty],
      ["app", "exception", "app", "proved"],
    );
    assert.match(verdict?.sentence ?? "", /no such style/);
    assert.deepEqual([join.status, join.answeredBy, join.outcome], [200, "app", "failed"]);
  });

  test("an error that the app hides stays hidden", async () => {
    const { join } = await ended("/hidden", "x");
    const { verdict, entries } = await told(up, join.id);
    assert.equal(verdict?.code, "exception");
    assert.doesNotMatch(JSON.stringify(entries), /a secret of the app/);
  });

  test("a call that the platform ended is that, never the app's exception", async () => {
    const { join } = await ended("/outlives", 5);
    const { verdict } = await told(up, join.id);
    assert.deepEqual(
      [verdict?.boundary, verdict?.code, verdict?.certainty],
      ["gpu", "lease-expired", "proved"],
      JSON.stringify(verdict),
    );
    assert.match(verdict?.sentence ?? "", /GPU task aborted/);
  });

  test("a function that raised on the GPU is the app's exception", async () => {
    const { join } = await ended("/breaks", "x");
    const { verdict } = await told(up, join.id);
    assert.deepEqual([verdict?.boundary, verdict?.code], ["app", "exception"], JSON.stringify(verdict));
  });

  test("the GPU's memory, by the app's words", async () => {
    const { join } = await ended("/fills", "x");
    const { verdict } = await told(up, join.id);
    assert.deepEqual(
      [verdict?.boundary, verdict?.code, verdict?.owner, verdict?.certainty],
      ["runtime", "device-out-of-memory", "app", "likely"],
    );
  });

  test("a generator by hand, in the language of /call", async () => {
    const { work, event } = await callByHand(app.url, "counts", [5], alice);
    const text = await resultByHand(app.url, "counts", event);
    assert.match(text, /event: complete/);
    const { outcome, entries } = await told(up, work);
    assert.equal(outcome, "ok");
    assert.equal(entries.find(({ hop }) => hop === "edge.deliver")?.facts["updates"], 5);
  });

  test("a visitor who closes the stream is seen to leave, and the platform hears of it", async () => {
    const { work, event } = await callByHand(app.url, "works", [6], alice);
    const leave = new AbortController();
    const reading = fetch(`${app.url}/gradio_api/call/works/${event}`, { signal: leave.signal }).then((answer) =>
      answer.text(),
    );
    reading.catch(() => undefined); // We leave ourselves.
    const call = await until("its call runs", async () =>
      (await alice.client.calls({ account: "alice" })).items.find(
        ({ request, stage }) => request === work && stage === "running",
      ),
    );
    leave.abort();
    const { verdict } = await told(up, work);
    assert.deepEqual([verdict?.boundary, verdict?.code], ["route", "visitor-left"], JSON.stringify(verdict));
    await until("the call is marked", async () =>
      (await up.admin.explain(call.id)).entries.some(({ facts }) => facts["visitorLeft"] === true),
    );
  });

  test("on-leave=stop: a running call is ended when its visitor closes the stream, and when they cancel", async () => {
    await alice.client.changeSpace(app.space, { "on-leave": "stop" });
    const running = (work: string) =>
      until("its call runs", async () => {
        const { items } = await alice.client.calls({ account: "alice" });
        return items.find(({ request, stage }) => request === work && stage === "running");
      });
    const left = await joinByHand(app.url, "works", [15], alice);
    const one = await running(left.work);
    left.leave();
    assert.deepEqual((await endedCall(alice.client, one.id)).code, "gpu/visitor-left");

    const client = await connect();
    const known = await callsOf(alice);
    const job = client.submit("/works", [15]);
    await job.wait_for_id();
    const two = await newestCall(alice, "running", known);
    await job.cancel();
    assert.deepEqual((await endedCall(alice.client, two.id)).code, "gpu/visitor-left");
    client.close();
    await alice.client.changeSpace(app.space, { "on-leave": "finish" });
  });

  test("a cancelled job is the visitor's doing", async () => {
    const known = await requestsOf(alice, app.space);
    const client = await connect();
    const job = client.submit("/slow", [3]);
    await job.wait_for_id();
    await job.cancel();
    const { id } = await endedJoin(alice, app.space, known);
    client.close();
    const { verdict } = await told(up, id);
    assert.deepEqual([verdict?.boundary, verdict?.code], ["route", "visitor-left"]);
    assert.match(verdict?.sentence ?? "", /cancelled/);
  });

  test("kill -9 of the app: what it held ended with it", async () => {
    const own = await up.deploy(alice, "killed", gradioFiles);
    const { work, event } = await callByHand(own.url, "slow", [30], alice);
    const reading = resultByHand(own.url, "slow", event).catch(() => "broken");
    await said(up, work, ({ outcome }) => outcome === "open");
    killProcess((await up.replica(own.space)).app);
    await reading;
    const { verdict } = await told(up, work);
    assert.equal(verdict?.owner, "app", JSON.stringify(verdict));
    assert.match(verdict?.sentence ?? "", /the answer that carried its event \(q_\w+\) ended early/);
  });
});
