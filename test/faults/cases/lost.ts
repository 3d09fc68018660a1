/** Processes of the platform's own that die. */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { endedCall, running } from "../../support/calls.ts";
import { killProcess, lives, until, visit } from "../../support/platform.ts";
import { pidOf, proved, provedOrLikely, type FaultCase } from "../case.ts";
import { buildLimits } from "../../../src/core/builds/model.ts";
import { slowBuild } from "./build.ts";

export const lostCases: readonly FaultCase[] = [
  {
    code: "runtime/shim-lost",
    how: "kill -9 of the shim, with a request in it",
    on: "main",
    certainty: provedOrLikely,
    async inject({ fresh, alice, up }) {
      const app = await fresh();
      const replica = await up.replica(app.space);
      const answer = visit(`${app.url}/never`, alice);
      await until("the app has the request", () => establishedWith(replica.app.pid));
      killProcess(replica.shim);
      return { id: (await answer).work };
    },
  },
  {
    code: "runtime/shim-lost",
    how: "kill -9 of the shim, asked by its replica",
    on: "main",
    certainty: proved,
    async inject({ fresh, up }) {
      const app = await fresh();
      const replica = await up.replica(app.space);
      killProcess(replica.shim);
      await until("the replica has ended", async () =>
        (await up.admin.space(app.space)).replicas.find(({ id, phase }) => id === replica.id && phase !== "ready"),
      );
      return { id: replica.id };
    },
  },
  {
    code: "build/builder-lost",
    how: "kill -9 of the platform in the middle of each attempt of a build",
    on: "kills",
    certainty: provedOrLikely,
    async inject(stage) {
      const id = await slowBuild(stage, 60_000).began;
      for (let attempt = 1; attempt <= buildLimits.attemptsMax; attempt++) {
        await until(`attempt ${attempt} builds`, async () => {
          const build = await stage.up.admin.build(id);
          return build.attempts === attempt && build.stage === "building";
        });
        await stage.up.restart();
      }
      return { id, asks: stage.up.admin };
    },
  },
  {
    code: "route/control-down",
    how: "kill -9 of the platform in the middle of an answer",
    on: "kills",
    certainty: provedOrLikely,
    async inject({ app, alice, up }) {
      const response = await fetch(`${app.url}/events?ms=20000`, {
        headers: { authorization: `Bearer ${alice.token}` },
      });
      const reader = response.body?.getReader();
      // A request that is open for a while has entries of its own by then.
      for (const began = performance.now(); performance.now() - began < 2_000;) await reader?.read();
      await up.restart();
      return { id: response.headers.get("x-waybill-id") ?? "", asks: up.admin };
    },
  },
  {
    code: "route/control-down",
    how: "a request before the platform has found its replicas again, or while it stops",
    on: "kills",
    certainty: proved,
    async inject({ app, alice, up }) {
      const refused: string[] = [];
      const stopped = up.stop();
      const over = stopped.then(() => true);
      while (!(await Promise.race([over, delay(2, false)]))) {
        const answer = await visit(`${app.url}/`, alice).catch(() => undefined); // Nobody listens at the end of it.
        if (answer?.status === 503) refused.push(answer.work);
      }
      await up.up();
      await until("the Space runs again", async () => (await visit(`${app.url}/`, alice)).status === 200);
      return { id: refused.at(-1) ?? "none was refused", asks: up.admin };
    },
  },
  {
    code: "gpu/stopped",
    how: "kill -9 of the platform cuts off the visitor of a call that ends with its visitor",
    on: "kills",
    certainty: proved,
    charge: 0,
    async inject(stage) {
      const { app, alice, up } = stage;
      await using run = await running(alice, app, "seconds=20&stop=1");
      const pid = await pidOf(stage, run.call.id);
      const worker = (await up.replica(app.space)).workers().find((one) => one.pid === pid);
      if (!worker) throw new Error(`no worker has pid ${pid}`);
      await up.kill();
      await until("the worker is gone", () => !lives(worker));
      await up.up();
      await endedCall(up.admin, run.call.id);
      return { id: run.call.id, asks: up.admin };
    },
  },
  {
    code: "identity/bad-token",
    how: "refused, and the platform killed right after",
    on: "kills",
    certainty: proved,
    async inject({ app, up }) {
      const { work } = await visit(`${app.url}/`, undefined, {
        headers: { authorization: `Bearer hf_wb${"y".repeat(32)}` },
      });
      await up.restart();
      return { id: work, asks: up.admin };
    },
  },
  {
    code: "gpu/duration-not-allowed",
    how: "refused, and the platform killed right after",
    on: "kills",
    certainty: proved,
    charge: 0,
    async inject({ app, alice, up }) {
      const { call } = await visit(`${app.url}/gpu/hold?seconds=1&declare=7200`, alice);
      await up.restart();
      return { id: call, asks: up.admin };
    },
  },
];

/** Whether a connection to a port of this process is open: Linux shows sockets by inode, and `/proc/<pid>/net` by namespace. */
function establishedWith(pid: number): boolean {
  const port = /^PORT=(\d+)$/m.exec(readFileSync(`/proc/${pid}/environ`, "utf8").replaceAll("\0", "\n"))?.[1];
  const hex = Number(port).toString(16).toUpperCase().padStart(4, "0");
  return readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .some((line) => line.includes(`:${hex} `) && line.trim().split(/\s+/)[3] === "01");
}
