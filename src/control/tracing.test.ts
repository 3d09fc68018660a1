import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import type { EvidenceBatch } from "../contract/agent.ts";
import { instant } from "../stdx/time.ts";
import { Tracing } from "./tracing.ts";

interface Sent {
  readonly path: string;
  readonly type: string | undefined;
  readonly names: readonly string[];
}

describe("Tracing", () => {
  const got: Sent[] = [];
  let statuses: number[] = [];
  const collector = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as {
        resourceSpans: readonly { scopeSpans: readonly { spans: readonly { name: string }[] }[] }[];
      };
      const spans = body.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
      const names = spans.map(({ name }) => name);
      got.push({ path: request.url ?? "", type: request.headers["content-type"], names });
      response.writeHead(statuses.shift() ?? 200, { "content-type": "application/json" });
      response.end("{}");
    });
  });
  before(() => new Promise<void>((listening) => collector.listen(0, "127.0.0.1", listening)));
  after(() => void collector.close());

  function tracing(url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`) {
    const told: string[] = [];
    got.length = 0;
    const clock = { wall: () => instant(0), monotonic: () => 0 };
    const onDropped = (says: string, dropped: number): void => void told.push(`${dropped}: ${says}`);
    return { told, one: new Tracing({ url, version: "1", instance: "here", clock, onDropped }) };
  }

  function batch(count: number): EvidenceBatch {
    const records = Array.from({ length: count }, (_, i) => {
      const work = `q_${String(i).padStart(16, "0")}`;
      const at = "2026-11-22T12:00:00.000Z";
      const body = { work, kind: "request", emitter: "edge", epoch: 1, seq: i + 1, at, stages: [], facts: {} };
      return { kind: "packed" as const, body };
    });
    return { emitter: "edge", epoch: 1, records };
  }

  test("sends what was stored, in bounded requests", async () => {
    const { told, one } = tracing();
    one.takeBatch(batch(2_500));
    await one.send();
    assert.deepEqual(
      got.map(({ path, type, names }) => [path, type, names.length]),
      [1_000, 1_000, 500].map((count) => ["/v1/traces", "application/json", count]),
    );
    assert.deepEqual([one.dropped, told], [0, []]);
    await one[Symbol.asyncDispose]();
  });

  test("a collector that is busy is asked again, and one that refuses is not", async () => {
    const { told, one } = tracing();
    statuses = [503, 200];
    one.takeBatch(batch(1));
    await one.send();
    assert.deepEqual([got.length, one.dropped], [2, 0]);
    statuses = [400];
    one.takeBatch(batch(3));
    await one.send();
    assert.deepEqual([got.length, one.dropped, told], [3, 3, ["3: the collector answered 400"]]);
    await one[Symbol.asyncDispose]();
  });

  test("what no collector takes is bounded, dropped and counted, and an end waits for none", async () => {
    const { told, one } = tracing("http://127.0.0.1:9");
    for (let n = 0; n < 25; n += 1) one.takeBatch(batch(1_000));
    assert.equal(one.dropped, 5_000);
    await one[Symbol.asyncDispose]();
    assert.ok(one.dropped > 5_000);
    assert.equal(told.length, 1, "told once a minute");
  });

  test("an end does not wait for a collector that takes spans and never answers", async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((listening) => silent.listen(0, "127.0.0.1", listening));
    const { told, one } = tracing(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`);
    one.takeBatch(batch(1));
    const begun = performance.now();
    await one[Symbol.asyncDispose]();
    assert.ok(performance.now() - begun < 5_000, "a try alone has ten seconds");
    assert.deepEqual([one.dropped, told.length], [1, 1]);
    silent.closeAllConnections();
    silent.close();
  });
});
