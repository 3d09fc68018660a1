/** Whatever the edge answers itself has an id and leads to its evidence: as a document and as a page. And a part that the app gives stays one. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Problem } from "../src/contract/problem.ts";
import { passesMax, strangersToldPerMinute } from "../src/edge/limits.ts";
import type { SpaceRoute } from "../src/edge/ports.ts";
import type { Code } from "../src/evidence/codes.ts";
import { codes } from "../src/evidence/codes.ts";
import { app, ask } from "./support/edge-app.ts";
import { appHost, edgeWorld, rawExchange } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";
import { testUpstream } from "./support/upstream.ts";
import type { TestUpstream } from "./support/upstream.ts";

/** How a request comes to be refused: its first line and more fields; a body is none. */
interface Refused {
  readonly line?: string;
  readonly host?: string;
  readonly fields?: readonly string[];
  /** Whoever asked cannot be told apart from a stranger: counted, not recorded. */
  readonly counted?: true;
  /** Here no page is made: nothing of the request is believed. */
  readonly raw?: true;
}

const bodyMax = 1_000;
const refusals: Partial<Record<Code, Refused>> = {
  "route/no-such-space": { host: "nobody-demo.localhost", counted: true },
  "route/malformed": { fields: [`Host: ${appHost}`], counted: true, raw: true },
  "route/not-running": { host: "alice-asleep.localhost" },
  "route/waking": { host: "alice-wakes.localhost" },
  "route/node-away": { host: "alice-away.localhost" },
  "route/boot-timeout": { host: "alice-boot.localhost" },
  "route/too-large": { line: "POST /", fields: [`Content-Length: ${bodyMax + 1}`] },
  "route/loop": { fields: [`CDN-Loop: ${Array.from({ length: passesMax }, () => "waybill").join(", ")}`] },
  "route/connect-refused": { host: "alice-closed.localhost" },
  "runtime/shim-lost": { host: "alice-lost.localhost" },
  "route/reset-midway": { line: "GET /reset-before" },
  "route/response-timeout": { line: "GET /silent" },
  "route/open-too-long": { line: "GET /silent", host: "alice-brief.localhost" },
  "identity/bad-token": { fields: ["Authorization: Bearer hf_wbwrong"] },
  "capacity/space-busy": { host: "alice-busy.localhost", counted: true },
};

describe("an answer of the edge's own", () => {
  let world: EdgeWorld;
  /** A shim whose app has closed its port. */
  let closed: TestUpstream;
  const folder = mkdtempSync(join(tmpdir(), "waybill-refusals-"));
  before(async () => {
    world = await edgeWorld(app, {
      limits: { bodyMaxBytes: bodyMax, responseWithinMs: 600, wakeWithinMs: 300 },
      wake: () => new Promise(() => {}),
    });
    const running = world.directory.get(appHost) as SpaceRoute;
    const of = (name: string, more: Partial<SpaceRoute>): void =>
      void world.directory.set(`alice-${name}.localhost`, { ...running, space: `alice/${name}`, ...more });
    of("wakes", { state: { kind: "asleep" } });
    of("away", { state: { kind: "down", code: "route/node-away", says: "its node's line is lost" } });
    of("boot", { state: { kind: "down", code: "route/boot-timeout", says: "no word came" } });
    closed = await testUpstream(join(folder, "in.sock"), () => 1);
    of("closed", { state: { kind: "running", replicas: [{ id: "r_8", socket: closed.path }] } });
    of("lost", { state: { kind: "running", replicas: [{ id: "r_9", socket: "/nowhere/in.sock" }] } });
    of("brief", { limits: { openMs: 100 } });
    of("busy", { limits: { requests: 0 } });
  });
  after(async () => {
    await world.close();
    await closed.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const bytesOf = ({ line = "GET /", host = appHost, fields = [] }: Refused, accept: string): string =>
    [`${line} HTTP/1.1`, `Host: ${host}`, `Accept: ${accept}`, "Connection: close", ...fields, "", ""].join("\r\n");
  const fieldOf = (answer: string, name: string): string =>
    new RegExp(`^${name}: (.*)\r$`, "im").exec(answer)?.[1] ?? "";

  for (const [code, refused] of Object.entries(refusals))
    test(`${code} has an id and the address of its evidence, as a document and as a page`, async () => {
      const answer = await rawExchange(world.edge.port, bytesOf(refused, "application/json"));
      const id = fieldOf(answer, "x-waybill-id");
      assert.match(id, refused.counted === true ? /^n_[0-9a-z]{16}$/ : /^q_[0-9a-z]{16,}$/, answer);
      const problem = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4)) as Problem;
      assert.deepEqual(
        [`${problem.boundary}/${problem.code}`, problem.waybill, problem.explain, problem.instance],
        [code, id, `http://localhost/w/${id}`, `http://localhost/w/${id}`],
      );
      assert.ok(fieldOf(answer, "proxy-status").endsWith(`details="${code}"`), answer);
      if (refused.counted !== true) {
        const last = world.emitter.of(id).at(-1);
        assert.deepEqual([last?.hop, last?.facts["code"]], ["edge.deliver", code], "what it leads to is there");
      }
      if (refused.raw === true) return;
      const page = await rawExchange(world.edge.port, bytesOf(refused, "text/html"));
      const own = fieldOf(page, "x-waybill-id");
      assert.match(page, /^content-type: text\/html/im);
      assert.ok(page.includes(`<dt>id</dt><dd><code>${own}</code>`), page);
      assert.ok(page.includes(`<a href="http://localhost/w/${own}">Evidence</a>`), page);
    });

  test("is in this table for each code of the route that an edge alone can come to", () => {
    const elsewhere: readonly string[] = [
      // Of a busy replica, of a visitor who reads nothing more, of an answer that has begun, of an edge that ends.
      ...["route/connect-timeout", "route/visitor-left", "route/idle-timeout", "route/control-down"],
    ];
    const missing = Object.keys(codes).filter(
      (code) => code.startsWith("route/") && !(code in refusals) && !elsewhere.includes(code),
    );
    assert.deepEqual(missing, []);
  });
});

