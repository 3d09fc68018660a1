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

  test("the receipt: how long it took in each hop, which try it was, and that nothing had to be stored again", () => {
    const hopsMs = { negotiateMs: 30, moveMs: 61_000, verifyMs: 1_200 };
    const through = said(
      at("transfer.verify", "done", {
        ...{ direction: "upload", via: "xet", bytes: 2_000_000, ms: 62_230, tries: 3, isKnown: true },
        ...hopsMs,
      }),
    );
    assert.equal(
      through.sentence,
      "The upload of weights.bin of models/alice/tiny by xet was taken, verified and kept: 2.0 MB passed. It took 62.2 s: 30 ms until it began, 61 s on its way, 1.2 s to be checked and kept. It was here already, and nothing was stored again. It was try number 3: the one before broke off. The file is sha256:ab.",
    );
    const cached = said(at("transfer.move", "done", { bytes: 0, ofBytes: 0, ms: 2, moveMs: 2, isCached: true }));
    assert.match(
      cached.sentence,
      /It took 2 ms\. The client had it in its cache already, and no byte of it was sent\./,
    );
    const again = said(at("transfer.move", "failed", { code: "transfer/client-left", tries: 2 }));
    assert.match(
      again.verdict?.sentence ?? "",
      /It was try number 2: the one before broke off\. 1\.9 MB of 2\.0 MB passed\./,
    );
  });

  test("a pack of git's says its objects, and whom of the platform it waited for", () => {
    const pack = { direction: "upload", via: "git", path: "", objects: 1, refs: 2, digest: "pack:cd" };
    const { path: _path, ...ofGit } = { ...about, ...pack };
    const git = (mark: Mark, facts: Facts) => by("control", "transfer.verify", mark, { ...ofGit, ...facts });
    const open = explain(record("transfer", [git("took", { waitingFor: "disk", quietMs: 15_000 })]));
    assert.match(
      open.sentence,
      /^The upload of a pack of 1 object of .* the platform's disk, by git, was being waited for/,
    );
    const { sentence } = explain(record("transfer", [git("done", { ms: 5 })]));
    assert.match(sentence, /It changed 2 references\. Its sum is pack:cd\.$/);
  });

  test("one whose client has no access says where they stand, and how to go on", () => {
    const says =
      "The model alice/tiny is gated: its files are given to those who have access. bob has asked for it, and alice has not decided yet.";
    const { outcome, verdict } = explain(
      record("transfer", [
        by("control", "transfer.auth", "refused", { code: "identity/gated", repository: "models/alice/tiny", says }),
      ]),
    );
    assert.deepEqual(
      [outcome, verdict?.boundary, verdict?.code, verdict?.owner, verdict?.certainty, verdict?.retry],
      ["refused", "identity", "gated", "visitor", "proved", "never"],
    );
    assert.equal(verdict?.sentence, says);
    assert.match(verdict?.next ?? "", /`waybill access ask`/);
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
