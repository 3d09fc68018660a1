// A plain GET on a kept connection has a way of its own: what its visitor, its app and its record see of that is what they see of all others.
import assert from "node:assert/strict";
import { once } from "node:events";
import type { RequestListener } from "node:http";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { after, before, beforeEach, describe, test } from "node:test";
import type { Credentials, SpaceRoute, Visitor, VisitorIdentity } from "../src/edge/index.ts";
import { Pool } from "../src/edge/pool.ts";
import type { Upstream } from "../src/edge/upstream.ts";
import { SocketMemory } from "../src/http/socket-memory.ts";
import { appHost, edgeWorld, rawExchange } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";
import { eventually } from "./support/eventually.ts";

const heads: string[][] = [];

const app: RequestListener = (request, response) => {
  heads.push(request.rawHeaders);
  const path = request.url ?? "/";
  const sized = (text: string, headers: Record<string, string> = {}): void =>
    void response.writeHead(200, { "content-length": text.length, ...headers }).end(text);
  if (path.startsWith("/cached")) return sized("cached", { "cache-control": "public, max-age=60" });
  if (path.startsWith("/cookie"))
    return sized("cookie", { "set-cookie": "waybill_session=stolen", "x-waybill-own": "1", "x-mine": "1" });
  if (path.startsWith("/undated")) {
    response.sendDate = false;
    return sized("undated");
  }
  if (path.startsWith("/none")) return void response.writeHead(204).end();
  if (path.startsWith("/same")) return void response.writeHead(304, { etag: '"1"' }).end();
  if (path.startsWith("/early")) {
    response.writeEarlyHints({ link: "</a.css>; rel=preload" });
    return sized("early");
  }
  if (path.startsWith("/framed")) return void (response.write("framed"), response.end("anew"));
  if (path.startsWith("/hangs")) return void response.writeHead(200, { "content-length": 9 }).write("begun");
  if (path.startsWith("/breaks"))
    return void response.writeHead(200, { "content-length": 9 }).write("begun", () => response.destroy());
  if (path.startsWith("/dies")) return void request.socket.destroy();
  sized("short");
};

/** Two ids, a time and a trace are each request's own. */
const ownOf = (text: string): string =>
  text
    .replaceAll(/q_\w{16}/g, "q_")
    .replaceAll(/\d\d:\d\d:\d\d GMT/g, "TIME")
    .replaceAll(/00-\w{32}-\w{16}-00/g, "");

