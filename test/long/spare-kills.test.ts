/** An agent that is killed at any instant of a start by a shim that waited: nobody is left whom the next agent does not find. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { adopt, launch } from "../../src/runtime/launch.ts";
import { linuxProcesses } from "../../src/runtime/processes.ts";
import { needs } from "../support/needs.ts";
import { bench, tools, until, watch } from "../support/replicas.ts";
import { isRoot, sandboxes } from "../support/sandboxes.ts";

const { skip } = await needs("sandbox");
/** Of a start, which takes a tenth of a second on an idle machine, and more of them at its begin. */
const instantsMs = [0, 2, 5, 8, 12, 16, 20, 25, 30, 40, 50, 65, 80, 100, 130, 170, 250, 400];

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
    for (const [n, instantMs] of instantsMs.entries()) {
      const plan = boxes.plan(app);
      const agent = spawn(
        process.execPath,
        [
          resolve(import.meta.dirname, "../support/spare-agent.ts"),
          join(replicas.folder, `spares${n}`),
          JSON.stringify(plan),
        ],
        { stdio: ["pipe", "pipe", "inherit"] },
      );
      const [told] = (await once(agent.stdout, "data")) as [Buffer];
      const session = Number(told.toString());
      agent.stdin.write("go\n");
      await delay(instantMs);
      agent.kill("SIGKILL");
      await once(agent, "exit");
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
      assert.deepEqual(carries, [], `killed after ${instantMs} ms`);
      outcomes.push(
        `${instantMs} ms: ${typeof found === "string" ? found.slice(0, 40) : "dead" in found ? found.dead.phase : "lives"}`,
      );
    }
    t.diagnostic(outcomes.join("; "));
  });
});
