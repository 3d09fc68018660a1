/** Proxies in front of the edge: whose word counts, with raw bytes, and with nginx and HAProxy as docs/network.md configures them. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { app, ask, problemIn, shown } from "./support/edge-app.ts";
import { appHost, edgeWorld, rawExchange } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";
import { eventually } from "./support/eventually.ts";
import { until } from "./support/platform.ts";
import { freePort } from "./support/free-port.ts";
import { networkRecipe } from "./support/network-recipes.ts";
import { needs } from "./support/needs.ts";

const trusting = (...named: string[]) => ({
  has: (one: string) => named.includes(one),
  headers: "x-forwarded" as const,
});

/** Who comes through a proxy of this machine, from an address that is not the proxy's. */
const visitor = "127.0.0.9";

describe("a visitor that no proxy brings", () => {
  let world: EdgeWorld;
  before(async () => {
    world = await edgeWorld(app, { proxies: trusting("192.0.2.1") });
  });
  after(() => world.close());

  for (const lines of [
    "X-Forwarded-For: 6.6.6.6",
    "Forwarded: for=6.6.6.6;proto=https;host=evil.example",
    "x-forwarded-for: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7",
    "X_Forwarded_For: 6.6.6.6",
    "X-Real-IP: 6.6.6.6\r\nTrue-Client-IP: 6.6.6.6\r\nClient-IP: 6.6.6.6",
    "X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /evil",
  ])
    test(`says nothing about itself with ${JSON.stringify(lines)}`, async () => {
      const raw = `GET /me HTTP/1.1\r\nHost: ${appHost}\r\n${lines}\r\nConnection: close\r\n\r\n`;
      const text = await rawExchange(world.edge.port, raw);
      assert.match(text, /^HTTP\/1\.1 200 /);
      assert.doesNotMatch(text, /6\.6\.6\.6|7\.7\.7\.7|evil/);
      const body = text.slice(text.indexOf("\r\n\r\n") + 4).replace(/^[0-9a-f]+\r\n|\r\n0\r\n\r\n$/g, "");
      const headers = shown(body);
      assert.equal(headers.get("x-forwarded-for"), "127.0.0.1");
      assert.equal(headers.get("x-forwarded-proto"), "http");
      assert.equal(headers.get("x-forwarded-host"), appHost);
    });
});

describe("a trusted proxy", () => {
  let world: EdgeWorld;
  before(async () => {
    world = await edgeWorld(app, { proxies: trusting("127.0.0.1") });
  });
  after(() => world.close());

  const told = { "x-forwarded-for": "6.6.6.6, 203.0.113.9", "x-forwarded-proto": "https" };

  test("tells the app, the account and the record who the visitor is", async () => {
    const answer = await ask(world, "/told", told);
    const headers = shown(answer.text);
    assert.deepEqual([headers.get("x-forwarded-for"), headers.get("x-forwarded-proto")], ["203.0.113.9", "https"]);
    assert.match(headers.get("x-ip-token") ?? "", /address:203\.0\.113\.9$/);
    const pack = await eventually("its record", () =>
      world.emitter.packs.find(({ facts }) => facts["path"] === "/told"),
    );
    assert.deepEqual([pack.facts["account"], pack.facts["proxy"]], ["address:203.0.113.9", "127.0.0.1"]);
  });

  test("tells the host that was asked for, which alone decides where the request goes", async () => {
    const answer = await ask(world, "/hosted", { ...told, host: "10.0.0.7:7070", "x-forwarded-host": appHost });
    const headers = shown(answer.text);
    assert.deepEqual([headers.get("host"), headers.get("x-forwarded-host")], [appHost, appHost]);
    const other = await ask(world, "/hosted", { ...told, "x-forwarded-host": "nobody.localhost" });
    assert.equal(problemIn(other).code, "no-such-space");
  });

  test("whose words can be read in two ways is refused, and nothing reaches the app", async () => {
    const answer = await ask(world, "/unclear", { ...told, "x-forwarded-host": "a@b" });
    assert.equal(answer.status, 400);
    assert.match(String(problemIn(answer).detail), /X-Forwarded-Host/);
  });
});

