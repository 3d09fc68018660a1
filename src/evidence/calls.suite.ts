/** Records of GPU calls made by hand, and what is to be said of them. */
import type { Case } from "./builds.suite.ts";
import { cardCases } from "./cards.suite.ts";
import type { Facts } from "./entry.ts";
import * as a from "./waybill.suite.ts";

const quota: Facts = {
  askedMs: 60000,
  leftMs: 0,
  quotaUsedMs: 300000,
  quotaHeldMs: 0,
  limitMs: 300000,
  resetsAt: "2026-11-22T18:04:00.000Z",
};

export const calls: readonly Case[] = [
  ...cardCases,
  {
    code: "gpu/duration-not-allowed",
    record: a.refusedCall("gpu/duration-not-allowed", { declaredMs: 900000, maxMs: 600000 }),
    sentence: /declares 60 s and pool limits allow 600 s\. Nothing was charged/,
  },
  {
    code: "gpu/size-not-available",
    record: a.refusedCall("gpu/size-not-available", { size: "xlarge", pool: "main" }),
    sentence: /No card of pool main can hold/,
  },
  {
    code: "gpu/quota-exceeded",
    record: a.refusedCall("gpu/quota-exceeded", quota),
    sentence:
      /^No GPU time left until 18:04 UTC on 2026-11-22 \(300 s of 300 s used, 0 s held\)\. Nothing was charged\.$/,
  },
  {
    code: "gpu/quota-exceeded",
    record: a.refusedCall("gpu/quota-exceeded", { ...quota, leftMs: 12000 }),
    sentence: /^12 s of GPU time is left and this call asks for 60 s/,
  },
  {
    code: "gpu/duration-not-allowed",
    record: a.refusedCall("gpu/duration-not-allowed", { maxMs: 20_000, tier: "free" }),
    sentence: /and the tier free allows 20 s/,
  },
  {
    code: "gpu/budget-exceeded",
    record: a.refusedCall("gpu/budget-exceeded", { sponsor: "bob", askedMs: 60000, leftMs: 12000, limitMs: 600000 }),
    sentence:
      /^bob pays for this Space's visitors, and can pay 12 s more of 600 s; this call asks for 60 s\. Nothing was charged\.$/,
  },
  {
    code: "gpu/token-cap",
    record: a.refusedCall("gpu/token-cap", { calls: 64, maxCalls: 64, gpuMs: 1000, maxGpuMs: 300000 }),
    sentence: /admitted 64 calls of at most 64/,
  },
  {
    code: "gpu/runs-exceeded",
    record: a.refusedCall("gpu/runs-exceeded", { runs: 100, max: 100, tier: "free" }),
    sentence: /has made 100 runs in its window, and its tier allows 100\./,
  },
  {
    code: "gpu/account-busy",
    record: a.refusedCall("gpu/account-busy", { calls: 4, max: 4, tier: "free" }),
    sentence: /has 4 calls open, and its tier allows 4 at once/,
  },
  {
    code: "gpu/space-busy",
    record: a.refusedCall("gpu/space-busy", { calls: 8, max: 8 }),
    sentence: /The Space has 8 calls open, and pool main allows one Space 8 at once/,
  },
  {
    code: "gpu/queue-full",
    record: a.refusedCall("gpu/queue-full", { waiting: 1000, max: 1000 }),
    sentence: /1000 calls already wait for pool main/,
  },
  {
    code: "gpu/queue-timeout",
    record: a.voidedCall("queue-timeout", "gpu.queue", "queued"),
    sentence: /^No GPU became free within 3 s\. Nothing was charged\.$/,
  },
  {
    code: "gpu/no-capacity",
    record: a.voidedCall("no-capacity", "gpu.queue", "queued"),
    sentence: /Pool main has no GPU/,
  },
  {
    code: "gpu/visitor-left",
    record: a.voidedCall("visitor-left", "gpu.queue", "queued"),
    sentence: /left before a GPU was used\. Nothing was charged/,
  },
  {
    code: "gpu/visitor-left",
    record: a.settledCall("visitor-stop"),
    sentence: /the Space ends a call then\. Charged 0\.4 s/,
  },
  {
    code: "gpu/visitor-left",
    record: a.voidedCall("visitor-stop", "gpu.grant", "granted"),
    sentence: /the Space ends a call then\. Nothing was charged/,
  },
  {
    code: "gpu/grant-unused",
    record: a.voidedCall("grant-unused", "gpu.grant", "granted"),
    sentence: /never entered there\. Nothing was charged/,
  },
  {
    code: "gpu/lease-expired",
    record: a.settledCall("lease-end", { usedMs: 60000, chargedMs: 60000 }),
    sentence: /^Stopped at the 60 s that the app declares\. Charged 60 s\.$/,
  },
  {
    code: "gpu/worker-lost",
    record: a.settledCall("worker-exit"),
    sentence: /^The worker ended by itself after 0\.4 s on the GPU\. Charged 0\.4 s\.$/,
  },
  {
    code: "gpu/worker-lost",
    record: a.settledCall("worker-killed", { chargedMs: 0, rule: "killed-free" }),
    sentence: /nothing says by whom,? after 0\.4 s on the GPU\. Nothing was charged/,
  },
  {
    code: "gpu/node-lost",
    record: a.settledCall("node-lost", { chargedMs: 0 }),
    sentence: /machine stopped answering\. Our fault: 0 s charged/,
  },
  {
    code: "gpu/replica-lost",
    record: a.settledCall("app-exit"),
    sentence: /The app ended by itself while the call was open/,
  },
  {
    code: "gpu/replica-lost",
    record: a.voidedCall("replica-lost", "gpu.grant", "queued"),
    sentence: /replica went away/,
  },
  {
    code: "gpu/stopped",
    record: a.settledCall("operator-stop", { chargedMs: 0 }),
    sentence: /The platform ended the call\. Nothing was charged/,
  },
  {
    code: "app/exception",
    record: a.settledCall("raised"),
    sentence: /raised an error after 0\.4 s on the GPU\. Charged 0\.4 s/,
  },
  {
    code: "identity/bad-signature",
    record: a.record("call", [
      a.by("control", "gpu.schedule", "took"),
      a.by("control", "identity.verify", "refused", { code: "identity/bad-signature" }),
    ]),
    sentence: /not signed by this platform\. Nothing was charged/,
  },
];