test("a range of a file is the app's to give: 206, its bytes and what it says of them arrive as they are", async () => {
  const file = Buffer.from(Array.from({ length: 5_000 }, (_, n) => n % 251));
  const world = await edgeWorld((request, response) => {
    const [, from = "0", to = "0"] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    if (request.headers["if-range"] !== '"v1"') return void response.writeHead(416).end();
    const part = file.subarray(Number(from), Number(to) + 1);
    response.writeHead(206, {
      ...{ "content-range": `bytes ${from}-${to}/${file.length}`, "accept-ranges": "bytes", etag: '"v1"' },
      "content-length": part.length,
    });
    response.end(part);
  });
  for (const [from, to] of [
    [0, 0],
    [1_000, 1_999],
    [4_999, 4_999],
  ] as const) {
    const headers = { range: `bytes=${from}-${to}`, "if-range": '"v1"' };
    const { status, headers: told, text } = await ask(world, "/file", headers);
    assert.deepEqual(
      [status, told["content-range"], told["accept-ranges"], told.etag],
      [206, `bytes ${from}-${to}/5000`, "bytes", '"v1"'],
    );
    assert.equal(text, file.subarray(from, to + 1).toString("utf8"));
  }
  assert.equal((await ask(world, "/file", { range: "bytes=1-2" })).status, 416);
  await world.close();
});

describe("a stranger who is refused again and again", () => {
  const bad = { refused: "identity/bad-token", detail: "It is nobody's." } as const;
  const get = (fields: string): string => `GET / HTTP/1.1\r\nHost: ${appHost}\r\n${fields}Connection: close\r\n\r\n`;
  const ids = (world: EdgeWorld): Set<string> => new Set(world.emitter.entries.map(({ work }) => work));

  test("is told so many times one by one, then counted, with the same answer; who is known is told always", async () => {
    const known = { ...bad, who: "bob" };
    const world = await edgeWorld(app, {
      identity: { resolve: ({ authorization }) => (authorization === undefined ? bad : known), mint: () => "minted" },
    });
    try {
      const answers: string[] = [];
      for (let n = 0; n < strangersToldPerMinute + 20; n += 1)
        answers.push(await rawExchange(world.edge.port, get("")));
      assert.deepEqual(
        answers.map((answer) => /^HTTP\/1.1 401 .*^x-waybill-id: (.)_/ims.exec(answer)?.[1]),
        answers.map((_, n) => (n < strangersToldPerMinute ? "q" : "n")),
      );
      assert.match(answers.at(-1) ?? "", /It is nobody's.*"code":"bad-token"/s);
      assert.equal(ids(world).size, strangersToldPerMinute);
      assert.match(await rawExchange(world.edge.port, get("Authorization: Bearer x\r\n")), /^x-waybill-id: q_/im);
      assert.equal(ids(world).size, strangersToldPerMinute + 1);
    } finally {
      await world.close();
    }
  });
});
