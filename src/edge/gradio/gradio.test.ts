import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { EventStreamReader } from "./event-stream.ts";
import type { StreamEvent } from "./event-stream.ts";
import { parseMessage, parseResult } from "./messages.ts";
import type { Told } from "./messages.ts";
import { gradioRoute } from "./routes.ts";

const id = "0123456789abcdef0123456789abcdef";

/** All events of a stream that comes in these pieces. */
function eventsOf(pieces: readonly Buffer[]): StreamEvent[] {
  const events: StreamEvent[] = [];
  const reader = new EventStreamReader((event) => events.push(event));
  for (const piece of pieces) reader.push(piece);
  return events;
}

function told(fields: Readonly<Record<string, unknown>>): Told | undefined {
  const [event] = eventsOf([Buffer.from(`data: ${JSON.stringify(fields)}\n\n`)]);
  assert.ok(event);
  return parseMessage(event);
}

describe("gradioRoute", () => {
  const joins = [
    "/queue/join",
    "/gradio_api/queue/join?__theme=light",
    "/ui/gradio_api/queue/join",
    "/call/draw",
    "/gradio_api/call/v2/draw/",
  ];
  for (const target of joins)
    test(`POST ${target} is a join`, () => assert.deepEqual(gradioRoute("POST", target), { kind: "join" }));

  test("a stream is known by its session, a result by its event", () => {
    assert.deepEqual(gradioRoute("GET", "/ui/gradio_api/queue/data?a=1&session_hash=x%20y"), {
      kind: "stream",
      session: "x y",
    });
    assert.deepEqual(gradioRoute("GET", `/call/draw/${id}`), { kind: "result", event: id });
    assert.deepEqual(gradioRoute("GET", `/gradio_api/call/v2/draw/${id}`), { kind: "result", event: id });
  });

  test("cancel and heartbeat", () => {
    assert.deepEqual(gradioRoute("POST", "/gradio_api/cancel"), { kind: "cancel" });
    assert.deepEqual(gradioRoute("GET", "/heartbeat/abc"), { kind: "heartbeat" });
  });

  const others: readonly [string, string][] = [
    ["GET", "/queue/join"],
    ["GET", "/queue/data"],
    ["GET", "/call/draw"],
    ["GET", "/call/draw/not-an-event"],
    ["POST", "/"],
    ["POST", "/queue/joined"],
    ["PUT", "/queue/join"],
    ["GET", `/queue/data?session_hash=${"x".repeat(101)}`],
  ];
  for (const [method, target] of others)
    test(`${method} ${target.slice(0, 40)} is none of Gradio's`, () =>
      assert.equal(gradioRoute(method, target), undefined));
});

describe("EventStreamReader", () => {
  test("events are the same wherever the bytes are cut", () => {
    const line = fc.string({ unit: "grapheme", maxLength: 30 }).map((text) => text.replaceAll(/[\r\n]/g, " "));
    const event = fc.record({
      name: fc.option(line, { nil: undefined }),
      data: line,
      end: fc.constantFrom("\n", "\r\n"),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 8 }), fc.array(fc.nat(200), { maxLength: 12 }), (events, cuts) => {
        const text = events
          .map(
            ({ name, data, end }) =>
              `${name === undefined ? "" : `event: ${name}${end}`}data: ${data}${end}: a comment${end}${end}`,
          )
          .join("");
        const bytes = Buffer.from(text);
        const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
        const pieces = at.slice(1).map((to, i) => bytes.subarray(at[i], to));
        const expected = events.map(({ name, data }) => ({ name: name ?? "", data, tail: undefined }));
        assert.deepEqual(eventsOf(pieces), expected);
      }),
    );
  });

  test("of a long event the beginning and the end are kept, whatever its length and its cuts", () => {
    const lengths = [16_000, 16_379, 16_384, 16_390, 17_000, 20_480, 100_000];
    for (const length of lengths) {
      const message = `{"msg":"process_completed","event_id":"${id}","output":{"data":["${"x".repeat(length)}"]},"success":false}`;
      const bytes = Buffer.from(`data: ${message}\n\n`);
      for (const size of [1_000, 4_097, bytes.length]) {
        const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
          bytes.subarray(i * size, (i + 1) * size),
        );
        const [event] = eventsOf(pieces);
        assert.ok(event);
        assert.ok(event.data.length <= 16_384 && (event.tail?.length ?? 0) <= 4_096);
        assert.equal(parseMessage(event)?.kind, "failed", `${length} bytes in pieces of ${size}`);
      }
    }
  });
});

