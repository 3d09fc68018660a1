/** The edge as processes of its own, beside a real platform: what it goes on with when the server, a worker or itself is ended. */
import assert from "node:assert/strict";
import { Agent } from "node:http";
import { after, before, describe, test } from "node:test";
import type { StatusView } from "../src/contract/status.ts";
import { isAlive, Role } from "./support/cluster.ts";
import { Echo, get, loadApp, loadOf, Stream, upload, well } from "./support/edge-load.ts";
import { freePort } from "./support/free-port.ts";
import { Platform, until, visit, type Account, type App } from "./support/platform.ts";

/** Which of the workers takes a connection is the system's choice. */
const eventsMax = 60;
/** Speaks as Gradio does of one event for each session, which ends as soon as it is joined. */
const gradioLike = `
  import { createServer } from "node:http";
  import { randomBytes } from "node:crypto";
  const streams = new Map();
  createServer((request, response) => {
    const url = new URL(request.url, "http://app");
    if (url.pathname.endsWith("/queue/data")) {
      response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
      return streams.set(url.searchParams.get("session_hash"), response);
    }
    let body = "";
    request.on("data", (part) => (body += part)).on("end", () => {
      if (!url.pathname.endsWith("/queue/join")) return response.end("ok");
      const event_id = randomBytes(16).toString("hex");
      response.end(JSON.stringify({ event_id }));
      const stream = streams.get(JSON.parse(body).session_hash);
      for (const told of [{ msg: "process_starts" }, { msg: "process_completed", output: { data: [] }, success: true }])
        stream.write("data: " + JSON.stringify({ ...told, event_id }) + "\\n\\n");
      stream.end();
    });
  }).listen(process.env.PORT);
`;

