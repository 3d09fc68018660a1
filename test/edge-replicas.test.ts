/** The edge before several replicas of one Space, each an app of its own behind a socket of its own. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { answerOf, ask, open, read } from "./support/edge-app.ts";
import type { Answer } from "./support/edge-app.ts";
import { appHost, edgeWorld } from "./support/edge-world.ts";
import type { EdgeWorld, Pack } from "./support/edge-world.ts";
import { eventually } from "./support/eventually.ts";
import { testUpstream } from "./support/upstream.ts";
import type { TestUpstream } from "./support/upstream.ts";

const json = { "content-type": "application/json" };

/** An app that says which replica it is, and keeps its streams open until the test ends them. */
class Replica {
  readonly id: string;
  readonly open = new Set<ServerResponse>();
  readonly bodies: string[] = [];
  #events = 0;
  #server: Server | undefined;
  #upstream: TestUpstream | undefined;

  constructor(id: string) {
    this.id = id;
  }

  async start(folder: string): Promise<void> {
    const server = createServer((request, response) => this.#answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.#server = server;
    this.#upstream = await testUpstream(
      join(folder, `${this.id}.sock`),
      () => (server.address() as AddressInfo | null)?.port ?? 1,
    );
  }

  get socket(): string {
    return this.#upstream?.path ?? "";
  }

  /** Its shim is gone, and the app with it. */
  async die(): Promise<void> {
    await this.#upstream?.close();
    this.closeApp();
  }

  /** Its shim lives and nobody listens behind it. */
  closeApp(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { url = "" } = request;
    let body = "";
    request.setEncoding("utf8").on("data", (part: string) => (body += part));
    request.on("end", () => {
      this.bodies.push(body);
      response.setHeader("x-replica", this.id).setHeader("x-cookies", request.headers.cookie ?? "");
      if (url.startsWith("/shared")) response.setHeader("cache-control", "public, max-age=60");
      if (url.startsWith("/hold") || url.includes("/queue/data") || url.includes("/heartbeat/")) {
        this.open.add(response);
        response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
        return;
      }
      if (request.method === "POST" && /\/call\/|\/queue\/join/.test(url)) {
        this.#events += 1;
        const event = `${this.id.at(-1)}${String(this.#events).padStart(31, "0")}`;
        return void response.end(JSON.stringify({ event_id: event }));
      }
      response.end(this.id);
    });
  }
}

