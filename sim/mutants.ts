/**
 * Planted bugs: each a mistake that somebody could make in the product's own sources, as one rewrite of them. `from` stands in its
 * file exactly once; where it no longer does, the mutant fails loudly and is to be planted anew.
 */
export interface Mutant {
  readonly name: string;
  readonly says: string;
  /** Below `src/`. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const m = (name: string, says: string, file: string, from: string, to: string): Mutant => ({
  name,
  says,
  file,
  from,
  to,
});

export const mutants: readonly Mutant[] = [
  /* ── admission ── */
  m(
    "quota-ignores-holds",
    "What parallel calls hold is not taken from what is left.",
    "core/funding.ts",
    "limitMs - usedMs - heldMs));",
    "limitMs - usedMs));",
  ),
  m(
    "window-never-ends",
    "A window that is over goes on.",
    "core/funding.ts",
    "const isOver = resetsAt !== null && now >= resetsAt;",
    "const isOver = false;",
  ),
  m(
    "clip-forgets-the-size",
    "A clipped lease on a whole card is as long as one on a half.",
    "core/admission.ts",
    "const leaseMs = timeFor(leftMs, sizeFactors[terms.size]);",
    "const leaseMs = timeFor(leftMs, sizeFactors.large);",
  ),
  m(
    "one-run-too-many",
    "The last run is counted after it was admitted.",
    "core/admission.ts",
    "return max === null || runs < max ?",
    "return max === null || runs <= max ?",
  ),
  m(
    "one-call-too-many",
    "An account's calls at once are compared with > for >=.",
    "core/admission.ts",
    'max === null || calls < max ? undefined : { code: "account-busy"',
    'max === null || calls <= max ? undefined : { code: "account-busy"',
  ),
  m(
    "one-call-of-a-space-too-many",
    "A Space's calls at once are compared with <= for <.",
    "core/admission.ts",
    'calls < max ? undefined : { code: "space-busy"',
    'calls <= max ? undefined : { code: "space-busy"',
  ),

  /* ── who pays ── */
  m(
    "held-credits-are-held-again",
    "What a call holds of credits is not taken from what is left of them.",
    "core/allowances.ts",
    "? 0 : ms - usedMs - heldMs);",
    "? 0 : ms - usedMs);",
  ),
  m(
    "credits-never-expire",
    "Credits that are over are held and shown.",
    "core/allowances.ts",
    "expiresAt !== null && now >= expiresAt ? 0",
    "expiresAt !== null && now < 0 ? 0",
  ),
  m(
    "credits-lose-to-the-order-of-ends",
    "At a call's end its window is not asked for what others have left of it meanwhile.",
    "core/funding.ts",
    "sumOf(call.credits) + roomFor(state, call, now);",
    "sumOf(call.credits);",
  ),
  m(
    "credits-stay-held",
    "What a call held of credits is not given back when it ends.",
    "core/evolve.ts",
    "heldMs: gpuMs(held - ms) }));",
    "heldMs: gpuMs(held) }));",
  ),
  m(
    "credits-are-not-used-up",
    "What credits paid can be used again.",
    "core/evolve.ts",
    "usedMs: gpuMs(used + ms) }));",
    "usedMs: gpuMs(used) }));",
  ),
  m(
    "override-is-not-named",
    "An admission within what was added to a window does not say so.",
    "core/funding.ts",
    "lift === undefined ? addedTo(standing).map(({ id }) => id) : [lift];",
    "lift === undefined ? [] : [lift];",
  ),
  m(
    "lift-has-no-end",
    "A policy stays lifted.",
    "core/allowances.ts",
    "return now < allowance.until;",
    "return allowance.until > 0;",
  ),
  m(
    "more-for-every-window",
    "What was added to one window is added to the next ones.",
    "core/allowances.ts",
    "return allowance.period === period && resetsAt",
    "return allowance.period <= period && resetsAt",
  ),
  m(
    "revoked-credits-are-used",
    "Credits that were taken back still pay for calls.",
    "core/allowances.ts",
    "  if (revoked) return gpuMs(0);\n",
    "",
  ),
  m(
    "revoked-policy-stays-lifted",
    "More for a window, and a lifted policy, hold on although they were taken back.",
    "core/allowances.ts",
    "  if (allowance.revoked) return false;\n",
    "",
  ),
  m(
    "revoked-credits-leave-their-holds",
    "Credits that are taken back are dropped, although calls hold of them.",
    "core/allowances.ts",
    "return account.allowances.map((each) => (each.id === id ? { ...each, revoked: by } : each));",
    "return account.allowances.filter((each) => each.id !== id || by === undefined);",
  ),
  m(
    "budget-ignores-holds",
    "What visitors' calls hold is not taken from what is left of a budget.",
    "core/funding.ts",
    "gpuMs(Math.max(0, (limitMs ?? 0) - used - held)) };",
    "gpuMs(Math.max(0, (limitMs ?? 0) - used)) };",
  ),
  m(
    "owner-is-its-own-visitor",
    "An owner's own calls are taken from the budget for visitors.",
    "core/funding.ts",
    "budget.limitMs === null || budget.sponsor === account) return",
    "budget.limitMs === null) return",
  ),
  m(
    "budget-never-begins-anew",
    "The reset of the owner's window leaves the budget as it was.",
    "core/evolve.ts",
    "    if (budget.sponsor === id) Object.assign",
    "    if (budget.sponsor === id && budget.heldMs < 0) Object.assign",
  ),
  m(
    "visitor-pays-for-the-owner",
    "A call that its Space's owner pays for is charged to the visitor in the end.",
    "core/evolve.ts",
    "const payer = accountOf(state, sponsor ?? terms.account);",
    "const payer = accountOf(state, terms.account);",
  ),

