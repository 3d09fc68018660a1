import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Facts, Mark } from "../entry.ts";
import { explain } from "../explain.ts";
import * as a from "../waybill.suite.ts";

const builder = (hop: "build.step" | "build.publish", mark: Mark, facts: Facts) => a.by("builder-n1", hop, mark, facts);
const server = (hop: "build.claim" | "build.queue", mark: Mark, facts: Facts) => a.by("control", hop, mark, facts);
const again = (fence: number, code: string) => server("build.claim", "failed", { code, fence, again: true });

describe("a build that was given to builders several times", () => {
  test("is blamed for its last attempt only", () => {
    const { verdict } = explain(
      a.takenBuild([
        builder("build.step", "failed", { code: "build/builder-lost", fence: 1 }),
        again(1, "build/builder-lost"),
        server("build.claim", "handed", { builder: "n1", fence: 2, number: 2 }),
        builder("build.step", "failed", { code: "build/step-failed", step: "install", exitCode: 1, fence: 2 }),
      ]),
    );
    assert.deepEqual([verdict?.code, verdict?.certainty], ["step-failed", "proved"]);
  });

  test("went well where its last attempt did, and the catalog has it so: else its start may be what is not recorded", () => {
    const record = a.takenBuild([
      again(1, "build/fetch-failed"),
      server("build.claim", "handed", { builder: "n1", fence: 2, number: 2 }),
      builder("build.publish", "done", { release: "rel_1", fence: 2 }),
    ]);
    const { verdict, outcome } = explain({ ...record, isBuilt: true });
    assert.deepEqual([verdict, outcome], [null, "ok"]);
    const untold = explain(record);
    assert.deepEqual([untold.verdict, untold.outcome], [null, "open"]);
    assert.match(untold.sentence, /what became of its start is not recorded/);
  });

  test("that no builder took again in time failed for that", () => {
    const { verdict } = explain(
      a.takenBuild([
        builder("build.step", "failed", { code: "build/builder-lost", fence: 1 }),
        again(1, "build/builder-lost"),
        server("build.queue", "refused", { code: "build/queue-timeout", says: "no builder became free within 600 s" }),
      ]),
    );
    assert.deepEqual([verdict?.code, verdict?.certainty], ["queue-timeout", "proved"]);
  });
});

describe("a build that goes on", () => {
  test("says what the platform says of it, also where an earlier process of the platform has ended", () => {
    const standing = "The build is queued since 12:00 UTC on 2026-11-22: 2nd of 4, builder n1 is busy.";
    const record = a.queuedBuild([]);
    const epochs = [{ emitter: "control", epoch: 1, state: "closed", lastSeq: 2 }] as const;
    assert.equal(explain({ ...record, epochs }).outcome, "unknown");
    const { sentence, outcome, verdict } = explain({ ...record, epochs, standing });
    assert.deepEqual([sentence, outcome, verdict], [standing, "open", null]);
  });
});

describe("a build of which little is kept", () => {
  const trimmed = {
    outcome: "failed",
    ended: "The build ended at noon: build/step-failed.",
    says: "Its log was removed.",
  } as const;

  test("says how it ended and that the rest was removed, where evidence is gone too", () => {
    const { sentence, outcome, verdict } = explain({ ...a.record("build", []), trimmed });
    assert.deepEqual(
      [sentence, outcome, verdict],
      ["The build ended at noon: build/step-failed. Its log was removed.", "failed", null],
    );
  });

  test("is explained by its evidence, and says that its log was removed", () => {
    const ended = a.queuedBuild([server("build.queue", "refused", { code: "build/queue-timeout" })]);
    const { sentence, verdict } = explain({ ...ended, trimmed });
    assert.equal(verdict?.code, "queue-timeout");
    assert.equal(sentence, `${verdict?.sentence} Its log was removed.`);
  });
});

test("a build that the operator cancelled is the platform's doing, one that its owner cancelled the owner's", () => {
  const owner = (by: string) =>
    explain(a.queuedBuild([server("build.queue", "refused", { code: "build/cancelled", by })])).verdict?.owner;
  assert.deepEqual([owner("operator"), owner("owner")], ["platform", "app"]);
});
