/** How a platform is reached: opened to a network only where that is safe; Spaces told apart by ports. With real processes. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect, createServer } from "node:net";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Role } from "./support/cluster.ts";
import { rawExchange } from "./support/edge-world.ts";
import { freePort } from "./support/free-port.ts";
import { needs } from "./support/needs.ts";
import { caddyRecipe } from "./support/network-recipes.ts";
import { Platform, until, upRefused, visit } from "./support/platform.ts";
import type { Account, App } from "./support/platform.ts";

/** Sets a cookie of the name `session` and tells which cookies it was sent. */
function cookieApp(value: string): Record<string, string> {
  const server = [
    'import { createServer } from "node:http";',
    "createServer((request, response) => {",
    `  response.writeHead(200, { "set-cookie": "session=${value}; Path=/" });`,
    '  response.end(JSON.stringify({ cookie: request.headers.cookie ?? "", host: request.headers.host }));',
    '}).listen(Number(process.env.PORT), "127.0.0.1");',
  ];
  return {
    "README.md": "---\nsdk: node\n---\n",
    "package.json": JSON.stringify({ name: "cookies", type: "module", scripts: { start: "node server.js" } }),
    "server.js": server.join("\n"),
    "work.js": "",
    "gradio.js": "",
  };
}

describe("opening to a network", () => {
  test("is refused with all that is missing and what to do about each, and nothing is made", async () => {
    const folder = mkdtempSync(join(tmpdir(), "waybill-network-"));
    const env = { WAYBILL_HOST: "0.0.0.0", WAYBILL_TRUSTED_PROXIES: "" };
    const { code, out, err } = await upRefused(join(folder, "data"), 0, env);
    assert.equal(code, 2);
    const said = `${out}${err}`;
    for (const about of [/--console-host/, /--apps-domain/, /WAYBILL_TRUSTED_PROXIES/, /TLS/])
      assert.match(said, about);
    rmSync(folder, { recursive: true, force: true });
  });

  test("behind a proxy that is named, addresses are those that visitors type", async () => {
    await using platform = await Platform.start({
      gpus: null,
      env: {
        WAYBILL_HOST: "0.0.0.0",
        WAYBILL_TRUSTED_PROXIES: "127.0.0.1",
        WAYBILL_PUBLIC_URL: "https://waybill.example.com",
        WAYBILL_APPS_DOMAIN: "apps.example.com",
      },
    });
    const alice = await platform.account("alice");
    const app = await platform.deploy(alice, "demo", cookieApp("a"));
    assert.deepEqual(app.deployed.space.addresses, ["https://alice-demo.apps.example.com"]);
    const port = Number(new URL(platform.url).port);
    const ask = (lines: string): Promise<string> =>
      rawExchange(port, `GET / HTTP/1.1\r\n${lines}\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n`);
    assert.match(
      await ask("Host: alice-demo.apps.example.com"),
      /^HTTP\/1\.1 200 [^]*"host":"alice-demo.apps.example.com"/,
    );
    assert.match(await ask("Host: waybill.example.com"), /^HTTP\/1\.1 200 /);
    const stranger = await ask("Host: bob-x.apps.example.com");
    assert.match(stranger, /^HTTP\/1\.1 404 [^]*https:\/\/waybill\.example\.com\/w\/n_/);
  });
});

describe("Caddy in front, as the recipes have it", async () => {
  const { skip } = await needs("caddy");
  test("has TLS by its own authority, or a certificate for each name that is the platform's", { skip }, async () => {
    await using platform = await Platform.start({
      gpus: null,
      env: {
        WAYBILL_TRUSTED_PROXIES: "127.0.0.1",
        WAYBILL_PUBLIC_URL: "https://waybill.lan",
        WAYBILL_APPS_DOMAIN: "apps.lan",
      },
    });
    const alice = await platform.account("alice");
    const app = await platform.deploy(alice, "demo", cookieApp("a"));
    assert.deepEqual(app.deployed.space.addresses, ["https://alice-demo.apps.lan"]);
    await platform.admin.domains.add(app.space, { name: "shop.example.org", withoutProof: true });
    for (const [which, names, others] of [
      ["caddy-lan", ["alice-demo.apps.lan", "waybill.lan"], []],
      ["caddy-acme", ["alice-demo.apps.lan", "waybill.lan", "shop.example.org"], ["bob-x.apps.lan", "evil.example"]],
    ] as const) {
      await using caddy = await Caddy.start(which, Number(new URL(platform.url).port));
      for (const name of names) {
        const answer = await until(`${name} answers`, () => caddy.ask(name));
        assert.equal(answer.status, 200, `${which} ${name}`);
        if (name !== "waybill.lan") assert.equal((JSON.parse(answer.text) as { host: string }).host, name);
      }
      for (const name of others) assert.equal(await caddy.ask(name), undefined, `${which} ${name}`);
    }
  });
});

