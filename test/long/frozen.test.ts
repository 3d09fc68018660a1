/** Frozen replicas: what they do meanwhile (nothing), what wakes them, and how they end. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { adopt, launch } from "../../src/runtime/launch.ts";
import { readApp, readShim, type LaunchPlan } from "../../src/runtime/folder.ts";
import { isAlive, linuxProcesses } from "../../src/runtime/processes.ts";
import { noCgroups } from "../../src/runtime/sandbox/cgroups.ts";
import { bench, dial, textOf, tools, until, watch, type Started } from "../support/replicas.ts";
import { sandboxes } from "../support/sandboxes.ts";
import { needs } from "../support/needs.ts";

const { skip } = await needs("sandbox");
const replicas = bench();
const boxes = sandboxes(replicas, skip === false);
after(async () => {
  await replicas[Symbol.asyncDispose]();
  await boxes[Symbol.asyncDispose]();
});
const processes = linuxProcesses();

/** Answers with the longest time, in milliseconds, that its own clock saw nothing of. A worker of its own prints as long as it runs. */
const app = {
  "app.js": `let longest = 0, last = performance.now();
    setInterval(() => { const now = performance.now(); longest = Math.max(longest, now - last); last = now; }, 5);
    require("node:child_process").spawn("sh", ["-c", "while :; do echo tick; sleep 0.02; done"], { stdio: "inherit" });
    process.on("SIGTERM", () => { console.log("bye"); process.exit(0); });
    require("node:http").createServer((request, to) => request.url === "/slow"
      ? (console.log("asked"), setTimeout(() => to.end("slow"), 400)) : to.end(String(Math.round(longest)))).listen(process.env.PORT);`,
};
const frozenForMs = 2_000;
/** What a visitor of a frozen app may wait beyond the app's own answer on a busy machine; the benchmark knows how long it is. */
const wakeWithinMs = 10_000;

const levels: readonly (readonly [string, string | false, () => LaunchPlan])[] = [
  ["in a sandbox", skip, () => boxes.plan(app)],
  ["in a sandbox without groups", skip, () => boxes.plan(app, { cgroups: noCgroups })],
  ["as a plain process", false, () => replicas.plan(app)],
];

async function start(plan: LaunchPlan): Promise<{ readonly one: Started; readonly get: Get; freeze(): Promise<void> }> {
  const one = watch(await launch(plan, tools), plan);
  const { socket } = await one.untilPhase("ready");
  assert.ok(socket);
  let number = 0;
  const get: Get = async (path = "/") => {
    const connection = dial(socket, { connection: ++number });
    connection.write(`GET ${path} HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n`);
    return (await textOf(connection)).split("\r\n\r\n")[1] ?? "";
  };
  const freeze = async (): Promise<void> => {
    one.link.send({ type: "freeze-replica", replica: plan.spec.replica, frozen: true });
    await until("it is frozen", () => one.link.status().frozen);
    assert.equal(one.link.status().phase, "ready");
  };
  return { one, get, freeze };
}
type Get = (path?: string) => Promise<string>;

for (const [level, why, plan] of levels)
  describe(`a frozen replica ${level}`, { skip: why }, () => {
    test("gets no processor, and a request wakes it and is answered at once", async () => {
      const { one, get, freeze } = await start(plan());
      assert.ok(Number(await get()) < frozenForMs, "it ran all the time before");
      await freeze();
      const since = performance.now();
      const hasPassed = (ms: number) => until(`${ms} ms have passed`, () => performance.now() - since > ms);
      // What it had printed before is on its way into the log for a moment.
      await hasPassed(frozenForMs / 2);
      const lines = (await one.logTexts()).length;
      await hasPassed(frozenForMs);
      assert.ok((await one.logTexts()).length - lines <= 1, "its worker printed nothing");
      const asked = performance.now();
      const longest = Number(await get());
      const tookMs = performance.now() - asked;
      assert.ok(longest >= frozenForMs, `it saw a gap of ${longest} ms`);
      assert.ok(tookMs <= wakeWithinMs, `the answer took ${Math.round(tookMs)} ms`);
      await until("the agent is told", () => one.link.status().frozen === undefined);
      assert.ok((await one.logTexts()).includes("The app goes on: a request came for it."));
      one.link.send({ type: "stop", graceMs: 2_000, why: "the test is over" });
      await one.untilPhase("stopped");
      one.link.close();
    });

    test("is found frozen by the next agent, which lets it go on", async () => {
      const { one, get, freeze } = await start(plan());
      await freeze();
      one.link.close();
      const found = await adopt(one.plan.folder);
      assert.ok(!("dead" in found));
      assert.equal(found.status().frozen, true);
      const next = watch(found, one.plan);
      found.send({ type: "freeze-replica", replica: one.plan.spec.replica, frozen: false });
      await until("it goes on", () => found.status().frozen === undefined);
      assert.match(await get(), /^\d+$/);
      found.send({ type: "stop", graceMs: 2_000, why: "the test is over" });
      await next.untilPhase("stopped");
      found.close();
    });

    test("that is stopped gets its TERM and its grace", async () => {
      const { one, freeze } = await start(plan());
      await freeze();
      one.link.send({ type: "stop", graceMs: 5_000, why: "the test is over" });
      const { end } = await one.untilPhase("stopped");
      assert.equal(end?.exitCode, 0);
      assert.ok((await one.logTexts().catch(() => ["bye"])).includes("bye"));
      one.link.close();
    });

    test("whose shim is killed leaves no process", async () => {
      const { one, freeze } = await start(plan());
      await freeze();
      const [shim, first] = [readShim(one.plan.folder), readApp(one.plan.folder)];
      assert.ok(shim && first);
      processes.signal(shim, "SIGKILL");
      const found = await adopt(one.plan.folder);
      assert.ok("dead" in found && found.dead.end?.code === "runtime/shim-lost");
      assert.equal(isAlive(processes, first), false);
      one.link.close();
    });

    test("is not frozen while it owes an answer", async () => {
      const { one, get, freeze } = await start(plan());
      const answer = get("/slow");
      await until("the request is at the app", async () => (await one.logTexts()).includes("asked"));
      one.link.send({ type: "freeze-replica", replica: one.plan.spec.replica, frozen: true });
      assert.equal(await answer, "slow");
      assert.equal(one.link.status().frozen, undefined);
      await freeze();
      one.link.send({ type: "stop", graceMs: 2_000, why: "the test is over" });
      await one.untilPhase("stopped");
      one.link.close();
    });
  });
