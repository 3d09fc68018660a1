/** Outbound connections of apps and builds: which of policy, name, dial or the other side stopped one. */
import type { Finding } from "../finding.ts";
import type { Reading } from "../reading.ts";
import type { WorkOutcome } from "../verdict.ts";

export function findConnection(_reading: Reading): Finding | undefined {
  return undefined;
}

export function connectionOutcome(_reading: Reading, _finding: Finding | undefined): WorkOutcome {
  return "unknown";
}

export function connectionSays(_reading: Reading): string {
  return "An outbound connection.";
}
