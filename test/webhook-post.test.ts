/** The platform's own requests to addresses that people name: what is dialled, what of an answer is kept, and what is refused. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecure } from "node:https";
import { createServer as createTcp, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { systemDialler, type Dialler } from "../src/egress/dial.ts";
import type { Posted } from "../src/contract/posting.ts";
import { poster, type PosterOptions } from "../src/egress/post.ts";
import { parseRange, type AddressRange } from "../src/egress/ranges.ts";
import { Authority, createRoot } from "../src/tls/authority.ts";

const folder = mkdtempSync(join(tmpdir(), "waybill-post-"));
const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
});

const loopback = parseRange("127.0.0.0/8") as AddressRange;
const never = new AbortController().signal;
/** Names lead where the test says. */
const leading = (to: Readonly<Record<string, readonly string[]>>, dialled: string[] = []): Dialler => ({
  async resolve(name) {
    const found = to[name];
    if (!found) throw Object.assign(new Error(name), { code: "ENOTFOUND" });
    return found;
  },
  dial(addresses, port, signal) {
    dialled.push(...addresses);
    return systemDialler().dial(addresses, port, signal);
  },
});

async function listening(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const serving = (
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<unknown> | unknown,
): Promise<number> => listening(createServer((request, response) => void answer(request, response)));

function send(url: string, over: Partial<PosterOptions> = {}, body = '{"type":"webhook.test"}'): Promise<Posted> {
  const post = poster({ addresses: [loopback], ...over });
  return post({ url, headers: { "content-type": "application/json", "webhook-id": "dl_1" }, body }, never);
}

describe("a post to an address that somebody named", () => {
  test("carries path, headers and body as they are, and brings status, Retry-After and the answer's first KiB", async () => {
    const seen: string[] = [];
    const port = await serving(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += String(chunk);
      seen.push(`${request.method} ${request.url} ${request.headers["webhook-id"]} ${request.headers.host} ${body}`);
      response.writeHead(503, { "retry-after": "7" }).end("x".repeat(5_000));
    });
    const posted = await send(`http://127.0.0.1:${port}/a/b?c=%20d`, {}, '{"é":1}');
    assert.deepEqual(seen, [`POST /a/b?c=%20d dl_1 127.0.0.1:${port} {"é":1}`]);
    assert.deepEqual(posted, { answered: true, status: 503, retryAfter: "7", answer: "x".repeat(1_024) });
  });

  test("follows no redirect", async () => {
    const asked: (string | undefined)[] = [];
    const port = await serving((request, response) => {
      asked.push(request.url);
      response.writeHead(302, { location: "/elsewhere" }).end();
    });
    const posted = await send(`http://127.0.0.1:${port}/here`);
    assert.deepEqual([posted.answered && posted.status, asked], [302, ["/here"]]);
  });

  test("an address of a private network is not dialled, whatever name led to it; an operator's range opens it", async () => {
    const port = await serving((_request, response) => response.end());
    const dialled: string[] = [];
    const dialler = leading(
      {
        "inside.example": ["10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "fd00::1"],
        "here.localhost": ["127.0.0.1"],
      },
      dialled,
    );
    const denied = { answered: false, why: "denied", detail: "inside.example is 10.0.0.1: private, 10.0.0.0/8" };
    assert.deepEqual(await send("https://inside.example/", { addresses: [], dialler }), denied);
    const own = await send(`http://127.0.0.1:${port}/`, { addresses: [] });
    assert.deepEqual(own, { answered: false, why: "denied", detail: "127.0.0.1: loopback, 127.0.0.0/8" });
    const metadata = await send("https://169.254.169.254/latest", { addresses: [] });
    assert.equal(!metadata.answered && metadata.why, "denied");
    assert.deepEqual(dialled, []);
    const opened = await send(`http://here.localhost:${port}/`, { dialler });
    assert.deepEqual([opened.answered && opened.status, dialled], [200, ["127.0.0.1"]]);
  });

  test("a name that is private at its next answer is denied then: each request judges what it dials", async () => {
    const port = await serving((_request, response) => response.end());
    const answers = [["127.0.0.1"], ["127.0.0.2"]];
    const dialler: Dialler = { ...leading({}), resolve: async () => answers.shift() ?? [] };
    const addresses = [parseRange("127.0.0.1/32") as AddressRange];
    const post = poster({ addresses, dialler });
    const twice = [];
    for (let n = 0; n < 2; n += 1)
      twice.push(await post({ url: `http://rebound.example:${port}/`, headers: {}, body: "" }, never));
    assert.deepEqual(
      twice.map((posted) => (posted.answered ? posted.status : posted.why)),
      [200, "denied"],
    );
  });

  test("http goes to this machine alone, also where an operator's range is wider", async () => {
    const dialler = leading({ "far.example": ["10.1.2.3"] });
    const posted = await send("http://far.example/", {
      addresses: [parseRange("10.0.0.0/8") as AddressRange],
      dialler,
    });
    const detail = "far.example is 10.1.2.3: http reaches this machine alone";
    assert.deepEqual(posted, { answered: false, why: "denied", detail });
  });

  test("a certificate is good for its name and by an authority that is trusted, and else nothing is sent", async () => {
    const root = await createRoot(join(folder, "ca"), { now: Date.now(), name: "test" });
    const authority = await Authority.open({ folder: join(folder, "ca"), now: Date.now });
    const { cert, key } = await authority.issued(["hook.localhost"]);
    let asked = 0;
    const port = await listening(createSecure({ cert, key }, (_request, response) => response.end(`${(asked += 1)}`)));
    const dialler = leading({ "hook.localhost": ["127.0.0.1"], "other.localhost": ["127.0.0.1"] });
    const good = await send(`https://hook.localhost:${port}/`, { dialler, ca: root.pem });
    assert.deepEqual([good.answered && good.answer, asked], ["1", 1]);
    for (const [url, ca] of [
      [`https://other.localhost:${port}/`, root.pem],
      [`https://127.0.0.1:${port}/`, root.pem],
      [`https://hook.localhost:${port}/`, undefined],
    ] as const) {
      const bad = await send(url, { dialler, ...(ca !== undefined && { ca }) });
      assert.equal(!bad.answered && bad.why, "untrusted", `${url} ${JSON.stringify(bad)}`);
    }
    assert.equal(asked, 1);
  });

  test("what cannot be resolved, dialled or read is told apart", async () => {
    const closed = createTcp();
    const port = await listening(closed);
    closed.close();
    await once(closed, "close");
    const breaking = await listening(createTcp((socket) => socket.destroy()));
    const nonsense = await listening(createTcp((socket) => void socket.end("SSH-2.0-nothing\r\n")));
    const why = async (url: string) => {
      const posted = await send(url, { dialler: leading({}) });
      return posted.answered ? posted.status : posted.why;
    };
    assert.equal(await why("https://nowhere.example/"), "unresolved");
    assert.equal(await why(`http://127.0.0.1:${port}/`), "unconnected");
    assert.equal(await why(`http://127.0.0.1:${breaking}/`), "broken");
    assert.equal(await why(`http://127.0.0.1:${nonsense}/`), "broken");
    assert.equal(await why(`https://127.0.0.1:${nonsense}/`), "broken");
  });

  test("one that answers nothing is given up in time; of one that begins and does not end there is the status", async () => {
    const silent = await listening(createTcp(() => undefined));
    const posted = await send(`http://127.0.0.1:${silent}/`, { withinMs: 300 });
    assert.deepEqual(posted, { answered: false, why: "late", detail: "0.3 s" });
    const dripping = await serving((_request, response) => void response.writeHead(200).write("half"));
    const begun = await send(`http://127.0.0.1:${dripping}/`, { withinMs: 2_000 });
    assert.deepEqual(begun, { answered: true, status: 200, retryAfter: undefined, answer: "half" });
  });

  test("one that is called off rejects, and leaves no connection", async () => {
    const connected = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    const port = await listening(
      createTcp((socket) => {
        connected.resolve();
        socket.resume();
        socket.once("close", () => ended.resolve());
        socket.once("error", () => {}); // It is reset: that is its end too.
      }),
    );
    const off = new AbortController();
    const post = poster({ addresses: [loopback] });
    const sent = post({ url: `http://127.0.0.1:${port}/`, headers: {}, body: "" }, off.signal);
    await connected.promise;
    off.abort(new Error("called off"));
    await assert.rejects(sent, /called off/);
    await ended.promise;
  });
});
