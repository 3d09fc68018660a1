import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { EvidenceBatch } from "../contract/agent.ts";
import type { EvidenceSource } from "./ports.ts";
import { Shipping } from "./shipping.ts";

/** A spool of `count` records that are handed out two at a time. */
function spool(emitter: string, count: number): EvidenceSource & { stored: number } {
  let handed = 0;
  return {
    stored: 0,
    next() {
      const seqs = [handed + 1, handed + 2].filter((seq) => seq <= count);
      handed += seqs.length;
      return seqs.length === 0
        ? null
        : { emitter, epoch: 1, records: seqs.map((seq) => ({ kind: "entry", body: { seq } }) as const) };
    },
    acknowledge({ seq }) {
      this.stored = seq;
    },
    rewind() {
      handed = this.stored;
    },
  };
}

function desk(connected = true) {
  const sent: string[] = [];
  const state = { connected, now: 0 };
  const say = ({ emitter, records }: EvidenceBatch): boolean => {
    if (state.connected) sent.push(`${emitter} ${records.map(({ body }) => (body as { seq: number }).seq).join(",")}`);
    return state.connected;
  };
  return { sent, state, shipping: new Shipping(say, () => state.now) };
}

const ack = (emitter: string, seq: number) => ({ emitter, epoch: 1, seq });

describe("Shipping", () => {
  test("sends one batch of each source at a time, the next when it is acknowledged", () => {
    const { shipping, sent } = desk();
    shipping.add("a", spool("a", 3));
    shipping.add("b", spool("b", 1));
    shipping.pump();
    shipping.pump();
    assert.deepEqual(sent, ["a 1,2", "b 1"]);
    assert.ok(shipping.acknowledge(ack("a", 2)));
    assert.deepEqual(sent, ["a 1,2", "b 1", "a 3"]);
  });

  test("a partial answer ends nothing; one for an emitter that is not ours is passed on", () => {
    const { shipping, sent } = desk();
    shipping.add("a", spool("a", 3));
    shipping.pump();
    assert.ok(shipping.acknowledge(ack("a", 1)));
    assert.deepEqual(sent, ["a 1,2"]);
    assert.ok(!shipping.acknowledge(ack("shim", 1)));
  });

  test("nothing is lost without a connection, with a lost answer, or over a new connection", () => {
    const { shipping, sent, state } = desk(false);
    shipping.add("a", spool("a", 2));
    shipping.pump();
    assert.deepEqual(sent, []);
    state.connected = true;
    shipping.pump();
    state.now = 9_999;
    shipping.pump();
    state.now = 10_000;
    shipping.pump();
    shipping.again();
    assert.deepEqual(sent, ["a 1,2", "a 1,2", "a 1,2"]);
  });

  test("a dead emitter's source is let go when all of it is stored, not before", () => {
    const { shipping } = desk();
    shipping.add("p_1", spool("shim", 1), true);
    shipping.pump();
    shipping.pump();
    assert.ok(!shipping.isDone("p_1"));
    shipping.acknowledge(ack("shim", 1));
    shipping.pump();
    assert.ok(shipping.isDone("p_1"));
  });
});
