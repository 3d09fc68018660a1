/** A server's and an agent's end over real sockets, and a line between them that breaks, falls silent, or loses its server. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { describe, test } from "node:test";
import type { ToAgent, ToServer } from "../src/contract/agent.ts";
import { Links } from "../src/link/accept.ts";
import { dial, type DialTrouble } from "../src/link/dial.ts";
import { linkSuite } from "../src/link/link.suite.ts";
import type { AgentEnd, ServerEnd } from "../src/link/memory.ts";
import type { Terms } from "../src/link/terms.ts";
import type { WireTiming } from "../src/link/wire.ts";
import { eventually } from "./support/eventually.ts";

const timing: WireTiming = { pingMs: 50, silentMs: 400, resumeMs: 20_000 };
const now = (): number => performance.now();
const token = "the node's own";
const terms = (node: string): Terms => ({
  node,
  appsDomain: "localhost",
  port: 1,
  insidePath: null,
  plainProcesses: true,
  folder: "/",
  folderDigest: "x",
});

/** Both ends, and the line between them: its sockets can be cut, or carry nothing while they stay open. */
class World implements AsyncDisposable {
  readonly servers: ServerEnd[] = [];
  readonly agents: AgentEnd[] = [];
  readonly troubles: DialTrouble[] = [];
  readonly failures: string[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #http: HttpServer;
  readonly #line: Server;
  readonly #timing: WireTiming;
  #links: Links;
  #dialler: Disposable | undefined;
  #silent = false;

  /** `before`: servers that are asked before this one. */
  static async open(
    changed: Partial<WireTiming> = {},
    { said = token, before = [] }: { readonly said?: string; readonly before?: readonly string[] } = {},
  ): Promise<World> {
    const world = new World({ ...timing, ...changed });
    await listening(world.#http);
    await listening(world.#line);
    world.#dialler = dial({
      servers: [...before, `http://127.0.0.1:${portOf(world.#line)}`],
      token: () => said,
      version: "1",
      random: randomBytes,
      now,
      onLink: (link) => world.agents.push(link),
      onTrouble: (trouble) => world.troubles.push(trouble),
      onFailure: (what, error) => world.failures.push(`${what}: ${String(error)}`),
      timing: world.#timing,
    });
    return world;
  }

  private constructor(used: WireTiming) {
    this.#timing = used;
    this.#links = this.#open();
    this.#http = createHttpServer();
    this.#http.on("upgrade", (request, socket, head) => {
      if (request.headers.authorization === `Bearer ${token}`) this.#links.take("n1", request, socket, head);
      else socket.end("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n");
    });
    this.#line = createServer((near) => {
      const far = connect(portOf(this.#http), "127.0.0.1");
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(one);
        one.on("data", (bytes: Buffer) => !this.#silent && other.write(bytes));
        one.on("error", () => one.destroy());
        one.on("close", () => {
          this.#sockets.delete(one);
          if (!this.#silent) other.destroy();
        });
      }
    });
  }