  /* ── pools ── */
  m(
    "cards-of-all-pools",
    "A call is granted any card of its node, whatever its pool.",
    "core/bays.ts",
    "bay.cards = node.cards.filter(({ pool }) => pool === bay.pool);",
    "bay.cards = node.cards;",
  ),
  m(
    "account-before-space",
    "An account's route goes before that of the Space.",
    "core/routing.ts",
    'routes.get(routeKey({ kind: "space", space })) ?? routes.get(routeKey({ kind: "account", account }))',
    'routes.get(routeKey({ kind: "account", account })) ?? routes.get(routeKey({ kind: "space", space }))',
  ),
  m(
    "passed-over-in-silence",
    "What was passed over is not in the admission.",
    "core/arrival.ts",
    "      if (reason) passed.push(reason);",
    "      if (reason) void reason;",
  ),
  m(
    "moved-call-stays-in-line",
    "A call that moves on is left in the line of the pool that it leaves.",
    "core/evolve.ts",
    "  leaveLine(state, call);\n  const moved = ",
    "  const moved = ",
  ),
  m(
    "move-is-not-counted",
    "A call that moves on is counted where it waited, and not where it waits.",
    "core/state.ts",
    "  const pool = poolOfCall(call);\n  bayOfCall(state, call).queue.remove",
    "  const pool = call.routed?.pools[0] ?? poolOfCall(call);\n  bayOfCall(state, call).queue.remove",
  ),
  m(
    "moves-back",
    "The pools to which a call may move are all of its route but its own.",
    "core/routing.ts",
    "  return pools.slice(pools.indexOf(pool) + 1);",
    "  return pools.filter((each) => each !== pool);",
  ),
  m(
    "moves-before-its-time",
    "A call moves on half a second before its rule says.",
    "core/moves.ts",
    "queue.dueToMove(plan.now))",
    "queue.dueToMove((plan.now + 500) as typeof plan.now))",
  ),
  m(
    "moves-where-no-time-is-set",
    "A rule without a time is taken for one of no time.",
    "core/routing.ts",
    "  if (!routed || routed.moveAfterMs === null || laterPools(routed).length === 0) return undefined;\n  return after(at, routed.moveAfterMs);",
    "  if (!routed || laterPools(routed).length === 0) return undefined;\n  return after(at, routed.moveAfterMs ?? (0 as never));",
  ),
  m(
    "use-counts-for-the-pool-it-left",
    "What a call used is counted for the first pool of its route.",
    "core/sharing.ts",
    "  return shareKey(poolOfCall(call), call.terms.account);",
    "  return shareKey(call.routed?.pools[0] ?? call.terms.pool, call.terms.account);",
  ),
  m(
    "hello-forgets-its-pools",
    "A node that joins again has all of its cards in the pool that it joins.",
    "core/evolve.ts",
    "const { grants = 0, bays = new Map(), trouble = [], cardPools = [] } = known ?? {};\n  const cards = cardsOf({ name, pool }, devices, cardPools);",
    "const { grants = 0, bays = new Map(), trouble = [], cardPools = [] } = known ?? {};\n  const cards = cardsOf({ name, pool }, devices, []);",
  ),
  m(
    "drain-of-the-pool-that-was-joined",
    "A drain of a pool keeps the cards of nodes that join it, wherever they were put.",
    "core/slots.ts",
    "const wide = nodeDrains(drains, { name: node, pool });",
    'const wide = nodeDrains(drains, { name: node, pool: pool && "main" });',
  ),

