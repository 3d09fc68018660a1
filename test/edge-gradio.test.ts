/** The edge beside an app that speaks Gradio's protocol over real sockets: what passes is untouched, and what it says is read. */
import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, test } from "node:test";
import { brotliCompressSync } from "node:zlib";
import { answerOf, ask, marks, open, read } from "./support/edge-app.ts";
import { edgeWorld } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";
import { eventually } from "./support/eventually.ts";

const event = "0123456789abcdef0123456789abcdef";
const said = (fields: Readonly<Record<string, unknown>>): string => `data: ${JSON.stringify(fields)}\n\n`;
const completed = said({ msg: "process_completed", event_id: event, output: { data: [1] }, success: true });

/** Streams that wait for the test to write, newest last. */
class App {
  readonly streams: ServerResponse[] = [];

  readonly listener = (request: IncomingMessage, response: ServerResponse): void => {
    request.resume();
    const { url = "" } = request;
    if (url.endsWith("/queue/join?open"))
      return void response.writeHead(200).write(JSON.stringify({ event_id: event }));
    if (url.endsWith("/queue/join"))
      return void response.setHeader("content-type", "application/json").end(JSON.stringify({ event_id: event }));
    if (url.endsWith("/cancel")) return void response.end('{"success":true}');
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      ...(url.includes("encoded") ? { "content-encoding": "br" } : {}),
    });
    response.flushHeaders();
    this.streams.push(response);
  };

  get stream(): ServerResponse {
    const stream = this.streams.at(-1);
    assert.ok(stream, "a stream is open");
    return stream;
  }
}

async function withApp(run: (world: EdgeWorld, app: App) => Promise<void>): Promise<void> {
  const app = new App();
  const world = await edgeWorld(app.listener);
  try {
    await run(world, app);
    assert.deepEqual(world.errors, []);
  } finally {
    await world.close();
  }
}

async function join(world: EdgeWorld, session: string): Promise<string> {
  const body = JSON.stringify({ data: [], fn_index: 0, session_hash: session });
  const { headers } = await ask(world, "/gradio_api/queue/join", { "content-type": "application/json" }, "POST", body);
  return String(headers["x-waybill-id"]);
}

async function stream(world: EdgeWorld, session: string) {
  const request = open(world, `/gradio_api/queue/data?session_hash=${session}`);
  request.end();
  const response = await answerOf(request);
  return { request, response, work: String(response.headers["x-waybill-id"]) };
}

