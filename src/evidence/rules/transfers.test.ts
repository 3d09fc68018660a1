import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Facts, Hop, Mark } from "../entry.ts";
import { explain } from "../explain.ts";
import { by, record } from "../waybill.suite.ts";

const about: Facts = {
  ...{ direction: "download", via: "git-lfs", repository: "models/alice/tiny", path: "weights.bin", account: "bob" },
  ...{ digest: "sha256:ab", from: 0, ofBytes: 2_000_000, bytes: 1_980_000 },
};
const at = (hop: Hop, mark: Mark, facts: Facts) => by("control", hop, mark, { ...about, ...facts });
const said = (...entries: readonly ReturnType<typeof at>[]) => explain(record("transfer", entries));

describe("what is said of a file on its way", () => {
  test("stuck at 99 %: who is being waited for, while it goes on", () => {
    const { outcome, verdict, sentence } = said(at("transfer.move", "took", { waitingFor: "client", quietMs: 15_000 }));
    assert.deepEqual([outcome, verdict], ["open", null]);
    assert.equal(
      sentence,
      "The download of weights.bin of models/alice/tiny by git-lfs is under way. When it was looked at last, nothing had passed for 15 s, and the client was being waited for: 1.9 MB of 2.0 MB passed.",
    );
    assert.match(
      said(at("transfer.move", "took", { waitingFor: "platform", quietMs: 15_000 })).sentence,
      /the platform's own disk or git was being waited for/,
    );
  });

  test("one that stood still and came through says so", () => {
    const { outcome, sentence } = said(
      at("transfer.move", "took", { waitingFor: "client", quietMs: 15_000 }),
      at("transfer.move", "done", { bytes: 2_000_000, ms: 61_000 }),
    );
    assert.equal(outcome, "ok");
    assert.match(
      sentence,
      /was delivered: 2\.0 MB passed\. It took .* On its way it stood still once; the first time nothing/,
    );
  });

  test("given up: after how long, how far, and that our side had done its part", () => {
    const { outcome, verdict } = said(
      at("transfer.move", "failed", { code: "transfer/stalled", waitingFor: "client", quietMs: 120_000 }),
    );
    assert.equal(outcome, "failed");
    assert.deepEqual(
      [verdict?.boundary, verdict?.code, verdict?.owner, verdict?.certainty, verdict?.retry],
      ["transfer", "stalled", "visitor", "proved", "now"],
    );
    assert.match(
      verdict?.sentence ?? "",
      /1\.9 MB of 2\.0 MB passed\. The platform waited for the client for 120 s\.$/,
    );
    assert.deepEqual(Object.keys(verdict?.ruledOut ?? {}), ["platform"]);
  });

  test("an emitter that ended in the middle leaves it unknown, and two ends contradict each other", () => {
    const open = record("transfer", [at("transfer.move", "took", { waitingFor: "client", quietMs: 15_000 })]);
    const epochs = [{ emitter: "control", epoch: 1, lastSeq: 1, state: "dead" as const }];
    const dead = explain({ ...open, epochs });
    assert.deepEqual([dead.outcome, dead.verdict?.certainty], ["unknown", "unknown"]);
    const both = said(
      at("transfer.move", "failed", { code: "transfer/client-left" }),
      at("transfer.move", "done", { ms: 1 }),
    );
    assert.match(both.verdict?.sentence ?? "", /contradicts itself/);
  });
});
