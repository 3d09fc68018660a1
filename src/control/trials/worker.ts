/** A trial's own thread: takes the record's calls in parts, plays them twice, and says what came of it. Nothing else waits for it. */
import { parentPort } from "node:worker_threads";
import { tryOn } from "../../core/trial/compare.ts";
import type { TrialOutcome } from "../../core/trial/compare.ts";
import type { PastCall, TrialEdits, TrialWorld } from "../../core/trial/world.ts";
import { assert } from "../../stdx/assert.ts";

export type TrialAsk =
  | { readonly calls: readonly PastCall[] }
  | { readonly world: TrialWorld; readonly edits: TrialEdits; readonly from: number };
export type TrialAnswer = TrialOutcome;

const port = parentPort;
assert(port, "a trial is played in a thread");
const calls: PastCall[] = [];
port.on("message", (ask: TrialAsk) => {
  if ("calls" in ask) {
    for (const call of ask.calls) calls.push(call);
    return;
  }
  const { world, edits, from } = ask;
  port.postMessage(tryOn(world, edits, { calls, from }) satisfies TrialAnswer);
});
