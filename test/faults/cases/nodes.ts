/** Agents that are not what they should be. */
import { noIsolation } from "../../../src/contract/isolation.ts";
import { dial } from "../../../src/link/dial.ts";
import type { AgentEnd } from "../../../src/link/memory.ts";
import { endedCall, running } from "../../support/calls.ts";
import { Cluster } from "../../support/cluster.ts";
import { clock, random } from "../../support/commits.ts";
import { until } from "../../support/platform.ts";
import { proved, type FaultCase, type Injected } from "../case.ts";

/** A node is given up some 50 s after its last word; a function of this length still runs then. */
const outlivesSeconds = 150;

export const nodeCases: readonly FaultCase[] = [
  {
    code: "control/not-its-own",
    how: "whoever has a node's token ends another node's call, and its app",
    on: "main",
    certainty: proved,
    async inject({ up, app, alice }) {
      await using run = await running(alice, app, "seconds=2");
      const call = run.call.id;
      const { token } = await up.admin.createNodeToken("liar");
      const { version } = await up.admin.status();
      const joined = Promise.withResolvers<AgentEnd>();
      using _line = dial({
        ...{ servers: [up.url], token: () => token, version, random, now: () => clock.monotonic() },
        onLink: (link) => joined.resolve(link),
        onTrouble: ({ says }) => joined.reject(new Error(says)),
        onFailure: (what, error) => joined.reject(new Error(what, { cause: error })),
      });
      const link = await joined.promise;
      const { id: replica } = await up.replica(app.space);
      link.send({
        ...{ type: "hello", node: "liar", epoch: 1, pool: "main", devices: [], replicas: [], sdks: [] },
        ...{ buildsAtOnce: 1, isolation: noIsolation("none") },
      });
      const end = { exitCode: null, signal: null, code: "app/exit", says: "" };
      const status = { replica, space: app.space, release: "", socket: null, startedAt: 0, end };
      link.send({ type: "replica", status: { ...status, phase: "exited" } });
      link.send({ type: "left", call, replica });
      const ended = { kind: "ended", seq: 9, call, fence: 1, cause: "returned", usedMs: 1 } as const;
      const said = { workerAlive: false, unused: false, at: "", says: "" };
      link.send({ type: "meter", replica, report: { ...ended, ...said } });
      const told = /what is not its own, as (n_\w+) tells/;
      const line = await until("it is counted", () => up.log.findLast((one) => told.test(one)));
      const { outcome, chargedMs } = await endedCall(alice.client, call);
      const { replicas } = await up.admin.space(app.space);
      const wrong = [
        ...(outcome === "ok" && chargedMs >= 2_000 ? [] : [`the call: ${outcome}, ${chargedMs} ms`]),
        ...(replicas.some(({ id, phase }) => id === replica && phase === "ready") ? [] : ["the app is gone"]),
      ];
      return { id: told.exec(line)?.[1] ?? "", asks: up.admin, also: () => wrong[0] };
    },
  },
  {
    code: "gpu/node-lost",
    how: "kill -9 of a node's agent while a function runs there, which the next agent ends",
    on: "kills",
    certainty: proved,
    charge: 0,
    apart: true,
    inject: nodeLost,
  },
];

/**
 * A server and an agent of its own: the node is given up, and what the next agent says of the call changes nothing (L30). Its worker is
 * ended before anybody else has its slot (L22).
 */
async function nodeLost(): Promise<Injected> {
  const cluster = new Cluster();
  const done = (): Promise<void> => cluster[Symbol.asyncDispose]();
  try {
    await cluster.serverToStay();
    const { token } = await cluster.admin.createNodeToken("n1");
    const agent = cluster.agent("n1", token);
    await agent.start().ready;
    const owner = await cluster.account("alice");
    const app = await cluster.deploy(owner, "app");
    if (!app.deployed.ok) throw new Error(`${app.space} does not run: ${app.deployed.says}`);
    await using run = await running(owner, app, `seconds=${outlivesSeconds}&declare=180`);
    const { id } = run.call;
    await agent.end("SIGKILL");
    const lost = await endedCall(owner.client, id);
    await cluster.agent("n1", token).start().ready;
    const answer = await run.answer;
    await until("the node's slots are free again", async () => {
      const { slots } = await cluster.admin.gpuBoard();
      return slots.length > 0 && slots.every(({ stage }) => stage === "free" || stage === "warm");
    });
    const [later, quota] = [await owner.client.call(id), await owner.client.quota()];
    const wrong = [
      ...(lost.code === "gpu/node-lost" ? [] : [`the call ended as ${lost.code}`]),
      ...(answer?.status === 502 ? [] : [`the visitor saw ${answer?.status}`]),
      ...(later.code === lost.code && later.chargedMs === 0 ? [] : [`it became ${JSON.stringify(later)}`]),
      ...(quota.heldMs === 0 && quota.usedMs === 0 ? [] : [`${quota.usedMs} ms used, ${quota.heldMs} ms held`]),
    ];
    return { id, asks: owner.client, done, of: cluster, also: () => wrong[0] };
  } catch (error) {
    await done();
    throw error;
  }
}
