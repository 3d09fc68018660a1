import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parsePointer, pointerText } from "./lfs-pointer.ts";

const oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
const written = `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize 12345\n`;
const parse = (text: string) => parsePointer(Buffer.from(text));

describe("parsePointer", () => {
  test("reads what git-lfs writes (its specification's own example), and writes the same", () => {
    assert.deepEqual(parse(written), { oid, size: 12_345 });
    assert.equal(pointerText({ oid, size: 12_345 }), written);
  });
  test("passes extensions over", () =>
    assert.deepEqual(parse(written.replace("oid ", `ext-0-foo sha256:${oid}\noid `)), { oid, size: 12_345 }));
  for (const [what, text] of [
    ["another version", written.replace("v1", "v9")],
    ["a short hash", written.replace(oid, oid.slice(1))],
    ["no size", written.replace("size", "seize")],
    ["a text that only quotes it", `see:\n${written}`],
    ["more than a pointer may have", written + "x".repeat(1_024)],
  ] as const) {
    test(`is no pointer: ${what}`, () => assert.equal(parse(text), undefined));
  }
  test("any size comes back", () =>
    fc.assert(fc.property(fc.nat(), (size) => assert.deepEqual(parse(pointerText({ oid, size })), { oid, size }))));
});
