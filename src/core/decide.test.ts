/** The machine's table: every stage of a call against every command that names a call or lets time pass. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { durationMs, seconds } from "../stdx/time.ts";
import { ledger, terms, types } from "./ledger.suite.ts";
import type { Ledger } from "./ledger.suite.ts";
import type { Call, Command } from "./model.ts";
import { stateHashInput } from "./state.ts";

type Ask =
  | "schedule-same"
  | "schedule-other"
  | "leave"
  | "attach"
  | "attach-wrong-fence"
  | "end"
  | "end-unattached"
  | "end-wrong-fence"
  | "lose-replica"
  | "tick-early"
  | "tick-late"
  | "node-silent"
  | "card-in-trouble"
  | "cards-well"
  | "drain"
  | "undrain";

// Each cell: the events of the record, `-` for none, or why it was refused.
const table: Record<Call["stage"] | "unknown", Record<Ask, string>> = {
  unknown: {
    "schedule-same": "account-opened window-opened call-admitted call-granted",
    "schedule-other": "account-opened window-opened call-admitted call-granted",
    leave: "unknown-call",
    attach: "unknown-call",
    "attach-wrong-fence": "unknown-call",
    end: "unknown-call",
    "end-unattached": "unknown-call",
    "end-wrong-fence": "unknown-call",
    "lose-replica": "-",
    "tick-early": "-",
    "tick-late": "-",
    "node-silent": "node-lost",
    "card-in-trouble": "cards-changed",
    "cards-well": "-",
    drain: "drain-set",
    undrain: "-",
  },
  queued: {
    "schedule-same": "-",
    "schedule-other": "other-content",
    leave: "call-voided",
    attach: "not-granted",
    "attach-wrong-fence": "not-granted",
    end: "not-granted",
    "end-unattached": "not-granted",
    "end-wrong-fence": "not-granted",
    "lose-replica": "call-voided",
    "tick-early": "-",
    "tick-late": "call-voided",
    "node-silent": "node-lost call-settled slot-clearing call-voided",
    "card-in-trouble": "cards-changed",
    "cards-well": "-",
    drain: "drain-set",
    undrain: "-",
  },
  granted: {
    "schedule-same": "-",
    "schedule-other": "other-content",
    leave: "visitor-left",
    attach: "call-attached",
    "attach-wrong-fence": "not-holder",
    end: "call-settled slot-free",
    "end-unattached": "call-voided slot-free",
    "end-wrong-fence": "not-holder",
    "lose-replica": "call-voided slot-free",
    "tick-early": "-",
    "tick-late": "call-voided slot-clearing",
    "node-silent": "node-lost call-voided slot-clearing",
    "card-in-trouble": "cards-changed",
    "cards-well": "-",
    drain: "drain-set",
    undrain: "-",
  },
  attached: {
    "schedule-same": "-",
    "schedule-other": "other-content",
    leave: "visitor-left",
    attach: "-",
    "attach-wrong-fence": "not-holder",
    end: "call-settled slot-free",
    "end-unattached": "call-settled slot-free",
    "end-wrong-fence": "not-holder",
    "lose-replica": "call-settled slot-free",
    "tick-early": "-",
    "tick-late": "call-settled slot-clearing",
    "node-silent": "node-lost call-settled slot-clearing",
    "card-in-trouble": "cards-changed",
    "cards-well": "-",
    drain: "drain-set",
    undrain: "-",
  },
  refused: {
    "schedule-same": "-",
    "schedule-other": "other-content",
    leave: "already-final",
    attach: "already-final",
    "attach-wrong-fence": "already-final",
    end: "already-final",
    "end-unattached": "already-final",
    "end-wrong-fence": "already-final",
    "lose-replica": "-",
    "tick-early": "-",
    "tick-late": "-",
    "node-silent": "node-lost",
    "card-in-trouble": "cards-changed",
    "cards-well": "-",
    drain: "drain-set",
    undrain: "-",
  },
  voided: {
    "schedule-same": "-",
    "schedule-other": "other-content",
    leave: "already-final",
    attach: "already-final",
    "attach-wrong-fence": "already-final",
    end: "already-final",
    "end-unattached": "already-final",
    "end-wrong-fence": "already-final",
    "lose-replica": "-",
    "tick-early": "-",
    "tick-late": "-",
    "node-silent": "node-lost",
    "card-in-trouble": "cards-changed",
    "cards-well": "-",
    drain: "drain-set",
    undrain: "-",
  },
  settled: {
    "schedule-same": "-",
    "schedule-other": "other-content",
    leave: "already-final",
    attach: "already-final",
    "attach-wrong-fence": "already-final",
    end: "already-final",
    "end-unattached": "already-final",
    "end-wrong-fence": "already-final",
    "lose-replica": "-",
    "tick-early": "-",
    "tick-late": "-",
    "node-silent": "node-lost",
    "card-in-trouble": "cards-changed",
    "cards-well": "-",
    drain: "drain-set",
    undrain: "-",
  },
};

/** A ledger whose call `c` is at this stage; its node has one slot, and its replica is p_2. */
const at: Record<Call["stage"] | "unknown", () => Ledger> = {
  unknown: () => one(),
  queued: () => {
    const it = one();
    it.schedule("other", { declaredMs: seconds(600), account: "bob", tier: "unlimited" });
    it.attach("other");
    it.schedule("c", mine);
    return it;
  },
  granted: () => made((it) => it.schedule("c", mine)),
  attached: () =>
    made((it) => {
      it.schedule("c", mine);
      it.attach("c");
    }),
  refused: () => made((it) => it.schedule("c", { ...mine, declaredMs: seconds(601) })),
  voided: () =>
    made((it) => {
      it.schedule("c", mine);
      it.end("c", 0);
    }),
  settled: () => made((it) => it.run("c", 400, mine)),
};
const mine = { replica: "p_2" };
const one = (): Ledger => ledger([{ index: 0, uuid: "GPU-0", name: "simulated", slots: 1, simulated: true }]);

