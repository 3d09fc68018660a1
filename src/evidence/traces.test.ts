import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { newId } from "../stdx/ids.ts";
import { prng } from "../stdx/prng.ts";
import type { Entry, Facts, Hop, Mark } from "./entry.ts";
import { otlpOf, rootSpanOf, spansOfEntry, spansOfPacked, traceIdOf } from "./traces.ts";

const at = "2026-11-22T12:00:00.000Z";
const start = Date.parse(at);
const seeded = prng(5);
const random = (count: number): Uint8Array => seeded.bytes(count);
const request = newId("q", random);
const call = newId("c", random);

function entry(work: string, hop: Hop, mark: Mark, facts: Facts = {}, seq = 1): Entry {
  return { id: `e/1/${seq}`, work, hop, mark, emitter: "e", epoch: 1, seq, at, facts };
}

describe("traceIdOf", () => {
  test("is the work's own id: its letters, then its 80 bits", () => {
    assert.equal(traceIdOf("q_0000000000000001"), "00000000007100000000000000000001");
    assert.equal(traceIdOf("tr_zzzzzzzzzzzzzzzz"), "000000007472ffffffffffffffffffff");
    assert.equal(traceIdOf("n1"), undefined);
    assert.equal(traceIdOf("q_short"), undefined);
  });

  test("is 32 digits, and another for each id and kind", () => {
    const ids = Array.from({ length: 500 }, (_, i) => newId(["q", "c", "b", "tr"][i % 4] ?? "q", random));
    const traces = ids.map((id) => traceIdOf(id));
    assert.ok(traces.every((trace) => /^[0-9a-f]{32}$/.test(trace ?? "")));
    assert.equal(new Set(traces).size, ids.length);
    assert.notEqual(traceIdOf("q_0000000000000001"), traceIdOf("c_0000000000000001"));
  });
});

describe("spans", () => {
  test("of a packed record: one for the work, and one for each hop in it, end to end", () => {
    const facts = { status: 200, space: "a/b", method: "GET", path: "/x", link: [call, "n1"] };
    const [root, ...hops] = spansOfPacked({
      ...{ work: request, kind: "request", emitter: "edge", epoch: 1, seq: 1, at, facts },
      stages: [
        ["edge.accept", 0],
        ["edge.connect", 4],
        ["edge.deliver", 30],
      ],
    });
    assert.deepEqual([root?.name, root?.start, root?.end], ["request", start, start + 30]);
    assert.equal(root?.attributes["waybill.id"], request);
    assert.equal(root?.attributes["http.response.status_code"], 200);
    const callTrace = traceIdOf(call) ?? "";
    assert.deepEqual(root?.links, [{ traceId: callTrace, spanId: rootSpanOf(callTrace) }]);
    assert.deepEqual(
      hops.map(({ name, start: from, end }) => [name, from - start, end - start]),
      [
        ["edge.accept", 0, 0],
        ["edge.connect", 0, 4],
        ["edge.deliver", 4, 30],
      ],
    );
    assert.ok(hops.every(({ parentSpanId, traceId }) => parentSpanId === root?.spanId && traceId === root?.traceId));
    assert.equal(new Set([root, ...hops].map((span) => span?.spanId)).size, 4);
  });

  test("of an entry: its hop; the one that ends the work gives the work's own, with its code and whose it was", () => {
    const [hop, ...none] = spansOfEntry(entry(request, "edge.accept", "took"), undefined);
    assert.deepEqual([hop?.name, hop?.parentSpanId, none], ["edge.accept took", rootSpanOf(hop?.traceId ?? ""), []]);
    const code = { code: "route/control-down", status: 503, ms: 40 };
    const [root, end] = spansOfEntry(entry(request, "edge.deliver", "failed", code, 2), start - 50);
    assert.deepEqual([root?.name, root?.start, root?.end], ["request", start - 50, start]);
    assert.deepEqual([root?.attributes["waybill.code"], root?.attributes["waybill.owner"]], [code.code, "platform"]);
    assert.match(root?.error ?? "", /^route\/control-down: /);
    assert.equal(end?.start, start - 40);
  });

  test("of a call: it ends where it is settled or refused, and its first hop is linked to its request", () => {
    const ends = (hop: Hop, mark: Mark, facts: Facts = {}) =>
      spansOfEntry(entry(call, hop, mark, facts), start).length === 2;
    assert.ok(ends("gpu.settle", "done"));
    assert.ok(ends("gpu.admit", "refused", { code: "gpu/quota-exceeded" }));
    assert.ok(!ends("gpu.queue", "refused", { code: "gpu/queue-timeout" }), "its settlement follows");
    assert.ok(!ends("app.run", "failed", { code: "app/exception" }));
    const [begun, ...none] = spansOfEntry(entry(call, "gpu.schedule", "took", { request, link: request }), undefined);
    assert.deepEqual([begun?.links.map(({ traceId }) => traceId), none], [[traceIdOf(request)], []]);
  });

  test("are the same for the same record, and none of what has no id", () => {
    const told = entry(request, "edge.route", "done");
    assert.deepEqual(spansOfEntry(told, 1), spansOfEntry(told, 1));
    assert.deepEqual(spansOfEntry(entry("n1", "node.start", "took"), 1), []);
  });
});

test("OTLP's JSON: ids in digits, nanoseconds and whole numbers as texts, an error as its status", () => {
  const spans = spansOfEntry(
    entry(request, "edge.deliver", "failed", { code: "route/control-down", status: 503 }),
    start,
  );
  const document = JSON.parse(JSON.stringify(otlpOf(spans, { version: "1", instance: "here" })));
  const [{ resource, scopeSpans }] = document.resourceSpans;
  assert.deepEqual(resource.attributes[0], { key: "service.name", value: { stringValue: "waybill" } });
  const [root, hop] = scopeSpans[0].spans;
  assert.equal(root.startTimeUnixNano, `${start}000000`);
  assert.deepEqual([root.kind, hop.kind, root.status.code], [2, 1, 2]);
  assert.equal(root.parentSpanId, undefined);
  const status = root.attributes.find(({ key }: { key: string }) => key === "http.response.status_code");
  assert.deepEqual(status.value, { intValue: "503" });
});
