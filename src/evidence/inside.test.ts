import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { areComparable } from "./clocks.ts";
import { insideOf, onlyListens, type Open } from "./inside.ts";

const request = (id: string, from: number, to: number | null): Open => ({ id, kind: "request", from, to });
const call = (id: string, of: string | null, from: number, to: number | null): Open => ({
  ...{ id, kind: "call", request: of, from, to },
});
const found = (at: number, ...works: readonly Open[]): string | undefined => insideOf(at, works)?.id;

describe("a connection is likely inside", () => {
  test("the only request that was open, up to the very ends of it", () => {
    assert.deepEqual(
      [10_000, 12_000, 15_000].map((at) => found(at, request("q_1", 10_000, 15_000), request("q_2", 30_000, null))),
      ["q_1", "q_1", "q_1"],
    );
  });
  test("the only call, and not the request that made it", () => {
    assert.equal(found(12_000, request("q_1", 10_000, 20_000), call("c_1", "q_1", 11_000, 14_000)), "c_1");
    assert.equal(found(12_000, call("c_1", null, 11_000, null)), "c_1");
  });
  test("the request, where several calls of it, or the ends of one, are near", () => {
    const calls = [call("c_1", "q_1", 11_000, 14_000), call("c_2", "q_1", 11_000, 14_000)];
    assert.equal(found(12_000, request("q_1", 10_000, 20_000), ...calls), "q_1");
    assert.equal(found(14_500, request("q_1", 10_000, 20_000), call("c_1", "q_1", 11_000, 14_000)), "q_1");
  });
});

describe("nothing is said", () => {
  test("where two requests were open, or one ended within the clocks' slack", () => {
    assert.equal(found(12_000, request("q_1", 10_000, 20_000), request("q_2", 11_000, null)), undefined);
    assert.equal(found(12_000, request("q_1", 11_900, 20_000), request("q_2", 5_000, 11_500)), undefined);
  });
  test("where a call is of a request that nothing else is known of, beside another one", () => {
    assert.equal(found(12_000, request("q_1", 10_000, 20_000), call("c_2", "q_2", 11_000, 14_000)), undefined);
  });
  test("where none was open, also where one was nearly", () => {
    assert.deepEqual([found(12_000), found(20_500, request("q_1", 10_000, 20_000))], [undefined, undefined]);
  });
});

test("clocks that are known to differ let nothing be concluded", () => {
  const clock = (aheadMs: number) => ({ emitter: "gateway-n1", aheadMs, measuredBefore: "2026-11-22T12:10:00.000Z" });
  assert.deepEqual(
    [[clock(-300)], [clock(1_000)], [clock(-300), clock(-5_000)]].map((clocks) => areComparable(clocks)),
    [true, false, false],
  );
});

test("requests by which Gradio only tells begin nothing, and all others may", () => {
  const event = "0123456789abcdef0123456789abcdef";
  const listens = [
    "/gradio_api/queue/data",
    `/call/predict/${event}`,
    `/call/v2/predict/${event}`,
    "/app/heartbeat/x1",
  ];
  assert.deepEqual(
    listens.map((path) => onlyListens("GET", path)),
    [true, true, true, true],
  );
  assert.deepEqual(
    [
      onlyListens("POST", "/queue/data"),
      onlyListens("GET", "/call/predict/7"),
      onlyListens("GET", "/"),
      onlyListens(null, null),
    ],
    [false, false, false, false],
  );
});