describe("several replicas", () => {
  let folder: string;
  let world: EdgeWorld;
  let replicas: Replica[];
  before(async () => {
    world = await edgeWorld(() => undefined);
  });
  after(() => world.close());
  let round = 0;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "waybill-replicas-"));
    round += 1;
    replicas = [1, 2].map((n) => new Replica(`r_${round}${n}`));
    for (const replica of replicas) await replica.start(folder);
    serve(replicas);
  });
  const ended = async (): Promise<void> => {
    for (const replica of replicas) await replica.die();
    rmSync(folder, { recursive: true, force: true });
    assert.deepEqual(world.errors, []);
  };

  const serve = (of: readonly Replica[]): void => {
    const running = of.map(({ id, socket }) => ({ id, socket }));
    world.directory.set(appHost, {
      space: "alice/demo",
      owner: "alice",
      state: { kind: "running", replicas: running },
    });
  };
  const [one, two] = [() => replicas[0] as Replica, () => replicas[1] as Replica];
  const at = (answer: Answer): string => String(answer.headers["x-replica"]);
  const recordOf = ({ headers }: Answer): Promise<Pack> =>
    eventually("its record", () => world.emitter.packs.find(({ work }) => work === headers["x-waybill-id"]));
  const cookieOf = ({ headers }: Answer): string | undefined => headers["set-cookie"]?.[0]?.split(";")[0];
  const hold = async (path: string) => {
    const request = open(world, path);
    request.end();
    const response = await answerOf(request);
    response.on("error", () => undefined);
    const work = String(response.headers["x-waybill-id"]);
    return { work, at: String(response.headers["x-replica"]), leave: () => request.destroy() };
  };
  const joinOf = (session: string, more = ""): Promise<Answer> =>
    ask(world, "/gradio_api/queue/join", json, "POST", JSON.stringify({ data: [more], session_hash: session }));

  test("what names no session goes to the one with the fewest requests under way", async () => {
    const held = [await hold("/hold"), await hold("/hold"), await hold("/hold"), await hold("/hold")];
    assert.deepEqual(held.map((of) => of.at).sort(), [one().id, one().id, two().id, two().id]);
    for (const { leave } of held.filter((of) => of.at === two().id)) leave();
    await eventually("the second one is idle", () => world.edge.busy(two().id) === 0);
    for (let i = 0; i < 4; i++) assert.equal(at(await ask(world, "/")), two().id);
    await ended();
  });

  test("all of a session's requests come to one replica: its join by its body, its stream by its query", async () => {
    const sessions = Array.from({ length: 8 }, (_, i) => `session${i}`);
    const first = new Map<string, string>();
    for (const session of sessions) first.set(session, (await hold(`/gradio_api/heartbeat/${session}`)).at);
    assert.equal(new Set(first.values()).size, 2, "both are used");
    for (const session of sessions) {
      const joined = await joinOf(session);
      assert.equal(at(joined), first.get(session));
      assert.equal((await hold(`/gradio_api/queue/data?session_hash=${session}`)).at, first.get(session));
      assert.equal(world.edge.busy(first.get(session) ?? "") > 0, true);
    }
    await ended();
  });

  test("a join's body reaches the app whole, short or longer than what is read first, in pieces or with a length", async () => {
    for (const more of ["", "ü".repeat(20_000), "x".repeat(300_000)]) {
      const { status } = await joinOf("s", more);
      assert.equal(status, 200);
    }
    const request = open(world, "/gradio_api/queue/join", json, "POST");
    request.write('{"data":[],');
    request.end('"session_hash":"s"}');
    assert.equal((await read(await answerOf(request))).status, 200);
    const bodies = replicas.flatMap((replica) => replica.bodies).map((body) => body.length);
    assert.deepEqual(
      bodies.sort((a, b) => a - b),
      [30, 32, 20_032, 300_032].sort((a, b) => a - b),
    );
    await ended();
  });

  test("the result of /call is asked for at the replica that took the call", async () => {
    for (let i = 0; i < 6; i++) {
      const called = await ask(world, "/gradio_api/call/draw", json, "POST", '{"data":[]}');
      const { event_id: event } = JSON.parse(called.text) as { event_id: string };
      const result = await ask(world, `/gradio_api/call/draw/${event}`);
      assert.equal(at(result), at(called));
      assert.equal((await recordOf(result)).facts["placedBy"], "event");
    }
    await ended();
  });

  test("a browser is brought back by a cookie that no app sees, and none is set for a Space with one replica", async () => {
    const first = await ask(world, "/");
    const cookie = cookieOf(first);
    assert.match(cookie ?? "", /^waybill_replica=/);
    for (let i = 0; i < 4; i++) {
      const again = await ask(world, "/", { cookie: `mine=1; ${cookie}` });
      assert.deepEqual([at(again), again.headers["x-cookies"], cookieOf(again)], [at(first), "mine=1", undefined]);
    }
    assert.equal(cookieOf(await ask(world, "/shared")), undefined, "others' caches may keep that one");
    serve([one()]);
    assert.equal(cookieOf(await ask(world, "/")), undefined);
    await ended();
  });

  test("a replica that has gone: its sessions go to another, and their records say from where", async () => {
    const home = at(await joinOf("s"));
    serve(replicas.filter(({ id }) => id !== home));
    const page = await hold("/gradio_api/heartbeat/s");
    assert.notEqual(page.at, home);
    page.leave();
    const told = await eventually("its record", () => world.emitter.packs.find(({ work }) => work === page.work));
    assert.deepEqual([told.facts["replica"], told.facts["movedFrom"]], [page.at, home]);
    serve(replicas);
    assert.equal(at(await joinOf("s")), page.at, "it stays where it went");
    await ended();
  });

  test("a replica that comes gets what is new", async () => {
    serve([one()]);
    const old = await hold("/gradio_api/heartbeat/old");
    serve(replicas);
    assert.equal(at(await joinOf("new")), two().id);
    assert.equal(at(await joinOf("old")), old.at);
    await ended();
  });

  test("what meets a replica whose shim is gone goes to another one, with its body, and the record names it", async () => {
    await one().die();
    const answers = [await ask(world, "/"), await ask(world, "/"), await joinOf("s"), await joinOf("t")];
    assert.deepEqual(
      answers.map((answer) => [answer.status, at(answer)]),
      answers.map(() => [200, two().id]),
    );
    const records = await Promise.all(answers.slice(0, 2).map(recordOf));
    assert.deepEqual(
      records.flatMap(({ facts }) => (facts["passedOver"] as string[] | undefined) ?? []),
      [one().id],
      "it is met once, and passed by for a moment",
    );
    assert.deepEqual(two().bodies.filter((body) => body !== "").length, 2);
    await ended();
  });

  test("one whose app does not listen had nothing of it, as its shim says: that too goes to another one", async () => {
    one().closeApp();
    for (let i = 0; i < 4; i++) assert.equal(at(await ask(world, "/")), two().id);
    await ended();
  });

  test("a body that is gone once it is read goes to no other: its visitor is told, by what", async () => {
    await one().die();
    const sent = (): Promise<Answer> => ask(world, "/up", {}, "POST", "x".repeat(100_000));
    const answers = [await sent(), await sent()];
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200, 503]));
    await ended();
  });

  test("where all are gone the answer says so", async () => {
    for (const replica of replicas) await replica.die();
    const { status, text } = await ask(world, "/");
    assert.deepEqual([status, (JSON.parse(text) as { code: string }).code], [503, "shim-lost"]);
    await ended();
  });
});
