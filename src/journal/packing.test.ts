import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { hashBytes, inBytes, Packer, recordBytes } from "./packing.ts";

const text = fc.string({ unit: "grapheme", maxLength: 30 });

describe("a pack of records", () => {
  test("has each record's UTF-8 behind as many free bytes as a hash takes, whatever is written in it", () => {
    const record = fc.record({ text, at: fc.nat(), works: fc.array(text, { maxLength: 3 }) });
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), fc.integer({ min: 1 }), (records, first) => {
        const packer = new Packer(first);
        for (const { text: json, at, works } of records) packer.add(json, at, works);
        const pack = inBytes(packer.seal());
        let from = 0;
        for (const [i, { text: json }] of records.entries()) {
          const framed = pack.bytes.subarray(from, from + hashBytes + (pack.lengths[i] ?? Number.NaN));
          assert.deepEqual(Buffer.from(framed), Buffer.concat([Buffer.alloc(hashBytes), Buffer.from(json)]));
          from += framed.length;
        }
        assert.equal(from, pack.bytes.length);
        assert.equal(recordBytes(pack), Buffer.byteLength(records.map((each) => each.text).join("")));
        assert.deepEqual([pack.first, packer.count, pack.ats], [first, records.length, records.map(({ at }) => at)]);
        assert.deepEqual(
          pack.works.map((work, i) => [work, pack.workIndexes[i]]),
          records.flatMap(({ works }, i) => works.map((work) => [work, first + i])),
        );
      }),
    );
  });
});
