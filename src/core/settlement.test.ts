import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { seconds } from "../stdx/time.ts";
import { card, eventOf, hello, ledger, terms, types } from "./ledger.suite.ts";
import type { Ledger } from "./ledger.suite.ts";
import type { EndCause, SettledCall, VoidedCall } from "./model.ts";
import { nextDeadline } from "./deadlines.ts";
import { retainMax } from "./policy.ts";
import { chargeRule, faultTable } from "./settlement.ts";
import { quotaOf } from "./views.ts";

const running = (declaredMs = seconds(10)): Ledger => {
  const it = ledger();
  it.schedule("c", { declaredMs });
  it.attach("c");
  return it;
};

describe("the fault table", () => {
  // Every cause, with the row that it gives and what 4 s of 10 s held cost. No Partial: a new cause has to say who pays.
  const causes: Record<EndCause, readonly [rule: string, chargedMs: number]> = {
    returned: ["returned", 4000],
    raised: ["raised", 4000],
    "lease-end": ["lease-end", 4000],
    "worker-exit": ["worker-exit", 4000],
    "worker-oom": ["worker-oom", 4000],
    "without-lease": ["without-lease", 4000],
    "app-exit": ["app-exit", 4000],
    "visitor-stop": ["visitor-stop", 4000],
    "worker-killed": ["killed-free", 0],
    "app-killed": ["killed-free", 0],
    "operator-stop": ["operator-stop", 0],
    "device-fault": ["device-fault", 0],
    "nvml-lost": ["nvml-lost", 0],
    "shim-lost": ["shim-lost", 0],
    "node-lost": ["node-lost", 0],
  };
  for (const [cause, [rule, chargedMs]] of Object.entries(causes)) {
    test(`L6, L32: ${cause} charges ${chargedMs} of 10000 by ${rule} and releases the rest in the same event`, () => {
      const it = running();
      const event = eventOf(it.end("c", 4000, { cause: cause as EndCause }), "call-settled");
      assert.deepEqual([event.rule, event.chargedMs, event.releasedMs], [rule, chargedMs, 10_000 - chargedMs]);
      assert.equal(quotaOf(it.state, "alice", it.now)?.usedMs, chargedMs);
      it.check();
    });
  }

  test("each row's id is its key, and it says a sentence", () => {
    for (const [id, row] of Object.entries(faultTable)) {
      assert.equal(row.id, id);
      assert.match(row.says, /^[A-Z].*\.$/);
      assert.equal(chargeRule(id), row);
    }
    assert.equal(chargeRule("toString"), undefined);
  });

  test("a kill without evidence is free three times a day for an account and Space, then metered", () => {
    const it = ledger();
    const kill = (call: string, changes = {}): string =>
      (it.run(call, 1000, changes, "worker-killed") as SettledCall).rule;
    assert.deepEqual(
      ["k1", "k2", "k3", "k4"].map((call) => kill(call)),
      ["killed-free", "killed-free", "killed-free", "killed-metered"],
    );
    assert.equal(kill("k5", { account: "bob" }), "killed-free");
    assert.equal(kill("k6", { space: "alice/other", account: "alice" }), "killed-free");
    it.wait(seconds(24 * 3600));
    it.do({ type: "hear-node", node: "n1" });
    assert.equal(kill("k7"), "killed-free");
    it.check();
  });
});

