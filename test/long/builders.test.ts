/** Several builders: the server's queue of builds, and real agents with real builds at the other end of their links. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { startAgent, type Agent } from "../../src/agent/agent.ts";
import { memoryLink, type AgentEnd } from "../../src/link/memory.ts";
import { createBuilder } from "../../src/build/builder.ts";
import { noIsolation } from "../../src/contract/isolation.ts";
import type { BuildRow } from "../../src/catalog/builds.ts";
import { commitBytes, ControlWorld } from "../../src/control/control.suite.ts";
import { buildLimits } from "../../src/core/builds/model.ts";
import { launcher } from "../../src/main/launcher.ts";
import { openShipper } from "../../src/record/ship.ts";
import { openSpool } from "../../src/record/spool.ts";
import { clock, random, testWorkshop, type TestWorkshop } from "../support/commits.ts";
import { eventually } from "../support/eventually.ts";
import { until } from "../support/platform.ts";

const shimEntry = new URL("../../src/main/shim.ts", import.meta.url).pathname;
const withinMs = 180_000;
const heartbeatMs = 50;

class Builders implements AsyncDisposable {
  readonly world: ControlWorld;
  readonly #shop: TestWorkshop;
  readonly #agents = new Map<string, Agent>();

  private constructor(world: ControlWorld, shop: TestWorkshop) {
    this.world = world;
    this.#shop = shop;
  }

  static async open(): Promise<Builders> {
    const world = await ControlWorld.open();
    await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
    return new Builders(world, await testWorkshop());
  }

  /** Starts a node's agent (again), and connects it. */
  async start(node: string): Promise<Agent> {
    const folder = join(this.#shop.folder, node);
    const spools = join(folder, "spool");
    const emitter = await openSpool({ folder: spools, name: `agent-${node}`, clock, random });
    const agent = await startAgent({
      node,
      pool: "main",
      folder,
      devices: [],
      isolation: noIsolation("plain processes"),
      link: this.link(),
      builder: createBuilder({ ...this.#shop.tools, source: this.world.repositories, folder }),
      launcher: launcher({ nodePath: process.execPath, shimEntry }, null, 0),
      emitter,
      spools: [openShipper({ folder: spools, emitter: `agent-${node}` })],
      spoolOf: (replica) => openShipper({ folder: join(replica, "spool") }),
      clock,
      random,
      log: { info: () => {}, warn: () => {} },
      timing: { heartbeatMs, shipMs: 20, stopGraceMs: 2_000 },
    });
    this.#agents.set(node, agent);
    await eventually(`${node} is connected`, () => this.world.nodes.isConnected(node), withinMs);
    return agent;
  }

  /** The agent's end of a fresh connection to the server. */
  link(): AgentEnd {
    const { server, agent } = memoryLink();
    this.world.nodes.connect(server);
    return agent;
  }

  /** A connection that leads nowhere: the agent lives on and nobody hears of it. */
  nowhere(node: string): void {
    this.#agents.get(node)?.connect(memoryLink().agent);
  }

  /** Deploys a Node app whose build takes `ms`. */
  async deploy(space: string, ms: number): Promise<string> {
    const [owner = "", name = ""] = space.split("/");
    const scripts = { start: "node server.js", build: `node -e 'setTimeout(() => {}, ${ms})'` };
    const bytes = commitBytes({
      "README.md": "---\nsdk: node\n---\n",
      "package.json": JSON.stringify({ name: "app", private: true, scripts }),
      "server.js": "require('node:http').createServer((_, to) => to.end('hi')).listen(process.env.PORT, '127.0.0.1');",
    });
    const done = await this.world.commits.commit({ owner, name, bytes, author: owner });
    assert.ok(done.ok && done.build !== null);
    return done.build;
  }

  async until(build: string, says: string, fits: (row: BuildRow) => boolean): Promise<BuildRow> {
    let last: BuildRow | undefined;
    const look = async (): Promise<BuildRow | undefined> => {
      last = await this.world.catalog.builds.get(build);
      return last && fits(last) ? last : undefined;
    };
    return until(`build ${build} ${says}`, look, withinMs).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(last)}`);
    });
  }

  async log(build: string): Promise<string> {
    return (await this.world.builds.log(build))
      .read(1, 1_000)
      .lines.map(({ text }) => text)
      .join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#agents.values()].map((agent) => agent.close("stop")));
    await this.world[Symbol.asyncDispose]();
    await this.#shop[Symbol.asyncDispose]();
  }
}

const builds = ({ stage, builder }: BuildRow): boolean => stage === "building" && builder !== null;

describe("two builders", () => {
  test("build for two owners side by side; a third build waits for a reason, and gets the first that is free", async () => {
    await using two = await Builders.open();
    await Promise.all([two.start("n1"), two.start("n2")]);
    const [one, other] = [await two.deploy("alice/a", 1_500), await two.deploy("bob/a", 60_000)];
    const [first, second] = [await two.until(one, "builds", builds), await two.until(other, "builds", builds)];
    assert.deepEqual(new Set([first.builder, second.builder]), new Set(["n1", "n2"]));
    const waits = await two.deploy("alice/b", 0);
    const [waiting] = two.world.builds.views.queue().waiting;
    assert.equal(waiting?.id, waits);
    assert.deepEqual(
      waiting?.waiting?.reasons.map(({ kind }) => kind),
      ["builders-busy", "same-owner"],
    );
    const third = await two.until(waits, "has a builder", ({ attempts }) => attempts === 1);
    assert.equal(third.builder, first.builder);
    await two.until(waits, "is done", ({ stage }) => stage === "done");
  });

  test("one that falls silent loses its build to the other, and what it says later is refused", async () => {
    await using two = await Builders.open();
    const silent = await two.start("n1");
    const build = await two.deploy("alice/a", 3_000);
    await two.until(build, "builds", builds);
    await two.start("n2");
    two.nowhere("n1");
    await eventually("n1 is away", () => !two.world.nodes.isConnected("n1"));
    two.world.clock.advance(buildLimits.leaseMs);
    await two.until(build, "is with n2", ({ builder, attempts }) => builder === "n2" && attempts === 2);
    silent.connect(two.link());
    const done = await two.until(build, "is done", ({ stage }) => stage === "done");
    const release = await two.world.catalog.releases.get(done.release ?? "");
    assert.equal(release?.node, "n2");
    const log = await two.log(build);
    // What it says first may be a line of the build's log, or how far it is.
    assert.match(
      log,
      /refused: builder n1 (?:spoke by fence 1, and builder n2 has it by fence 2|printed by fence 1, which it has lost)/,
    );
    assert.match(
      log,
      /builder n1 was not heard of for 45 s; it waits for a builder again, after 1 of at most 3 attempts/,
    );
  });

  test("one that only lost its connection goes on with its build, which is built once", async () => {
    await using two = await Builders.open();
    const agent = await two.start("n1");
    await two.start("n2");
    const build = await two.deploy("alice/a", 2_000);
    const { builder } = await two.until(build, "builds", builds);
    assert.equal(builder, "n1");
    two.nowhere("n1");
    await eventually("n1 is away", () => !two.world.nodes.isConnected("n1"));
    agent.connect(two.link());
    const done = await two.until(build, "is done", ({ stage }) => stage === "done");
    assert.deepEqual([done.builder, done.attempts], ["n1", 1]);
  });

  test("one that is stopped in the middle hands its build back, and the other ends it", async () => {
    await using two = await Builders.open();
    const agent = await two.start("n1");
    const build = await two.deploy("alice/a", 2_000);
    await two.until(build, "builds", builds);
    await two.start("n2");
    await agent.close("stop");
    const done = await two.until(build, "is done", ({ stage }) => stage === "done");
    assert.deepEqual([done.builder, done.attempts], ["n2", 2]);
  });
});
