import assert from "node:assert/strict";
import { test } from "node:test";

import { lastSeqIn, recordsIn } from "./lines.ts";

function line(seq: number): string {
  return `${JSON.stringify({ kind: "closing", body: { emitter: "edge", epoch: 1, seq, at: "2026-12-01T00:00:00.000Z" } })}\n`;
}

test("what is torn off among the lines, at their end too, is passed over", () => {
  const torn = line(3).slice(0, 30);
  const lines = Buffer.from(`${line(1)}${torn}\n\n${line(4)}{"kind":"of another version","body":{"seq":5}}\n${torn}\n`);
  assert.deepEqual(
    recordsIn(lines).map(({ body }) => (body as { seq: number }).seq),
    [1, 4],
  );
  assert.equal(lastSeqIn(lines), 4);
  assert.equal(lastSeqIn(Buffer.from(`${torn}\n\n`)), undefined);
  assert.equal(lastSeqIn(Buffer.alloc(0)), undefined);
});
