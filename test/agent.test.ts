/** A node's agent with real shims, apps, git and npm; the server's side of the link is scripted. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { startAgent, type Agent } from "../src/agent/agent.ts";
import { memoryLink, type ServerEnd } from "../src/link/memory.ts";
import { createBuilder } from "../src/build/builder.ts";
import { noIsolation } from "../src/contract/isolation.ts";
import type { ReplicaStatus, ToServer } from "../src/contract/agent.ts";
import type { Entry } from "../src/evidence/entry.ts";
import { launcher } from "../src/main/launcher.ts";
import { openShipper } from "../src/record/ship.ts";
import { openSpool } from "../src/record/spool.ts";
import { newId } from "../src/stdx/ids.ts";
import { durationMs } from "../src/stdx/time.ts";
import { clock, random, testWorkshop } from "./support/commits.ts";
import { eventually } from "./support/eventually.ts";

const shimEntry = new URL("../src/main/shim.ts", import.meta.url).pathname;
const log = { info: () => {}, warn: () => {} };
/** Faster than in life, so that five ends do not take a minute. */
const restarts = { firstMs: 10, mostMs: 40, endsMax: 3, windowMs: 600_000 };

type Heard<Type extends ToServer["type"]> = Extract<ToServer, { type: Type }>;

/** The server's end of one connection: everything heard, and what it acknowledges. */
class Peer {
  readonly heard: ToServer[] = [];
  readonly link: ServerEnd;

  constructor(link: ServerEnd) {
    this.link = link;
    link.onMessage((message) => {
      this.heard.push(message);
      if (message.type === "hello") link.send({ type: "welcome", server: "test", epoch: 1 });
      if (message.type === "evidence") {
        const { emitter, epoch, records } = message.batch;
        link.send({
          type: "ack-evidence",
          emitter,
          epoch,
          seq: (records.at(-1) as { body: { seq: number } }).body.seq,
        });
      }
    });
  }

  all<Type extends ToServer["type"]>(type: Type): readonly Heard<Type>[] {
    return this.heard.filter((message): message is Heard<Type> => message.type === type);
  }

  async first<Type extends ToServer["type"]>(
    type: Type,
    fits: (message: Heard<Type>) => boolean = () => true,
  ): Promise<Heard<Type>> {
    return eventually(`a message ${type}`, () => this.all(type).find(fits));
  }

  async status(fits: (status: ReplicaStatus) => boolean): Promise<ReplicaStatus> {
    return (await this.first("replica", ({ status }) => fits(status))).status;
  }

  entries(work: string): readonly string[] {
    const entries = this.all("evidence").flatMap(({ batch }) =>
      batch.records.filter(({ kind }) => kind === "entry").map(({ body }) => body as Entry),
    );
    return entries
      .filter((entry) => entry.work === work && entry.emitter === "agent")
      .map(({ hop, mark }) => `${hop} ${mark}`);
  }
}

