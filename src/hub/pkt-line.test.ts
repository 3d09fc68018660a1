import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { flush, HeldAnswer, packet, sideband } from "./pkt-line.ts";

/** As git's receive-pack answers: progress, the report in band 1, the flush. */
const banded = Buffer.concat([
  sideband("progress", "Resolving deltas\r"),
  packet(Buffer.concat([Buffer.from([1]), packet("unpack ok\n"), packet("ok refs/heads/main\n"), flush])),
  flush,
]);

describe("sideband", () => {
  test("puts the band in front of the text", () =>
    assert.equal(sideband("progress", "hi\n").toString("latin1"), "0008\u0002hi\n"));
  test("nothing to say is a sign of life", () =>
    assert.equal(sideband("progress", "").toString("latin1"), "0005\u0002"));
  test("a long text goes in packets that git takes", () => {
    const bytes = sideband("fatal", "x".repeat(70_000));
    assert.equal(bytes.toString("latin1", 0, 5), "fff0\u0003");
    assert.equal(bytes.length, 70_000 + 2 * 5);
  });
});

describe("HeldAnswer", () => {
  test("keeps the last flush back, however the answer is cut", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(banded.length)), (cuts) => {
        const held = new HeldAnswer();
        const at = [0, ...[...cuts].sort((a, b) => a - b), banded.length];
        const out = at.slice(1).map((to, index) => held.push(banded.subarray(at[index], to)));
        assert.deepEqual(Buffer.concat(out), banded.subarray(0, -4));
        assert.ok(held.isOpen && held.isBanded);
        assert.equal(held.end().length, 0);
      }),
      { numRuns: 100 },
    );
  });

  test("an answer without the side band passes as it is", () => {
    const plain = Buffer.concat([packet("unpack ok\n"), packet("ok refs/heads/main\n"), flush]);
    const held = new HeldAnswer();
    assert.deepEqual(held.push(plain), plain);
    assert.ok(!held.isOpen && !held.isBanded);
  });

  test("an answer that breaks off is not open", () => {
    const held = new HeldAnswer();
    held.push(banded.subarray(0, -4));
    assert.equal(held.isOpen, false);
    held.push(Buffer.from("00"));
    assert.equal(held.end().toString(), "00");
  });
});
