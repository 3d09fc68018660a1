import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explainSpan, type SpanRecord, type SpanWork } from "./span.ts";

const work = (id: string, rest: Partial<SpanWork> = {}): SpanWork => ({
  id,
  kind: "request",
  code: "app/exception",
  owner: "app",
  certainty: "proved",
  sentence: "The function ended with an exception.",
  space: "alice/demo",
  first: "2026-11-22T12:00:01.000Z",
  last: "2026-11-22T12:00:01.000Z",
  causes: [],
  ...rest,
});
const record = (rest: Partial<SpanRecord>): SpanRecord => ({
  from: "2026-11-22T12:00:00.000Z",
  to: "2026-11-22T12:05:00.000Z",
  space: null,
  works: [],
  changes: [],
  well: [],
  isWellCut: false,
  counted: [],
  emitters: [],
  gaps: [],
  readTo: null,
  droppedThrough: null,
  read: { journal: 1, evidence: 2 },
  ...rest,
});
const page = { skip: 0, limit: 50 };

describe("explainSpan", () => {
  const lost = { code: "gpu/node-lost", owner: "platform", kind: "call", causes: ["n1"] } as const;
  const node = work("n1", {
    ...lost,
    kind: "node",
    causes: [],
    space: null,
    sentence: "Node n1: it stopped answering.",
  });
  const outage = [
    work("c_1", lost),
    work("c_2", { ...lost, certainty: "likely", first: "2026-11-22T12:00:00.000Z" }),
    work("q_1", { code: "gpu/node-lost", owner: "platform", causes: ["c_1"] }),
    node,
  ];

  test("works that rest on one are its group, however far from it, whatever their emitters' clocks say", () => {
    const { groups } = explainSpan(record({ works: outage }), page);
    assert.equal(groups.length, 1);
    assert.deepEqual([groups[0]?.cause?.id, groups[0]?.count, groups[0]?.spaces], ["n1", 4, ["alice/demo"]]);
    const [failure] = groups[0]?.failures ?? [];
    assert.deepEqual(failure?.certainty, { proved: 3, likely: 1 });
    assert.deepEqual(failure?.examples, ["c_1", "c_2", "n1", "q_1"]);
  });

  test("those that stand for themselves are put together by code and Space, and have no cause", () => {
    const works = [
      ...["q_1", "q_2", "q_3"].map((id) => work(id)),
      work("q_4", { space: "bob/other", last: "2026-11-22T12:04:00.000Z" }),
      work("q_5", { code: "route/no-such-space", owner: "visitor" }),
    ];
    const { groups, sentence } = explainSpan(record({ works, well: [{ kind: "request", count: 7 }] }), page);
    assert.deepEqual(
      groups.map(({ cause, count, spaces }) => [cause, count, spaces]),
      [
        [null, 3, ["alice/demo"]],
        [null, 1, ["bob/other"]],
        [null, 1, ["alice/demo"]],
      ],
    );
    assert.equal(sentence, "5 works did not go well (4 by the app, 1 by the visitor), in 3 groups; 7 went well.");
  });

  test("the order in which works come changes nothing, and a circle of causes ends", () => {
    const circle = [work("q_8", { causes: ["q_9"] }), work("q_9", { causes: ["q_8"] })];
    const works = [...outage, ...circle];
    assert.deepEqual(explainSpan(record({ works: works.toReversed() }), page), explainSpan(record({ works }), page));
  });

  test("groups come in pages, and what was not read is said", () => {
    const works = ["a", "b", "c"].map((name) => work(`q_${name}`, { space: `alice/${name}` }));
    const first = explainSpan(record({ works, readTo: "2026-11-22T12:03:00.000Z" }), { skip: 0, limit: 2 });
    assert.deepEqual([first.groups.length, first.next, first.count], [2, "2", 3]);
    assert.match(first.sentence, /this was read to 2026-11-22T12:03:00.000Z, go on from there/);
    const rest = explainSpan(record({ works }), { skip: 2, limit: 2 });
    assert.deepEqual([rest.groups.length, rest.next], [1, null]);
  });

  test("a span in which nothing failed says so", () => {
    assert.equal(
      explainSpan(record({ space: "alice/demo" }), page).sentence,
      "Nothing of alice/demo failed or was refused; 0 went well.",
    );
    assert.match(
      explainSpan(record({ well: [{ kind: "request", count: 9 }], isWellCut: true }), page).sentence,
      /; at least 9 went well\.$/,
    );
  });
});
