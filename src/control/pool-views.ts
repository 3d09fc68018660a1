/** Pools, slots and quotas of the ledger as the API shows them. */
import type { BoardView, PoolView, QuotaView } from "../contract/api.ts";
import { poolDefaults } from "../core/policy.ts";
import type { BoardSlot, PoolSummary, Quota } from "../core/views.ts";
import { drainView } from "./node-views.ts";
import { iso } from "../stdx/time.ts";

export function poolView(pool: PoolSummary): PoolView {
  const { name, simulated, devices, troubled, drained, slots, leased, waiting } = pool;
  const { queueLimitMs, queueMax, durationMaxMs, attachWithinMs, admission, spaceCallsMax = null } = pool.settings;
  const { shareHalfLifeMs, oldestEvery } = { ...poolDefaults, ...pool.settings };
  const limits = { queueLimitMs, queueMax, durationMaxMs, attachWithinMs, admission, spaceCallsMax };
  const cards = { name, simulated, devices, troubled, drained, slots, leased, waiting };
  return { ...cards, ...limits, shareHalfLifeMs, oldestEvery };
}

export function quotaView({ resetsAt, ...quota }: Quota): QuotaView {
  return { ...quota, resetsAt: resetsAt === null ? null : iso(resetsAt) };
}

export function slotView({ slot, device, trouble, drain, state, call, forMs }: BoardSlot): BoardView["slots"][number] {
  return {
    slot,
    device: device.name,
    simulated: device.simulated,
    trouble: trouble?.says ?? null,
    drain: drain && drainView(drain).says,
    stage: state.stage,
    space: call?.terms.space ?? null,
    account: call?.terms.account ?? null,
    call: call?.terms.call ?? null,
    forMs,
    leaseMs: call?.lease.leaseMs ?? null,
  };
}
