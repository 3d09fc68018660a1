/** Agents that are not what they should be. */
import { noIsolation } from "../../../src/contract/isolation.ts";
import { dial } from "../../../src/link/dial.ts";
import type { AgentEnd } from "../../../src/link/memory.ts";
import { endedCall, running } from "../../support/calls.ts";
import { clock, random } from "../../support/commits.ts";
import { until } from "../../support/platform.ts";
import { proved, type FaultCase } from "../case.ts";

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
];
