/**
 * From the ledger's events to rows of calls and their receipts. Pure: the same records give the same rows, in whatever batches
 * they come, and a record that was seen before changes nothing.
 *
 *   L37. Every terminal outcome has a receipt, and each receipt its place in the log of receipts: that of the record which ended its
 *   call, and within one record by the call's id.
 */
import { sumOf } from "../core/allowances.ts";
import { sizeFactors } from "../core/policy.ts";
import type {
  CallTerms,
  CreditPart,
  DeviceSpec,
  EndCause,
  Event,
  Funding,
  Lease,
  Refusal,
  SlotId,
  VoidCause,
} from "../core/model.ts";
import type { Routed } from "../core/routes.ts";
import { poolOfCall } from "../core/routing.ts";
import type { LedgerRecord } from "../core/record.ts";
import type { CallCause, CallEnd, CallRefusal, CallVoid } from "../evidence/call-outcomes.ts";
import { poolRoute } from "../evidence/pool-route.ts";
import type { PoolRoute } from "../evidence/pool-route.ts";
import { makeReceipt } from "../evidence/receipt.ts";
import { assert } from "../stdx/assert.ts";
import type { Instant } from "../stdx/time.ts";
import { CatalogError } from "./error.ts";
import type { CallsTable as CallRow } from "./schema.ts";

export interface NodeDevices {
  readonly pool: string;
  readonly devices: readonly DeviceSpec[];
}

/** What the next record is read against: calls that have not ended, and the cards that each node has. */
export interface ProjectionState {
  /** Index of the last record taken in; 0 before the first. */
  readonly cursor: number;
  /** Receipts so far: the next one's place in their log. */
  readonly leaves: number;
  readonly open: ReadonlyMap<string, CallRow>;
  readonly nodes: ReadonlyMap<string, NodeDevices>;
}

/** What a batch changes: rows to write over those of the same id. */
export interface ProjectionChange {
  cursor: number;
  leaves: number;
  readonly calls: Map<string, CallRow>;
  readonly nodes: Map<string, NodeDevices>;
}

/** The ledger's causes in the words of the receipts: compiles only while both lists are the same. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;
const sameWords: [Same<Refusal["code"], CallRefusal>, Same<VoidCause, CallVoid>, Same<EndCause, CallEnd>] = [
  true,
  true,
  true,
];
void sameWords;

/** What `records` change. Throws `projection-gap` where one is missing between the cursor and the next. */
export function project(state: ProjectionState, records: readonly LedgerRecord[]): ProjectionChange {
  const change: ProjectionChange = {
    cursor: state.cursor,
    leaves: state.leaves,
    calls: new Map(),
    nodes: new Map(),
  };
  for (const record of records) {
    if (record.index <= change.cursor) continue;
    if (record.index !== change.cursor + 1) {
      throw new CatalogError("projection-gap", `After journal record ${change.cursor} came ${record.index}.`);
    }
    for (const event of record.events) applyEvent(state, change, record, event);
    placeReceipts(change, record);
    change.cursor = record.index;
  }
  return change;
}

/** The state after `change` was stored. */
export function advance(state: ProjectionState, change: ProjectionChange): ProjectionState {
  const open = new Map(state.open);
  for (const [id, row] of change.calls) {
    if (row.stage === "ended") open.delete(id);
    else open.set(id, row);
  }
  return { cursor: change.cursor, leaves: change.leaves, open, nodes: new Map([...state.nodes, ...change.nodes]) };
}