describe("a request on the direct way", () => {
  let world: EdgeWorld;
  const asked: Credentials[] = [];
  before(async () => {
    world = await edgeWorld(app, {
      identity: {
        resolve: (credentials) => {
          asked.push(credentials);
          return { account: "address:127.0.0.1", tier: "anonymous", billedBy: "address", user: null };
        },
        mint: ({ request }) => `minted.${request}`,
      },
    });
  });
  after(() => world.close());

  const get = (path: string, more = ""): string =>
    `GET ${path} HTTP/1.1\r\nHost: ${appHost}\r\nX-Some: thing\r\n${more}\r\n`;

  class Visitor {
    text = "";
    readonly socket: Socket = connect(world.edge.port, "127.0.0.1");

    constructor() {
      this.socket.on("data", (bytes) => (this.text += bytes.toString())).on("error", () => {});
    }

    /** Resolves with what comes up to `until`. */
    async ask(path: string, until: RegExp, more = ""): Promise<string> {
      this.text = "";
      this.socket.write(get(path, more));
      await eventually(`an answer to ${path}`, () => until.test(this.text) || this.socket.destroyed);
      return this.text;
    }
  }

  /** One who has asked already, so that connections are kept. */
  async function known(): Promise<Visitor> {
    const visitor = new Visitor();
    await visitor.ask("/short", /short$/);
    await visitor.ask("/short", /short$/);
    return visitor;
  }

  test("is looked into once, as long as its client says the same of itself", async () => {
    const visitor = await known();
    const before = asked.length;
    for (const path of ["/a", "/b?c=1", "/d"]) await visitor.ask(path, /short$/);
    await visitor.ask("/e", /short$/, "X-Other: thing\r\n");
    const [one, two, three, four] = asked.slice(before);
    assert.ok(one !== undefined && one === two && two === three && four !== undefined);
    assert.notEqual(three, four);
    visitor.socket.destroy();
  });

  for (const [path, until] of [
    ["/short", /short$/],
    ["/short?a=1&token=s3cret", /short$/],
    ["/cached", /cached$/],
    ["/cookie", /cookie$/],
    ["/undated", /undated$/],
    ["/none", /\r\n\r\n$/],
    ["/same", /\r\n\r\n$/],
    ["/early", /early$/],
    ["/framed", /anew\r\n0\r\n\r\n$/],
  ] as const)
    test(`${path}: head for the app, answer and record are those of an exchange`, async () => {
      const visitor = await known();
      const [packs, seen] = [world.emitter.packs.length, heads.length];
      const direct = [await visitor.ask(path, until), await visitor.ask(path, until)];
      // What is no GET is no request of that way: the connection is node:http's from here on.
      await visitor.ask("/short", /short$/, "Connection: keep-alive, x-some\r\n");
      const exchanged = await visitor.ask(path, until);
      const noKeepAlive = (text: string): string =>
        text.replaceAll(/(?:Connection: keep-alive|Keep-Alive: [^\r]*)\r\n/g, "");
      for (const text of direct) assert.equal(linesOf(ownOf(text)), linesOf(noKeepAlive(ownOf(exchanged))));
      const [first, second, , last] = heads.slice(seen).map((head) => ownOf(head.join("\n")));
      assert.deepEqual([first, second], [last, last]);
      await eventually("a record each", () => world.emitter.packs.length === packs + 4);
      const [one, two, , four] = world.emitter.packs.slice(packs);
      for (const pack of [one, two]) {
        assert.deepEqual(Object.keys(pack?.facts ?? {}), Object.keys(four?.facts ?? {}));
        assert.deepEqual(sameOf(pack?.facts), sameOf(four?.facts));
        assert.deepEqual(
          pack?.stages.map(([hop]) => hop),
          four?.stages.map(([hop]) => hop),
        );
      }
      assert.equal(one?.facts["to"], two?.facts["from"], "each begins where the one before it ended");
      visitor.socket.destroy();
    });

  test("whose visitor leaves before the answer is whole, is told of as gone", async () => {
    const visitor = await known();
    const text = await visitor.ask("/hangs", /begun$/);
    visitor.socket.destroy();
    await isEnded(text, "route/visitor-left");
  });

  test("whose app breaks in the middle of its answer, is told of as broken", async () => {
    const visitor = await known();
    const closed = once(visitor.socket, "close");
    const text = await visitor.ask("/breaks", /begun$/);
    await closed;
    await isEnded(text, "route/reset-midway");
  });

  test("that meets an app which closes without an answer, is tried again, and refused then", async () => {
    const visitor = await known();
    const text = await visitor.ask("/dies", /reset-midway/);
    assert.match(text, /^HTTP\/1\.1 502 /);
    await isEnded(text, "route/reset-midway");
    assert.equal(heads.filter((head) => text.includes(idIn(head))).length, 2);
    visitor.socket.destroy();
  });

  test("that is open when the edge closes, is told of as broken off", async () => {
    const visitor = await known();
    const text = await visitor.ask("/hangs", /begun$/);
    const closed = once(visitor.socket, "close");
    await world.edge.close();
    await closed;
    await isEnded(text, "route/control-down");
  });

  async function isEnded(text: string, code: string): Promise<void> {
    const work = /x-waybill-id: (q_\w+)/.exec(text)?.[1] ?? "";
    await eventually(`${work} ends with ${code}`, () =>
      world.emitter.of(work).some(({ hop, facts }) => hop === "edge.deliver" && facts["code"] === code),
    );
    const hops = world.emitter.of(work).map(({ hop }) => hop);
    assert.deepEqual(hops.slice(0, 4), ["edge.accept", "identity.resolve", "edge.route", "edge.connect"]);
    assert.deepEqual(world.errors, []);
  }
});

