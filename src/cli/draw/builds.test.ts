import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { BuildQueueView, BuildView } from "../../contract/api.ts";
import { buildsSay, drawBuildQueue, drawBuilds, drawWholeBuild } from "./builds.ts";
import type { Paper } from "./paper.ts";

const wide: Paper = { width: 130, zone: "UTC", color: false };
const narrow: Paper = { ...wide, width: 60 };
const text = (...lines: string[]): string => `${lines.join("\n")}\n`;

const build: BuildView = {
  id: "b_31f0000000000000",
  space: "alice/demo",
  commit: "4f1c2ab00000000000000000000000000000000a",
  stage: "failed",
  outcome: "failed",
  code: "build/step-failed",
  says: "install ended with exit code 1",
  account: "alice",
  since: "2026-11-22T12:00:09.000Z",
  deadline: null,
  by: "builder n1",
  builder: "n1",
  attempts: 1,
  priority: 0,
  waiting: null,
  replacedBy: null,
  retryOf: null,
  queuedAt: "2026-11-22T12:00:00.000Z",
  queuedMs: 2_000,
  tookMs: 7_000,
  logLines: 12,
  steps: [],
  because: [],
  release: null,
  limits: null,
};
const waiting: BuildView = {
  ...build,
  stage: "queued",
  outcome: null,
  code: null,
  builder: null,
  waiting: {
    position: 1,
    of: 1,
    estimateMs: 22_000,
    basis: "",
    reasons: [
      { kind: "builders-busy", says: "builder n1 is busy" },
      { kind: "ahead", says: "2 builds ahead" },
    ],
    until: "2026-11-22T12:10:00.000Z",
    says: "",
  },
};
const queue: BuildQueueView = {
  builders: [{ name: "n1", sdks: ["node", "static"], parallel: 1, builds: ["b_320"], awaySince: null }],
  building: [{ ...build, id: "b_320", stage: "building", code: null, outcome: null }],
  waiting: [waiting],
  waitingMax: 200,
  ownerWaitingMax: 50,
};

describe("drawBuilds", () => {
  test("at 60 columns drops columns and cuts no id", () => {
    assert.equal(
      drawBuilds(narrow, "alice/demo", [build]),
      text("BUILD               COMMIT        STAGE", "b_31f0000000000000  4f1c2ab00000  build/step-failed"),
    );
  });
});

describe("drawBuildQueue", () => {
  test("shows the builders, what they have, and of each that waits all that keeps it", () => {
    assert.equal(
      drawBuildQueue(wide, queue),
      text(
        "builder n1 (node, static): 1 of 1 build",
        "BUILD  SPACE       STAGE     BUILDER  ATTEMPT  FOR",
        "b_320  alice/demo  building  n1             1  7 s",
        "1 of at most 200 wait",
        "#  BUILD               SPACE       PRIORITY  WAITED  STARTS  WAITS FOR",
        "1  b_31f0000000000000  alice/demo         0     2 s   ~22 s  builder n1 is busy; 2 builds ahead",
      ),
    );
  });
  test("says so where nobody waits, and where no builder is connected", () => {
    const none = { ...queue, builders: [], building: [], waiting: [] };
    assert.equal(drawBuildQueue(wide, none), text("no builder is connected", "Nobody waits."));
  });
});

test("one line says how many wait, and whose fault the failures of a day were", () => {
  const day = { ok: 41, failed: 3, failedBy: { platform: 1, app: 2 }, dropped: 2 };
  assert.equal(
    buildsSay({ queued: 0, building: 1, day }),
    "0 queued, 1 under way; 24 h: 41 ok, 3 failed (app 2, platform 1), 2 cancelled or superseded",
  );
});

test("one build says what is in force on it, and of plain processes no more than that is", () => {
  const steps = [{ name: "install", state: "failed", tookMs: 6_000 }] as const;
  const whole = { wholeMs: 1_200_000, writtenBytes: 20 << 20 };
  const plain = drawWholeBuild(wide, { ...build, steps, limits: whole });
  assert.match(plain, /steps +install failed, 6.*s\n +limits +time: 1200 s\n +disk: 20 MiB written, looked at\n$/);
  const kernel = { memory: { bytes: 1 << 30, by: "group" }, processes: { most: 512, by: "group" } } as const;
  const sizes = { processors: 2, openFiles: 64, tmpBytes: 1 << 20, homeBytes: 1 << 20 };
  const sandboxed = drawWholeBuild(wide, { ...build, limits: { ...whole, ...kernel, ...sizes } });
  assert.match(sandboxed, /memory: 1024 MiB, by the kernel\n +processors: the time of 2\n/);
  assert.doesNotMatch(drawWholeBuild(wide, build), /limits/);
});
