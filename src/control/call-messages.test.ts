import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gpuMs } from "../core/amounts.ts";
import type { CallTerms, Refusal } from "../core/model.ts";
import { codeRow, isCode } from "../evidence/codes.ts";
import { refusedAnswer } from "../gpu/wire.ts";
import type { ToAgent } from "../contract/agent.ts";
import { durationMs, instant, seconds } from "../stdx/time.ts";
import { refusedMessage } from "./call-messages.ts";

const now = instant(1_800_000_000_000);
const terms: CallTerms = {
  call: "c_1",
  account: "alice",
  tier: "free",
  billedBy: "token",
  request: null,
  space: "bob/demo",
  release: "rel_1",
  replica: "p_1",
  node: "n1",
  pool: "main",
  task: "1",
  endpoint: null,
  declaredMs: seconds(60),
  size: "large",
};

const refusals: Readonly<Record<Refusal["code"], object>> = {
  "arch-mismatch": { says: "torch has no code for it" },
  "driver-too-old": { says: "torch wants a later driver" },
  "duration-not-allowed": { declaredMs: seconds(60), maxMs: seconds(30) },
  "size-not-available": { size: "xlarge", pool: "main" },
  "pool-draining": { pool: "main", says: "node n1 is drained by admin: driver" },
  "no-capacity": { pool: "main" },
  "account-busy": { calls: 4, max: 4, tier: "free" },
  "space-busy": { calls: 4, max: 4 },
  "runs-exceeded": { runs: 9, max: 9, tier: "free", resetsAt: null },
  "queue-full": { waiting: 9, max: 9 },
  "token-cap": { calls: 64, maxCalls: 64, gpuMs: gpuMs(1), maxGpuMs: gpuMs(9) },
  "quota-exceeded": {
    ...{ askedMs: gpuMs(60_000), leftMs: gpuMs(0), usedMs: gpuMs(9), heldMs: gpuMs(0), limitMs: gpuMs(9) },
    ...{ resetsAt: null, clip: null },
  },
  "budget-exceeded": {
    ...{ sponsor: "bob", askedMs: gpuMs(60_000), leftMs: gpuMs(0), usedMs: gpuMs(9), heldMs: gpuMs(0) },
    ...{ limitMs: gpuMs(9), resetsAt: null, clip: null },
  },
};

describe("a refusal on the wire", () => {
  for (const [code, facts] of Object.entries(refusals)) {
    test(`${code} is answered with the status that its code names`, () => {
      const message = refusedMessage(terms, { code, ...facts } as Refusal, now);
      const refuse = message as Extract<ToAgent, { type: "refuse" }>;
      const { status } = refusedAnswer(refuse, true);
      assert.equal(status, isCode(refuse.code) ? codeRow(refuse.code).status : assert.fail(refuse.code));
    });
  }

  test("says amounts to a tenth of a second", () => {
    const message = refusedMessage(
      { ...terms, declaredMs: durationMs(60_040) },
      { code: "duration-not-allowed", declaredMs: durationMs(60_040), maxMs: durationMs(30_000) },
      now,
    );
    assert.match((message as { says: string }).says, /at most 30 s; this one declares 60 s/);
  });
});
