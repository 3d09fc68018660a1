/** Records of replicas made by hand, and what is to be said of them. */
import type { Case } from "./builds.suite.ts";
import * as a from "./waybill.suite.ts";

const stray = a.by("shim.p_1", "replica.card", "failed", {
  code: "gpu/without-lease",
  pid: 77,
  says: "process 77 was on card GPU-1 at two looks, and no call of the app had that card",
});
export const replicas: readonly Case[] = [
  {
    code: "gpu/without-lease",
    record: a.record("replica", [a.by("agent-n1", "replica.ready", "done", {}), stray]),
    certainty: "likely",
    sentence: /no lease on, and was ended\. Process 77 was on card GPU-1 at two looks/,
  },
  {
    code: "gpu/without-lease",
    record: a.record("replica", [
      stray,
      a.by("agent-n1", "replica.exit", "failed", { code: "gpu/without-lease", signal: "SIGKILL" }),
    ]),
    sentence: /no lease on, and was ended/,
  },
  {
    code: "app/exit",
    record: a.record("replica", [stray, a.by("agent-n1", "replica.exit", "failed", { code: "app/exit", exitCode: 3 })]),
    sentence: /ended with exit code 3/,
  },
  {
    code: "app/exit",
    record: a.record("replica", [
      a.by("agent-n1", "replica.exit", "failed", { code: "app/exit", exitCode: 3, signal: null }),
    ]),
    sentence: /^The app's process ended with exit code 3\.$/,
  },
  {
    code: "app/exit",
    certainty: "likely",
    record: a.record("replica", [
      a.by("agent-n1", "replica.exit", "failed", { code: "app/exit", exitCode: 3, again: true }),
    ]),
    sentence: /exit code 3/,
  },
  {
    code: "app/crash-loop",
    record: a.record("replica", [
      a.by("agent-n1", "replica.exit", "failed", { code: "app/exit", exitCode: 3, again: true }),
      a.by("agent-n1", "replica.exit", "failed", { code: "app/crash-loop" }),
    ]),
    sentence: /no longer restarted/,
  },
  {
    code: "app/not-listening",
    record: a.record("replica", [a.by("agent-n1", "replica.ready", "failed", { code: "app/not-listening" })]),
    sentence: /never listened/,
  },
  {
    code: "runtime/shim-lost",
    record: a.record("replica", [a.by("agent-n1", "replica.exit", "failed", { code: "runtime/shim-lost" })]),
    sentence: /kept the replica died/,
  },
  {
    code: "app/disk-full",
    record: a.record("replica", [
      a.by("shim.p_1", "replica.disk", "took", { place: "/data", usedBytes: 99, sizeBytes: 100 }),
      a.by("agent-n1", "replica.exit", "failed", { code: "app/disk-full", exitCode: 1 }),
    ]),
    sentence: /more to the disk than it may/,
  },
  {
    code: "runtime/disk-failed",
    record: a.record("replica", [a.by("agent-n1", "replica.exit", "failed", { code: "runtime/disk-failed" })]),
    sentence: /could not be made or mounted/,
  },
  {
    code: "runtime/disk-low",
    record: a.record("replica", [a.by("agent-n1", "replica.exit", "failed", { code: "runtime/disk-low" })]),
    sentence: /own disk is nearly full/,
  },
  {
    code: "runtime/sandbox-denied",
    record: a.record("replica", [a.by("agent-n1", "replica.start", "failed", { code: "runtime/sandbox-denied" })]),
    sentence: /No sandbox works/,
  },
  {
    code: "app/crash-loop",
    certainty: "likely",
    record: a.record("replica", [
      a.by("agent-n1", "replica.exit", "failed", { code: "app/exit", exitCode: 3 }),
      a.by("agent-n1", "replica.exit", "failed", { code: "app/crash-loop" }),
    ]),
    sentence: /no longer restarted/,
  },
];