function made(build: (it: Ledger) => void): Ledger {
  const it = one();
  build(it);
  return it;
}

function command(it: Ledger, ask: Ask): Command {
  const known = it.state.calls.get("c");
  const fence = known && "lease" in known && known.lease ? known.lease.fence : 1;
  const same = known?.terms ?? terms("c", mine);
  const end = (wrong: number, used: number): Command => ({
    type: "end",
    call: "c",
    fence: fence + wrong,
    cause: "returned",
    usedMs: durationMs(used),
    workerAlive: false,
  });
  const commands: Record<Ask, () => Command> = {
    "schedule-same": () => ({ type: "schedule", terms: { ...same } }),
    "schedule-other": () => ({ type: "schedule", terms: { ...same, declaredMs: seconds(9) } }),
    leave: () => ({ type: "leave", call: "c" }),
    attach: () => ({ type: "attach", call: "c", fence, pid: 7 }),
    "attach-wrong-fence": () => ({ type: "attach", call: "c", fence: fence + 1, pid: 7 }),
    end: () => end(0, 300),
    "end-unattached": () => end(0, 0),
    "end-wrong-fence": () => end(1, 300),
    "lose-replica": () => ({ type: "lose-replica", replica: "p_2", cause: "app-exit" }),
    "tick-early": () => ({ type: "tick" }),
    "tick-late": () => {
      // Past every deadline of a call (the longest is attached + lease + 60 s), and the node is heard all the while.
      for (let waited = 0; waited < 80; waited += 40) {
        it.wait(seconds(40));
        it.do({ type: "hear-node", node: "n1" });
      }
      return { type: "tick" };
    },
    "node-silent": () => {
      it.wait(seconds(50));
      return { type: "tick" };
    },
    "card-in-trouble": () => ({
      type: "report-cards",
      node: "n1",
      trouble: [{ device: 0, cause: "device-fault", says: "lost" }],
    }),
    "cards-well": () => ({ type: "report-cards", node: "n1", trouble: [] }),
    drain: () => ({
      type: "set-drain",
      of: { kind: "node", node: "n1" },
      drain: { reason: "driver", by: "admin", endInMs: null },
    }),
    undrain: () => ({ type: "set-drain", of: { kind: "node", node: "n1" }, drain: null }),
  };
  return commands[ask]();
}

describe("a call's machine", () => {
  for (const [stage, row] of Object.entries(table)) {
    for (const [ask, expected] of Object.entries(row)) {
      test(`${ask} when ${stage}: ${expected}`, () => {
        const it = at[stage as Call["stage"]]();
        const asked = command(it, ask as Ask);
        const before = stateHashInput(it.state);
        const answer = it.ask(asked);
        const said = typeof answer === "string" ? answer : types(answer).join(" ") || "-";
        assert.equal(said, expected);
        if (typeof answer === "string" || answer.length === 0) assert.equal(stateHashInput(it.state), before);
        it.check();
      });
    }
  }
});
