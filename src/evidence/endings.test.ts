import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { answered5xx, endOfEntry, endOfPacked, waitsOfEntry, waitsOfPacked } from "./endings.ts";
import type { Entry, Facts, Hop, Mark, Packed } from "./entry.ts";

function entry(work: string, hop: Hop, mark: Mark, facts: Facts = {}): Entry {
  const at = "2026-11-22T12:00:00.000Z";
  return { id: "e/1/1", work, hop, mark, emitter: "e", epoch: 1, seq: 1, at, facts };
}

function packed(kind: Packed["kind"], stages: Packed["stages"], facts: Facts = {}): Packed {
  return { work: `${kind}_1`, kind, emitter: "e", epoch: 1, seq: 1, at: "2026-11-22T12:00:00.000Z", stages, facts };
}

/** What ends a work, and as what it is counted; null: it ends nothing. */
const rows: readonly (readonly [says: string, entry: Entry, code: string | null, count?: number])[] = [
  ["a request ends where its answer was delivered", entry("q_1", "edge.deliver", "done", { status: 200 }), ""],
  ["no other hop ends a request", entry("q_1", "edge.route", "refused", { code: "route/not-running" }), null],
  [
    "a refused request ends with its code",
    entry("q_1", "edge.deliver", "refused", { code: "route/not-running", status: 503 }),
    "route/not-running",
  ],
  [
    "an app's own 5xx is the app's",
    entry("q_1", "edge.deliver", "done", { status: 500, answeredBy: "app" }),
    answered5xx,
  ],
  ["what the shim saw of a connection ends nothing", entry("q_1", "app.take", "failed", { connected: false }), null],
  [
    "a call of which the ledger never heard",
    entry("c_1", "identity.verify", "refused", { code: "identity/expired" }),
    "identity/expired",
  ],
  [
    "what the platform tries of its own sandboxes is nobody's work",
    entry("x_1", "egress.policy", "refused", { space: ".probes/prober", code: "egress/address-denied" }),
    null,
  ],
  ["a build ends well where its app listens", entry("b_1", "replica.ready", "done"), ""],
  ["a published build has still to start", entry("b_1", "build.publish", "done"), null],
  [
    "a build ends badly where a step failed",
    entry("b_1", "build.step", "failed", { code: "build/step-failed" }),
    "build/step-failed",
  ],
  [
    "a build that is given to a builder again goes on",
    entry("b_1", "build.claim", "failed", { code: "build/builder-lost", again: true }),
    null,
  ],
  ["a replica that is ready", entry("p_1", "replica.ready", "done"), ""],
  ["a replica's end", entry("p_1", "replica.exit", "failed", { code: "app/exit" }), "app/exit"],
  [
    "refused connections that are alike are told by one",
    entry("x_1", "egress.policy", "refused", { code: "egress/name-denied", likeItBefore: 6 }),
    "egress/name-denied",
    7,
  ],
  ["a download ends when it has moved", entry("tr_1", "transfer.move", "done", { direction: "download" }), ""],
  ["an upload has still to be verified", entry("tr_1", "transfer.move", "done", { direction: "upload" }), null],
  ["an upload ends when it is verified", entry("tr_1", "transfer.verify", "done", { direction: "upload" }), ""],
  ["a transfer that stands still has not ended", entry("tr_1", "transfer.move", "took", { quietMs: 15_000 }), null],
  ["a node is no work that ends", entry("n1", "node.cards", "failed", { code: "gpu/device-fault" }), null],
];

describe("endOfEntry", () => {
  for (const [says, told, code, count = 1] of rows)
    test(says, () => {
      const end = endOfEntry(told);
      assert.deepEqual(end && [end.code, end.count], code === null ? undefined : [code, count]);
    });
});

describe("packed records", () => {
  test("end a work that went well, but for an app's own 5xx", () => {
    assert.equal(endOfPacked(packed("request", [], { status: 200, answeredBy: "app" }))?.code, "");
    assert.equal(endOfPacked(packed("request", [], { status: 502, answeredBy: "app" }))?.code, answered5xx);
    assert.equal(endOfPacked(packed("transfer", []))?.code, "");
    assert.equal(endOfPacked(packed("node", [])), undefined);
  });

  test("say how long the platform took to reach the app, and the app to begin its answer", () => {
    const stages: Packed["stages"] = [
      ["edge.accept", 0],
      ["edge.connect", 4],
      ["app.take", 5],
      ["app.respond", 65],
      ["edge.deliver", 66],
    ];
    assert.deepEqual(waitsOfPacked(packed("request", stages)), [
      { boundary: "route", ms: 4 },
      { boundary: "app", ms: 60 },
    ]);
    assert.deepEqual(waitsOfPacked(packed("connection", [["egress.dial", 30]])), [{ boundary: "egress", ms: 30 }]);
  });

  test("a start says how long it took", () => {
    assert.deepEqual(waitsOfEntry(entry("p_1", "replica.ready", "done", { tookMs: 900 })), [
      { boundary: "runtime", ms: 900 },
    ]);
    assert.deepEqual(waitsOfEntry(entry("b_1", "replica.ready", "done", { tookMs: 900 })), []);
  });
});
