/** How far a request came: not accepted, delivered and never answered, answered and cut. Each has to be told apart, with the visitor seeing the same. */
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { listeningPorts } from "../../../src/runtime/processes.ts";
import { Cluster } from "../../support/cluster.ts";
import { killProcess, until, visit, type App } from "../../support/platform.ts";
import { cut, otherThan } from "../answers.ts";
import { proved, provedOrLikely, type FaultCase, type Injected, type Stage } from "../case.ts";

/** Node asks for so many connections that wait to be accepted; the system may allow fewer. */
const queueMost = 511;

export const tellCases: readonly FaultCase[] = [
  {
    code: "route/connect-timeout",
    how: "not accepted: the app is stopped and its queue of connections is full",
    on: "tight",
    certainty: proved,
    async inject(stage) {
      const { app, pid } = await own(stage);
      using _stopped = stoppedApp(pid);
      await using _full = await fullQueue([...listeningPorts([pid])][0] ?? 0);
      const { work, status } = await visit(`${app.url}/`, stage.alice);
      return tells(work, /was not delivered/, otherThan(504, status));
    },
  },
  {
    code: "route/response-timeout",
    how: "delivered and never answered: the app is stopped",
    on: "tight",
    certainty: proved,
    async inject(stage) {
      const { app, pid } = await own(stage);
      using _stopped = stoppedApp(pid);
      const { work, status } = await visit(`${app.url}/`, stage.alice);
      return tells(work, /delivered to the app's socket whole/, otherThan(504, status));
    },
  },
  {
    code: "route/reset-midway",
    how: "answered and cut: an answer without a length is reset",
    on: "main",
    certainty: proved,
    async inject({ app, alice }) {
      return tells(
        await cut(`${app.url}/unframed?then=reset`, alice.token),
        /after the app had begun its answer \(status 200\)/,
      );
    },
  },
  {
    code: "runtime/shim-lost",
    how: "answered and cut: kill -9 of the shim in an answer without a length, which looks like its end",
    on: "main",
    certainty: provedOrLikely,
    async inject({ fresh, alice, up }) {
      const app = await fresh();
      const { shim } = await up.replica(app.space);
      return { id: await cut(`${app.url}/unframed`, alice.token, () => killProcess(shim)) };
    },
  },
  {
    code: "route/node-away",
    how: "answered and cut: kill -9 of another machine's agent, under an answer without a length",
    needs: "own-disk",
    on: "main",
    certainty: proved,
    apart: true,
    inject: nodeAway,
  },
];

/** A server and an agent that does not see its folder, so that the app's connections cross a line that can be lost. */
async function nodeAway(): Promise<Injected> {
  const cluster = new Cluster("best");
  const done = (): Promise<void> => cluster[Symbol.asyncDispose]();
  try {
    await cluster.serverToStay();
    const { token } = await cluster.admin.createNodeToken("far");
    const agent = cluster.agent("far", token, cluster.url, await cluster.elsewhere());
    await agent.start().ready;
    const owner = await cluster.account("alice");
    const app = await cluster.deploy(owner, "app");
    if (!app.deployed.ok)
      throw new Error(`${app.space} does not run: ${app.deployed.says}\n${agent.log.slice(-5).join("\n")}`);
    const id = await cut(`${app.url}/unframed`, owner.token, () => void agent.end("SIGKILL"));
    return { id, asks: owner.client, done, of: cluster };
  } catch (error) {
    await done();
    throw error;
  }
}

/** Nobody has visited it: the edge keeps no connection that the app has accepted. */
async function own({ fresh, up }: Stage): Promise<{ app: App; pid: number }> {
  const app = await fresh();
  return { app, pid: (await up.replica(app.space)).app.pid };
}

function tells(id: string, sentence: RegExp, wrong?: string): Injected {
  return {
    id,
    also: ({ sentence: said }) => wrong ?? (sentence.test(said) ? undefined : `explain says "${said}"`),
  };
}

function stoppedApp(pid: number): Disposable {
  process.kill(pid, "SIGSTOP");
  return { [Symbol.dispose]: () => void process.kill(pid, "SIGCONT") };
}

/** Connections that nobody accepts, until no more of them are even queued. */
async function fullQueue(port: number): Promise<AsyncDisposable> {
  const most = Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8"));
  const waits = Math.min(queueMost, most);
  const open = new Set<Socket>();
  let queued = 0;
  for (let n = 0; n < waits + 100; n += 1) {
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("error", () => socket.destroy());
    open.add(socket.once("connect", () => void (queued += 1)));
  }
  await until("the queue is full", () => queued > waits);
  return {
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
    },
  };
}
