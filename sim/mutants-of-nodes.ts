/** Planted bugs on the node's side: the agent, the shim, the cards; and in what operators take out of use. */
import { m, type Mutant } from "./mutant-row.ts";

export const mutantsOfNodes: readonly Mutant[] = [
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
    `    this.#ports.send(nodeOfSlot(slot), { type: "clear", replica, slot, fence });`,
    `    if (this.#ports.replica(replica)) this.#ports.send(nodeOfSlot(slot), { type: "clear", replica, slot, fence });
    else this.cleared(slot, fence).catch(() => undefined);`,
  ),

  /* ── drains ── */
  m(
    "drain-of-the-pool-that-was-joined",
    "A drain of a pool keeps the cards of nodes that join it, wherever they were put.",
    "core/slots.ts",
    "const wide = nodeDrains(drains, { name: node, pool });",
    'const wide = nodeDrains(drains, { name: node, pool: pool && "main" });',
  ),
  m(
    "drain-of-a-node-keeps-no-card",
    "A drain of a node is not looked at: its cards go on being granted.",
    "core/slots.ts",
    '    { kind: "pool", pool },\n    { kind: "node", node: name },',
    '    { kind: "pool", pool },',
  ),
  m(
    "drain-of-another-card",
    "A card's drain is looked up as that of the node's first card.",
    "core/slots.ts",
    'drainKey({ kind: "card", node, device: device.index })',
    'drainKey({ kind: "card", node, device: 0 * device.index })',
  ),
  m(
    "drain-is-over-early",
    "What runs on a drained card is ended half a second before it is to be.",
    "core/drains.ts",
    "!drain.isDue && plan.now >= drain.endAt)",
    "!drain.isDue && plan.now >= drain.endAt - 500)",
  ),
];
