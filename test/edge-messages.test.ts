/** What the edge says through Gradio's streams, over real sockets, with the GPU queue's word in the test's hand. */
import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, test } from "node:test";
import type { CallTold, SpaceRoute } from "../src/edge/index.ts";
import { answerOf, ask, open } from "./support/edge-app.ts";
import { appHost, edgeWorld, rawExchange } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";
import { eventually } from "./support/eventually.ts";

const event = "0123456789abcdef0123456789abcdef";
const said = (fields: Readonly<Record<string, unknown>>): string => `data: ${JSON.stringify(fields)}\n\n`;
const starts = said({ msg: "process_starts", event_id: event, eta: null });
const place = (rank: number): string =>
  said({ msg: "estimation", event_id: event, rank, queue_size: 4, rank_eta: 12.5 });
const hosted = { error: "No GPU was available after 60s. Retry later", title: "ZeroGPU queue timeout" };
const ended = (output: unknown): string => said({ msg: "process_completed", event_id: event, output, success: false });
const waiting = (position: number): CallTold => ({ kind: "waiting", position, of: 4, estimateMs: 12_500 });
const refused: CallTold = { kind: "refused", code: "gpu/queue-timeout", says: "No GPU became free within 60 s." };

interface Page {
  readonly world: EdgeWorld;
  /** The app's end of the stream. */
  readonly app: ServerResponse;
  /** Its end of each stream, in order. */
  readonly apps: readonly ServerResponse[];
  readonly join: string;
  readonly work: string;
  /** What has come of it. */
  text(): string;
}

/** A session with one event, and its stream open. `head`: more of the head of the app's answer. */
async function withPage(
  { messages, head = {} }: { messages?: SpaceRoute["messages"]; head?: Readonly<Record<string, string>> },
  run: (page: Page) => Promise<void>,
): Promise<void> {
  const streams: ServerResponse[] = [];
  const world = await edgeWorld((request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    if (request.method === "POST") return void response.end(JSON.stringify({ event_id: event }));
    response.writeHead(200, { "content-type": "text/event-stream", ...head }).flushHeaders();
    streams.push(response);
  });
  const route = world.directory.get(appHost);
  assert.ok(route);
  world.directory.set(appHost, { ...route, messages });
  try {
    const body = JSON.stringify({ data: [], session_hash: "s" });
    const joined = await ask(world, "/gradio_api/queue/join", { "content-type": "application/json" }, "POST", body);
    const request = open(world, "/gradio_api/queue/data?session_hash=s");
    request.end();
    const response = await answerOf(request);
    let text = "";
    response.setEncoding("utf8").on("data", (part: string) => (text += part));
    const [app] = streams;
    assert.ok(app);
    const join = String(joined.headers["x-waybill-id"]);
    await run({ world, app, apps: streams, join, work: String(response.headers["x-waybill-id"]), text: () => text });
    request.destroy();
    assert.deepEqual(world.errors, []);
  } finally {
    for (const one of streams) one.destroy();
    await world.close();
  }
}

describe("what the edge says through a Gradio stream", () => {
  test("a call's place while it waits, in order with what the app says, and on both records", () =>
    withPage({}, async ({ world, app, join, work, text }) => {
      app.write(starts);
      await eventually("the app's word is here", () => text() === starts);
      world.edge.tell(join, waiting(3));
      await eventually("its place is here", () => text() === starts + place(2));
      world.edge.tell(join, waiting(2));
      await eventually("its next place is here, a second later", () => text() === starts + place(2) + place(1));
      world.edge.tell(join, { kind: "granted" });
      const so = starts + place(2) + place(1) + starts;
      await eventually("it goes on", () => text() === so);
      const completed = said({ msg: "process_completed", event_id: event, output: { data: [] }, success: true });
      app.end(completed);
      await eventually("it has ended", () => text() === so + completed);
      const record = await eventually("its stream's end is recorded", () =>
        world.emitter.of(work).find(({ hop, mark }) => hop === "edge.deliver" && mark === "done"),
      );
      assert.deepEqual(record.facts["said"], { places: 2, starts: 1, sentences: 0 });
    }));

  test("what the queue said before the stream was open, or before the join's answer was through, is not lost", () =>
    withPage({}, async ({ world, join, text }) => {
      world.edge.tell(join, waiting(3));
      await eventually("its place is here", () => text() === place(2));
    }));

  test("the true sentence of our refusal, with the code on the join's record, whose own words stay the app's", () =>
    withPage({ messages: "quiet" }, async ({ world, app, join, text }) => {
      world.edge.tell(join, waiting(3));
      world.edge.tell(join, refused);
      app.end(ended(hosted));
      await eventually("it is said", () => text() === ended({ error: refused.says, title: "GPU queue" }));
      const entries = await eventually("the join has ended", () => {
        const of = world.emitter.of(join);
        return of.some(({ hop }) => hop === "edge.deliver") && of;
      });
      const end = entries.find(({ hop }) => hop === "edge.deliver");
      const app_ = entries.find(({ hop, mark }) => hop === "app.respond" && mark === "failed");
      assert.deepEqual(end?.facts["toldInstead"], { code: refused.code, says: refused.says });
      assert.equal(app_?.facts["appSays"], hosted.error);
    }));

  test("another request's call changes nothing", () =>
    withPage({}, async ({ world, app, text }) => {
      world.edge.tell("q_another", waiting(3));
      world.edge.tell("q_another", refused);
      app.end(ended(hosted));
      await eventually("it has ended", () => text() === ended(hosted));
    }));

  const untouched: readonly [what: string, how: Parameters<typeof withPage>[0]][] = [
    ["a Space that has it off", { messages: "off" }],
    ["an answer with a length", { head: { "content-length": String(ended(hosted).length) } }],
    ["an answer that is encoded", { head: { "content-encoding": "identity" } }],
  ];
  for (const [what, how] of untouched)
    test(`${what} passes byte for byte`, () =>
      withPage(how, async ({ world, app, join, text }) => {
        world.edge.tell(join, waiting(3));
        world.edge.tell(join, refused);
        app.end(ended(hosted));
        await eventually("it has ended", () => text() === ended(hosted));
      }));

  test("so does one to HTTP/1.0, where an answer ends with its connection", () =>
    withPage({}, async ({ world, apps, join }) => {
      const old = `GET /gradio_api/queue/data?session_hash=s HTTP/1.0\r\nHost: ${appHost}\r\n\r\n`;
      const answer = rawExchange(world.edge.port, old);
      const second = await eventually("the app has it", () => apps[1]);
      world.edge.tell(join, waiting(2));
      world.edge.tell(join, refused);
      second.end(ended(hosted));
      assert.equal((await answer).split("\r\n\r\n")[1], ended(hosted));
    }));
});
