import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isOpen, probesSay } from "../../contract/isolation.ts";
import type { Outcome } from "./inside/facts.ts";
import type { Measured } from "./measure.ts";
import { countOf, measuredIsolation } from "./report.ts";

const at = "2026-01-01T00:00:00.000Z";
const measured: Measured = {
  hostUid: "own",
  seccomp: "ab",
  memory: "cgroup1",
  processes: "cgroup1",
  cpu: "none",
  ends: "cgroup-kill",
  disk: "loop",
  egress: "gateway+catchall",
};
const probe = (name: string, outcome: string, more: Partial<Outcome> = {}): Outcome => ({
  probe: name,
  tries: "do something",
  closed: ["EPERM"],
  byDesign: false,
  outcome,
  ...more,
});
const isolation = (outcomes: readonly Outcome[], notRun: readonly string[] = [], found = measured) =>
  measuredIsolation("bubblewrap", found, countOf(outcomes, notRun, at));

describe("what a probe run says of a node", () => {
  test("an answer that is not among those that mean closed is open, an error from behind the filter too", () => {
    const count = countOf([probe("a", "EPERM"), probe("b", "EINVAL"), probe("c", "open")], [], at);
    assert.deepEqual(count, { total: 3, open: 2, expected: 0, unexpected: ["b", "c"], notRun: [], at });
  });

  test("what is open by design is counted and is no reason for a warning", () => {
    const told = isolation([probe("a", "EPERM"), probe("b", "open", { byDesign: true })]);
    assert.equal(isOpen(told), false);
    assert.equal(
      probesSay(told),
      `2 ways out were tried from inside a real sandbox at ${at}: open are 1, all by design`,
    );
  });

  test("what is open and should not be is a warning that names it", () => {
    const told = isolation([probe("shadow", "open")]);
    assert.equal(isOpen(told), true);
    assert.match(probesSay(told) ?? "", /^WARNING: apps can do what they should not: shadow \(1 of 1 open/);
  });

  test("what could not be tried is said, and not counted", () => {
    const told = isolation([probe("a", "EPERM")], ["no /usr/bin/python3"]);
    assert.match(probesSay(told) ?? "", /none is open; others were not tried: no \/usr\/bin\/python3$/);
  });

  test("the level is what the processes' users show, and a limit that was not seen is not claimed", () => {
    const told = isolation([], [], { ...measured, hostUid: "shared", memory: "none", seccomp: null, egress: "none" });
    assert.equal(told.level, "shared-uid");
    assert.match(told.says, /NO system call filter.*NOT seen to refuse.*all Spaces are this user; memory NOT limited/);
  });

  test("before the first run and after one that failed, nothing is claimed", () => {
    const told = isolation([]);
    assert.match(probesSay({ ...told, probes: null }) ?? "", /^not tried yet/);
    assert.match(probesSay({ ...told, probes: { failed: "no room", at } }) ?? "", /nothing is known.*no room$/);
    assert.equal(probesSay({ ...told, level: "none" }), null);
  });
});