describe("the edge and Gradio's event stream", () => {
  test("each message reaches the visitor as it was sent, before the next one is", () =>
    withApp(async (world, app) => {
      const work = await join(world, "a");
      const { response } = await stream(world, "a");
      const pieces = [
        said({ msg: "estimation", event_id: event, rank: 0, queue_size: 1, rank_eta: null }),
        `: a comment\n\nevent: x\ndata: ${"y".repeat(100_000)}\n\n`,
        completed,
      ];
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      for (const [i, piece] of pieces.entries()) {
        app.stream.write(piece);
        await eventually(`piece ${i} has passed`, () => text === pieces.slice(0, i + 1).join(""));
      }
      app.stream.end();
      await eventually("it is recorded", () => world.emitter.packs.some((pack) => pack.work === work));
      assert.equal(world.emitter.packs.find((pack) => pack.work === work)?.facts["position"], 1);
    }));

  test("a visitor who closes a stream that has told all has closed it in order", () =>
    withApp(async (world, app) => {
      await join(world, "a");
      const { request, response, work } = await stream(world, "a");
      app.stream.write(completed);
      await answered(response);
      request.destroy();
      await eventually("it is recorded", () => world.emitter.packs.some((pack) => pack.work === work));
      assert.deepEqual(marks(world, work), []);
    }));

  test("a visitor who closes the join once it has told the event, and hears the event's end, has not left", () =>
    withApp(async (world, app) => {
      const request = open(world, "/gradio_api/queue/join?open", { "content-type": "application/json" }, "POST");
      request.end(JSON.stringify({ data: [], fn_index: 0, session_hash: "a" }));
      const joined = await answerOf(request);
      await answered(joined);
      request.destroy();
      const { response } = await stream(world, "a");
      app.stream.write(completed);
      await answered(response);
      const work = String(joined.headers["x-waybill-id"]);
      await eventually("it is recorded", () => world.emitter.packs.some((pack) => pack.work === work));
      assert.deepEqual([marks(world, work), world.gone], [[], []]);
    }));

  test("one who closes it before has left, and the join says so a moment later", () =>
    withApp(async (world, app) => {
      const work = await join(world, "a");
      const { request, response } = await stream(world, "a");
      app.stream.write(said({ msg: "process_starts", event_id: event }));
      await answered(response);
      request.destroy();
      await eventually("the visitor is gone", () => world.gone.includes(work));
      assert.equal(marks(world, work).at(-1), "edge.deliver failed route/visitor-left");
    }));

  test("the app breaks the stream: its request and the join end with the same code, and the join names it", () =>
    withApp(async (world, app) => {
      const work = await join(world, "a");
      const one = await stream(world, "a");
      app.stream.write(said({ msg: "process_starts", event_id: event }));
      await answered(one.response);
      app.stream.destroy();
      one.response.on("error", () => undefined);
      await eventually(
        "the join has ended",
        () => marks(world, work).at(-1) === "edge.deliver failed route/reset-midway",
      );
      await eventually(
        "the stream has ended",
        () => marks(world, one.work).at(-1) === "edge.deliver failed route/reset-midway",
      );
      assert.equal(
        world.emitter.of(work).find(({ hop, mark }) => hop === "app.respond" && mark === "failed")?.facts["link"],
        one.work,
      );
    }));

  test("a stream that is encoded passes untouched and is said not to have been read", () =>
    withApp(async (world, app) => {
      const work = await join(world, "encoded");
      const { response } = await stream(world, "encoded");
      const bytes = brotliCompressSync(completed);
      app.stream.end(bytes);
      const got: Buffer[] = [];
      for await (const part of response) got.push(part as Buffer);
      assert.deepEqual(Buffer.concat(got), bytes);
      const pack = world.emitter.packs.find((one) => one.work === work);
      assert.deepEqual(
        [pack?.facts["followed"], pack?.facts["because"]],
        [false, "its event stream is encoded (br), so it was not read"],
      );
    }));

  test("a cancel that the app took is told at once", () =>
    withApp(async (world, app) => {
      const work = await join(world, "a");
      const { response } = await stream(world, "a");
      const body = JSON.stringify({ event_id: event, session_hash: "a", fn_index: 0 });
      await ask(world, "/gradio_api/cancel", { "content-type": "application/json" }, "POST", body);
      assert.deepEqual(world.gone, [work]);
      app.stream.end(completed);
      await read(response);
      assert.equal(marks(world, work).at(-1), "edge.deliver failed route/visitor-left");
    }));

  test("a heartbeat ends when its visitor goes: that is no failure", () =>
    withApp(async (world, app) => {
      const request = open(world, "/gradio_api/heartbeat/a");
      request.end();
      const response = await answerOf(request);
      app.stream.write("data: ALIVE\n\n");
      await answered(response);
      request.destroy();
      const work = String(response.headers["x-waybill-id"]);
      await eventually("it is recorded", () =>
        world.emitter.packs.some((pack) => pack.work === work && pack.facts["closedBy"] === "visitor"),
      );
    }));

  test("an answer to such a path that is no event's is an ordinary one", async () => {
    const world = await edgeWorld((request, response) => {
      request.resume();
      response.setHeader("content-type", "application/json").end('{"event_id":"mine"}');
    });
    const { headers } = await ask(world, "/queue/join", {}, "POST", "{}");
    await eventually("it is recorded", () => world.emitter.packs[0]?.work === headers["x-waybill-id"]);
    assert.equal(world.emitter.packs[0]?.facts["event"], undefined);
    await world.close();
  });

  test("an edge that closes says of each open join that it was that", async () => {
    const app = new App();
    const world = await edgeWorld(app.listener);
    const work = await join(world, "a");
    await world.close();
    assert.equal(marks(world, work).at(-1), "edge.deliver failed route/control-down");
  });
});

/** The first bytes of the answer are here. */
function answered(response: IncomingMessage): Promise<unknown> {
  return new Promise((resolve) => response.once("data", resolve));
}
