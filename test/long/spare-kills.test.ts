/** An agent that is killed at any instant of a start by a shim that waited: nobody is left whom the next agent does not find. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, watch as watchFiles } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import { after, describe, test } from "node:test";
import { adopt, launch } from "../../src/runtime/launch.ts";
import { linuxProcesses } from "../../src/runtime/processes.ts";
import { needs } from "../support/needs.ts";
import { bench, tools, until, watch } from "../support/replicas.ts";
import { isRoot, sandboxes } from "../support/sandboxes.ts";

const { skip } = await needs("sandbox");
/** More than what a start changes among the replica's files, each of which is an instant to be killed at. */
const instantsMax = 200;
/** So many of them at least are seen. */
const instantsLeast = 12;

describe("an agent that is killed while it starts a replica", { skip: skip || !isRoot }, () => {
  const replicas = bench();
  const boxes = sandboxes(replicas, skip === false);
  const processes = linuxProcesses();
  const app = { "app.js": `require("node:http").createServer((_, to) => to.end("hi")).listen(process.env.PORT);` };
  after(async () => {
    await replicas[Symbol.asyncDispose]();
    await boxes[Symbol.asyncDispose]();
  });
  const stop = async (...found: Parameters<typeof watch>): Promise<void> => {
    const one = watch(...found);
    one.link.send({ type: "stop", graceMs: 2_000, why: "the test is over" });
    await one.untilPhase("stopped");
    one.link.close();
  };

  test("leaves a replica that is found again, or none at all", async (t) => {
    const first = boxes.plan(app);
    await stop(await launch(first, tools), first);
    const outcomes: string[] = [];
    let isStarted = false;
    let instant = 0;
    for (; !isStarted && instant < instantsMax; instant++) {
      const plan = boxes.plan(app);
      const agent = spawn(
        process.execPath,
        [
          resolve(import.meta.dirname, "../support/spare-agent.ts"),
          join(replicas.folder, `spares${instant}`),
          JSON.stringify(plan),
        ],
        { stdio: ["pipe", "pipe", "inherit"] },
      );
      const [told] = (await once(agent.stdout, "data")) as [Buffer];
      const session = Number(told.toString());
      let changes = 0;
      const name = basename(plan.folder);
      const changed = watchFiles(dirname(plan.folder), { recursive: true }, (_, path) => {
        if (path?.split(sep)[0] === name && ++changes >= instant) agent.kill("SIGKILL");
      });
      agent.stdout.once("data", () => {
        isStarted = true;
        agent.kill("SIGKILL");
      });
      agent.stdin.write("go\n");
      if (instant === 0) agent.kill("SIGKILL");
      await once(agent, "exit");
      changed.close();
      // Of the shim, and of what waits beside it.
      const left = (): readonly number[] =>
        readdirSync("/proc").flatMap((name) =>
          processes.stat(Number(name))?.session === session ? [Number(name)] : [],
        );
      const found = await adopt(plan.folder).catch((error: Error) => error.message);
      if (typeof found !== "string" && !("dead" in found)) await stop(found, plan);
      await until("nobody is left", () => left().length === 0);
      const carries = processes
        .all()
        .filter(({ pid }) => processes.hasMarker(pid, `WAYBILL_REPLICA=${plan.spec.replica}`));
      assert.deepEqual(carries, [], `killed after ${instant} changes`);
      outcomes.push(
        `${instant}: ${typeof found === "string" ? found.slice(0, 40) : "dead" in found ? found.dead.phase : "lives"}`,
      );
    }
    t.diagnostic(outcomes.join("; "));
    assert.ok(isStarted && instant >= instantsLeast, outcomes.join("; "));
  });
});
