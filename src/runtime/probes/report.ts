/** What a probe run says of a node, in the API's words. Pure. */
import type { Isolation, ProbeCount } from "../../contract/isolation.ts";
import type { Outcome } from "./inside/facts.ts";
import type { SandboxDriver } from "../sandbox/way.ts";
import type { Measured } from "./measure.ts";

/** `at` as ISO 8601. */
export function countOf(outcomes: readonly Outcome[], notRun: readonly string[], at: string): ProbeCount {
  const open = outcomes.filter(({ outcome, closed }) => !closed.includes(outcome));
  const unexpected = open.filter(({ byDesign }) => !byDesign).map(({ probe }) => probe);
  return {
    total: outcomes.length,
    open: open.length,
    expected: open.length - unexpected.length,
    unexpected,
    notRun,
    at,
  };
}

/** One sentence about what was measured. */
export function isolationSays(driver: SandboxDriver, { hostUid, memory, egress, seccomp }: Measured): string {
  const filter = seccomp === null ? "NO system call filter" : "seccomp";
  const user = hostUid === "own" ? "each Space is a user of its own" : "all Spaces are this user";
  const out = egress === "none" ? "the gateway was NOT seen to refuse anything" : "the gateway as the only way out";
  const limit = {
    cgroup1: "memory limited by the kernel",
    cgroup2: "memory limited by the kernel",
    polled: "memory looked at once a second",
    none: "memory NOT limited",
  }[memory];
  return `sandbox ${driver}: namespaces, ${filter}, ${out}; ${user}; ${limit}; builds run in it too`;
}

export function measuredIsolation(driver: SandboxDriver, measured: Measured, probes: ProbeCount): Isolation {
  const level = measured.hostUid === "own" ? "own-uid" : "shared-uid";
  return { level, driver, ...measured, probes, says: isolationSays(driver, measured) };
}
