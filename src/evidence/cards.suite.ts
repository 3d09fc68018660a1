/** Records of calls that ended for a card, or for packages that do not fit one: cases of `explain.test.ts`. */
import * as a from "./waybill.suite.ts";
import type { WorkRecord } from "./work-record.ts";

export const cardCases: readonly { readonly record: WorkRecord; readonly code: string; readonly sentence: RegExp }[] = [
  {
    code: "gpu/device-fault",
    record: a.settledCall("device-fault", { chargedMs: 0, says: "the driver says [GPU is lost] of the card" }),
    sentence: /its card was in trouble\. The driver says \[GPU is lost\] of the card\. Nothing was charged/,
  },
  {
    code: "gpu/without-lease",
    record: a.settledCall("without-lease"),
    sentence: /^The worker used a GPU that it had no lease on, and was ended after 0\.4 s\. Charged 0\.4 s\.$/,
  },
  {
    code: "capacity/pool-draining",
    record: a.refusedCall("capacity/pool-draining", { says: "node n1 is drained by admin: driver" }),
    sentence: /^Node n1 is drained by admin: driver\. Nothing was charged\.$/,
  },
  {
    code: "capacity/pool-draining",
    record: a.voidedCall("pool-draining", "gpu.queue", "queued"),
    sentence: /^An operator has taken all cards that could hold the call out of use\. Nothing was charged\.$/,
  },
  {
    code: "gpu/stopped",
    record: a.settledCall("operator-stop", { chargedMs: 0, says: "card 0 of node n1 is drained by admin: fan" }),
    sentence: /^The platform ended the call: card 0 of node n1 is drained by admin: fan\. Nothing was charged\.$/,
  },
  {
    code: "runtime/arch-mismatch",
    record: a.refusedCall("runtime/arch-mismatch", { says: "torch 1.13.1 has no code for NVIDIA H100" }),
    sentence: /^Torch 1\.13\.1 has no code for NVIDIA H100\. Nothing was charged\.$/,
  },
  {
    code: "runtime/driver-too-old",
    record: a.refusedCall("runtime/driver-too-old", { says: "torch 2.9 needs a driver of 580.65.06 or later" }),
    sentence: /^Torch 2\.9 needs a driver of 580\.65\.06 or later\. Nothing was charged\.$/,
  },
  {
    code: "runtime/nvml-lost",
    record: a.voidedCall("nvml-lost", "gpu.queue", "queued"),
    sentence: /^No card that could hold this call was well when its wait was over\. Nothing was charged\.$/,
  },
];