  /* ── commands ── */
  m(
    "retry-changes-the-answer",
    "A refused call that is asked again is decided on anew.",
    "core/arrival.ts",
    "if (known) return isSameTerms",
    'if (known && known.stage !== "refused") return isSameTerms',
  ),
  m(
    "other-content-is-taken",
    "A call's duration is not part of what makes it the same call.",
    "core/arrival.ts",
    "a.declaredMs === b.declaredMs &&",
    "",
  ),
  m(
    "no-fence",
    "Whoever reports is believed to hold the lease.",
    "core/decide.ts",
    'return call.lease.fence === fence ? call : no("not-holder");',
    "return call;",
  ),
  m(
    "settle-twice",
    "A call that has ended can be ended again.",
    "core/decide.ts",
    'if (isFinal(call)) return no("already-final");\n  if (call.stage === "queued") return no("not-granted");',
    'if (call.stage === "queued") return no("not-granted");\n  if (isFinal(call)) return call as never;',
  ),
  m(
    "expire-early",
    "A wait is over a second before its deadline.",
    "core/decide.ts",
    "of bay.queue.due(now))",
    "of bay.queue.due((now + 1_000) as Instant))",
  ),
  m(
    "grant-taken-back-early",
    "A grant is taken back half a second after it was made.",
    "core/decide.ts",
    "now >= attachEndsAt(state, node, call))",
    "now >= call.grantedAt + 500)",
  ),
  m(
    "unused-grant-frees-its-slot",
    "The slot of a grant that was taken back is given away before its shim has answered.",
    "core/decide.ts",
    'voidCall(plan, call, { cause: "grant-unused" }, "clearing")',
    'voidCall(plan, call, { cause: "grant-unused" }, "free")',
  ),
  m(
    "overtaking-end-is-free",
    "An end that overtakes its attach costs nothing.",
    "core/decide.ts",
    'if (call.stage === "granted" && (unused || usedMs === 0))',
    'if (call.stage === "granted")',
  ),
  m(
    "living-worker-is-forgotten",
    "A slot whose warm worker lives on is taken for free.",
    "core/decide.ts",
    'const fate = workerAlive ? "warm" : "free";',
    'const fate = "free";',
  ),
  m(
    "dead-worker-is-warm",
    "A slot whose worker has ended is taken for warm.",
    "core/decide.ts",
    'const fate = workerAlive ? "warm" : "free";',
    'const fate = "warm";',
  ),
  m(
    "stale-clear-is-taken",
    "A slot is cleared by an answer to an earlier order.",
    "core/decide.ts",
    'if (slot.fence !== fence || slot.stage === "leased") return no("not-holder");',
    'if (slot.stage === "leased") return no("not-holder");',
  ),

  /* ── settlement ── */
  m(
    "size-is-not-charged",
    "A whole card is charged as a half.",
    "core/settlement.ts",
    "costOf(metered, sizeFactors[call.terms.size])",
    "costOf(metered, sizeFactors.large)",
  ),
  m(
    "operator-is-charged-to-the-caller",
    "A call that an operator ended is charged.",
    "core/settlement.ts",
    'says: "An operator or the platform ended it: nothing is charged.",\n    charge: "none",',
    'says: "An operator or the platform ended it: nothing is charged.",\n    charge: "metered",',
  ),
  m(
    "card-is-charged-to-the-caller",
    "A call that its card ended is charged.",
    "core/settlement.ts",
    'says: "The card was in trouble: nothing is charged.",\n    charge: "none",',
    'says: "The card was in trouble: nothing is charged.",\n    charge: "metered",',
  ),
  m(
    "leak-the-remainder",
    "A millisecond of each hold is neither charged nor released.",
    "core/settlement.ts",
    "releasedMs: gpuMs(call.heldMs - chargedMs),",
    "releasedMs: gpuMs(Math.max(0, call.heldMs - chargedMs - 1)),",
  ),
  m(
    "half-a-card-let-go",
    "Of a whole card's slots only the first is let go.",
    "core/settlement.ts",
    "for (const slot of lease.slots) {",
    "for (const slot of lease.slots.slice(0, 1)) {",
  ),