function applyEvent(state: ProjectionState, change: ProjectionChange, record: LedgerRecord, event: Event): void {
  const at = record.at;
  const call = (id: string): CallRow => {
    const row = change.calls.get(id) ?? state.open.get(id);
    assert(row && row.stage !== "ended", `an event is about a call that is open: ${id} in record ${record.index}`);
    return row;
  };
  const put = (row: CallRow): void => void change.calls.set(row.id, row);
  const nodes = { get: (name: string) => change.nodes.get(name) ?? state.nodes.get(name) };
  switch (event.type) {
    case "node-joined":
      change.nodes.set(event.node, { pool: event.pool, devices: event.devices });
      return;
    case "call-admitted":
      return put({
        ...admittedRow(event.terms, record, event.heldMs, event.leaseMs, isSimulated(event.terms.node, nodes)),
        pool: poolOfCall(event),
        funding: toldText(event),
      });
    case "call-refused": {
      const row = {
        ...admittedRow(event.terms, record, 0, null, isSimulated(event.terms.node, nodes)),
        pool: poolOfCall(event),
        funding: toldText(event),
      };
      return put(
        ended(row, record, { cause: event.refusal.code, usedMs: 0, chargedMs: 0, releasedMs: 0, rule: "refused" }),
      );
    }
    case "call-moved":
      return put(movedRow(call(event.call), at, event));
    case "call-granted":
      return put(grantedRow(call(event.call), at, event.lease, nodes));
    case "call-attached":
      return put({ ...call(event.call), stage: "running", attachedAt: at });
    case "visitor-left":
      return put({ ...call(event.call), visitorLeft: 1 });
    case "call-voided":
      return put(ended(call(event.call), record, { ...event, usedMs: 0, chargedMs: 0 }));
    case "call-settled":
      return put(ended(call(event.call), record, event));
    // Nothing about a call's row. An event that the ledger learns later does not compile until it is named.
    case "writer-started":
    case "fences-raised":
    case "account-opened":
    case "tier-set":
    case "pool-set":
    case "allowance-given":
    case "allowance-revoked":
    case "budget-set":
    case "node-heard":
    case "node-lost":
    case "cards-changed":
    case "drain-set":
    case "drain-due":
    case "card-pool-set":
    case "route-set":
    case "window-opened":
    case "window-reset":
    case "call-queued":
    case "call-stayed":
    case "slot-clearing":
    case "slot-warm":
    case "slot-free":
    case "calls-forgotten":
      return;
    default:
      event satisfies never;
  }
}

function placeReceipts(change: ProjectionChange, { events }: LedgerRecord): void {
  const ended = events.flatMap((event) => {
    if (event.type === "call-refused") return event.terms.call;
    return event.type === "call-voided" || event.type === "call-settled" ? event.call : [];
  });
  // As a database sorts them: ids are ASCII, so code units are bytes.
  ended.sort((a, b) => (a < b ? -1 : 1));
  for (const id of ended) {
    const row = change.calls.get(id);
    assert(row?.stage === "ended", "L37: what ends in a record has its receipt", id);
    change.calls.set(id, { ...row, leaf: change.leaves++ });
  }
}

interface Nodes {
  get(name: string): NodeDevices | undefined;
}

function admittedRow(
  terms: CallTerms,
  { index, at }: LedgerRecord,
  heldMs: number,
  leaseMs: number | null,
  simulated: boolean,
): CallRow {
  return {
    id: terms.call,
    at,
    journalIndex: index,
    account: terms.account,
    tier: terms.tier,
    billedBy: terms.billedBy,
    request: terms.request,
    space: terms.space,
    release: terms.release,
    replica: terms.replica,
    node: terms.node,
    pool: terms.pool,
    size: terms.size,
    declaredMs: terms.declaredMs,
    simulated: simulated ? 1 : 0,
    heldMs,
    leaseMs,
    funding: null,
    gpu: null,
    grantedAt: null,
    attachedAt: null,
    visitorLeft: 0,
    stage: "queued",
    endedAt: null,
    queuedMs: 0,
    usedMs: 0,
    chargedMs: 0,
    outcome: null,
    code: null,
    rule: null,
    receipt: null,
    document: null,
    leaf: null,
    payer: null,
    creditsMs: 0,
  };
}

function grantedRow(row: CallRow, at: Instant, lease: Lease, nodes: Nodes): CallRow {
  const device = deviceOf(lease.slots[0], nodes);
  return {
    ...row,
    stage: "granted",
    grantedAt: at,
    queuedMs: at - row.at,
    leaseMs: lease.leaseMs,
    gpu: device ? `${device.name} (${device.uuid})` : null,
    simulated: device ? Number(device.simulated) : row.simulated,
  };
}

