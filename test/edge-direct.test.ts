// A plain GET on a kept connection has a way of its own: what its visitor, its app and its record see of that is what they see of all others.
import assert from "node:assert/strict";
import { once } from "node:events";
import type { RequestListener } from "node:http";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import type { Credentials } from "../src/edge/index.ts";
import { appHost, edgeWorld } from "./support/edge-world.ts";
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
