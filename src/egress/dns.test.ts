import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { answerOf, formatError, outcome, parseQuestion, types } from "./dns.ts";
import { SyntheticNames } from "./synthetic-names.ts";

const header = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];

function query(name: string, type: number, labels = name.split(".")): Uint8Array {
  const bytes = labels.flatMap((label) => [label.length, ...Buffer.from(label, "latin1")]);
  return Uint8Array.from([...header, ...bytes, 0, 0, type, 0, 1]);
}

const nameOf = (name: string): string | null => (parseQuestion(query(name, 1)) ?? assert.fail("a question")).name;

describe("names for sandboxes", () => {
  test("a question is read, and answered with its own id, bytes and one address", () => {
    const asked = query("API.example.com", types.a);
    const question = parseQuestion(asked) ?? assert.fail("a question");
    assert.deepEqual([question.name, question.type, question.id], ["api.example.com", types.a, 0x1234]);
    const answer = answerOf(question, outcome.ok, "100.64.0.7");
    assert.deepEqual([...answer.slice(0, 8)], [0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1]);
    assert.deepEqual(answer.slice(12, asked.length), asked.slice(12));
    assert.deepEqual([...answer.slice(asked.length)], [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 100, 64, 0, 7]);
  });

  test("an answer without an address has the question and the code only", () => {
    const question = parseQuestion(query("a.example", types.aaaa)) ?? assert.fail("a question");
    assert.deepEqual([...answerOf(question, outcome.noSuchName).slice(2, 12)], [0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0]);
  });

  test("what follows the question, as EDNS does, does not matter", () => {
    const edns = Uint8Array.from([...query("a.example", 1), 0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0]);
    assert.equal(parseQuestion(edns)?.name, "a.example");
  });

  test("names of hosts are names; what could be mistaken for something else is nobody's", () => {
    for (const name of [
      "a",
      "xn--bcher-kva.example",
      "_dmarc.example.com",
      "127.0.0.1",
      "a-b.c",
      `${"a".repeat(63)}.example`,
    ])
      assert.equal(nameOf(name), name);
    for (const name of ["a b", "a\nb", "a\0b", "bücher.example", "-a.example", "a-.example", "a/b", '"a"'])
      assert.equal(nameOf(name), null, name);
    assert.equal((parseQuestion(query("", 1, [])) ?? assert.fail("a question")).name, null);
    assert.equal(nameOf(Array.from({ length: 5 }, () => "a".repeat(60)).join(".")), null);
    const dotted = parseQuestion(query("", 1, ["a.b", "example"])) ?? assert.fail("a question");
    assert.equal(dotted.name, "a.b.example");
  });

  test("what is no single question of the internet's class is none", () => {
    const good = query("a.example", 1);
    const changed = (at: number, value: number): Uint8Array =>
      Uint8Array.from([...good.slice(0, at), value, ...good.slice(at + 1)]);
    for (const bytes of [
      good.slice(0, 5),
      good.slice(0, -1),
      changed(2, 0x81),
      changed(2, 0x11),
      changed(5, 2),
      changed(5, 0),
      changed(12, 0xc0),
      changed(12, 64),
      changed(good.length - 1, 3),
    ])
      assert.equal(parseQuestion(bytes), null);
    assert.deepEqual([...(formatError(good) ?? [])], [0x12, 0x34, 0x80, 0x01, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert.equal(formatError(good.slice(0, 11)), null);
  });

  test("whatever the bytes are, reading and answering them never fails", () => {
    const tail = fc.uint8Array({ maxLength: 300 });
    const bytes = fc.oneof(
      tail,
      tail.map((rest) => Uint8Array.from([...header, ...rest])),
      tail.map((rest) => Uint8Array.from([...query("a.b", 1).slice(0, 14), ...rest])),
    );
    fc.assert(
      fc.property(bytes, (message) => {
        const question = parseQuestion(message);
        if (question === null) assert.ok(formatError(message) === null || message.length >= 12);
        else assert.ok(answerOf(question, outcome.ok, "100.64.0.1").length === 12 + question.bytes.length + 16);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("the addresses of names", () => {
  test("an address stands for one name, and for none that was forgotten", () => {
    const names = new SyntheticNames(2);
    const [a, b] = [names.addressOf("a"), names.addressOf("b")];
    assert.deepEqual([a, b], ["100.64.0.1", "100.64.0.2"]);
    assert.equal(names.addressOf("a"), a);
    const c = names.addressOf("c");
    assert.deepEqual(
      [a, b, c].map((address) => names.nameOf(address)),
      ["a", undefined, "c"],
    );
  });

  test("a name that is dialled is used, and not the one that makes room", () => {
    const names = new SyntheticNames(2);
    const [a, b] = [names.addressOf("a"), names.addressOf("b")];
    names.nameOf(a);
    names.addressOf("c");
    assert.deepEqual([names.nameOf(a), names.nameOf(b)], ["a", undefined]);
  });

  test("a forgotten address does not come back while any other is left", () => {
    const names = new SyntheticNames(1);
    const seen = new Set(Array.from({ length: 70_000 }, (_, at) => names.addressOf(`n${at}`)));
    assert.equal(seen.size, 70_000);
    assert.ok([...seen].every((address) => /^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d{1,3}\.\d{1,3}$/.test(address)));
  });

  test("texts that look like one of ours are not", () => {
    const names = new SyntheticNames();
    names.addressOf("a");
    for (const other of [
      "8.8.8.8",
      "100.64.255.1",
      "x",
      "100.64.0",
      "100.64.0.257",
      "100.63.0.1",
      "100.128.0.1",
      "100.64.0.1.1",
      "100.64..1",
      "::ffff:100.64.0.1",
      "",
    ])
      assert.equal(names.nameOf(other), undefined, other);
  });
});