interface CallsEnd {
  readonly cause: CallCause;
  readonly usedMs: number;
  readonly chargedMs: number;
  readonly releasedMs: number;
  readonly rule: string;
  readonly credits?: readonly CreditPart[] | undefined;
}

/** What of an admission or a refusal its receipt repeats, beside the columns. */
interface Told extends Pick<Funding, "sponsor" | "overrides"> {
  readonly route?: PoolRoute;
}

/** Null where there is nothing to repeat: its own account's window pays, and its node's pool serves it. */
function toldText({ sponsor, overrides, routed }: Funding & { readonly routed?: Routed | undefined }): string | null {
  if (sponsor === undefined && overrides === undefined && routed === undefined) return null;
  return JSON.stringify({ sponsor, overrides, route: routed && poolRoute(routed) });
}

function told({ funding }: CallRow): Told {
  return funding === null ? {} : (JSON.parse(funding) as Told);
}

/** For so long it had waited where it was: since it came, or since it moved on before. */
function movedRow(row: CallRow, at: Instant, { from, to, why }: Extract<Event, { type: "call-moved" }>): CallRow {
  const known = told(row);
  const { route } = known;
  assert(route, `a call that moves on has a rule: ${row.id}`);
  const before = route.moves.reduce((sum, { waitedMs }) => sum + waitedMs, 0);
  const moves = [...route.moves, { from, to, why, waitedMs: at - row.at - before }];
  return { ...row, pool: to, funding: JSON.stringify({ ...known, route: { ...route, moves } }) };
}

function ended(row: CallRow, record: LedgerRecord, end: CallsEnd): CallRow {
  const { cause, usedMs, chargedMs, releasedMs, rule, credits } = end;
  const { sponsor, overrides, route } = told(row);
  const receipt = makeReceipt({
    call: row.id,
    request: row.request,
    account: row.account,
    billedBy: row.billedBy,
    space: row.space,
    pool: row.pool,
    simulated: row.simulated === 1,
    size: row.size,
    factorPermille: sizeFactors[row.size as CallTerms["size"]],
    declaredMs: row.declaredMs,
    heldMs: row.heldMs,
    usedMs,
    chargedMs,
    releasedMs,
    rule,
    ...(sponsor !== undefined && { paidBy: sponsor }),
    ...(credits && { creditsMs: sumOf(credits) }),
    ...(overrides && { overrides }),
    ...(route && { route }),
    cause,
    scheduledAt: row.at as Instant,
    grant:
      row.grantedAt === null
        ? null
        : { node: row.node, gpu: row.gpu, leaseMs: row.leaseMs ?? 0, at: row.grantedAt as Instant },
    attachedAt: row.attachedAt as Instant | null,
    endedAt: record.at,
    journalIndex: record.index,
  });
  return {
    ...row,
    stage: "ended",
    endedAt: record.at,
    queuedMs: receipt.queuedMs,
    usedMs,
    chargedMs,
    outcome: receipt.outcome,
    code: receipt.code,
    rule,
    receipt: receipt.id,
    document: JSON.stringify(receipt),
    payer: receipt.paidBy ?? receipt.account,
    creditsMs: receipt.creditsMs ?? 0,
  };
}

/** Whether all cards of the call's node are simulated: what a call is labelled with before it has a card. */
function isSimulated(node: string, nodes: Nodes): boolean {
  const devices = nodes.get(node)?.devices ?? [];
  return devices.length > 0 && devices.every((device) => device.simulated);
}

/** The card of a slot, `<node>/<device>/<n>`; a node's name is its own matter, so the slot is read from its end. */
function deviceOf(slot: SlotId | undefined, nodes: Nodes): DeviceSpec | undefined {
  const match = /^(.+)\/(\d+)\/\d+$/.exec(slot ?? "");
  if (!match) return undefined;
  return nodes.get(match[1] as string)?.devices.find(({ index }) => index === Number(match[2]));
}
