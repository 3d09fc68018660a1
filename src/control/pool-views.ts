/** Pools, slots and quotas of the ledger as the API shows them. */
import type { AllowanceView, BudgetView } from "../contract/allowances.ts";
import type { BoardView, QuotaView } from "../contract/api.ts";
import type { PoolView } from "../contract/pools.ts";
import { maxGpuMs } from "../core/amounts.ts";
import type { StandingAllowance } from "../core/model.ts";
import { poolDefaults } from "../core/policy.ts";
import type { BoardSlot, BudgetSummary, PoolSummary, Quota } from "../core/views.ts";
import { drainView } from "./node-views.ts";
import { iso } from "../stdx/time.ts";

export function poolView(pool: PoolSummary): PoolView {
  const { name, simulated, devices, troubled, drained, slots, leased, waiting } = pool;
  const { queueLimitMs, queueMax, durationMaxMs, attachWithinMs, admission, spaceCallsMax = null } = pool.settings;
  const { shareHalfLifeMs, oldestEvery } = { ...poolDefaults, ...pool.settings };
  const { tokenMaxCalls, tokenMaxGpuMs } = pool.settings;
  const token = { tokenMaxCalls, tokenMaxGpuMs: tokenMaxGpuMs < maxGpuMs ? tokenMaxGpuMs : null };
  const limits = { queueLimitMs, queueMax, durationMaxMs, attachWithinMs, admission, spaceCallsMax, ...token };
  const cards = { name, simulated, devices, troubled, drained, slots, leased, waiting };
  return { ...cards, ...limits, shareHalfLifeMs, oldestEvery };
}

export function quotaView({ resetsAt, allowances, ...quota }: Quota): QuotaView {
  return { ...quota, resetsAt: resetsAt && iso(resetsAt), allowances: allowances.map(allowanceView) };
}

export function budgetView({ resetsAt, ...budget }: BudgetSummary): BudgetView {
  return { ...budget, resetsAt: resetsAt && iso(resetsAt) };
}

function allowanceView(allowance: StandingAllowance): AllowanceView {
  const { id, kind, by, reason, at, revoked } = allowance;
  const until = kind === "lift" ? allowance.until : kind === "credits" ? allowance.expiresAt : null;
  return {
    ...{ id, kind, by, reason, at: iso(at), until: until && iso(until) },
    ms: kind === "lift" ? null : allowance.ms,
    usedMs: kind === "credits" ? allowance.usedMs : null,
    heldMs: kind === "credits" ? allowance.heldMs : null,
    policy: kind === "lift" ? allowance.policy : null,
    revoked: revoked ? { ...revoked, at: iso(revoked.at) } : null,
  };
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