  /* ── what happened ── */
  m(
    "settled-in-the-wrong-period",
    "A call of the window before is taken from the window that runs.",
    "core/evolve.ts",
    "if (call.period === payer.period) {",
    "if (call.period <= payer.period) {",
  ),
  m(
    "reset-keeps-what-was-used",
    "A reset of a window does not reset it.",
    "core/evolve.ts",
    "  const account = accountOf(state, id);\n  account.usedMs = gpuMs(0);",
    "  const account = accountOf(state, id);",
  ),
  m(
    "calls-at-once-never-fall",
    "A call that has ended still counts as open.",
    "core/evolve.ts",
    "  account.open--;\n",
    "",
  ),
  m(
    "free-call-is-a-run",
    "A call that cost nothing is not given back to its window's runs.",
    "core/evolve.ts",
    "if (call.counted && chargedMs === 0) account.runs--;",
    "",
  ),
  m(
    "who-leaves-stays-in-line",
    "A call that was granted or has left still stands in its pool's line.",
    "core/state.ts",
    "bayOfCall(state, call).queue.remove(call.terms.call);",
    "",
  ),
  m(
    "hello-empties-the-queue",
    "A node that says hello again loses its waiting calls.",
    "core/evolve.ts",
    "  fillBays(node);\n  for (const id of cards",
    "  for (const bay of bays.values()) Object.assign(bay, { queue: new bay.queue.constructor() });\n  fillBays(node);\n  for (const id of cards",
  ),
  m(
    "hello-resets-the-fences",
    "A node's slots begin anew with each hello.",
    "core/evolve.ts",
    "if (!state.slots.has(id)) state.slots.set",
    'if (state.slots.get(id)?.stage !== "leased") state.slots.set',
  ),

  /* ── slots ── */
  m(
    "fence-does-not-grow",
    "A slot's next lease has the fence of the last one.",
    "core/slots.ts",
    "fence: highest + 1, warm };",
    "fence: Math.max(1, highest), warm };",
  ),
  m(
    "warm-for-another-function",
    "A warm worker is given a call of another function.",
    "core/slots.ts",
    "state.replica !== terms.replica || state.task !== terms.task) return false;",
    "state.replica !== terms.replica) return false;",
  ),
  m(
    "warm-is-free",
    "A slot with somebody's idle worker is granted.",
    "core/slots.ts",
    'if (slotAt(slot).stage !== "free") continue;',
    'if (slotAt(slot).stage === "leased" || slotAt(slot).stage === "clearing") continue;',
  ),
  m(
    "whole-card-on-a-half",
    "A whole card is granted when half of it is free.",
    "core/slots.ts",
    'card.slots.every((slot) => slotAt(slot).stage === "free")',
    'card.slots.some((slot) => slotAt(slot).stage === "free")',
  ),
  m(
    "card-in-trouble-is-granted",
    "What a node says of its cards is not looked at.",
    "core/slots.ts",
    "return trouble.length === 0 ? cards :",
    "return trouble.length >= 0 ? cards :",
  ),

  /* ── time ── */
  m(
    "silence-is-absence",
    "A new writer lets calls expire before it has heard their node.",
    "core/deadlines.ts",
    'node.stage === "up" && node.heardEpoch === state.writer.epoch;',
    'node.stage === "up";',
  ),
  m(
    "lost-at-the-start",
    "A new writer counts a node's silence from before its own start.",
    "core/deadlines.ts",
    "after(after(later(node.heardAt, state.writer.startedAt), nodeTtlMs), hearEveryMs)",
    "after(after(node.heardAt, nodeTtlMs), hearEveryMs)",
  ),

  /* ── nodes ── */
  m(
    "hello-frees-warm-slots",
    "A node that says hello has no old workers.",
    "core/nodes.ts",
    "freeSlotsOf(plan, cards, (owner) => !alive.has(owner));",
    "freeSlotsOf(plan, cards, () => true);",
  ),