describe("a settlement", () => {
  test("L6, L31: longer use than the lease is charged as the lease, at most the hold", () => {
    const it = running();
    const event = eventOf(it.end("c", 11_000, { cause: "lease-end" }), "call-settled");
    assert.deepEqual([event.usedMs, event.chargedMs, event.releasedMs], [11_000, 10_000, 0]);
  });

  test("L4, L6: a use beyond all bounds is charged as the lease", () => {
    const it = ledger();
    it.schedule("c", { size: "xlarge" });
    it.attach("c");
    assert.equal(eventOf(it.end("c", Number.MAX_SAFE_INTEGER), "call-settled").chargedMs, 20_000);
  });

  test("a whole card costs twice the time", () => {
    const it = ledger();
    assert.equal((it.run("c", 3000, { size: "xlarge" }) as SettledCall).chargedMs, 6000);
  });

  test("a function that ran to its end after its visitor left is metered, and its rule says so; one that was ended for it is too", () => {
    const rule = (cause: EndCause): [string, number] => {
      const it = running();
      it.do({ type: "leave", call: "c" });
      const { rule: row, chargedMs } = eventOf(it.end("c", 4000, { cause }), "call-settled");
      return [row, chargedMs];
    };
    assert.deepEqual(
      ["returned", "raised", "visitor-stop", "worker-exit"].map((cause) => rule(cause as EndCause)),
      [
        ["visitor-left-running", 4000],
        ["visitor-left-running", 4000],
        ["visitor-stop", 4000],
        ["worker-exit", 4000],
      ],
    );
  });

  test("a grant that is taken back because its visitor left costs nothing, and says that", () => {
    const it = ledger();
    it.schedule("c");
    it.do({ type: "leave", call: "c" });
    const { cause, rule } = eventOf(it.end("c", 0, { cause: "visitor-stop", unused: true }), "call-voided");
    assert.deepEqual([cause, rule], ["visitor-stop", "visitor-stop"]);
    it.check();
  });

  test("an answer 'unused' costs nothing, attached or not", () => {
    const it = running();
    assert.equal(eventOf(it.end("c", 50, { unused: true }), "call-settled").rule, "unused");
    it.schedule("c2");
    assert.equal(eventOf(it.end("c2", 0, { unused: true }), "call-voided").cause, "grant-unused");
    assert.equal(quotaOf(it.state, "alice", it.now)?.usedMs, 0);
    assert.equal(it.state.functions.size, 0);
  });

  test("L30: an end that overtakes its attach is charged as one that does not, and the attach then changes nothing", () => {
    const it = ledger();
    it.schedule("c");
    const { fence } = it.lease("c");
    assert.equal(eventOf(it.end("c", 4000), "call-settled").chargedMs, 4000);
    assert.equal(it.ask({ type: "attach", call: "c", fence, pid: 1 }), "already-final");
    it.check();
  });

  test("L30: the worker's end after the node was given up changes nothing: the call stays free of charge", () => {
    const it = running();
    const { fence } = it.lease("c");
    it.wait(seconds(50));
    it.tick();
    const { chargedMs, rule } = it.call("c") as SettledCall;
    assert.deepEqual([chargedMs, rule], [0, "node-lost"]);
    it.do(hello());
    assert.equal(
      it.ask({ type: "end", call: "c", fence, cause: "returned", usedMs: seconds(3), workerAlive: true }),
      "already-final",
    );
    it.check();
  });

  test("L4: a use that is not a whole number changes nothing", () => {
    const it = running();
    const end = (usedMs: number): unknown =>
      it.ask({ type: "end", call: "c", fence: 1, cause: "returned", usedMs: usedMs as never, workerAlive: false });
    for (const wrong of [-1, 0.5, NaN, Infinity]) assert.equal(end(wrong), "amount-overflow");
    assert.equal(it.call("c").stage, "attached");
  });

  test("a lost replica ends all its calls: what ran has no evidence of its use, what waited goes free", () => {
    const it = ledger([card(0, 2)]);
    it.schedule("ran");
    it.attach("ran");
    it.schedule("granted");
    it.schedule("waits");
    it.schedule("other", { replica: "p_2" });
    const events = it.do({ type: "lose-replica", replica: "p_1", cause: "app-exit" });
    const { cause, rule } = it.call("ran") as SettledCall;
    assert.deepEqual([cause, rule], ["app-exit", "no-evidence"]);
    assert.equal((it.call("granted") as VoidedCall).cause, "replica-lost");
    assert.equal((it.call("waits") as VoidedCall).cause, "replica-lost");
    assert.equal(eventOf(events, "call-granted").call, "other");
    it.check();
  });

  test("L9: an attached call whose end nobody reports ends a minute after its lease, free, its slot kept for the shim's word", () => {
    const it = running();
    const hear = (ms: number): void => {
      it.wait(ms);
      it.do({ type: "hear-node", node: "n1" });
    };
    hear(40_000);
    hear(29_999);
    assert.deepEqual(it.tick(), []);
    it.wait(1);
    assert.deepEqual(types(it.tick()), ["call-settled", "slot-clearing"]);
    assert.equal((it.call("c") as SettledCall).chargedMs, 0);
    it.check();
  });
});