/** Caddy with a recipe's configuration, before a platform. */
class Caddy implements AsyncDisposable {
  readonly #port: number;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(port: number, child: ChildProcess, folder: string) {
    this.#port = port;
    this.#child = child;
    this.#folder = folder;
  }

  static async start(which: "caddy-lan" | "caddy-acme", edge: number): Promise<Caddy> {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), "waybill-caddy-"));
    const file = join(folder, "Caddyfile");
    writeFileSync(file, caddyRecipe(which, { port, edge, folder }));
    const env = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
    const child = spawn("/usr/bin/caddy", ["run", "--config", file, "--adapter", "caddyfile"], {
      ...{ env, stdio: ["ignore", "ignore", "pipe"] },
    });
    let said = "";
    child.stderr?.on("data", (bytes: Buffer) => (said += bytes.toString()));
    await until(`Caddy listens: ${which}`, async () => {
      if (child.exitCode !== null) throw new Error(said);
      const socket = connect(port, "127.0.0.1");
      const taken = await once(socket, "connect").then(
        () => true,
        () => false, // Not yet.
      );
      socket.destroy();
      return taken;
    });
    return new Caddy(port, child, folder);
  }

  /** Undefined where it has no certificate for that name. */
  async ask(name: string): Promise<{ readonly status: number; readonly text: string } | undefined> {
    const request = httpsRequest({
      ...{ host: "127.0.0.1", port: this.#port, servername: name, agent: false, rejectUnauthorized: false },
      headers: { host: name },
    });
    request.end();
    try {
      const [response] = (await once(request, "response")) as [IncomingMessage];
      let text = "";
      for await (const part of response.setEncoding("utf8")) text += part as string;
      return { status: response.statusCode ?? 0, text };
    } catch {
      return undefined; // The handshake was refused.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = this.#child.exitCode === null ? once(this.#child, "exit") : undefined;
    this.#child.kill("SIGTERM");
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

describe("Spaces told apart by ports", () => {
  let platform: Platform;
  let alice: Account;
  let one: App;
  let two: App;
  let other: Server;
  let range: { readonly from: number; readonly to: number };
  const portOf = (app: App): number => Number(new URL(app.url).port);
  const cookies = (response: { headers: Headers }): string[] => response.headers.getSetCookie();

  before(async () => {
    // The first of the range is another program's.
    const from = await freePort();
    other = createServer().listen(from, "127.0.0.1");
    await once(other, "listening");
    range = { from, to: from + 10 };
    platform = await Platform.start({ gpus: null, env: { WAYBILL_ADDRESSES: `ports:${range.from}-${range.to}` } });
    alice = await platform.account("alice");
    one = await platform.deploy(alice, "one", cookieApp("first"));
    two = await platform.deploy(alice, "two", cookieApp("second"));
  });
  after(async () => {
    other.close();
    await platform[Symbol.asyncDispose]();
  });

  test("each has one of the range; one that another program has is skipped, and told", async () => {
    assert.match(one.url, /^http:\/\/127\.0\.0\.1:\d+$/);
    const [first, second] = [portOf(one), portOf(two)];
    assert.ok(first > range.from && first <= range.to && second > first && second <= range.to);
    assert.deepEqual((await alice.client.space("alice/one")).addresses, [one.url]);
    assert.ok(platform.log.some((line) => line.includes(`port ${range.from} is given to no Space`)));
    assert.equal((await visit(one.url)).status, 200);
  });

  test("cookies of one never reach the other, nor the console's either of them; no script reads them", async () => {
    const [fromOne, fromTwo] = [cookies(await visit(one.url)), cookies(await visit(two.url))];
    assert.match(fromOne[0] ?? "", /^wb-[0-9a-z]{16}-session=first; Path=\/; HttpOnly$/);
    const jar = [...fromOne, ...fromTwo].map((line) => line.split(";")[0]);
    const cookie = [...jar, "waybill_console=secret", "__Host-waybill-console=secret", "session=forged"].join("; ");
    const seen = async (app: App): Promise<string> =>
      (JSON.parse((await visit(app.url, undefined, { headers: { cookie } })).text) as { cookie: string }).cookie;
    assert.deepEqual([await seen(one), await seen(two)], ["session=first", "session=second"]);
  });

  test("a port answers under the console's hosts alone: not under a stranger's name that was made to lead there", async () => {
    const ask = (host: string): Promise<string> =>
      rawExchange(portOf(one), `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    assert.match(await ask(`localhost:${portOf(one)}`), /^HTTP\/1\.1 200 /);
    assert.match(await ask(`evil.example:${portOf(one)}`), /^HTTP\/1\.1 404 [^]*no-such-space/);
  });

  test("they outlive a restart, with their cookies; one that is taken meanwhile is told, and given to nobody else", async () => {
    const before_ = cookies(await visit(two.url))[0];
    await platform.kill();
    const squatter = createServer();
    await until("the port of the first is free", async () => {
      squatter.listen(portOf(one), "127.0.0.1");
      return Promise.race([once(squatter, "listening").then(() => true), once(squatter, "error").then(() => false)]);
    });
    await platform.up();
    assert.equal((await alice.client.space("alice/one")).addresses[0], one.url);
    const answer = await until("the second answers", async () => {
      const visited = await visit(two.url);
      return visited.status === 200 && visited;
    });
    assert.equal(cookies(answer)[0], before_);
    assert.ok(platform.log.some((line) => line.includes(`port ${portOf(one)} of alice/one`)));
    const three = await platform.deploy(alice, "three", cookieApp("third"));
    assert.ok(![portOf(one), portOf(two), range.from].includes(portOf(three)));
    squatter.close();
  });
});

describe("Spaces told apart by ports, with the edge apart", () => {
  test("answer at their ports through all workers, also while no server is there, and keep them", async () => {
    // The first of the range is another program's.
    const from = await freePort();
    const other = createServer().listen(from, "127.0.0.1");
    await once(other, "listening");
    const env = { WAYBILL_ADDRESSES: `ports:${from}-${from + 10}` };
    await using platform = await Platform.start({ apart: await freePort(), gpus: null, service: true, env });
    const edge = new Role("edge", ["edge", "--data", platform.data, "--workers", "2"], env);
    await edge.start().ready;
    try {
      const alice = await platform.account("alice");
      const [one, two] = [
        await platform.deploy(alice, "one", cookieApp("first")),
        await platform.deploy(alice, "two", cookieApp("second")),
      ];
      const portOf = (app: App): number => Number(new URL(app.url).port);
      assert.ok(portOf(one) > from && portOf(two) > portOf(one), `${one.url} ${two.url}`);
      const isServed = async ({ url }: App): Promise<boolean> => {
        const all = await Promise.all(Array.from({ length: 10 }, () => visit(url).catch(() => undefined)));
        return all.every((answer) => answer?.status === 200);
      };
      for (const app of [one, two]) await until(`${app.url} is served`, () => isServed(app));
      const cookie = (await visit(one.url)).headers.getSetCookie()[0] ?? "";
      assert.match(cookie, /^wb-[0-9a-z]{16}-session=first;/);
      await platform.kill();
      for (const app of [one, two]) assert.ok(await isServed(app), "no server is there");
      await platform.up();
      assert.equal((await alice.client.space("alice/one")).addresses[0], one.url);
      const three = await platform.deploy(alice, "three", cookieApp("third"));
      await until(`${three.url} is served`, () => isServed(three));
      assert.ok(![from, portOf(one), portOf(two)].includes(portOf(three)));
      assert.equal((await visit(one.url)).headers.getSetCookie()[0], cookie);
    } finally {
      other.close();
      await edge.end("SIGTERM");
    }
  });
});
