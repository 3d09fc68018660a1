import assert from "node:assert/strict";
import { test } from "node:test";
import { serializeRateLimit, serializeRateLimitPolicy } from "./rate-limit.ts";
import type { RateLimit } from "./rate-limit.ts";

const limits: readonly RateLimit[] = [
  { name: "window", unit: "gpu-seconds", quota: 300, remaining: 47, windowSeconds: 86_400, resetSeconds: 3_600 },
  { name: "calls", unit: "concurrent-requests", quota: 4, remaining: 0, windowSeconds: null, resetSeconds: null },
];

test("each limit is an item of both fields under its name, without what it does not have", () => {
  assert.equal(
    serializeRateLimitPolicy(limits),
    '"window";q=300;qu="gpu-seconds";w=86400, "calls";q=4;qu="concurrent-requests"',
  );
  assert.equal(serializeRateLimit(limits), '"window";r=47;t=3600, "calls";r=0');
});

test("the largest amount that the ledger keeps fits, in seconds", () => {
  const quota = Math.floor(Number.MAX_SAFE_INTEGER / 1000);
  const [window] = limits as [RateLimit];
  assert.match(serializeRateLimitPolicy([{ ...window, quota }]), /q=9007199254740;/);
});
