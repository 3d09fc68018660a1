/** The machine of builds as a table without holes: what each command comes to in each stage. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { durationMs } from "../../stdx/time.ts";
import { enqueue, join, limits, Play } from "./builds.suite.ts";
import type { Actor, BuildCommand, LeasedStage } from "./model.ts";

type Row =
  | "repeat"
  | "newer commit"
  | "claim"
  | "old claim"
  | "step"
  | "publish"
  | "fail"
  | "lost by its word"
  | "unread commit"
  | "listen"
  | "fail-start"
  | "cancel"
  | "prioritize"
  | "heartbeat"
  | "builder again"
  | "builder left"
  | "its deadline";
type Column = "queued" | "given" | Exclude<LeasedStage, "claimed"> | "claimed" | "starting" | "ended";

const alice: Actor = { kind: "owner", name: "alice" };
const word = { build: "b1", builder: "n1", fence: 1 };
const failure = { code: "build/step-failed", says: "exit 1", because: [] } as const;
const demo = { space: "alice/demo" };

const commands: Readonly<Record<Exclude<Row, "its deadline">, BuildCommand>> = {
  repeat: enqueue("b1", demo),
  "newer commit": enqueue("b2", demo),
  claim: { type: "claim", ...word },
  "old claim": { type: "claim", ...word, fence: 0 },
  step: { type: "progress", ...word, stage: "checking" },
  publish: { type: "publish", ...word, release: "rel_1", startMs: durationMs(5_000) },
  fail: { type: "fail", ...word, ...failure },
  "lost by its word": { type: "fail", ...word, ...failure, code: "build/builder-lost" },
  "unread commit": { type: "fail", ...word, ...failure, code: "build/fetch-failed" },
  listen: { type: "listen", build: "b1" },
  "fail-start": { type: "fail-start", build: "b1", code: "app/exit", says: "exit 1", because: [] },
  cancel: { type: "cancel", build: "b1", by: alice },
  prioritize: { type: "prioritize", build: "b1", priority: 1, by: { kind: "operator", name: "admin" } },
  heartbeat: { type: "hear", builder: "n1", holds: [{ build: "b1", fence: 1 }] },
  "builder again": join("n1", 2),
  "builder left": { type: "leave", builder: "n1" },
};

/** A build of alice/demo in this stage; n1 has it, or is busy with another owner's. */
function stage(column: Column): Play {
  const play = new Play({ buildMs: durationMs(60_000) }).at(0, join());
  if (column === "queued") return play.at(1, enqueue("other"), enqueue("b1", demo));
  play.at(1, enqueue("b1", demo));
  if (column === "given") return play;
  play.at(2, commands.claim);
  if (column === "ended") return play.at(3, commands.fail);
  if (column === "starting") return play.at(3, commands.publish);
  return column === "claimed" ? play : play.at(3, { type: "progress", ...word, stage: column });
}

const wrong = "wrong-stage";
const old = "old-fence";
const over = "unknown-build";
const renewed = "b1 renewed";
const failed = "b1 failed build/step-failed";
const again = "b1 requeued for build/builder-lost, b1 to n1 by fence 2";
const readAgain = "b1 requeued for build/fetch-failed, b1 to n1 by fence 2";
const restarted = "b1 requeued for build/builder-lost, n1 joined, b1 to n1 by fence 2";
const replaced = "b1 superseded build/superseded, withdrawn, b2 queued, b2 to n1 by fence 1";
const cancelled = "b1 cancelled build/cancelled, withdrawn";

const inBuilder = {
  repeat: "-",
  claim: renewed,
  "old claim": old,
  step: "b1 checking",
  publish: "b1 published",
  fail: failed,
  "lost by its word": again,
  "unread commit": readAgain,
  listen: wrong,
  "fail-start": wrong,
  cancel: cancelled,
  prioritize: wrong,
  heartbeat: renewed,
  "builder again": restarted,
  "builder left": "n1 left",
  "its deadline": again,
} as const;

const table: Readonly<Record<Column, Readonly<Record<Row, string>>>> = {
  queued: {
    repeat: "-",
    "newer commit": "b1 superseded build/superseded, b2 queued",
    claim: old,
    "old claim": old,
    step: old,
    publish: old,
    fail: old,
    "lost by its word": old,
    "unread commit": old,
    listen: wrong,
    "fail-start": wrong,
    cancel: "b1 cancelled build/cancelled",
    prioritize: "b1 prioritized",
    heartbeat: "-",
    "builder again": "other requeued for build/builder-lost, n1 joined, b1 to n1 by fence 1",
    "builder left": "n1 left",
    "its deadline": "b1 failed build/queue-timeout",
  },
  given: { ...inBuilder, "newer commit": replaced, claim: "b1 taken" },
  claimed: { ...inBuilder, "newer commit": replaced },
  fetching: { ...inBuilder, "newer commit": replaced },
  building: { ...inBuilder, "newer commit": replaced },
  checking: { ...inBuilder, "newer commit": "b2 queued", step: renewed },
  publishing: { ...inBuilder, "newer commit": "b2 queued" },
  starting: {
    repeat: "-",
    "newer commit": "b2 queued, b2 to n1 by fence 1",
    claim: old,
    "old claim": old,
    step: old,
    publish: old,
    fail: old,
    "lost by its word": old,
    "unread commit": old,
    listen: "b1 done",
    "fail-start": "b1 failed app/exit",
    cancel: wrong,
    prioritize: wrong,
    heartbeat: "-",
    "builder again": "n1 joined",
    "builder left": "n1 left",
    "its deadline": "b1 failed app/not-listening",
  },
  ended: {
    repeat: "b1 queued, b1 to n1 by fence 1", // ids are drawn anew: whoever asks sees to that
    "newer commit": "b2 queued, b2 to n1 by fence 1",
    claim: over,
    "old claim": over,
    step: over,
    publish: over,
    fail: over,
    "lost by its word": over,
    "unread commit": over,
    listen: over,
    "fail-start": over,
    cancel: over,
    prioritize: over,
    heartbeat: "-",
    "builder again": "n1 joined",
    "builder left": "n1 left",
    "its deadline": "-",
  },
};

describe("a build", () => {
  for (const [column, row] of Object.entries(table) as [Column, Readonly<Record<Row, string>>][]) {
    for (const [name, comes] of Object.entries(row) as [Row, string][]) {
      test(`${name} when ${column}: ${comes}`, () => {
        const play = stage(column);
        if (name !== "its deadline") return assert.equal(play.would(commands[name]), comes);
        // What else is on the queue would end too.
        if (column === "queued") keepOther(play);
        play.now += column === "queued" ? limits.waitMs : column === "starting" ? 5_000 : limits.leaseMs;
        return assert.equal(play.would({ type: "tick" }), comes);
      });
    }
  }
});

/** The other owner's build goes on beside the one that waits. */
function keepOther(play: Play): void {
  const other = { build: "other", builder: "n1", fence: 1 };
  play.at(play.now, { type: "claim", ...other });
  for (let at = 1; at * 2_000 < limits.waitMs; at++)
    play.at(1 + at * 1_900, { type: "hear", builder: "n1", holds: [other] });
  play.now = 1;
}