  /** Both ends of the newest connection. */
  async ends(): Promise<{ server: ServerEnd; agent: AgentEnd }> {
    return eventually("both ends are there", () => {
      const [server, agent] = [this.servers.at(-1), this.agents.at(-1)];
      return server && agent && { server, agent };
    });
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Bytes vanish, and nobody is told. */
  set silent(silent: boolean) {
    this.#silent = silent;
  }

  /** A server without a memory of any session. */
  replaceServer(): void {
    this.#links[Symbol.dispose]();
    this.#links = this.#open();
  }

  drop(): void {
    this.#links.drop("n1");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#dialler?.[Symbol.dispose]();
    this.#links[Symbol.dispose]();
    this.cut();
    this.#http.closeAllConnections();
    await Promise.all([closed(this.#http), closed(this.#line)]);
  }

  #open(): Links {
    return new Links({
      ...{ now, terms, timing: this.#timing },
      onLink: (link) => this.servers.push(link),
      onFailure: (what, error) => this.failures.push(`${what}: ${String(error)}`),
    });
  }
}

linkSuite("a link over a WebSocket", async () => {
  const world = await World.open();
  return { ...(await world.ends()), [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
});

describe("a link over sockets that break", () => {
  test("carries all messages of both directions once and in order while its sockets are cut again and again", async () => {
    await using world = await World.open();
    const { server, agent } = await world.ends();
    const [atServer, atAgent]: [number[], number[]] = [[], []];
    server.onMessage((message) => message.type === "heartbeat" && atServer.push(message.tookGrants));
    agent.onMessage((message) => message.type === "welcome" && atAgent.push(message.epoch));
    const expected: number[] = [];
    for (let n = 1; n <= 400; n++) {
      expected.push(n);
      agent.send({ type: "heartbeat", node: "n1", tookGrants: n, builds: [] });
      server.send({ type: "welcome", server: "s", epoch: n });
      if (n % 100 !== 0) continue;
      world.cut();
      await eventually(
        "what was said before the cut is there",
        () => atServer.length >= n - 50 && atAgent.length >= n - 50,
      );
    }
    await eventually("all is there", () => atServer.length >= 400 && atAgent.length >= 400);
    assert.deepEqual([atServer, atAgent], [expected, expected]);
    assert.equal(world.agents.length, 1, "it was one connection all the time");
  });

  test("a line that falls silent is noticed within its bound, and gone on with over another", async () => {
    await using world = await World.open();
    const { server, agent } = await world.ends();
    const heard: number[] = [];
    server.onMessage((message) => message.type === "heartbeat" && heard.push(message.tookGrants));
    const since = now();
    world.silent = true;
    agent.send({ type: "heartbeat", node: "n1", tookGrants: 1, builds: [] });
    await eventually("a try on the silent line has failed too", () => world.troubles.length > 0);
    assert(now() - since >= timing.silentMs / 2, "not before it could be known");
    assert.deepEqual(heard, []);
    world.silent = false;
    await eventually("it is said again", () => heard.length === 1);
  });

  test("a malformed message ends its connection and no more, whoever says it, and another begins", async () => {
    await using world = await World.open();
    const first = await world.ends();
    const heard: ToServer[] = [];
    first.server.onMessage((message) => heard.push(message));
    first.agent.send({ type: "hello" } as ToServer);
    await eventually("another connection begins", () => world.agents.length === 2);
    assert.match(world.failures[0] ?? "", /^a message of n1, whose connection is over: MalformedMessage: node: /);
    assert.deepEqual(heard, []);
    const second = await world.ends();
    second.server.send({ type: "grant" } as ToAgent);
    await eventually("a third begins", () => world.agents.length === 3);
    assert.match(
      world.failures[1] ?? "",
      /^a message of the server, to whom the connection is over: MalformedMessage: /,
    );
  });

  test("a message whose taker throws ends its connection and no more", async () => {
    await using world = await World.open();
    const { server, agent } = await world.ends();
    server.onMessage(() => {
      throw new TypeError("not taken");
    });
    agent.send({ type: "heartbeat", node: "n1", tookGrants: 1, builds: [] });
    await eventually("another connection begins", () => world.agents.length === 2);
    assert.match(world.failures.join("\n"), /^a message of n1, whose connection is over: TypeError: not taken/);
  });

  test("ends where no socket comes in time, and another connection begins", async () => {
    await using world = await World.open({ resumeMs: 300 });
    const { server, agent } = await world.ends();
    const ended = Promise.all([server, agent].map((end) => new Promise<void>((done) => end.onClose(done))));
    world.silent = true;
    await ended;
    world.silent = false;
    world.cut();
    await eventually("another one", () => world.agents.length > 1 && world.servers.length > 1);
  });

  test("begins anew with a server that has forgotten it, and after the server ended it", async () => {
    await using world = await World.open();
    const { agent } = await world.ends();
    const ended = new Promise<void>((done) => agent.onClose(done));
    world.replaceServer();
    await ended;
    const second = await eventually("a second one", () => world.agents[1]);
    const alsoEnded = new Promise<void>((done) => second.onClose(done));
    world.drop();
    await alsoEnded;
    await eventually("a third one", () => world.agents[2]);
  });

  test("an agent whose token is refused is told so, and goes on asking", async () => {
    await using world = await World.open({}, { said: "another" });
    await eventually("it was refused twice", () => world.troubles.filter(({ status }) => status === 401).length >= 2);
    assert.equal(world.servers.length, 0);
    assert.deepEqual([...new Set(world.troubles.map(({ says }) => says))], ["it refused this node's token"]);
  });

  test("a server that takes connections and says nothing is passed over for the next", async () => {
    const hangs = createServer((socket) => socket.resume().on("error", () => socket.destroy()));
    await listening(hangs);
    // Longer than a connection has to live to count as one.
    await using world = await World.open({ silentMs: 1_200 }, { before: [`http://127.0.0.1:${portOf(hangs)}`] });
    await world.ends();
    hangs.close();
  });

  test("an end that is over hears nothing more, whatever is still said to it", async () => {
    await using world = await World.open();
    const { server, agent } = await world.ends();
    const heard: unknown[] = [];
    server.onMessage((message) => heard.push(message));
    server.close();
    agent.send({ type: "heartbeat", node: "n1", tookGrants: 1, builds: [] });
    await eventually("another begins", () => world.agents[1]);
    assert.deepEqual(heard, []);
  });
});

function portOf(server: Server | HttpServer): number {
  return (server.address() as AddressInfo).port;
}

function listening(server: Server | HttpServer): Promise<void> {
  return new Promise((done) => server.listen(0, "127.0.0.1", done));
}

function closed(server: Server | HttpServer): Promise<void> {
  return new Promise((done) => server.close(() => done()));
}
