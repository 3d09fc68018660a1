import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explainNode, type NodeCard, type NodeRecord } from "./explain-node.ts";
import * as a from "./waybill.suite.ts";

const card: NodeCard = { index: 0, slots: 2, free: 1, drain: null, trouble: null };
const drain = { of: "node", says: "draining since 12:03 UTC, by admin: driver" } as const;
const trouble = { code: "gpu/device-fault", says: "Xid 79: the card has fallen off the bus." };
const entriesOf = (...drafts: readonly a.Draft[]) => a.record("node", drafts).entries;
const node = (rest: Partial<NodeRecord>): NodeRecord => ({
  id: "n1",
  stage: "up",
  pool: "main",
  cards: [card],
  waiting: 0,
  entries: [],
  links: [],
  read: { journal: 5, evidence: 2 },
  ...rest,
});

describe("explainNode", () => {
  test("a node that serves has no verdict, whatever it went through before, and says what is free", () => {
    const entries = entriesOf(
      a.by("scheduler", "node.stop", "failed", { code: "gpu/node-lost" }),
      a.by("scheduler", "node.start", "took"),
    );
    const told = explainNode(node({ entries, cards: [card, { ...card, index: 1, drain: { ...drain, of: "card" } }] }));
    assert.equal(told.verdict, null);
    assert.equal(told.outcome, "ok");
    assert.equal(
      told.sentence,
      "Node n1 is connected and serves calls of pool main: 1 of 2 slots free, nobody waits. 1 card of it serves none.",
    );
  });

  test("one that is lost is proved so by the newest record of it", () => {
    const entries = entriesOf(
      a.by("scheduler", "node.stop", "failed", { code: "gpu/node-lost" }),
      a.by("scheduler", "node.start", "took"),
      a.by("scheduler", "node.stop", "failed", { code: "gpu/node-lost" }),
    );
    const { verdict } = explainNode(node({ stage: "lost", entries }));
    assert.deepEqual([verdict?.boundary, verdict?.code, verdict?.certainty], ["gpu", "node-lost", "proved"]);
    assert.deepEqual(verdict?.facts, ["scheduler/1/3"]);
  });

  test("one whose cards are all drained says who drained them and why, and how that ends", () => {
    const entries = entriesOf(
      a.by("scheduler", "node.drain", "took", { reason: "driver", by: "admin" }),
      a.by("scheduler", "node.drain", "took", { reason: "other", by: "admin", device: 0 }),
    );
    const { verdict, sentence } = explainNode(node({ entries, cards: [{ ...card, drain }] }));
    assert.equal(`${verdict?.boundary}/${verdict?.code}`, "capacity/pool-draining");
    assert.equal(verdict?.certainty, "proved");
    assert.deepEqual(verdict?.facts, ["scheduler/1/1"]);
    assert.equal(
      sentence,
      "No call is placed on node n1: its card is out of use. Draining since 12:03 UTC, by admin: driver.",
    );
    assert.equal(verdict?.next, "`waybill node undrain n1` gives it back to use.");
  });

  test("a drain of its pool is the pool's to end; without a record of its own it is likely", () => {
    const { verdict } = explainNode(node({ cards: [{ ...card, drain: { ...drain, of: "pool" } }] }));
    assert.equal(verdict?.certainty, "likely");
    assert.equal(verdict?.inferred[0]?.rule, "ledger-state");
    assert.match(verdict?.next ?? "", /pool undrain/);
  });

  test("one whose cards are ill has the code of the first, in the words of the node", () => {
    const entries = entriesOf(a.by("scheduler", "node.cards", "failed", trouble));
    const cards = [
      { ...card, trouble },
      { ...card, index: 1, drain },
    ];
    const { verdict } = explainNode(node({ entries, cards }));
    assert.equal(`${verdict?.boundary}/${verdict?.code}`, trouble.code);
    assert.equal(
      verdict?.sentence,
      "No call is placed on node n1: each of its 2 cards is in trouble or out of use. Xid 79: the card has fallen off the bus. 1 card of it is drained as well.",
    );
  });

  test("one without cards serves no calls, and nothing is wrong", () => {
    const told = explainNode(node({ cards: [] }));
    assert.equal(told.outcome, "ok");
    assert.match(told.sentence, /has no cards: it runs replicas, and no GPU calls/);
  });
});