describe("what the stream says", () => {
  test("a place in the queue counts from 1 and has the app's estimate", () => {
    const queued = told({ msg: "estimation", event_id: id, rank: 2, queue_size: 5, rank_eta: 1.25 });
    assert.deepEqual(queued, { kind: "queued", event: id, place: { position: 3, of: 5, estimateMs: 1_250 } });
    const untold = told({ msg: "estimation", event_id: id, rank: 0, queue_size: 1, rank_eta: null });
    assert.deepEqual(untold, { kind: "queued", event: id, place: { position: 1, of: 1, estimateMs: null } });
  });

  test("an end without success has the app's own words, shortened", () => {
    const output = { error: `no such style${"!".repeat(400)}`, title: "Oops", duration: 10, visible: true };
    const failed = told({ msg: "process_completed", event_id: id, output, success: false, title: null });
    assert.equal(failed?.kind, "failed");
    assert.ok(failed.kind === "failed" && failed.failure.says?.length === 301 && failed.failure.title === "Oops");
    assert.equal(failed.failure.code, "app/exception");
  });

  test("an error that the app hides is null", () => {
    const failed = told({ msg: "process_completed", event_id: id, output: { error: null }, success: false });
    assert.deepEqual(failed, {
      kind: "failed",
      event: id,
      failure: { code: "app/exception", says: null, title: null },
    });
  });

  const memory = [
    "CUDA out of memory. Tried to allocate 2.00 GiB",
    "OutOfMemoryError",
    "torch.OutOfMemoryError: CUDA out of memory",
    "CUDA error: out of memory",
    "HIP out of memory.",
  ];
  for (const error of memory)
    test(`"${error}" is the GPU's memory`, () => {
      const failed = told({ msg: "process_completed", event_id: id, output: { error }, success: false });
      assert.ok(failed?.kind === "failed" && failed.failure.code === "runtime/device-out-of-memory");
    });
  for (const error of ["MemoryError", "out of memory", "no room"])
    test(`"${error}" is not`, () => {
      const failed = told({ msg: "process_completed", event_id: id, output: { error }, success: false });
      assert.ok(failed?.kind === "failed" && failed.failure.code === "app/exception");
    });

  test("a success that a long text only quotes is not the event's", () => {
    const output = { data: [`${"x".repeat(17_000)},"success":false,`] };
    assert.deepEqual(told({ msg: "process_completed", event_id: id, output, success: true, title: null }), {
      kind: "completed",
      event: id,
    });
  });

  test("spaces in the JSON, as another serializer writes them", () => {
    const [event] = eventsOf([Buffer.from(`data: {"msg": "process_starts", "event_id": "${id}", "eta": null}\n\n`)]);
    assert.deepEqual(event && parseMessage(event), { kind: "started", event: id });
  });

  test("the stream's own errors and end", () => {
    const broken = told({
      msg: "unexpected_error",
      event_id: null,
      message: "404: Session not found.",
      session_not_found: true,
    });
    assert.ok(broken?.kind === "broken" && broken.sessionUnknown && broken.failure.says === "404: Session not found.");
    assert.deepEqual(told({ msg: "close_stream", event_id: null }), { kind: "closing" });
  });

  for (const msg of ["heartbeat", "progress", "log", "something_else"])
    test(`${msg} says nothing of the way`, () => assert.equal(told({ msg, event_id: id }), undefined));

  test("what is no JSON, or no event's id, is passed over", () => {
    for (const data of [
      "",
      "ALIVE",
      '{"msg":"estimation"',
      '{"msg":"process_completed","event_id":"short","success":true}',
    ])
      assert.equal(parseMessage({ name: "", data, tail: undefined }), undefined);
  });

  test("the language of call/NAME/ID", () => {
    const say = (name: string, data: string): Told | undefined => parseResult(id, { name, data, tail: undefined });
    assert.deepEqual(say("generating", "[1]"), { kind: "update", event: id });
    assert.deepEqual(say("complete", "[1]"), { kind: "completed", event: id });
    assert.deepEqual(say("error", "null"), {
      kind: "failed",
      event: id,
      failure: { code: "app/exception", says: null, title: null },
    });
    assert.deepEqual(say("error", '{"error":"no","title":"Error"}'), {
      kind: "failed",
      event: id,
      failure: { code: "app/exception", says: "no", title: "Error" },
    });
    assert.equal(say("heartbeat", "null"), undefined);
  });
});
