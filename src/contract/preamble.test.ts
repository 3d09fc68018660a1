import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodePreamble, parsePreamble, preambleMaxBytes, type Preamble } from "./preamble.ts";

describe("preamble", () => {
  const all: readonly Preamble[] = [
    { kind: "open", emitter: "edge", epoch: 3, connection: 17 },
    { kind: "ask", emitter: "edge-2.a_b", epoch: 0, connection: 0 },
    {
      kind: "ask",
      emitter: "e".repeat(64),
      epoch: 999_999_999_999_999,
      connection: 999_999_999_999_999,
      work: "q_0123456789abcdef",
    },
  ];
  for (const preamble of all) {
    test(`${preamble.kind} of ${preamble.emitter} comes back as it was, within the bound`, () => {
      const line = encodePreamble(preamble);
      assert.ok(line.endsWith("\n") && line.length <= preambleMaxBytes);
      assert.deepEqual(parsePreamble(line.slice(0, -1)), preamble);
    });
  }

  for (const line of [
    "",
    "GET / HTTP/1.1",
    "waybill/2 open edge/1/1",
    "waybill/1 open edge/1",
    "waybill/1 open ../1/1",
    "waybill/1 open edge/1/1 q_1",
  ]) {
    test(`"${line}" is none`, () => assert.equal(parsePreamble(line), undefined));
  }
});
