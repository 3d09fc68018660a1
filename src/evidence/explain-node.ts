/** Why a node serves calls, or serves none: by the ledger's state of it, with the views of the journal that brought it there. Pure. */
import type { Code } from "./codes.ts";
import { codeRow, isCode } from "./codes.ts";
import type { Entry } from "./entry.ts";
import { verdictOf } from "./finding.ts";
import type { Finding } from "./finding.ts";
import type { Explanation, Inference, Link } from "./verdict.ts";
import type { WorkRecord } from "./work-record.ts";
import { count, sentence } from "./words.ts";

export interface NodeRecord {
  readonly id: string;
  readonly stage: "up" | "lost";
  /** The pool of its cards that are in no other. */
  readonly pool: string;
  readonly cards: readonly NodeCard[];
  /** Calls that wait for one of its cards. */
  readonly waiting: number;
  /** What the journal holds of it, oldest first. */
  readonly entries: readonly Entry[];
  /** Replicas that run on it. */
  readonly links: readonly Link[];
  readonly read: WorkRecord["read"];
}

export interface NodeCard {
  readonly index: number;
  readonly slots: number;
  readonly free: number;
  /** `draining since 12:03 UTC, by admin: driver`, and what is drained. */
  readonly drain: { readonly of: "pool" | "node" | "card"; readonly says: string } | null;
  readonly trouble: { readonly code: string; readonly says: string } | null;
}

const look = ["waybill node list", "waybill gpu board"];

export function explainNode(node: NodeRecord): Explanation {
  const finding = findNode(node);
  const verdict = finding ? verdictOf(finding, null) : null;
  return {
    id: node.id,
    kind: "node",
    outcome: verdict ? "failed" : "ok",
    sentence: verdict?.sentence ?? servesSays(node),
    verdict,
    entries: node.entries,
    gaps: [],
    links: node.links,
    look,
    read: node.read,
  };
}

/** Undefined where it serves, or has nothing to serve calls with. */
function findNode(node: NodeRecord): Finding | undefined {
  const { id, stage, cards, entries } = node;
  if (stage === "lost") {
    const lost = entries.findLast(({ hop }) => hop === "node.stop");
    const says = `Node ${id} stopped answering, and has not come back: nothing runs there that the platform knows of.`;
    const next = "Look at the machine and its agent; what it ran is known again when it reports.";
    return { ...rests("gpu/node-lost", lost, says, id), next };
  }
  const drained = cards.filter(({ drain }) => drain !== null);
  const usable = cards.filter(({ drain, trouble }) => drain === null && trouble === null);
  if (cards.length === 0 || usable.length > 0) return undefined;
  const [card] = drained;
  if (card?.drain && drained.length === cards.length) {
    const set = entries.findLast(
      ({ hop, mark, facts }) => hop === "node.drain" && mark === "took" && isOf(facts, card),
    );
    const says = `No call is placed on node ${id}: ${wholeSays(cards, "is out of use")}. ${sentence(card.drain.says)}`;
    return { ...rests("capacity/pool-draining", set, says, id), next: undrainSays(id, card) };
  }
  const ill = cards.find(({ trouble }) => trouble !== null)?.trouble;
  const code = ill && isCode(ill.code) ? ill.code : "gpu/no-capacity";
  const told = entries.findLast(({ hop }) => hop === "node.cards");
  const also = drained.length > 0 ? ` ${count(drained.length, "card")} of it is drained as well.` : "";
  const says = `No call is placed on node ${id}: ${wholeSays(cards, "is in trouble or out of use")}. ${sentence(ill?.says ?? codeRow(code).says)}${also}`;
  return {
    ...rests(code, told, says, id),
    next: "Mend the card; `waybill node check` has the node look again at once.",
  };
}

/** Proved by its entry in the journal; the state alone, as of a journal that was compacted since, makes it likely. */
function rests(code: Code, entry: Entry | undefined, says: string, id: string): Finding {
  const facts = entry ? [entry] : [];
  if (entry) return { code, certainty: "proved", sentence: says, facts };
  const inferred: Inference = {
    rule: "ledger-state",
    from: [],
    says: `The ledger holds this of ${id}; the record that brought it there is not in what was read.`,
  };
  return { code, certainty: "likely", sentence: says, facts, inferred: [inferred] };
}

function isOf(facts: Entry["facts"], { index, drain }: NodeCard): boolean {
  return drain?.of === "card" ? facts["device"] === index : drain?.of === "node" && facts["device"] === undefined;
}

function undrainSays(id: string, { index, drain }: NodeCard): string {
  if (drain?.of === "pool") return "`waybill pool undrain` gives the pool back to use.";
  return `\`waybill node undrain ${id}${drain?.of === "card" ? ` --card ${index}` : ""}\` gives it back to use.`;
}

function wholeSays(cards: readonly NodeCard[], is: string): string {
  return cards.length === 1 ? `its card ${is}` : `each of its ${cards.length} cards ${is}`;
}

function servesSays({ id, cards, pool, waiting }: NodeRecord): string {
  if (cards.length === 0) return `Node ${id} is connected and has no cards: it runs replicas, and no GPU calls.`;
  const usable = cards.filter(({ drain, trouble }) => drain === null && trouble === null);
  const slots = usable.reduce((sum, card) => sum + card.slots, 0);
  const free = usable.reduce((sum, card) => sum + card.free, 0);
  const left = cards.length - usable.length;
  const without = left > 0 ? ` ${count(left, "card")} of it serves none.` : "";
  const waits = waiting === 0 ? "nobody waits" : `${count(waiting, "call")} waiting`;
  return `Node ${id} is connected and serves calls of pool ${pool}: ${free} of ${count(slots, "slot")} free, ${waits}.${without}`;
}