async function testNode() {
  const shop = await testWorkshop();
  const folder = await mkdtemp(join(tmpdir(), "wb-agent-"));
  const builder = createBuilder(shop.tools);
  const agents: Agent[] = [];
  return {
    shop,
    folder,
    /** Starts the node's agent (again); the one before must be closed, or is taken for dead. */
    async start(): Promise<{ agent: Agent; peer: Peer }> {
      const spools = join(folder, "spool");
      const emitter = await openSpool({ folder: spools, name: "agent", clock, random });
      const { server, agent: link } = memoryLink();
      const peer = new Peer(server);
      const agent = await startAgent({
        node: "n1",
        pool: "main",
        folder,
        devices: [],
        isolation: noIsolation("plain processes"),
        link,
        builder,
        launcher: launcher({ nodePath: process.execPath, shimEntry }, null, 0),
        emitter,
        spools: [openShipper({ folder: spools, emitter: "agent" })],
        spoolOf: (replica) => openShipper({ folder: join(replica, "spool") }),
        clock,
        random,
        log,
        restarts,
        timing: { heartbeatMs: 50, shipMs: 20, stopGraceMs: 2_000 },
      });
      agents.push(agent);
      await peer.first("heartbeat");
      return { agent, peer };
    },
    /** Builds an app through the agent; its release. */
    async release(peer: Peer, server: string): Promise<string> {
      const files = {
        "README.md": "---\nsdk: node\n---\n",
        "package.json": '{"scripts":{"start":"node server.js"}}',
        "server.js": server,
      };
      const build = newId("b", random);
      const spec = { build, space: "alice/app", ...(await shop.commit(files)), limitMs: durationMs(300_000) };
      peer.link.send({ type: "build", number: 1, fence: 1, spec });
      const { outcome } = await peer.first("build-done", (message) => message.build === build);
      assert.ok(outcome.ok, JSON.stringify(outcome));
      return outcome.release;
    },
    async [Symbol.asyncDispose]() {
      await agents.at(-1)?.close("stop");
      await shop[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

const listens =
  "require('node:http').createServer((_, to) => to.end('hi')).listen(process.env.PORT, '127.0.0.1', () => console.log('listening', process.pid));";
const startSpec = (release: string, replica = newId("p", random)) =>
  ({ replica, space: "alice/app", release, sdk: "node", env: {}, readyWithinMs: durationMs(180_000) }) as const;

describe("an agent", () => {
  test("says hello, then builds: claimed, its log from the first line, each step, the outcome, and its hops signed for", async () => {
    await using node = await testNode();
    const { peer } = await node.start();
    const hello = peer.heard[0] as Heard<"hello">;
    assert.deepEqual([hello.type, hello.node, hello.replicas, hello.sdks], ["hello", "n1", [], ["node", "static"]]);
    await node.release(peer, listens);
    const { build } = await peer.first("build-done");
    const order = peer.heard.filter((message) => "build" in message && message.build === build).map(({ type }) => type);
    assert.deepEqual([order[0], order.at(-1)], ["build-claimed", "build-done"]);
    assert.match(peer.all("build-log")[0]?.lines[0]?.text ?? "", /^builds alice\/app at /);
    const steps = peer.all("build-step").map(({ step, state }) => `${step} ${state}`);
    assert.deepEqual(
      steps.filter((step) => step.endsWith("done")),
      ["fetch done", "configure done", "install done", "check done", "publish done"],
    );
    await eventually("the build's entries", () => peer.entries(build).includes("build.publish done"));
    assert.deepEqual(peer.entries(build), [
      "build.claim took",
      "build.fetch done",
      "build.step done",
      "build.step done",
      "build.step done",
      "build.publish done",
    ]);
  });

  test("asked for the same build again, it tells the outcome again and builds nothing", async () => {
    await using node = await testNode();
    const { peer } = await node.start();
    await node.release(peer, listens);
    const { build, outcome } = await peer.first("build-done");
    peer.link.send({
      type: "build",
      number: 1,
      fence: 1,
      spec: { build, space: "alice/app", commit: "0".repeat(40), repository: "/nowhere", limitMs: durationMs(1_000) },
    });
    await eventually("a second outcome", () => peer.all("build-done").length === 2);
    assert.deepEqual(peer.all("build-done")[1]?.outcome, outcome);
  });

  test("starts a replica, reads its log, and stops it", async () => {
    await using node = await testNode();
    const { peer } = await node.start();
    const spec = startSpec(await node.release(peer, listens));
    peer.link.send({ type: "start-replica", spec });
    peer.link.send({ type: "start-replica", spec });
    const ready = await peer.status(({ replica, phase }) => replica === spec.replica && phase === "ready");
    assert.ok(ready.socket);
    peer.link.send({ type: "read-log", read: "1", replica: spec.replica, space: spec.space, from: 1, limit: 100 });
    const part = await peer.first("log");
    assert.ok(
      part.lines.some(({ text, source }) => source === "app" && text.startsWith("listening")),
      JSON.stringify(part),
    );
    peer.link.send({ type: "stop-replica", replica: spec.replica, graceMs: durationMs(2_000), why: "paused" });
    await peer.status(({ replica, phase }) => replica === spec.replica && phase === "stopped");
    await eventually("the entries", () => peer.entries(spec.replica).includes("replica.stop done"));
    assert.deepEqual(peer.entries(spec.replica), ["replica.start took", "replica.ready done", "replica.stop done"]);
    assert.equal(new Set(peer.all("replica").map(({ status }) => status.replica)).size, 1);
    for (const [read, from] of [
      ["2", 1],
      ["3", part.next],
    ] as const)
      peer.link.send({ type: "read-log", read, replica: spec.replica, space: spec.space, from, limit: 100 });
    assert.deepEqual((await peer.first("log", ({ read }) => read === "2")).lines, part.lines);
    assert.deepEqual(await peer.first("log", ({ read }) => read === "3"), {
      type: "log",
      read: "3",
      lines: [],
      next: part.next,
      complete: true,
    });
  });

  test("an app that exits is started again as another replica, until it is a crash loop", async () => {
    await using node = await testNode();
    const { peer } = await node.start();
    const spec = startSpec(await node.release(peer, "console.error('no database'); process.exit(3);"));
    peer.link.send({ type: "start-replica", spec });
    const last = await peer.status(({ end }) => end?.code === "app/crash-loop");
    assert.match(last.end?.says ?? "", /ended 3 times within 10 minutes and is not started again/);
    const chain = [...new Set(peer.all("replica").map(({ status }) => status.replica))];
    assert.equal(chain.length, 3);
    assert.deepEqual(
      chain.map((replica) => peer.all("replica").find(({ status }) => status.replica === replica)?.status.previous),
      [undefined, chain[0], chain[1]],
    );
    const ends = chain.map(
      (replica) => peer.all("replica").findLast(({ status }) => status.replica === replica)?.status.end,
    );
    assert.deepEqual(
      ends.map((end) => [end?.code, end?.exitCode]),
      [
        ["app/exit", 3],
        ["app/exit", 3],
        ["app/crash-loop", 3],
      ],
    );
    await eventually("the entries", () => peer.entries(last.replica).includes("replica.exit failed"));
    assert.deepEqual(peer.entries(last.replica), ["replica.start took", "replica.ready failed", "replica.exit failed"]);
  });

  test("a shim that is killed takes its app along, and both are started again", async () => {
    await using node = await testNode();
    const { peer } = await node.start();
    const spec = startSpec(await node.release(peer, listens));
    peer.link.send({ type: "start-replica", spec });
    await peer.status(({ phase }) => phase === "ready");
    const shim = JSON.parse(await readFile(join(node.folder, "replicas", spec.replica, "shim.json"), "utf8")) as {
      pid: number;
    };
    process.kill(shim.pid, "SIGKILL");
    const lost = await peer.status(({ phase }) => phase === "lost");
    assert.deepEqual([lost.replica, lost.end?.code], [spec.replica, "runtime/shim-lost"]);
    const next = await peer.status(({ phase, previous }) => phase === "ready" && previous === spec.replica);
    assert.notEqual(next.replica, spec.replica);
    await eventually("the entries", () => peer.entries(spec.replica).includes("replica.exit failed"));
  });

  test("finds its replicas again after its own restart, and leaves them running when it is told to", async () => {
    await using node = await testNode();
    const first = await node.start();
    const spec = startSpec(await node.release(first.peer, listens));
    first.peer.link.send({ type: "start-replica", spec });
    await first.peer.status(({ phase }) => phase === "ready");
    await first.agent.close("keep");
    const { peer } = await node.start();
    const hello = peer.heard[0] as Heard<"hello">;
    assert.deepEqual(
      hello.replicas.map(({ replica, phase }) => [replica, phase]),
      [[spec.replica, "ready"]],
    );
  });

  test("goes on over another connection: what runs is in its hello, and the server's answer brings the rest", async () => {
    await using node = await testNode();
    const { agent, peer } = await node.start();
    const spec = startSpec(await node.release(peer, listens));
    peer.link.send({ type: "start-replica", spec });
    await peer.status(({ phase }) => phase === "ready");
    peer.link.close();
    const { server, agent: link } = memoryLink();
    const next = new Peer(server);
    agent.connect(link);
    const hello = await next.first("hello");
    assert.deepEqual(
      hello.replicas.map(({ replica, phase }) => [replica, phase]),
      [[spec.replica, "ready"]],
    );
    assert.ok((await next.first("build-done")).outcome.ok);
    next.link.send({ type: "stop-replica", replica: spec.replica, graceMs: durationMs(2_000), why: "paused" });
    await next.status(({ phase }) => phase === "stopped");
  });

  test("in the foreground it ends all that it started, and the next one reports those ends once", async () => {
    await using node = await testNode();
    const first = await node.start();
    const spec = startSpec(await node.release(first.peer, listens));
    first.peer.link.send({ type: "start-replica", spec });
    await first.peer.status(({ phase }) => phase === "ready");
    await first.agent.close("stop");
    await first.peer.status(({ phase }) => phase === "stopped");
    const second = await node.start();
    assert.deepEqual(
      (second.peer.heard[0] as Heard<"hello">).replicas.map(({ phase }) => phase),
      ["stopped"],
    );
    await second.agent.close("keep");
    assert.deepEqual(((await node.start()).peer.heard[0] as Heard<"hello">).replicas, []);
  });

  test("orders for a replica that is not here are answered with its loss", async () => {
    await using node = await testNode();
    const { peer } = await node.start();
    peer.link.send({ type: "stop-replica", replica: "p_unknown", graceMs: durationMs(1), why: "x" });
    assert.equal((await peer.status(({ replica }) => replica === "p_unknown")).phase, "lost");
    const spec = startSpec("rel_0000000000000000");
    peer.link.send({ type: "start-replica", spec });
    const lost = await peer.status(({ replica, phase }) => replica === spec.replica && phase === "lost");
    assert.match(lost.end?.says ?? "", /release rel_0000000000000000 is not on this node/);
    peer.link.send({ type: "read-log", read: "1", replica: lost.replica, space: lost.space, from: 1, limit: 10 });
    assert.deepEqual(await peer.first("log"), { type: "log", read: "1", lines: [], next: 1, complete: true });
  });

  test("L19: counts the grants that it took, and refuses an older fence after a restart too", async () => {
    await using node = await testNode();
    const first = await node.start();
    const grant = (number: number, fence: number) =>
      ({
        type: "grant",
        number,
        call: `c_${number}`,
        replica: "p_gone",
        slots: ["n1/0/0"],
        fence,
        warm: false,
        device: { index: 0, uuid: "u" },
        leaseMs: 1,
        attachWithinMs: 1,
      }) as const;
    first.peer.link.send(grant(1, 5));
    await first.peer.first("heartbeat", ({ tookGrants }) => tookGrants === 1);
    await first.agent.close("keep");
    const { peer } = await node.start();
    assert.equal((await peer.first("heartbeat")).tookGrants, 1);
    peer.link.send(grant(2, 4)); // refused: nobody is told of a replica that it names
    peer.link.send(grant(3, 6));
    await peer.first("heartbeat", ({ tookGrants }) => tookGrants === 3);
    assert.equal(peer.all("replica").filter(({ status }) => status.replica === "p_gone").length, 1);
  });
});