  /* ── the engine ── */
  m(
    "acknowledge-before-sync",
    "An answer does not wait for the disk.",
    "control/engine.ts",
    "return newest.told.promise.then(() => answer);",
    "return Promise.resolve(answer);",
  ),
  m(
    "refusal-does-not-wait",
    "A refusal is told before what it was decided upon is durable.",
    "control/engine.ts",
    "if (newest === undefined) return",
    "if (newest === undefined || (answer as { ok?: boolean }).ok === false) return",
  ),
  m(
    "tell-before-durable",
    "Listeners hear a record when it is appended.",
    "control/engine.ts",
    "this.#batches.push(batch);",
    "this.#batches.push(batch);\n    queueMicrotask(() => this.#tell(batch));",
  ),
  m(
    "time-by-the-wall",
    "The ledger's time steps with the wall clock.",
    "control/engine.ts",
    "this.#offset + this.#clock.monotonic()));",
    "this.#clock.wall()));",
  ),
  m(
    "time-stands-still",
    "After a start with an earlier wall clock time waits for it.",
    "control/engine.ts",
    "Math.max(options.clock.wall(), state.at) - options.clock.monotonic();",
    "options.clock.wall() - options.clock.monotonic();",
  ),
  m(
    "no-new-epoch",
    "A start goes on in the epoch before.",
    "control/engine.ts",
    "epoch: state.writer.epoch + 1 }",
    "epoch: Math.max(1, state.writer.epoch) }",
  ),
  m(
    "snapshot-without-its-end",
    "A snapshot that is read back forgets which calls ended.",
    "core/state.ts",
    "ended: plain.ended,",
    "ended: [],",
  ),
  m(
    "damaged-record-is-read",
    "The chain of records is followed and not recomputed.",
    "journal/check.ts",
    "return hashed.equals(row.hash) ? null :",
    "return hashed.length > 0 ? null :",
  ),

  /* ── calls and nodes on the server ── */
  m(
    "report-acknowledged-early",
    "A meter's report is acknowledged before it is durable.",
    "control/nodes.ts",
    "await calls.meter(message.report);",
    "void calls.meter(message.report);",
  ),
  m(
    "hello-names-nobody",
    "A node's hello names none of its replicas to the ledger.",
    "control/nodes.ts",
    "replicas: replicas.on(node) });",
    "replicas: [] });",
  ),

  /* ── what people are told ── */
  m(
    "no-receipt-without-a-meter",
    "A call that ended before its meter began has no receipt.",
    "catalog/projection.ts",
    "return put(ended(call(event.call), record, { ...event, usedMs: 0, chargedMs: 0 }));",
    "return;",
  ),
  m(
    "receipt-of-the-hold",
    "A receipt's charge is left out of its row, and so of the totals.",
    "catalog/projection.ts",
    "    usedMs,\n    chargedMs,\n    outcome: receipt.outcome,",
    "    usedMs,\n    outcome: receipt.outcome,",
  ),
  m(
    "content-is-not-compared",
    "A receipt is read beside its signature, and not compared with what was signed.",
    "identity/receipt-signature.ts",
    "payload === encodedReceipt(receipt)",
    "payload !== undefined",
  ),

  m(
    "wrong-end-in-the-view",
    "The scheduler's view shows a function that raised as a worker that exited.",
    "record/scheduler-view.ts",
    "const { call, cause, usedMs, chargedMs, releasedMs, rule, says, credits } = event;",
    'const { call, usedMs, chargedMs, releasedMs, rule, says, credits } = event;\n  const cause = event.cause === "raised" ? "worker-exit" : event.cause;',
  ),

  /* ── the agent ── */
  m(
    "agent-takes-any-fence",
    "The agent passes on what is older than what it has seen.",
    "agent/fences.ts",
    "if (slots.some((slot) => fence < this.highest(slot))) return false;",
    "",
  ),
  m(
    "agent-forgets-its-fences",
    "An agent that starts does not read what the one before had seen.",
    "agent/fences.ts",
    "for (const line of kept.read()) this.#load(line);",
    "",
  ),
  m(
    "fences-are-not-kept",
    "A raised fence is not written down.",
    "agent/fences.ts",
    "this.#write(raised.map((slot) => ({ slot, fence })));",
    "",
  ),

