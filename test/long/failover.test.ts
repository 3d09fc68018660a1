/** Two servers on one PostgreSQL: the leader is killed under load, and the other takes over. */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Event } from "../../src/core/model.ts";
import { decodeRecord } from "../../src/journal/encoding.ts";
import { endedCall } from "../support/calls.ts";
import { Cluster, type Role } from "../support/cluster.ts";
import { needs } from "../support/needs.ts";
import { until, visit, type Account, type App } from "../support/platform.ts";
import { PostgresServer } from "../support/postgres.ts";

const needed = await needs("postgresql");
const callers = 8;

describe("two servers on one PostgreSQL", needed, () => {
  let postgres: PostgresServer;
  let url: string;
  let cluster: Cluster;
  let leader: Role;
  let alice: Account;
  let app: App;

  before(async () => {
    postgres = new PostgresServer();
    url = await postgres.database();
    cluster = new Cluster();
    const first = cluster.server("a", ["--journal", url, "--port", "0"]);
    await cluster.serve(first);
    const { port } = new URL(cluster.url);
    await first.end("SIGTERM");
    leader = cluster.server("a", ["--journal", url, "--port", port]);
    await cluster.serve(leader);
    const agent = cluster.agent("n1", (await cluster.admin.createNodeToken("n1")).token);
    await agent.start().ready;
    alice = await cluster.account("alice");
    app = await cluster.deploy(alice, "app");
    assert.equal(app.deployed.ok, true, app.deployed.says);
  });
  after(async () => {
    await cluster[Symbol.asyncDispose]();
    postgres[Symbol.dispose]();
  });

  test("a second server is refused, unless it stands by", async () => {
    const second = cluster.server("second", ["--journal", url, "--port", "0"]);
    assert.equal(await second.start().ended, 1);
  });

  test("the leader is killed under load: the other takes over, nothing acknowledged is lost, nothing is granted twice, agents keep their leases", async (t) => {
    const port = new URL(cluster.url).port;
    const standby = cluster.server("b", ["--journal", url, "--port", port, "--standby"]);
    const { ready } = standby.start();
    await until("it stands by", () => standby.log.some((line) => line.includes("standing by")));
    const replicas = (await alice.client.space(app.space)).replicas.map(({ id }) => id);

    void visit(`${app.url}/gpu/hold?seconds=8&declare=30`, alice).catch(() => undefined);
    const held = await newestLong();
    /** Calls whose visitor was told that they went well. */
    const answered: string[] = [];
    let over = false;
    const load = Array.from({ length: callers }, async () => {
      while (!over) {
        const went = await until("a server answers", async () => {
          if (over) return "over";
          const answer = await visit(`${app.url}/gpu/hold?seconds=0.05`, alice).catch(() => undefined); // the edge may go with the server
          return answer?.status === 200 && answer.call;
        });
        if (went !== "over") answered.push(went);
      }
    });
    await until("the load is there", () => answered.length > 40);
    const before_ = answered.length;
    await leader.end("SIGKILL");
    const killedAt = Date.now();
    cluster.signIn(await ready);
    leader = standby;
    const tookMs = Date.now() - killedAt;
    await until("calls go on", () => answered.length > before_ + 40);
    over = true;
    await Promise.all(load);

    const kept = await endedCall(alice.client, held);
    assert.equal(kept.outcome, "ok", `the lease was kept: ${JSON.stringify(kept)}`);
    assert.deepEqual(
      (await alice.client.space(app.space)).replicas.map(({ id }) => id),
      replicas,
    );
    for (const id of answered) {
      const call = await endedCall(alice.client, id);
      assert.equal(call.outcome, "ok", `${id}: ${JSON.stringify(call)}`);
    }
    const records = await journal();
    const grants = records.flatMap(({ at, events }) =>
      events.flatMap((event) => (event.type === "call-granted" ? [{ at, ...event }] : [])),
    );
    assert.equal(new Set(grants.map(({ call }) => call)).size, grants.length, "no call is granted twice");
    const fences = new Map<string, number>();
    for (const { slots, fence } of grants.map(({ lease }) => lease))
      for (const slot of slots) {
        assert(fence > (fences.get(slot) ?? 0), `L18: fence ${fence} of ${slot} is above ${fences.get(slot)}`);
        fences.set(slot, fence);
      }
    const lastBefore = Math.max(...grants.map(({ at }) => at).filter((at) => at <= killedAt));
    const firstAfter = Math.min(...grants.map(({ at }) => at).filter((at) => at > killedAt));
    t.diagnostic(
      `took over in ${tookMs} ms, ${firstAfter - lastBefore} ms without a grant, ${answered.length} calls answered`,
    );
    assert(firstAfter - lastBefore < 60_000, `${firstAfter - lastBefore} ms without a grant`);
  });

  test("a leader that is told to stop hands over too, and the app answers all the time but for a moment", async () => {
    const next = cluster.server("c", ["--journal", url, "--port", new URL(cluster.url).port, "--standby"]);
    const { ready } = next.start();
    await until("it stands by", () => next.log.some((line) => line.includes("standing by")));
    assert.equal(await leader.end("SIGTERM"), 0);
    cluster.signIn(await ready);
    leader = next;
    await until("the app answers", async () => {
      const answer = await visit(`${app.url}/gpu/hold?seconds=0.05`, alice).catch(() => undefined); // nobody listens yet
      return answer?.status === 200;
    });
  });

  test("a data folder goes with one journal: another is refused, and nothing is made", async () => {
    await leader.end("SIGTERM");
    assert.equal(await cluster.server("d", ["--port", "0"]).start().ended, 1);
    assert.equal(existsSync(join(cluster.data, "journal.db")), false);
    writeFileSync(join(cluster.data, "journal.db"), "");
    assert.equal(await cluster.server("e", ["--port", "0", "--journal", url]).start().ended, 1);
  });

  /** The call that declared half a minute, once it runs. */
  async function newestLong(): Promise<string> {
    return until("the long call runs", async () => {
      const { items } = await alice.client.calls({ account: alice.name });
      return items.find(({ stage, declaredMs }) => stage === "running" && declaredMs === 30_000)?.id;
    });
  }

  async function journal(): Promise<readonly { readonly at: number; readonly events: readonly Event[] }[]> {
    const rows = await postgres.sql(url, "SELECT idx::int AS idx, body FROM waybill.journal ORDER BY idx");
    return rows.map(({ idx, body }) =>
      decodeRecord((body as Buffer).toString("utf8"), { index: idx as number, file: url }),
    );
  }
});
