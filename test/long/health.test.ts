/** When an app is ready, when it no longer is, and what is said of one that listens elsewhere. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { launch } from "../../src/runtime/launch.ts";
import { durationMs } from "../../src/stdx/time.ts";
import { bench, dial, textOf, tools, until, watch, type PlanOptions, type Started } from "../support/replicas.ts";

const replicas = bench();
after(() => replicas[Symbol.asyncDispose]());
const everyMs = durationMs(200);

interface Options extends Partial<PlanOptions> {
  readonly path?: string;
  readonly portGiven?: boolean;
}

async function start(app: string, { path, portGiven, ...options }: Options = {}): Promise<Started> {
  const made = replicas.plan({ "app.js": app }, options);
  const plan = {
    ...made,
    spec: { ...made.spec, health: { path: path ?? null, everyMs } },
    release: { ...made.release, ...(portGiven === undefined ? {} : { portGiven }) },
  };
  return watch(await launch(plan, tools), plan);
}

async function get(one: Started, connection: number, path = "/"): Promise<string> {
  const stream = dial(one.link.status().socket ?? "", { connection });
  stream.write(`GET ${path} HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n`);
  return textOf(stream);
}

async function stop(one: Started): Promise<void> {
  one.link.send({ type: "stop", graceMs: 2_000, why: "the test is over" });
  await one.untilPhase("stopped");
  one.link.close();
}

const says = (one: Started, text: string | RegExp): Promise<unknown> =>
  until(`the log says ${text}`, async () =>
    (await one.logTexts()).find((line) => (typeof text === "string" ? line === text : text.test(line))),
  );

describe("an app with a health path", () => {
  const app = `let status = 503, unwell = 0;
    require("node:http").createServer((request, to) => {
      if (request.url === "/health") {
        if (status === 503 && ++unwell > 3) status = 404;
        return void to.writeHead(status).end();
      }
      if (request.url === "/well") status = 204;
      if (request.url === "/ill") status = 500;
      if (request.url === "/mute") return;
      to.end("hi");
    }).listen(process.env.PORT, "127.0.0.1");`;

  test("is ready when it answers there, and not when it listens", async () => {
    const one = await start(app, { path: "/health" });
    await says(one, "The app listens, but /health answers 503: waiting for that.");
    await one.untilPhase("ready");
    await stop(one);
  });

  test("that answers 500 three times is ended, and says so", async () => {
    const one = await start(app, { path: "/health" });
    await one.untilPhase("ready");
    await get(one, 1, "/ill");
    const { end } = await one.untilPhase("exited");
    assert.equal(end?.code, "app/health-failing");
    assert.match(end?.says ?? "", /^The app is not healthy: \/health answers 500, 3 times in a row\./);
    one.link.close();
  });

  test("that is never well has not listened, and says what it answered", async () => {
    const one = await start(app.replace("++unwell > 3", "false"), { path: "/health", readyWithinMs: 3_000 });
    const { end } = await one.untilPhase("exited");
    assert.equal(end?.code, "app/not-listening");
    assert.match(end?.says ?? "", /^The app listens, but \/health answers 503, within 3 s\./);
    one.link.close();
  });

  test("that does not answer in time is ended", async () => {
    const one = await start(
      app.replace('"/health") {', '"/health" && status === 500) return; if (request.url === "/health") {'),
      {
        path: "/health",
      },
    );
    await one.untilPhase("ready");
    await get(one, 1, "/ill");
    const { end } = await one.untilPhase("exited");
    assert.equal(end?.code, "app/health-failing");
    assert.match(end?.says ?? "", /on \/health it did not answer within 0\.2 s/);
    one.link.close();
  });

  test("is not asked while it is frozen", async () => {
    const one = await start(app, { path: "/health" });
    await one.untilPhase("ready");
    one.link.send({ type: "freeze-replica", replica: one.plan.spec.replica, frozen: true });
    await until("it is frozen", () => one.link.status().frozen);
    const since = performance.now();
    await until("ten questions' time has passed", () => performance.now() - since > 10 * everyMs);
    assert.match(await get(one, 1), /hi$/);
    assert.equal(one.link.status().phase, "ready");
    await stop(one);
  });
});

describe("an app without one", () => {
  test("that closes its port and lives on is ended, and says so", async () => {
    const one = await start(
      `const server = require("node:http").createServer((_, to) => { to.end("bye"); server.close(); });
       server.listen(process.env.PORT, "127.0.0.1"); setInterval(() => {}, 1000);`,
    );
    await one.untilPhase("ready");
    await get(one, 1);
    const { end } = await one.untilPhase("exited");
    assert.equal(end?.code, "app/health-failing");
    assert.match(end?.says ?? "", /nothing listens on its port \d+ any more/);
    one.link.close();
  });

  const elsewhere = `require("node:http").createServer((_, to) => to.end("elsewhere")).listen(0, "127.0.0.1",
    function () { console.log("port", this.address().port); });`;

  test("that answers on another port has that said at once", async () => {
    const one = await start(elsewhere);
    await says(one, /^The app listens on \d+, expected \d+\.$/);
    const texts = (await one.logTexts()).join("\n");
    assert.equal(/listens on (\d+)/.exec(texts)?.[1], /port (\d+)/.exec(texts)?.[1]);
    assert.equal(one.link.status().phase, "starting");
    await stop(one);
  });

  test("whose settings name no port is taken where it answers", async () => {
    const one = await start(elsewhere, { portGiven: false });
    await one.untilPhase("ready");
    assert.match(await get(one, 1), /elsewhere$/);
    await says(one, /^No app_port is given, so port \d+ is taken for the app's\.$/);
    await stop(one);
  });

  test("whose other port does not speak HTTP is only waited for", async () => {
    const one = await start(
      `require("node:net").createServer((socket) => socket.on("error", () => {}).end("no\\n")).listen(0, "127.0.0.1");`,
      { portGiven: false, readyWithinMs: 5_000 },
    );
    const { end } = await one.untilPhase("exited");
    assert.match(end?.says ?? "", /^The app listens on \d+, not on PORT=\d+, within 5 s\./);
    assert.ok(!(await one.logTexts()).some((text) => /expected/.test(text)));
    one.link.close();
  });
});