describe("what a plain GET meets on its way", () => {
  const visitor: Visitor = { account: "address:127.0.0.1", tier: "anonymous", billedBy: "address", user: null };
  let world: EdgeWorld;
  let resolve: () => ReturnType<VisitorIdentity["resolve"]>;
  let asked = 0;
  let route: SpaceRoute;
  before(async () => {
    world = await edgeWorld(app, {
      identity: {
        resolve: () => {
          asked += 1;
          return resolve();
        },
        mint: ({ request }) => `minted.${request}`,
      },
    });
    const found = world.directory.get(appHost);
    assert.ok(found);
    route = found;
  });
  beforeEach(() => {
    asked = 0;
    resolve = () => visitor;
    world.errors.length = 0;
    world.directory.set(appHost, route);
  });
  after(() => world.close());

  const get = (path: string, method = "GET"): string => `${method} ${path} HTTP/1.1\r\nHost: ${appHost}\r\n\r\n`;
  const ask = (bytes: string, until: RegExp): Promise<string> => rawExchange(world.edge.port, bytes, until);

  test("who makes it is asked for once where nobody can tell, which ends nothing but that request", async () => {
    resolve = () => Promise.reject(new Error("the catalog is away"));
    const text = await ask(get("/short"), /control-down/);
    assert.match(text, /^HTTP\/1\.1 503 /);
    assert.equal(asked, 1);
    assert.equal(world.errors.length, 1);
  });

  test("who makes it is asked for once where that takes a while, or is refused", async () => {
    resolve = () => Promise.resolve(visitor);
    assert.match(await ask(get("/short"), /short$/), /^HTTP\/1\.1 200 /);
    resolve = () => ({ refused: "identity/bad-token" });
    assert.match(await ask(get("/short"), /bad-token/), /^HTTP\/1\.1 401 /);
    assert.equal(asked, 2);
  });

  test("who makes it is not looked up where the Space takes no more", async () => {
    world.directory.set(appHost, { ...route, limits: { requests: 0 } });
    assert.match(await ask(get("/short"), /space-busy/), /^HTTP\/1\.1 503 /);
    assert.equal(asked, 0);
  });

  test("a place among the Space's requests is free again however it ends", async () => {
    world.directory.set(appHost, { ...route, limits: { requests: 1 } });
    for (const [path, until] of [
      ["/short", /short$|space-busy/],
      ["/hangs", /begun$|space-busy/],
      ["/short", /short$|space-busy/],
      ["/breaks", /space-busy/],
      ["/short", /short$|space-busy/],
      ["/framed", /anew\r\n0\r\n\r\n$|space-busy/],
      ["/none", /\r\n\r\n$|space-busy/],
    ] as const) {
      let text = "space-busy";
      for (let tries = 0; tries < 500 && text.includes("space-busy"); tries++) text = await ask(get(path), until);
      assert.match(text, /^HTTP\/1\.1 20/, path);
    }
    await eventually("nothing is under way", () => world.edge.busy("r_1") === 0);
  });

  test("requests sent ahead are answered in their order", async () => {
    await ask(get("/short"), /short$/);
    const ahead = `${get("/short")}${get("/short", "HEAD")}${get("/none")}${get("/framed")}${get("/same")}${get("/undated")}`;
    const text = await ask(`${get("/short")}${ahead}`, /undated$/);
    assert.deepEqual(
      [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
      ["200", "200", "200", "204", "200", "304", "200"],
    );
    assert.equal(text.match(/short(?=HTTP)/g)?.length, 2);
  });

  test(
    "a connection that was paused where its answer ended is read again for the next",
    { timeout: 30_000 },
    async () => {
      const pool = new Pool({
        replica: { id: "r_1", socket: world.upstream.path },
        connectionsMax: 1,
        nextName: () => ({ emitter: "test", epoch: 1, connection: 1 }),
        monotonic: () => 0,
        memory: new SocketMemory(),
      });
      after(() => pool.close());
      for (let asks = 0; asks < 3; asks++) {
        const { promise, resolve: answered, reject } = Promise.withResolvers<string>();
        const none = (): void => {};
        const onConnection = (upstream: Upstream): void => {
          const user = {
            ...{ onInterim: none, onHead: none, onTrailers: none, onPause: none, onDrain: none },
            ...{ onUpgraded: none, onClosedEnd: none, onEnd: none, isThrough: false },
            onBody: (bytes: Buffer): void => {
              upstream.pause();
              answered(bytes.toString());
            },
            onGone: () => reject(new Error("it is gone")),
          };
          upstream.begin(user, get("/short"), { method: "GET", upgrade: false, body: false, last: false });
        };
        pool.take({ reuse: "any", visitor: "who", onConnection });
        assert.equal(await promise, "short");
      }
      assert.equal(pool.busy, 0);
    },
  );

  test("what an app sends behind an answer is nobody's", async () => {
    const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    const right = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood";
    /** Where the app was asked last. */
    let asked: Socket | undefined;
    const dirty = await edgeWorld(app, {
      upstream: {
        onOpen: (socket) => {
          let count = 0;
          socket.on("data", (bytes: Buffer) => {
            if (!bytes.includes("\r\n\r\n")) return;
            count += 1;
            asked = socket;
            const path = bytes.toString().split(" ")[1] ?? "";
            if (count === 1 || path === "/right") return void socket.write(right);
            if (path === "/behind") return void socket.write(right + evil);
            if (path === "/both")
              return void socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n`);
            if (path === "/none") return void socket.write(`HTTP/1.1 204 No Content\r\nContent-Length: 46\r\n\r\n`);
            socket.write(right);
          });
        },
      },
    });
    after(() => dirty.close());
    const socket = connect(dirty.edge.port, "127.0.0.1");
    let text = "";
    socket.on("data", (bytes) => (text += bytes.toString()));
    const said = async (path: string): Promise<string> => {
      text = "";
      socket.write(get(path));
      await eventually(`an answer to ${path}`, () =>
        /good$|^HTTP\/1\.1 204 [^]*\r\n\r\n$|^HTTP\/1\.1 502 [^]*\}\s*$/.test(text),
      );
      return text.slice(9, 12) + text.slice(-4);
    };
    for (const path of [
      "/right",
      "/right",
      "/behind",
      "/right",
      "/right",
      "/late",
      "/right",
      "/right",
      "/none",
      "/right",
    ]) {
      const got = await said(path);
      assert.equal(got, path === "/none" ? "204\r\n\r\n" : "200good", path);
      if (path !== "/right") {
        if (path !== "/behind") asked?.write(evil);
        await eventually(`the edge is done with the connection of ${path}`, () => asked?.destroyed === true);
      }
      assert.doesNotMatch(text, /evil/);
    }
    await said("/right");
    assert.match(await said("/both"), /^502/);
    socket.destroy();
  });
});

function linesOf(text: string): string {
  const end = text.indexOf("\r\n\r\n");
  return [...text.slice(0, end).split("\r\n").sort(), text.slice(end)].join("\n");
}

function sameOf(facts: Readonly<Record<string, unknown>> = {}): unknown {
  const { from: _, to: __, connection: ___, ...same } = facts;
  return same;
}

function idIn(head: readonly string[]): string {
  return head[head.indexOf("x-waybill-id") + 1] ?? "none";
}
