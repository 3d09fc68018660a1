import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { answerOf, formatError, outcome, parseQuestion, types } from "./dns.ts";
import { SyntheticNames } from "./synthetic-names.ts";

function query(name: string, type: number): Uint8Array {
  const labels = name.split(".").flatMap((label) => [label.length, ...Buffer.from(label, "latin1")]);
  return Uint8Array.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, type, 0, 1]);
}

describe("names for sandboxes", () => {
  test("a question is read, and answered with its own id, bytes and one address", () => {
    const question = parseQuestion(query("API.example.com", types.a)) ?? assert.fail("a question");
    assert.deepEqual([question.name, question.type, question.id], ["api.example.com", types.a, 0x1234]);
    const answer = answerOf(question, outcome.ok, "100.64.0.7");
    assert.deepEqual([...answer.slice(0, 8)], [0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1]);
    assert.deepEqual([...answer.slice(-4)], [100, 64, 0, 7]);
  });

  test("whatever the bytes are, reading them gives a question or none, and never fails", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.uint8Array({ maxLength: 40 }).map((tail) => Uint8Array.from([...query("a.b", 1).slice(0, 14), ...tail])),
    );
    fc.assert(
      fc.property(bytes, (message) => {
        const question = parseQuestion(message);
        if (question !== null) assert.ok(question.name.length <= 253);
        assert.ok(formatError(message) === null || message.length >= 12);
      }),
    );
  });

  test("an address stands for one name, and for none that was forgotten", () => {
    const names = new SyntheticNames(2);
    const [a, b] = [names.addressOf("a"), names.addressOf("b")];
    assert.equal(names.addressOf("a"), a);
    const c = names.addressOf("c");
    assert.equal(new Set([a, b, c]).size, 3);
    assert.deepEqual(
      [a, b, c].map((address) => names.nameOf(address)),
      ["a", undefined, "c"],
    );
    for (const other of ["8.8.8.8", "100.64.255.1", "x", "100.64.0"]) assert.equal(names.nameOf(other), undefined);
  });
});