describe("the PROXY protocol", () => {
  let world: EdgeWorld;
  let port: number;
  before(async () => {
    port = await freePort();
    world = await edgeWorld(app, { proxies: trusting("127.0.0.1"), proxyProtocol: { address: "127.0.0.1", port } });
  });
  after(() => world.close());

  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: ${appHost}\r\nConnection: close\r\n\r\n`;
  const line = "PROXY TCP4 203.0.113.9 127.0.0.1 4000 7070\r\n";
  const binary = Buffer.concat([
    Buffer.from("0d0a0d0a000d0a515549540a", "hex"),
    Buffer.from([0x21, 0x11, 0, 12 + 3 + 5, 203, 0, 113, 9, 127, 0, 0, 1, 15, 160, 27, 158, 0x05, 0, 5]),
    Buffer.from("lb-42"),
  ]);

  test("tells the visitor of each connection, and its UNIQUE_ID stands in the record", async () => {
    assert.match(await rawExchange(port, line + get("/v1")), /x-forwarded-for","203\.0\.113\.9"/);
    assert.match(await rawExchange(port, Buffer.concat([binary, Buffer.from(get("/v2"))])), /"203\.0\.113\.9"/);
    const pack = await eventually("its record", () => world.emitter.packs.find(({ facts }) => facts["path"] === "/v2"));
    assert.deepEqual([pack.facts["account"], pack.facts["proxyId"]], ["address:203.0.113.9", "lb-42"]);
  });

  test("may be cut anywhere, and a whole body may follow it at once", async () => {
    const body = "x".repeat(100_000);
    const post = `POST /cut HTTP/1.1\r\nHost: ${appHost}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    for (const at of [1, 5, 30, line.length - 1, line.length, line.length + 9]) {
      const all = line + post;
      const socket = connect(port, "127.0.0.1");
      const text = (async () => {
        let read = "";
        for await (const part of socket.setEncoding("latin1")) read += part as string;
        return read;
      })();
      await new Promise((done) => socket.write(all.slice(0, at), done));
      socket.write(all.slice(at));
      assert.match(await text, new RegExp(`^HTTP/1\\.1 200 [^]*"bytes":${body.length}`), `cut at ${at}`);
    }
  });

  test("X-Forwarded-For within such a connection is the visitor's own, and counts for nothing", async () => {
    const text = await rawExchange(
      port,
      `${line}GET /x HTTP/1.1\r\nHost: ${appHost}\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close\r\n\r\n`,
    );
    assert.match(text, /x-forwarded-for","203\.0\.113\.9"/);
    assert.doesNotMatch(text, /6\.6\.6\.6/);
  });

  test("without its header, or with a wrong one, the connection ends, and is counted", async () => {
    for (const bytes of [get("/none"), "PROXY TCP4 1.2.3.4\r\n", Buffer.from(binary).fill(9, 12, 13)]) {
      const before_ = world.counted.length;
      assert.equal(await rawExchange(port, bytes), "");
      await eventually("it is counted", () => world.counted.length > before_);
      assert.deepEqual(world.counted.at(-1), { code: "route/malformed", host: "" });
    }
  });

  test("is not read on any other listener: there it is no HTTP", async () => {
    assert.match(await rawExchange(world.edge.port, line + get("/other")), /^HTTP\/1\.1 400 /);
  });

  test("is taken from named proxies alone", async () => {
    const other = await freePort();
    const strict = await edgeWorld(app, {
      proxies: trusting("192.0.2.1"),
      proxyProtocol: { address: "127.0.0.1", port: other },
    });
    assert.equal(await rawExchange(other, line + get("/stranger")), "");
    await strict.close();
  });
});

describe("nginx, as the recipe has it", async () => {
  const { skip } = await needs("nginx");
  test("brings the visitor, protocol and host; what the visitor says of itself is dropped", { skip }, async () => {
    await using front = await Front.start("nginx", trusting("127.0.0.1"));
    const answer = await front.ask("/through", "X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n");
    assert.match(answer, /^HTTP\/1\.1 200 /);
    const headers = front.seen(answer);
    assert.equal(headers.get("x-forwarded-for"), visitor);
    assert.equal(headers.get("host"), appHost);
    assert.doesNotMatch(answer, /6\.6\.6\.6/);
    const pack = await eventually("its record", () =>
      front.world.emitter.packs.find(({ facts }) => facts["path"] === "/through"),
    );
    assert.equal(pack.facts["proxy"], "127.0.0.1");
  });
});

describe("HAProxy, as the recipe has it", async () => {
  const { skip } = await needs("haproxy");
  test("brings the visitor and its own id of the connection by PROXY protocol", { skip }, async () => {
    await using front = await Front.start("haproxy", trusting("127.0.0.1"));
    const answer = await front.ask("/balanced", "X-Forwarded-For: 6.6.6.6\r\n");
    assert.match(answer, /^HTTP\/1\.1 200 /);
    assert.equal(front.seen(answer).get("x-forwarded-for"), visitor);
    assert.doesNotMatch(answer, /6\.6\.6\.6/);
    const pack = await eventually("its record", () =>
      front.world.emitter.packs.find(({ facts }) => facts["path"] === "/balanced"),
    );
    assert.match(pack.facts["proxyId"] as string, /^[0-9a-f]{8}-[0-9a-f]{4}-/);
  });
});

/** A proxy program with the recipe's configuration, on other ports, before an edge. */
class Front implements AsyncDisposable {
  readonly world: EdgeWorld;
  readonly #port: number;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(world: EdgeWorld, port: number, child: ChildProcess, folder: string) {
    this.world = world;
    this.#port = port;
    this.#child = child;
    this.#folder = folder;
  }

  static async start(program: "nginx" | "haproxy", proxies: ReturnType<typeof trusting>): Promise<Front> {
    const proxied = await freePort();
    const world = await edgeWorld(app, { proxies, proxyProtocol: { address: "127.0.0.1", port: proxied } });
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), "waybill-front-"));
    const file = join(folder, "front.conf");
    writeFileSync(file, networkRecipe(program, { port, edge: world.edge.port, proxied, folder }));
    const args = program === "nginx" ? ["-p", folder, "-c", file, "-e", "stderr"] : ["-db", "-f", file];
    const child = spawn(`/usr/sbin/${program}`, args, { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr?.on("data", (bytes: Buffer) => (said += bytes.toString()));
    const front = new Front(world, port, child, folder);
    await until(`${program} listens`, async () => {
      if (child.exitCode !== null) throw new Error(said);
      const socket = connect(port, "127.0.0.1");
      try {
        await once(socket, "connect");
        return true;
      } catch {
        return false; // Not yet.
      } finally {
        socket.destroy();
      }
    });
    return front;
  }

  ask(path: string, lines: string): Promise<string> {
    const raw = `GET ${path} HTTP/1.1\r\nHost: ${appHost}\r\n${lines}Connection: close\r\n\r\n`;
    return rawExchange(this.#port, raw, { from: visitor });
  }

  /** What the app was shown. */
  seen(answer: string): Map<string, string> {
    const from = answer.indexOf("{");
    return shown(answer.slice(from, answer.lastIndexOf("}") + 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = this.#child.exitCode === null ? once(this.#child, "exit") : undefined;
    this.#child.kill("SIGTERM");
    await ended;
    await this.world.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