describe("repeats", () => {
  test("L10: scheduling again with the same content records nothing, also when it was refused or has ended", () => {
    const it = ledger();
    const refused = { declaredMs: seconds(601) };
    it.schedule("no", refused);
    it.run("done", 100);
    for (const [call, changes] of [
      ["no", refused],
      ["done", {}],
    ] as const) {
      const before = it.call(call);
      assert.deepEqual(it.do({ type: "schedule", terms: terms(call, changes) }), []);
      assert.equal(it.call(call), before);
    }
  });

  test("L11: any other content under the same id is refused and changes nothing", () => {
    const it = ledger();
    it.schedule("c");
    const others = {
      account: "bob",
      tier: "pro",
      billedBy: "address",
      request: "q_9",
      space: "x/y",
      release: "rel_9",
      replica: "p_9",
      node: "n9",
      pool: "other",
      task: "9",
      endpoint: null,
      declaredMs: seconds(11),
      size: "xlarge",
    } as const;
    assert.deepEqual(
      Object.keys(others).sort(),
      Object.keys(terms("c"))
        .filter((key) => key !== "call")
        .sort(),
    );
    for (const [field, value] of Object.entries(others)) {
      assert.equal(it.ask({ type: "schedule", terms: { ...terms("c"), [field]: value } }), "other-content", field);
    }
  });

  test("ended calls are forgotten after a day and a minute, by a record, and not earlier", () => {
    const it = ledger();
    it.run("c", 0);
    it.wait(24 * 3600 * 1000 + 59_999);
    it.do({ type: "hear-node", node: "n1" });
    assert.deepEqual(it.tick(), []);
    it.wait(1);
    assert.deepEqual(it.tick(), [{ v: 1, type: "calls-forgotten", calls: ["c"], accounts: [] }]);
    assert.equal(it.state.calls.size, 0);
    it.check();
  });

  test("above their bound the oldest ended calls are forgotten a thousand at once, and then none until it is passed again", () => {
    const it = ledger();
    const refuse = (n: number): unknown => it.schedule(`c${n}`, { declaredMs: seconds(601) });
    for (let n = 0; n < retainMax; n++) refuse(n);
    assert.deepEqual(it.tick(), []);
    refuse(retainMax);
    assert.equal(nextDeadline(it.state), it.now);
    assert.equal(eventOf(it.tick(), "calls-forgotten").calls.length, 1000);
    assert.deepEqual([it.state.calls.has("c999"), it.state.calls.has("c1000")], [false, true]);
    assert.deepEqual(it.tick(), []);
  });

  test("an address without calls and without a window is forgotten with its last call; a person is not", () => {
    const it = ledger();
    it.run("c1", 5, { account: "address:127.0.0.1", tier: "anonymous", request: "q_1" });
    it.run("c2", 5);
    it.wait(24 * 3600 * 1000 + 70_000);
    it.do({ type: "hear-node", node: "n1" });
    it.tick();
    assert.deepEqual([[...it.state.accounts.keys()], it.state.tokens.size], [["alice"], 0]);
    it.run("c3", 5, { account: "address:127.0.0.1", tier: "anonymous" });
    it.check();
  });
});

test("SPEC.md prints the fault table as it is", () => {
  const spec = readFileSync(new URL("SPEC.md", import.meta.url), "utf8");
  for (const { id, charge, says } of Object.values(faultTable)) {
    assert.ok(spec.includes(`| \`${id}\` | ${charge} | ${says} |`), id);
  }
});