describe("waybill edge", () => {
  let up: Platform;
  let edge: Role;
  let alice: Account;
  let app: App;
  let sleepy: App;
  let gradio: App;
  before(async () => {
    up = await Platform.start({ apart: await freePort(), gpus: null, service: true });
    edge = new Role("edge", ["edge", "--data", up.data, "--workers", "2", "--drain", "60"], {});
    await edge.start().ready;
    alice = await up.account("alice");
    app = await up.deploy(alice, "app", { "server.js": loadApp });
    sleepy = await up.deploy(alice, "sleepy", { "server.js": loadApp });
    gradio = await up.deploy(alice, "gradio", { "server.js": gradioLike });
    for (const { deployed } of [app, sleepy, gradio]) assert.ok(deployed.ok, deployed.says);
  });
  after(async () => {
    await edge?.end("SIGTERM");
    await up?.[Symbol.asyncDispose]();
  });

  const workers = async () => (await up.admin.status()).edge ?? [];
  const settled = () =>
    until("two workers with whole copies", async () => {
      const all = await workers();
      return all.length === 2 && all.every(({ behind, heardMs }) => behind === 0 && heardMs !== null) && all;
    });

  test("carries apps and console, and the status tells of its workers' copies", async () => {
    await well(get(app.url));
    const all = await settled();
    assert.deepEqual(all.map(({ name }) => name).sort(), ["edge-1", "edge-2"]);
  });

  test("a refusal that comes before the body was read arrives, and what is asked next on its connection is answered", async () => {
    const body = "x".repeat(1 << 20);
    const refused = await Promise.all(
      Array.from({ length: 40 }, () => visit(`${up.url}/api/tokens`, undefined, { method: "POST", body })),
    );
    assert.deepEqual(
      refused.map(({ status }) => status),
      refused.map(() => 401),
    );
    for (const _ of refused) await up.admin.status();
  });

  test("a Gradio event is followed to its end whichever worker its join and its stream reach", async () => {
    await settled();
    let apart = 0;
    for (let n = 0; n < eventsMax && apart < 3; n++) {
      const session = `session${n}`;
      const told = new Stream(`${gradio.url}/gradio_api/queue/data?session_hash=${session}`);
      await until("its stream is open", () => told.work !== "");
      const joined = await get(`${gradio.url}/gradio_api/queue/join`, {
        body: Buffer.from(JSON.stringify({ data: [], fn_index: 0, session_hash: session })),
        headers: { "content-type": "application/json" },
      });
      assert.equal(joined.status, 200);
      const work = String(joined.headers["x-waybill-id"]);
      await until("its stream has ended", () => told.broken !== undefined);
      const ended = await until("its join is told as over", async () => {
        const story = await up.admin.explain(work);
        return story.entries.some(({ hop }) => hop === "edge.deliver") && story;
      });
      const end = ended.entries.find(({ hop }) => hop === "edge.deliver");
      assert.equal(end?.facts["event"], (JSON.parse(joined.text) as { event_id: string }).event_id);
      const links = ended.entries.flatMap(({ facts }) => facts["link"] ?? []);
      assert.ok(links.includes(told.work), JSON.stringify(ended.entries));
      const stream = await until("its stream is told", async () => {
        const { entries } = await up.admin.explain(told.work);
        return entries.length > 0 && entries;
      });
      if (stream[0]?.emitter !== end?.emitter) apart += 1;
    }
    assert.ok(apart > 0, `none of ${eventsMax} joins reached another worker than its stream`);
  });

  test("a token that is revoked is refused by every worker within a second", async () => {
    const made = await up.admin.createNodeToken("n9");
    const ask = () => get(app.url, { headers: { authorization: `Bearer ${made.token}` } });
    for (let n = 0; n < 20; n++) assert.equal((await ask()).status, 403, "known, and not for visits");
    await up.admin.createNodeToken("n9");
    const revokedAt = performance.now();
    let known = 0;
    while (performance.now() - revokedAt < 1_000)
      if ((await ask()).status === 403) known = performance.now() - revokedAt;
    console.log(`the last answer by a revoked token came ${Math.round(known)} ms after it was revoked`);
    for (let n = 0; n < 40; n++) assert.equal((await ask()).status, 401);
  });

  test("new workers take the places of the old ones under load: nothing is refused, broken or lost", async () => {
    const before = (await settled()).map(({ pid }) => pid);
    const kept = new Agent({ keepAlive: true });
    const loads = [loadOf(4, () => well(get(app.url, { agent: kept }))), loadOf(4, () => well(get(app.url)))];
    const stream = new Stream(`${app.url}/events`);
    const echo = new Echo(app.url, new URL(app.url).host);
    const uploading = upload(`${app.url}/count`);
    await until("all are under way", () => stream.events > 5 && echo.echoed > 5);
    process.kill(edge.pid, "SIGHUP");
    await until("others serve", async () => {
      const now = (await workers()).map(({ pid }) => pid);
      return (
        before.every((pid) => !isAlive(pid) || now.includes(pid)) &&
        now.filter((pid) => !before.includes(pid)).length === 2
      );
    });
    const { events } = stream;
    const { echoed } = echo;
    await until(
      "streams go on through the workers that are left",
      () => stream.events > events + 20 && echo.echoed > echoed + 20,
    );
    const { sent, counted, status } = await uploading.end();
    for (const load of loads) await load.stop();
    kept.destroy();
    assert.deepEqual([stream.broken, echo.broken], [undefined, undefined]);
    stream.stop();
    echo.stop();
    assert.deepEqual([status, counted], [200, sent]);
    assert.deepEqual(
      loads.flatMap(({ failures }) => failures),
      [],
    );
    assert.ok(
      loads.every(({ answered }) => answered > 20),
      "they were under load",
    );
    await until("the old ones have ended", () => before.every((pid) => !isAlive(pid)));
    await settled();
  });

  test("a worker that is killed is followed by another, and what it carried is told by its name", async () => {
    const all = await settled();
    const streams = [1, 2, 3, 4].map(() => new Stream(`${app.url}/events`));
    await until("entries of what is open are written", () => streams.every(({ events }) => events > 80));
    for (const { pid } of all) process.kill(pid, "SIGKILL");
    await until("their visitors see it", () => streams.every(({ broken }) => broken !== undefined));
    await well(get(app.url));
    const works = streams.map(({ work }) => work);
    await settled();
    for (const work of works) {
      const verdict = await until("its verdict", async () => {
        const told = (await up.admin.explain(work)).verdict;
        return told?.code === "control-down" && told;
      });
      assert.match(verdict.sentence, /The edge worker edge-\d+ that carried this request ended/);
    }
  });

  test("goes on without a server: apps are served, and what needs the server says that it is away", async () => {
    await alice.client.changeSpace(sleepy.space, { "sleep-after": "1s" });
    await until("it sleeps", async () => (await up.admin.space(sleepy.space)).state === "sleeping");
    const { token } = await up.admin.createToken({ account: "late", create: true, tier: "free" });
    await well(get(app.url, { headers: { authorization: `Bearer ${alice.token}` } }));
    await settled();
    const mine = { authorization: `Bearer ${alice.token}` };
    const loads = [loadOf(2, () => well(get(app.url))), loadOf(2, () => well(get(app.url, { headers: mine })))];
    const stream = new Stream(`${app.url}/events`);
    await up.kill();
    const asleep = await visit(sleepy.url);
    assert.deepEqual([asleep.status, asleep.headers.get("retry-after")], [503, "5"]);
    assert.match(asleep.text, /The control plane is away since .*"code":"control-down"/);
    const unseen = await get(app.url, { headers: { authorization: `Bearer ${token}` } });
    assert.match(unseen.text, /was not seen here before/);
    const console = await visit(`${up.url}/api/tiers`);
    assert.deepEqual([console.status, console.headers.get("proxy-status")?.includes("control-down")], [503, true]);
    const last = JSON.parse((await get(`${up.url}/api/status`)).text) as StatusView;
    assert.equal(last.isLastKnown, true);
    assert.ok(Date.parse(last.asOf ?? "") <= Date.now() && last.boundaries?.length === 9);
    assert.deepEqual([last.isolation, last.edge], [null, null], "no more than strangers are told");
    await up.up();
    await settled();
    const { events } = stream;
    await until("the stream goes on", () => stream.events > events + 10);
    for (const load of loads) await load.stop();
    assert.deepEqual(
      loads.flatMap(({ failures }) => failures),
      [],
    );
    assert.equal(stream.broken, undefined);
    stream.stop();
    await well(get(app.url, { headers: { authorization: `Bearer ${token}` } }));
    await well(get(sleepy.url));
    const told = await until(
      "what was refused meanwhile is told",
      async () => (await up.admin.explain(asleep.work)).verdict,
    );
    assert.deepEqual([`${told.boundary}/${told.code}`, told.certainty], ["route/control-down", "proved"]);
  });
});
