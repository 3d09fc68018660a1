import assert from "node:assert/strict";
import { test } from "node:test";
import type { SpanExplanation } from "../../evidence/span.ts";
import { drawSpan } from "./span.ts";

const at = (second: number): string => `2026-11-22T12:00:0${second}.000Z`;
const failure = {
  code: "gpu/node-lost",
  owner: "platform",
  count: 2,
  certainty: { proved: 1, likely: 1 },
  sentence: "The GPU's node stopped answering.",
  first: at(1),
  last: at(3),
  examples: ["c_1", "c_2"],
} as const;
const span: SpanExplanation = {
  from: at(0),
  to: "2026-11-22T12:05:00.000Z",
  space: null,
  sentence: "3 works did not go well (3 by the platform), in 2 groups; 7 went well, 1 change.",
  count: 3,
  groups: [
    {
      cause: { id: "n1", kind: "node", code: "gpu/node-lost", sentence: "Node n1: it stopped answering." },
      spaces: ["alice/demo"],
      count: 2,
      failures: [failure],
    },
    {
      cause: null,
      spaces: ["bob/own"],
      count: 7,
      failures: [
        {
          ...failure,
          code: "app/exception",
          owner: "app",
          count: 7,
          certainty: { proved: 7 },
          sentence: "The app's function ended with an exception.",
          last: at(1),
          examples: ["q_1"],
        },
      ],
    },
  ],
  changes: [
    {
      subject: "alice/demo",
      items: [{ at: at(2), says: "running → failing, by the app.", id: "spaces/alice/demo/7" }],
    },
  ],
  well: [{ kind: "request", count: 7 }],
  isWellCut: false,
  counted: [{ code: "route/no-such-space", count: 12, examples: ["n_1"] }],
  emitters: [{ emitter: "edge", epoch: 2, state: "open", lastSeq: 8, lastAt: at(4) }],
  gaps: [{ emitter: "edge", epoch: 2, from: 5, to: 6, why: "these numbers never reached the record" }],
  readTo: null,
  droppedThrough: null,
  read: { journal: 9, evidence: 8 },
  next: "50",
};

test("a span is drawn by cause, with what changed and how far it is known", () => {
  assert.equal(
    drawSpan({ width: 100, zone: "UTC", color: false }, span),
    `22 Nov 12:00 to 22 Nov 12:05
3 works did not go well (3 by the platform), in 2 groups; 7 went well, 1 change.

what did not go well
  gpu/node-lost of node n1 in alice/demo: Node n1: it stopped answering.
    2 × gpu/node-lost, ■ platform (1 proved, 1 likely), 12:00:01.000 to 12:00:03.000
      The GPU's node stopped answering.
      c_1 c_2
  7 × app/exception in bob/own, ● app (7 proved), 12:00:01.000
    The app's function ended with an exception.
    q_1 …

what changed
  alice/demo
    12:00:02.000  running → failing, by the app. (spaces/alice/demo/7)

counted, not recorded
  12 route/no-such-space (n_1)

evidence
  edge epoch 2, goes on: known to number 8 of 12:00:04.000
  missing: edge epoch 2, numbers 5 to 6: these numbers never reached the record
  journal to 9, evidence to 8; times are each emitter's own and put nothing in order across emitters

more groups: --page 50
`,
  );
});
