import assert from "node:assert/strict";
import { describe, test } from "node:test";

import type { Packed } from "../evidence/entry.ts";
import { lastSeqIn, recordsIn } from "./lines.ts";
import { RowLines } from "./rows.ts";
import type { Packable } from "./rows.ts";

const startedAt = Date.UTC(2026, 10, 22, 12, 0, 0, 7);
const get = (n: number, facts: Packed["facts"] = {}): Packable => ({
  work: `q_${n}`,
  kind: "request",
  startedAt,
  stages: [
    ["edge.accept", 0],
    ["edge.deliver", 1.5],
  ],
  facts: { method: "GET", path: `/ä/"${n}"`, trace: null, more: { taken: [1, 2] }, ...facts },
});
const upload: Packable = { work: "t_1", kind: "transfer", startedAt, stages: [["transfer.move", 4]], facts: {} };

function joined(rows: RowLines, records: readonly Packable[], from = 1): Buffer {
  return Buffer.from(records.map((record, i) => rows.add(record, from + i)).join("") + rows.end());
}

function wholes(records: readonly Packable[], from = 1): readonly unknown[] {
  return records.map(({ work, kind, stages, facts }, i) => ({
    kind: "packed",
    body: { work, kind, emitter: "edge", epoch: 3, seq: from + i, at: "2026-11-22T12:00:00.007Z", stages, facts },
  }));
}

describe("packed records of one line", () => {
  test("come back as they were, field for field, each line by itself", () => {
    const rows = new RowLines("edge", 3);
    const first = [get(1), upload, get(3), get(4, { status: 200 })];
    const line = joined(rows, first);
    assert.equal(line.indexOf("\n"), line.length - 1);
    assert.deepEqual(recordsIn(line), wholes(first));
    assert.equal(lastSeqIn(line), 4);
    const second = [upload, get(6)];
    assert.deepEqual(recordsIn(joined(rows, second, 5)), wholes(second, 5));
  });

  test("come back also of more shapes than are remembered", () => {
    const rows = new RowLines("edge", 3);
    const many = Array.from({ length: 100 }, (_, n) => get(n + 1, { [`fact-${n % 40}`]: n }));
    assert.deepEqual(recordsIn(joined(rows, many)), wholes(many));
  });

  test("leave room for their end", () => {
    const rows = new RowLines("edge", 3);
    for (let n = 1; n <= 50; n++) {
      rows.add(get(n, { [`fact-${n}`]: n }), n);
      rows.add(upload, n + 50);
    }
    const { endLength } = rows;
    assert.ok(rows.end().length <= endLength);
  });

  test("what is malformed among them is left out: a hole, and no lie", () => {
    const shapes = [{ kind: "request", hops: ["edge.accept"], facts: ["status"] }, { kind: "request" }];
    const good = [0, 1, "q_1", startedAt, 0, 200];
    const bad: readonly unknown[] = [
      ...[null, [], [0], [2, 2, "q_2", startedAt, 0, 200], [1, 2, "q_2", startedAt, 0, 200]],
      ...[
        [0, 0, "q_2", startedAt, 0, 200],
        [0, 2, "", startedAt, 0, 200],
        [0, 2, "q_2", 1.5, 0, 200],
      ],
      ...[
        [0, 2, "q_2", 1e15, 0, 200],
        [0, 2, "q_2", startedAt, null, 200],
        [0, 2, "q_2", startedAt, 0],
      ],
    ];
    const line = `${JSON.stringify({ kind: "rows", emitter: "edge", epoch: 3, rows: [good, ...bad], shapes })}\n`;
    assert.deepEqual(
      recordsIn(Buffer.from(`${line}{"kind":"rows","emitter":"edge","epoch":3,"rows":7}\n`)).map(
        ({ body }) => (body as Packed).work,
      ),
      ["q_1"],
    );
  });
});
