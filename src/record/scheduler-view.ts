/** The scheduler's entries are views of the journal, never written twice: what each event says of a call, hop by hop. */
import type { Drain, DrainScope } from "../core/drained.ts";
import type { CallTerms, Event, TurnRule, VoidCause } from "../core/model.ts";
import { sumOf } from "../core/allowances.ts";
import type { LedgerRecord } from "../core/record.ts";
import type { Passed } from "../core/routes.ts";
import { poolOfCall } from "../core/routing.ts";
import { callOutcomes } from "../evidence/call-outcomes.ts";
import { passedPool, poolRoute } from "../evidence/pool-route.ts";
import type { Entry, Facts, Hop, Json, Mark } from "../evidence/entry.ts";
import { iso } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";

/** The emitter of every view. The journal has no holes, so it has one epoch, and its index is the number. */
export const schedulerEmitter = "scheduler";
const journalEpoch = 1;

/**
 * The entries of one journal record, ids `journal/<index>/<n>` with n = 1, 2, 3… in the record's order. Pure: the same record gives
 * the same entries. Records without calls or nodes give none.
 */
export function entriesOfRecord(record: LedgerRecord): Entry[] {
  const views = record.events.flatMap((event) => viewsOf(event, record.at));
  return views.map(({ work, hop, mark, facts }, index) => ({
    id: `journal/${record.index}/${index + 1}`,
    work,
    hop,
    mark,
    emitter: schedulerEmitter,
    epoch: journalEpoch,
    seq: record.index,
    at: iso(record.at),
    facts,
  }));
}

interface View {
  readonly work: string;
  readonly hop: Hop;
  readonly mark: Mark;
  readonly facts: Facts;
}

function viewsOf(event: Event, at: Instant): readonly View[] {
  switch (event.type) {
    case "call-refused":
      return [...scheduled(event.terms), refused(event)];
    case "call-admitted":
      return [...scheduled(event.terms), admitted(event)];
    case "call-queued":
      return [queued(event, at)];
    case "call-moved":
      return [moved(event)];
    case "call-stayed":
      return [
        view(event.call, "gpu.queue", "done", { stays: true, until: iso(event.until), ...passedFacts(event.passed) }),
      ];
    case "call-granted":
      return granted(event, at);
    case "call-attached":
      return [view(event.call, "gpu.attach", "took", { pid: event.pid })];
    case "visitor-left":
      return [view(event.call, "gpu.schedule", "done", { visitorLeft: true })];
    case "call-voided":
      return voided(event);
    case "call-settled":
      return settled(event);
    case "node-joined":
      return [
        view(event.node, "node.start", "took", {
          pool: event.pool,
          devices: event.devices.length,
          simulated: event.devices.some(({ simulated }) => simulated),
        }),
      ];
    case "node-lost":
      return [view(event.node, "node.stop", "failed", { code: "gpu/node-lost" })];
    case "cards-changed":
      return [cardsChanged(event)];
    case "drain-set":
      return event.of.kind === "pool" ? [] : [drainSet(event.of, event.drain)];
    default:
      return []; // accounts, pools, windows, slots and the writer are not works
  }
}

function view(work: string, hop: Hop, mark: Mark, facts: Facts): View {
  return { work, hop, mark, facts };
}

function scheduled(terms: CallTerms): readonly View[] {
  const { call, account, tier, billedBy, request, space, release, replica, node, pool, endpoint, declaredMs, size } =
    terms;
  const linked = request === null ? {} : { request, link: request };
  return [
    view(call, "gpu.schedule", "took", { space, release, replica, node, pool, endpoint, declaredMs, size, ...linked }),
    view(call, "identity.verify", "done", { account, tier, billedBy, ...linked }),
  ];
}

function admitted(event: Extract<Event, { type: "call-admitted" }>): View {
  const { terms, heldMs, leaseMs, clipped, leftMs, sponsor, credits, overrides } = event;
  return view(terms.call, "gpu.admit", "done", {
    account: terms.account,
    heldMs,
    leaseMs,
    declaredMs: terms.declaredMs,
    size: terms.size,
    clipped,
    leftMs,
    ...(sponsor !== undefined && { sponsor }),
    ...(credits && { creditsMs: sumOf(credits) }),
    ...(overrides && { overrides }),
    ...routeFacts(event),
  });
}

/** By whose rule a call has which pool, and what could not take it; nothing where it has its node's by none. */
function routeFacts(event: Extract<Event, { type: "call-admitted" | "call-refused" }>): Facts {
  if (event.routed === undefined) return {};
  const { by, pools, passed } = poolRoute(event.routed);
  const { moveAfterMs } = event.routed;
  return {
    pool: poolOfCall(event),
    route: { by, pools, passed: passed.map((each): Json => ({ ...each })), moveAfterMs },
  };
}

function passedFacts(passed: readonly Passed[] = []): Facts {
  return passed.length === 0 ? {} : { passed: passed.map((each): Json => ({ ...passedPool(each) })) };
}

function moved({ call, from, to, why, passed }: Extract<Event, { type: "call-moved" }>): View {
  return view(call, "gpu.queue", "done", { moved: true, from, to, why, ...passedFacts(passed) });
}

