/** The edge's door for callers from inside: what its first line says is who calls, and the rest is HTTP like any other. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { encodeInside } from "../src/contract/egress.ts";
import { openEdge } from "../src/edge/index.ts";
import type { Credentials } from "../src/edge/index.ts";
import { passesMax } from "../src/edge/limits.ts";
import { instant } from "../src/stdx/time.ts";
import { app, ask, marks, problemIn, shown } from "./support/edge-app.ts";
import { appHost, edgeWorld } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";

const caller = { replica: "p_caller", space: "bob/caller" };
const get = (path: string, host = appHost): string => `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`;

describe("the door for callers from inside", () => {
  let folder: string;
  let world: EdgeWorld;
  const asked: Credentials[] = [];
  const consoles: unknown[] = [];
  /** Sends these pieces one after the other; resolves with all that came back once `until` matches or the edge has closed. */
  const say = (pieces: readonly string[], until: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect({ path: join(folder, "inside.sock") });
      let text = "";
      const late = setTimeout(() => reject(new Error(`no end: ${text}`)), 30_000);
      const end = (): void => {
        clearTimeout(late);
        socket.destroy();
        resolve(text);
      };
      socket.on("close", end).on("error", end);
      socket.setEncoding("latin1").on("data", (part: string) => {
        text += part;
        if (until.test(text)) end();
      });
      void (async () => {
        for (const piece of pieces) await new Promise((done) => socket.write(piece, "latin1", done));
      })();
    });

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "waybill-inside-"));
    world = await edgeWorld(app, {
      insidePath: join(folder, "inside.sock"),
      identity: {
        resolve: (credentials) => {
          asked.push(credentials);
          const account = credentials.inside?.space.split("/")[0] ?? "address:127.0.0.1";
          return { account, tier: "free", billedBy: "owner", user: null };
        },
        mint: ({ request }) => `minted.${request}`,
      },
      console: (_, response, inside) => {
        consoles.push(inside);
        response.end("the console");
      },
    });
  });
  after(async () => {
    await world.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("is the platform's own user's alone", () => {
    assert.equal(statSync(join(folder, "inside.sock")).mode & 0o777, 0o600);
  });

  test("names the caller, whether the request comes with the line, after it, or cut anywhere", async () => {
    const line = encodeInside(caller);
    const request = get("/inside");
    for (const pieces of [
      [line + request],
      [line, request],
      [line.slice(0, 9), line.slice(9) + request.slice(0, 5), request.slice(5)],
    ]) {
      const text = await say(pieces, /"url":"\/inside"/);
      assert.match(text, /^HTTP\/1\.1 200 /);
      assert.deepEqual(asked.at(-1)?.inside, caller);
    }
  });

  test("every request of the connection is that caller's", async () => {
    const text = await say([encodeInside(caller) + get("/one") + get("/two")], /"url":"\/two"/);
    assert.equal(text.match(/HTTP\/1\.1 200 /g)?.length, 2);
    assert.deepEqual(
      asked.slice(-2).map(({ inside }) => inside),
      [caller, caller],
    );
  });

  test("the record says which replica called", async () => {
    await say([encodeInside(caller) + get("/recorded")], /"url":"\/recorded"/);
    const pack = world.emitter.packs.find(({ facts }) => facts["path"] === "/recorded");
    assert.deepEqual(
      [pack?.facts["caller"], pack?.facts["callerReplica"], pack?.facts["account"]],
      ["bob/caller", "p_caller", "bob"],
    );
  });

  test("the console hears that an app is asking", async () => {
    await say([encodeInside(caller) + get("/api", "localhost")], /the console/);
    await ask(world, "/api", { host: "localhost" });
    assert.deepEqual(consoles, [caller, undefined]);
  });

  for (const line of [
    "GET / HTTP/1.1\r\n",
    "waybill/1 inside p_1\n",
    "waybill/1 inside P_1 bob/x\n",
    "waybill/1 open edge/1/1\n",
    `${"x".repeat(300)}\n`,
  ])
    test(`${JSON.stringify(line.slice(0, 30))} is nobody's line, and the connection ends`, async () => {
      const before_ = asked.length;
      assert.equal(await say([line + get("/")], /HTTP/), "");
      assert.equal(asked.length, before_);
    });

  test("that cannot be opened leaves no address open either", async () => {
    const other = await edgeWorld(app);
    const { port } = other.edge;
    await other.close();
    const failing = openEdge({
      ...({} as Parameters<typeof openEdge>[0]),
      random: (count) => new Uint8Array(count),
      clock: { wall: () => instant(Date.now()), monotonic: () => performance.now() },
      explainUrl: String,
      consoleHosts: [],
      emitter: world.emitter,
      listen: [{ address: "127.0.0.1", port }],
      insidePath: join(folder, "missing", "inside.sock"),
    });
    await assert.rejects(failing, { syscall: "listen" });
    const socket = connect(port, "127.0.0.1");
    const refused = await new Promise((resolve) =>
      socket.on("connect", () => resolve("taken")).on("error", (error: NodeJS.ErrnoException) => resolve(error.code)),
    );
    socket.destroy();
    assert.equal(refused, "ECONNREFUSED");
  });

  test("nobody from outside is inside, whatever they say", async () => {
    await ask(world, "/outside", { "x-forwarded-for": "10.0.0.1" });
    assert.equal(asked.at(-1)?.inside, undefined);
  });
});

describe("a request that comes by again and again", () => {
  test("is told its passes by CDN-Loop, and refused at the bound", async () => {
    const world = await edgeWorld(app);
    const first = shown((await ask(world, "/")).text).get("cdn-loop");
    assert.equal(first, "waybill");
    const among = shown((await ask(world, "/", { "cdn-loop": "other; a=1, waybill" })).text).get("cdn-loop");
    assert.equal(among, "other; a=1, waybill, waybill");
    const full = Array.from({ length: passesMax }, () => "waybill").join(", ");
    const refused = await ask(world, "/", { "cdn-loop": full });
    assert.equal(refused.status, 502);
    assert.match(String(refused.headers["proxy-status"]), /error=proxy_loop_detected/);
    assert.equal(problemIn(refused).code, "loop");
    assert.ok(marks(world, String(refused.headers["x-waybill-id"])).includes("edge.route refused route/loop"));
    await world.close();
  });
});
