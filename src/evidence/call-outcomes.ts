/**
 * How a GPU call's end reads to people: its outcome and its code. The ledger's causes stand here as plain words, since nothing
 * in this part knows the ledger; the parts that know both prove at compile time that the words are the same.
 */
import type { Code } from "./codes.ts";

/** Why a call was never admitted. */
export type CallRefusal =
  | "arch-mismatch"
  | "driver-too-old"
  | "duration-not-allowed"
  | "size-not-available"
  | "no-capacity"
  | "pool-draining"
  | "account-busy"
  | "space-busy"
  | "runs-exceeded"
  | "queue-full"
  | "token-cap"
  | "quota-exceeded"
  | "budget-exceeded";

/** Why an admitted call ended without a meter: its hold was released in full. */
export type CallVoid =
  | "queue-timeout"
  | "visitor-left"
  | "visitor-stop"
  | "no-capacity"
  | "pool-draining"
  | "device-fault"
  | "nvml-lost"
  | "grant-unused"
  | "replica-lost"
  | "node-lost";

/** Why a metered call ended. */
export type CallEnd =
  | "returned"
  | "raised"
  | "lease-end"
  | "worker-exit"
  | "worker-killed"
  | "worker-oom"
  | "without-lease"
  | "app-exit"
  | "app-killed"
  | "visitor-stop"
  | "operator-stop"
  | "device-fault"
  | "nvml-lost"
  | "shim-lost"
  | "node-lost";

export type CallCause = CallRefusal | CallVoid | CallEnd;

export type CallOutcome =
  | { readonly outcome: "ok"; readonly code: null }
  | { readonly outcome: "refused" | "failed"; readonly code: Code };

/**
 * `refused`: the platform said no before the function began. `failed`: the call was under way, or its own side ended it.
 * A call that returned is `ok`, whether or not its visitor stayed to see it.
 */
export const callOutcomes: Readonly<Record<CallCause, CallOutcome>> = {
  "arch-mismatch": { outcome: "refused", code: "runtime/arch-mismatch" },
  "driver-too-old": { outcome: "refused", code: "runtime/driver-too-old" },
  "duration-not-allowed": { outcome: "refused", code: "gpu/duration-not-allowed" },
  "size-not-available": { outcome: "refused", code: "gpu/size-not-available" },
  "no-capacity": { outcome: "refused", code: "gpu/no-capacity" },
  "pool-draining": { outcome: "refused", code: "capacity/pool-draining" },
  "account-busy": { outcome: "refused", code: "gpu/account-busy" },
  "space-busy": { outcome: "refused", code: "gpu/space-busy" },
  "runs-exceeded": { outcome: "refused", code: "gpu/runs-exceeded" },
  "queue-full": { outcome: "refused", code: "gpu/queue-full" },
  "token-cap": { outcome: "refused", code: "gpu/token-cap" },
  "quota-exceeded": { outcome: "refused", code: "gpu/quota-exceeded" },
  "budget-exceeded": { outcome: "refused", code: "gpu/budget-exceeded" },

  "queue-timeout": { outcome: "refused", code: "gpu/queue-timeout" },
  "visitor-left": { outcome: "failed", code: "gpu/visitor-left" },
  "grant-unused": { outcome: "failed", code: "gpu/grant-unused" },
  "replica-lost": { outcome: "failed", code: "gpu/replica-lost" },
  "node-lost": { outcome: "failed", code: "gpu/node-lost" },

  returned: { outcome: "ok", code: null },
  raised: { outcome: "failed", code: "app/exception" },
  "lease-end": { outcome: "failed", code: "gpu/lease-expired" },
  "worker-exit": { outcome: "failed", code: "gpu/worker-lost" },
  "worker-killed": { outcome: "failed", code: "gpu/worker-lost" },
  "worker-oom": { outcome: "failed", code: "gpu/worker-lost" },
  "without-lease": { outcome: "failed", code: "gpu/without-lease" },
  "app-exit": { outcome: "failed", code: "gpu/replica-lost" },
  "app-killed": { outcome: "failed", code: "gpu/replica-lost" },
  "visitor-stop": { outcome: "failed", code: "gpu/visitor-left" },
  "device-fault": { outcome: "failed", code: "gpu/device-fault" },
  "nvml-lost": { outcome: "failed", code: "runtime/nvml-lost" },
  "operator-stop": { outcome: "failed", code: "gpu/stopped" },
  "shim-lost": { outcome: "failed", code: "gpu/replica-lost" },
};
