/** Real shims with a small app, in sandboxes where there are some: memory, starts, wakes, and many at once. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { fillCompileCache } from "../src/runtime/compile-cache.ts";
import { readShim } from "../src/runtime/folder.ts";
import { keepSpare } from "../src/runtime/spares.ts";
import { launch } from "../src/runtime/launch.ts";
import { freePort } from "../test/support/free-port.ts";
import { bench, dial, textOf, tools, until, watch, type Started } from "../test/support/replicas.ts";
import { isRoot, sandboxes, sandboxPorts } from "../test/support/sandboxes.ts";
import { bundle } from "../tools/bundle.ts";
import { cpuUs } from "./process-cpu.ts";
import { pssMB } from "./process-memory.ts";

export const app = `require("node:http").createServer((_, to) => to.end("hi")).listen(process.env.PORT, "127.0.0.1");\n`;
const startWithinMs = 60_000;
const space = "bench/app";
const gib = 1 << 30;
/** The platform's own. */
const disk = { dataBytes: 10 * gib, layerBytes: 20 * gib, reserveBytes: 0 };

export interface ReplicaBench extends AsyncDisposable {
  /** From the order to the first answer; `rested`: of a node that has started nothing for a while. */
  start(rested?: boolean): Promise<{ readonly one: Started; readonly ms: number }>;
  /** The same app from `spawn` to its first answer, without anybody around it. */
  byHand(): Promise<number>;
  stop(one: Started): Promise<void>;
  /** A request over a connection of its own. */
  ask(one: Started): Promise<number>;
  freeze(one: Started): Promise<void>;
}

export async function replicaBench(sandboxed: boolean): Promise<ReplicaBench> {
  const replicas = bench();
  const boxes = sandboxes(replicas, sandboxed);
  const compileCache = join(replicas.folder, "compiled");
  // As an installed Waybill has it.
  const shimEntry = join(replicas.folder, "program", "shim.cjs");
  await bundle(tools.shimEntry, shimEntry);
  await fillCompileCache(compileCache, tools.nodePath, [shimEntry]);
  // All start from one release, as the node has it that started its app before.
  const { releaseFolder } = replicas.plan({ "app.js": app });
  const program = { ...tools, shimEntry, compileCache };
  const waiting = {
    ownUsers: isRoot,
    program,
    folder: join(replicas.folder, "spares"),
    ports: () => sandboxPorts,
    log: console,
  };
  const spares = keepSpare({ ...waiting, filled: () => Promise.resolve() });
  let connection = 0;
  const ask = async (one: Started): Promise<number> => {
    const since = performance.now();
    const stream = dial(one.link.status().socket ?? "", { connection: ++connection });
    stream.write("GET / HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n");
    if (!(await textOf(stream)).endsWith("hi")) throw new Error("a replica did not answer");
    return performance.now() - since;
  };
  return {
    ask,
    async start(rested = false) {
      const plan = { ...(sandboxed ? boxes.plan({}, { space, disk }) : replicas.plan({})), releaseFolder };
      // As an agent has it, but for the moments after a start.
      if (rested) await spares.settled();
      const since = performance.now();
      const one = watch(await launch(plan, { ...program, spares }), plan);
      await one.untilPhase("ready");
      await ask(one);
      return { one, ms: performance.now() - since };
    },
    async byHand() {
      const port = await freePort();
      const since = performance.now();
      const child = spawn(process.execPath, ["-e", app], { env: { PORT: String(port) }, stdio: "ignore" });
      const url = `http://127.0.0.1:${port}/`;
      const answers = (): Promise<boolean> =>
        fetch(url).then(
          (answer) => answer.ok,
          () => false,
        );
      // Refused at once until it listens, so it is asked again at once: ours is told when it is ready.
      while (!(await answers()))
        if (performance.now() - since > startWithinMs) throw new Error(`no answer by hand within ${startWithinMs} ms`);
      const ms = performance.now() - since;
      child.kill("SIGKILL");
      return ms;
    },
    async stop(one) {
      one.link.send({ type: "stop", graceMs: 2_000, why: "the benchmark goes on" });
      await one.untilPhase("stopped");
      one.link.close();
    },
    async freeze(one) {
      one.link.send({ type: "freeze-replica", replica: one.plan.spec.replica, frozen: true });
      await until("it is frozen", () => one.link.status().frozen);
    },
    async [Symbol.asyncDispose]() {
      await spares[Symbol.asyncDispose]();
      await replicas[Symbol.asyncDispose]();
      await boxes[Symbol.asyncDispose]();
    },
  };
}

export function shimCpuUs(all: readonly Started[]): number {
  return cpuUs(all.map(({ plan }) => readShim(plan.folder)?.pid ?? 0));
}

export function shimMB(all: readonly Started[]): number {
  const sizes = all.map(({ plan }) => pssMB(readShim(plan.folder)?.pid ?? 0));
  return sizes.reduce((total, size) => total + size, 0) / all.length;
}
