/**
 * A call at each stage of its life, of what it was before and of what happened. Each field is set by its name: every command makes such
 * a call, and a spread of the one before takes several times as long.
 */
import type { Instant } from "../stdx/time.ts";
import type {
  Admitted,
  AttachedCall,
  Event,
  Funding,
  GrantedCall,
  OpenCall,
  QueuedCall,
  RefusedCall,
  SettledCall,
  VoidedCall,
} from "./model.ts";
import type { Routed } from "./routes.ts";

type Of<Type extends Event["type"]> = Extract<Event, { type: Type }>;
type Made<T> = { -readonly [K in keyof T]: T[K] };

/** The record that ends it. */
interface End {
  readonly index: number;
  readonly at: Instant;
}

type Holds = Required<Pick<Admitted, "admittedAt" | "period" | "entry">>;
type Waits = Pick<QueuedCall, "deadline"> & { readonly moveAt: Instant | undefined };

/** It waits, be it for no time at all. */
export function admittedCall(
  event: Of<"call-admitted">,
  { admittedAt, period, entry }: Holds,
  waits: Waits,
): QueuedCall {
  const { terms, heldMs, leaseMs, clipped } = event;
  const { deadline, moveAt } = waits;
  const call: Made<QueuedCall> = {
    stage: "queued",
    terms,
    heldMs,
    leaseMs,
    clipped,
    admittedAt,
    period,
    deadline,
    entry,
  };
  if (event.counted) call.counted = event.counted;
  if (moveAt !== undefined) call.moveAt = moveAt;
  takeOver(call, event);
  return call;
}

export function grantedCall(call: Admitted, { lease, attachBy }: Of<"call-granted">, grantedAt: Instant): GrantedCall {
  const { terms, heldMs, leaseMs, clipped, admittedAt, period } = call;
  const granted: Made<GrantedCall> = {
    stage: "granted",
    terms,
    heldMs,
    leaseMs,
    clipped,
    admittedAt,
    period,
    grantedAt,
    lease,
    attachBy,
    visitorLeft: false,
  };
  takeOverOpen(granted, call);
  return granted;
}

export function attachedCall(call: GrantedCall, { pid }: Of<"call-attached">, attachedAt: Instant): AttachedCall {
  const { terms, heldMs, leaseMs, clipped, admittedAt, period, grantedAt, lease, visitorLeft } = call;
  const attached: Made<AttachedCall> = {
    stage: "attached",
    terms,
    heldMs,
    leaseMs,
    clipped,
    admittedAt,
    period,
    grantedAt,
    lease,
    visitorLeft,
    attachedAt,
    pid,
  };
  takeOverOpen(attached, call);
  return attached;
}

export function refusedCall({ terms, refusal, routed }: Of<"call-refused">, { index, at }: End): RefusedCall {
  return { stage: "refused", terms, refusal, ...(routed && { routed }), endedAt: at, endedIndex: index };
}

export function voidedCall(call: OpenCall, { cause, rule }: Of<"call-voided">, { index, at }: End): VoidedCall {
  const { terms, heldMs, leaseMs, clipped, admittedAt, period } = call;
  const voided: Made<VoidedCall> = {
    stage: "voided",
    terms,
    heldMs,
    leaseMs,
    clipped,
    admittedAt,
    period,
    cause,
    rule,
    grantedAt: call.stage === "queued" ? null : call.grantedAt,
    lease: call.stage === "queued" ? null : call.lease,
    endedAt: at,
    endedIndex: index,
  };
  takeOver(voided, call);
  return voided;
}

export function settledCall(
  call: GrantedCall | AttachedCall,
  { cause, usedMs, chargedMs, rule, credits }: Of<"call-settled">,
  { index, at }: End,
): SettledCall {
  const { terms, heldMs, leaseMs, clipped, admittedAt, period, grantedAt, lease, visitorLeft } = call;
  const settled: Made<SettledCall> = {
    stage: "settled",
    terms,
    heldMs,
    leaseMs,
    clipped,
    admittedAt,
    period,
    grantedAt,
    lease,
    visitorLeft,
    attachedAt: call.stage === "attached" ? call.attachedAt : null,
    cause,
    usedMs,
    chargedMs,
    rule,
    endedAt: at,
    endedIndex: index,
  };
  if (credits) settled.chargedCredits = credits;
  takeOver(settled, call);
  return settled;
}

/** What a call keeps to its end, where it has it: a key without a value is no key. */
function takeOver(to: Made<Funding & { routed?: Routed }>, from: Funding & { readonly routed?: Routed }): void {
  if (from.sponsor !== undefined) to.sponsor = from.sponsor;
  if (from.credits) to.credits = from.credits;
  if (from.overrides) to.overrides = from.overrides;
  if (from.routed) to.routed = from.routed;
}

/** The same of what it keeps while it is open. */
function takeOverOpen(
  to: Made<Pick<Admitted, "counted" | "entry"> & Funding & { routed?: Routed }>,
  from: Admitted,
): void {
  if (from.counted) to.counted = from.counted;
  if (from.entry) to.entry = from.entry;
  takeOver(to, from);
}