  /* ── the shim ── */
  m(
    "cleared-without-looking",
    "An order to clear a slot is answered while its worker idles there.",
    "gpu/device.ts",
    "const idle = this.#idle.get(slot);\n    if (idle) {",
    "const idle = this.#idle.get(slot);\n    if (idle && idle.fence < 0) {",
  ),
  m(
    "cleared-under-a-call",
    "An order to clear a slot is answered while a call runs there.",
    "gpu/device.ts",
    "if (holder?.metered) {",
    "if (holder?.metered && !holder.grant) {",
  ),
  m(
    "released-before-the-disk",
    "The app has its answer to /release before the report of it is on the disk.",
    "gpu/device.ts",
    'await this.#report({ kind: "ended", call: id, fence, ...end, at: this.#at() });',
    'void this.#report({ kind: "ended", call: id, fence, ...end, at: this.#at() });',
  ),
  m(
    "meter-by-the-wall",
    "The meter reads the wall clock.",
    "gpu/device.ts",
    "return this.#world.clock.monotonic();",
    "return this.#world.clock.wall();",
  ),
  m(
    "ended-before-it-is-gone",
    "A call is reported as ended while its process still lives.",
    "gpu/meter.ts",
    'if (call.stage !== "ending" || !call.gone) return step;',
    'if (call.stage !== "ending") return step;',
  ),
  m(
    "lease-without-an-end",
    "A worker runs on after its lease.",
    "gpu/meter.ts",
    "const until = call.startedAt + call.lease.leaseMs;\n      if (now < until) return stay(call);",
    "const until = call.startedAt + call.lease.leaseMs + 10_000;\n      if (now < until) return stay(call);",
  ),
  m(
    "term-and-no-kill",
    "A worker that does not end at TERM is left alone.",
    "gpu/meter.ts",
    "return now >= call.killAt ? ending(call, now, { verdict: null }) : stay(call);",
    "return stay(call);",
  ),
  m(
    "metered-beyond-the-lease",
    "What a worker used after its lease's end is metered.",
    "gpu/meter.ts",
    "return Math.min(Math.max(0, Math.floor(now - call.startedAt)), call.lease.leaseMs);",
    "return Math.max(0, Math.floor(now - call.startedAt));",
  ),

  /* ── who is on a card ── */
  m(
    "stray-left-on-a-card",
    "A process that is on a card without a lease is found and not ended.",
    "gpu/strays.ts",
    "if (now - since >= apartMs) return true;",
    "if (now - since < 0) return true;",
  ),
  m(
    "warm-worker-ended-as-a-stray",
    "A slot's idle worker counts as a process without a lease.",
    "gpu/device.ts",
    "isThere(slot) && workers.isOf(worker, { pid, start }))",
    "isThere(slot) && pid < 0 && workers.isOf(worker, { pid, start }))",
  ),
  m(
    "leased-worker-ended-as-a-stray",
    "Only idle workers may be on a card.",
    "gpu/device.ts",
    'metered?.stage !== "ended" && grant?.slots.some(isThere)',
    'metered?.stage === "granted" && grant?.slots.some(isThere)',
  ),
  m(
    "memory-is-not-waited-for",
    "A slot is said free when its old worker is gone, whatever the card still has of it.",
    "agent/words.ts",
    "if (freed !== undefined) return () => cards.returned(freed);",
    "if (freed !== undefined) return () => cards.look();",
  ),
  m(
    "memory-of-cleared-slots-is-forgotten",
    "Only the ends of calls wait for the memory of their workers.",
    "agent/words.ts",
    "return this.#cardsOf(message.slot);",
    "return undefined;",
  ),
  m(
    "end-overtakes-what-is-held-back",
    "A replica's end is told at once, while what it said before waits.",
    "agent/words.ts",
    "if (replica === undefined || (before === undefined && first === undefined)) return send(message);",
    'if (replica === undefined || first === undefined || message.type === "replica") return send(message);',
  ),
  m(
    "server-clears-for-the-dead",
    "Of a slot whose replica is gone the server says itself that nothing is left there.",
    "control/calls.ts",
    `    this.#ports.send(slot.split("/")[0] ?? "", { type: "clear", replica, slot, fence });`,
    `    if (this.#ports.replica(replica)) this.#ports.send(slot.split("/")[0] ?? "", { type: "clear", replica, slot, fence });
    else this.cleared(slot, fence).catch(() => undefined);`,
  ),
];
