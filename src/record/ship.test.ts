import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { encode, frameMaxBytes } from "../contract/agent.ts";
import type { EvidenceBatch } from "../contract/agent.ts";
import type { Packed } from "../evidence/entry.ts";
import { instant } from "../stdx/time.ts";
import { recordsIn } from "./lines.ts";
import { openShipper } from "./ship.ts";
import type { Shipper } from "./ship.ts";
import { openSpool } from "./spool.ts";

const count = 3_000;
/** Names, which each record has by itself and a line once. */
const marks = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`mark-of-a-request-${n}`, 1]));
let folder: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "waybill-ship-"));
  const clock = { wall: () => instant(Date.UTC(2026, 10, 22)), monotonic: () => 0 };
  await using spool = await openSpool({ folder, name: "edge", clock });
  for (let n = 1; n <= count; n++) {
    // A long one now and then: a line ends by its records, or by its bytes.
    const path = n % 7 === 0 ? `/${"ä".repeat(2_000)}` : "/";
    const facts = { method: "GET", path, space: "alice/demo", status: 200, ["f".repeat(n % 5)]: n, ...marks };
    spool.pack({ work: `q_${n}`, kind: "request", startedAt: clock.wall(), stages: [["edge.accept", 0]], facts });
  }
});
after(() => rmSync(folder, { recursive: true }));

function worksOf(records: EvidenceBatch["records"]): readonly string[] {
  return records.flatMap(({ kind, body }) => (kind === "packed" ? [(body as Packed).work] : []));
}

function all<Taken>(take: (shipper: Shipper) => Taken | null): readonly Taken[] {
  const shipper = openShipper({ folder });
  const taken: Taken[] = [];
  for (let next = take(shipper); next !== null; next = take(shipper)) taken.push(next);
  return taken;
}

test("a line that is longer than a text has to be is a text by itself, and one that fits no frame is passed over", async () => {
  const own = join(folder, "long");
  await using spool = await openSpool({
    folder: own,
    name: "edge",
    clock: { wall: () => instant(0), monotonic: () => 0 },
  });
  for (const length of [1, 300 << 10, 600 << 10, 1])
    spool.write({ work: "b_1", hop: "build.step", mark: "failed", facts: { says: "x".repeat(length) } });
  const seqs: number[] = [];
  const shipper = openShipper({ folder: own });
  for (let text = shipper.nextText(); text !== null; text = shipper.nextText())
    seqs.push(...recordsIn(text.lines).map(({ body }) => (body as Packed).seq));
  assert.deepEqual(seqs, [1, 2, 4]);
});

describe("packed records of a busy emitter", () => {
  const works = Array.from({ length: count }, (_, n) => `q_${n + 1}`);

  test("are sent one by one, each once and in order, in batches that fit a frame", () => {
    const batches = all((shipper) => shipper.next());
    assert.deepEqual(
      batches.flatMap(({ records }) => worksOf(records)),
      works,
    );
    for (const batch of batches) assert.ok(Buffer.byteLength(encode({ type: "evidence", batch })) < frameMaxBytes);
  });

  test("are handed to the store as they lie in their file, each text with the number that may be acknowledged", () => {
    const texts = all((shipper) => shipper.nextText());
    assert.deepEqual(
      texts.flatMap(({ lines }) => worksOf(recordsIn(lines))),
      works,
    );
    assert.equal(texts.at(-1)?.seq, count + 1);
    for (const { lines } of texts) assert.ok(lines.length <= 256 << 10);
    for (const { lines, seq } of texts) assert.equal((recordsIn(lines).at(-1)?.body as Packed | undefined)?.seq, seq);
  });
});
