/** Records of builds made by hand, and what is to be said of them. */
import type { Facts } from "./entry.ts";
import { imageCases } from "./images.suite.ts";
import type { Certainty } from "./verdict.ts";
import * as a from "./waybill.suite.ts";
import type { WorkRecord } from "./work-record.ts";

export interface Case {
  readonly record: WorkRecord;
  readonly code: string;
  readonly certainty?: Certainty;
  readonly sentence: RegExp;
}

const failedStep = (code: string, facts: Facts): WorkRecord =>
  a.takenBuild([a.by("builder-n1", "build.step", "failed", { code, ...facts })]);
export const builds: readonly Case[] = [
  {
    code: "build/config-invalid",
    record: a.takenBuild([
      a.by("builder-n1", "build.fetch", "failed", {
        code: "build/config-invalid",
        because: ["app_port: not a number"],
      }),
    ]),
    sentence: /README\.md are wrong\. App_port: not a number\.$/,
  },
  {
    code: "build/lfs-missing",
    record: failedStep("build/lfs-missing", { because: ["w.bin is not here"] }),
    sentence: /names large files.* W\.bin is not here/,
  },
  {
    code: "build/no-builder",
    record: a.queuedBuild([a.by("control", "build.queue", "refused", { code: "build/no-builder" })]),
    sentence: /No builder serves/,
  },
  {
    code: "build/queue-timeout",
    record: a.queuedBuild([
      a.by("control", "build.queue", "refused", {
        code: "build/queue-timeout",
        says: "no builder took it within 600 s",
      }),
    ]),
    sentence: /No builder took it within 600 s\.$/,
  },
  {
    code: "build/cancelled",
    record: a.queuedBuild([a.by("control", "build.queue", "refused", { code: "build/cancelled", says: "by alice" })]),
    sentence: /cancelled\. By alice\.$/,
  },
  {
    code: "build/superseded",
    record: a.takenBuild([a.by("control", "build.claim", "failed", { code: "build/superseded", fence: 1 })]),
    sentence: /newer commit/,
  },
  {
    code: "build/queue-full",
    record: a.record("build", [a.by("control", "build.request", "refused", { code: "build/queue-full" })]),
    sentence: /As many builds wait/,
  },
  {
    code: "build/push-too-large",
    record: a.record("build", [
      a.by("control", "build.request", "refused", {
        code: "build/push-too-large",
        noBuild: "too-large",
        says: "model.bin has 11 MB.",
      }),
    ]),
    sentence: /nothing of it was taken\. Model\.bin has 11 MB\.$/,
  },
  {
    code: "build/fetch-failed",
    record: a.takenBuild([a.by("builder-n1", "build.fetch", "failed", { code: "build/fetch-failed" })]),
    sentence: /could not read the commit/,
  },
  {
    code: "build/step-failed",
    record: failedStep("build/step-failed", {
      step: "install",
      exitCode: 1,
      tookMs: 1200,
      because: ["package.json line 3: left-pad@99 does not exist"],
    }),
    sentence: /^Step install ended with exit code 1 after 1\.2 s\. Package\.json line 3: left-pad@99 does not exist\.$/,
  },
  {
    code: "build/step-timeout",
    record: failedStep("build/step-timeout", { step: "install", tookMs: 300000 }),
    sentence: /^Step install ran past its deadline after 300 s and was ended\.$/,
  },
  ...imageCases,
  {
    code: "build/disk-full",
    record: failedStep("build/disk-full", { step: "build", tookMs: 2000, says: "the build wrote 300 MiB to the disk" }),
    sentence: /Step build wrote more to the disk than the build may/,
  },
  {
    code: "build/disk-low",
    record: failedStep("build/disk-low", { step: "fetch", tookMs: 2, says: "the builder's disk has 900 MiB left" }),
    sentence: /^The builder's own disk is nearly full\. The builder's disk has 900 MiB left\.$/,
  },
  {
    code: "build/out-of-memory",
    record: failedStep("build/out-of-memory", { step: "build", tookMs: 2000, says: "build ended with signal SIGKILL" }),
    sentence: /^Step build used more memory than it may after 2 s and was ended\. Build ended with signal SIGKILL\.$/,
  },
  {
    code: "build/builder-lost",
    certainty: "likely",
    record: a.takenBuild([
      a.by("control", "build.claim", "failed", { code: "build/builder-lost", says: "builder n1 went away" }),
    ]),
    sentence: /Builder n1 went away\.$/,
  },
  {
    code: "build/builder-lost",
    certainty: "likely",
    record: a.takenBuild([], { epochs: [{ emitter: "builder-n1", epoch: 1, lastSeq: 1, state: "dead" }] }),
    sentence: /process ended in the middle/,
  },
  {
    code: "build/builder-lost",
    record: failedStep("build/builder-lost", {
      step: null,
      says: "the builder was restarted in the middle of the build",
    }),
    sentence: /The builder was restarted/,
  },
  {
    code: "build/publish-failed",
    record: a.takenBuild([a.by("builder-n1", "build.publish", "failed", { code: "build/publish-failed" })]),
    sentence: /could not be stored/,
  },
  {
    code: "app/not-listening",
    record: a.takenBuild([
      a.by("builder-n1", "build.publish", "done", { release: "rel_1" }),
      a.by("control", "replica.start", "handed", { replica: "p_1", link: "p_1" }),
      a.by("control", "replica.ready", "failed", { code: "app/not-listening" }),
    ]),
    sentence: /never listened/,
  },
  {
    code: "build/builder-lost",
    certainty: "likely",
    record: a.takenBuild([], {
      epochs: [{ emitter: "builder-n1", epoch: 1, lastSeq: 1, state: "dead" }],
    }),
    sentence: /ended in the middle of the build/,
  },
  {
    code: "build/builder-lost",
    certainty: "unknown",
    record: a.takenBuild([], {
      epochs: [{ emitter: "builder-n1", epoch: 1, lastSeq: 9, state: "dead" }],
      gaps: [{ emitter: "builder-n1", epoch: 1, from: 2, to: 5, why: "lost" }],
    }),
    sentence: /ended, and numbers 2 to 5 of builder-n1 in epoch 1 are missing/,
  },
];