function refused(event: Extract<Event, { type: "call-refused" }>): View {
  const { terms, refusal } = event;
  const code = callOutcomes[refusal.code].code;
  const about = { code, account: terms.account, size: terms.size, declaredMs: terms.declaredMs, ...routeFacts(event) };
  if (refusal.code === "runs-exceeded") {
    const { runs, max, tier, resetsAt } = refusal;
    const until = resetsAt === null ? null : iso(resetsAt);
    return view(terms.call, "gpu.admit", "refused", { ...about, runs, max, tier, resetsAt: until });
  }
  if (refusal.code !== "quota-exceeded" && refusal.code !== "budget-exceeded")
    return view(terms.call, "gpu.admit", "refused", { ...(refusal as unknown as Facts), ...about });
  const { askedMs, leftMs, usedMs, heldMs, limitMs, resetsAt, clip } = refusal;
  const sums = {
    askedMs,
    leftMs,
    quotaUsedMs: usedMs,
    quotaHeldMs: heldMs,
    limitMs,
    resetsAt: resetsAt === null ? null : iso(resetsAt),
  };
  return view(terms.call, "gpu.admit", "refused", {
    ...about,
    ...sums,
    ...("sponsor" in refusal && { sponsor: refusal.sponsor }),
    ...("creditsMs" in refusal && { creditsMs: refusal.creditsMs }),
    clip: clip === null ? null : { needMs: clip.needMs, basis: clip.basis },
  });
}

function queued(event: Extract<Event, { type: "call-queued" }>, at: Instant): View {
  const { call, position, of, deadline, blockers, estimateMs, basis } = event;
  const told = blockers.map((blocker): Json => ({ ...blocker }));
  return view(call, "gpu.queue", "took", {
    position,
    of,
    deadline: iso(deadline),
    limitMs: deadline - at,
    blockers: told,
    estimateMs,
    basis,
  });
}

/** Why it, of several that waited. */
const turnSays: Readonly<Record<TurnRule, string>> = {
  share: "its account had used least",
  oldest: "it waited longest",
  gap: "it fits before the call ahead can start",
  warm: "its own worker is warm, among equals",
};

function granted(event: Extract<Event, { type: "call-granted" }>, at: Instant): readonly View[] {
  const { call, lease, number, attachBy, turn } = event;
  const { slots, fence, leaseMs, warm } = lease;
  const node = nodeOf(slots[0] ?? "");
  return [
    view(call, "gpu.queue", "done", turn === undefined ? {} : { turn: turnSays[turn] }),
    view(call, "gpu.grant", "handed", {
      channel: `${schedulerEmitter}→${node}`,
      number,
      slots,
      fence,
      leaseMs,
      warm,
      attachBy: iso(attachBy),
      attachWithinMs: attachBy - at,
    }),
  ];
}

function cardsChanged({ node, trouble }: Extract<Event, { type: "cards-changed" }>): View {
  const [first] = trouble;
  if (first === undefined) return view(node, "node.cards", "done", {});
  const cards = trouble.map(({ device, cause, says }): Json => ({ device, code: callOutcomes[cause].code, says }));
  return view(node, "node.cards", "failed", { code: callOutcomes[first.cause].code, says: first.says, cards });
}

/** A pool is no work: what is told of its drain stands with the calls that it kept. */
function drainSet(of: Exclude<DrainScope, { kind: "pool" }>, drain: Drain | null): View {
  const card = of.kind === "card" ? { device: of.device } : {};
  if (drain === null) return view(of.node, "node.drain", "done", card);
  const { reason, by, endAt } = drain;
  return view(of.node, "node.drain", "took", { ...card, reason, by, endAt: endAt === null ? null : iso(endAt) });
}

/** Where a call that never ran stopped. */
const voidedAt: Readonly<Record<VoidCause, Hop>> = {
  "queue-timeout": "gpu.queue",
  "visitor-left": "gpu.queue",
  "visitor-stop": "gpu.grant",
  "no-capacity": "gpu.queue",
  "pool-draining": "gpu.queue",
  "device-fault": "gpu.queue",
  "nvml-lost": "gpu.queue",
  "grant-unused": "gpu.grant",
  "replica-lost": "gpu.grant",
  "node-lost": "gpu.grant",
};

function voided({ call, cause, releasedMs, rule, says }: Extract<Event, { type: "call-voided" }>): readonly View[] {
  const { outcome, code } = callOutcomes[cause];
  const mark = outcome === "refused" ? "refused" : "failed";
  return [
    view(call, voidedAt[cause], mark, { code, cause, ...(says === undefined ? {} : { says }) }),
    view(call, "gpu.settle", "done", { chargedMs: 0, releasedMs, usedMs: 0, rule, cause }),
  ];
}

function settled(event: Extract<Event, { type: "call-settled" }>): readonly View[] {
  const { call, cause, usedMs, chargedMs, releasedMs, rule, says, credits } = event;
  const { outcome, code } = callOutcomes[cause];
  const run =
    outcome === "ok"
      ? view(call, "app.run", "done", { cause, usedMs })
      : view(call, "app.run", "failed", { code, cause, usedMs, ...(says === undefined ? {} : { says }) });
  return [
    run,
    view(call, "gpu.release", "done", { usedMs }),
    view(call, "gpu.settle", "done", {
      ...{ chargedMs, releasedMs, usedMs, rule, cause },
      ...(credits && { creditsMs: sumOf(credits) }),
    }),
  ];
}

/** `n1/0/1` → `n1`: a slot is named `<node>/<device>/<n>`. */
function nodeOf(slot: string): string {
  return slot.split("/").slice(0, -2).join("/");
}
