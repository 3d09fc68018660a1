/**
 * GPU calls between nodes and ledger: what a shim asks becomes a command, what the ledger recorded becomes a message.
 * Messages are derived from durable records only (L28), and a repeat is harmless on both sides.
 */
import type { MeterReport, ReplicaStatus, ScheduleRequest, ToAgent } from "../contract/agent.ts";
import type { Misfit } from "../build/runtime-contract.ts";
import type { Call, CallTerms, EndCause, Event, Lease, OpenCall, PoolName, SlotId } from "../core/model.ts";
import { doomedOn, nodesWithDoomed } from "../core/drains.ts";
import type { LedgerRecord } from "../core/record.ts";
import { nodeOfSlot } from "../core/slots.ts";
import type { State } from "../core/state.ts";
import { callOf, clearingOn, openCallsOn, placeOf, queueOf } from "../core/views.ts";
import type { Place } from "../core/views.ts";
import type { CallTold } from "../edge/ports.ts";
import type { Code } from "../evidence/codes.ts";
import { codeRow, isCode } from "../evidence/codes.ts";
import type { Emitter } from "../evidence/entry.ts";
import { durationMs } from "../stdx/time.ts";
import type { Clock, Instant } from "../stdx/time.ts";
import {
  grantMessage,
  ledgerRefusal,
  queuedMessage,
  refusedMessage,
  voidedMessage,
  type EarlyRefusal,
} from "./call-messages.ts";
import type { Engine } from "./engine.ts";

/** What the replica of a call is, by the server's own table: nothing here is taken from the app. */
export interface ReplicaFacts {
  readonly space: string;
  readonly release: string;
  readonly owner: string;
  readonly node: string;
  readonly pool: PoolName;
  /** A Gradio app's functions that have a name, by their numbers. */
  readonly functions: NonNullable<ReplicaStatus["functions"]>;
}

/** Whom a visitor's token names, or why it names nobody. */
export type TokenVerdict =
  | {
      readonly ok: true;
      readonly account: string;
      readonly tier: CallTerms["tier"];
      readonly billedBy: CallTerms["billedBy"];
      readonly request: string;
      /** The function that it names, `/render` or `3`; null where it names none. */
      readonly asksFor: string | null;
      /** The first request of a chain of Spaces, where there was one before this. */
      readonly root?: string;
    }
  | { readonly ok: false; readonly code: Code };

export interface CallsPorts {
  readonly engine: Engine;
  readonly emitter: Emitter;
  readonly clock: Clock;
  /** A replica that starts or runs. */
  replica(id: string): ReplicaFacts | undefined;
  verifyToken(token: string, space: string): TokenVerdict;
  /** What keeps a release's packages from running on any card of the node; undefined where nothing is known to. */
  misfit(release: string, node: string): Promise<Misfit | undefined>;
  /** The Space's setting: what becomes of a running call whose visitor has left. */
  onLeave(space: string): "finish" | "stop";
  /** The tier of an account that pays without a token: the Space's owner. */
  ownerTier(owner: string): CallTerms["tier"];
  send(node: string, message: ToAgent): void;
  /** What waits for an answer of this request's hears of its call too. */
  told?(request: string, told: CallTold): void;
  /** The card of a slot, as its node announced it. */
  device(slot: SlotId): { readonly index: number; readonly uuid: string };
  onFailure(what: string, error: unknown): void;
}

const misfitCodes = { "runtime/arch-mismatch": "arch-mismatch", "runtime/driver-too-old": "driver-too-old" } as const;

const endCauses: Readonly<Record<EndCause, true>> = {
  returned: true,
  raised: true,
  "lease-end": true,
  "worker-exit": true,
  "worker-killed": true,
  "worker-oom": true,
  "without-lease": true,
  "app-exit": true,
  "app-killed": true,
  "visitor-stop": true,
  "operator-stop": true,
  "device-fault": true,
  "nvml-lost": true,
  "shim-lost": true,
  "node-lost": true,
};

/** An old worker is gone within a second of the order; only a lost answer takes longer. */
const clearAgainAfterMs = 5_000;

export class Calls {
  readonly #ports: CallsPorts;
  /** Calls that wait, with what they were last told: a change is sent once. */
  readonly #told = new Map<string, string>();
  /** Admitted calls that have not ended, as durable records tell them. */
  readonly #open = new Map<string, OpenFacts>();

  constructor(ports: CallsPorts) {
    this.#ports = ports;
  }

  /** Takes over what the journal held open when this process began. */
  restore(calls: Iterable<OpenCall>): void {
    for (const call of calls) {
      this.#open.set(call.terms.call, {
        terms: call.terms,
        admittedAt: call.admittedAt,
        lease: call.stage === "queued" ? null : call.lease,
      });
    }
  }

  /** A shim asks for a GPU. The answer goes to the node as a message: `grant`, `queued` or `refuse`. */
  async schedule(node: string, request: ScheduleRequest): Promise<void> {
    const { engine } = this.#ports;
    const replica = this.#ports.replica(request.replica);
    if (!replica || replica.node !== node) {
      const says = "This replica is not known to the platform (any more).";
      this.#refuse(node, request, { hop: "gpu.schedule", code: "gpu/replica-lost", kind: "capacity", says });
      return;
    }
    const payer = this.#payer(request, replica);
    if (!payer.ok) {
      const { emitter } = this.#ports;
      emitter.write({
        work: request.call,
        hop: "gpu.schedule",
        mark: "took",
        facts: { replica: request.replica, space: replica.space },
      });
      const says = codeRow(payer.code).says;
      this.#refuse(node, request, { hop: "identity.verify", code: payer.code, kind: "token", says });
      return;
    }
    const terms: CallTerms = {
      call: request.call,
      account: payer.account,
      tier: payer.tier,
      billedBy: payer.billedBy,
      request: payer.request,
      ...(payer.root !== undefined && { root: payer.root }),
      space: replica.space,
      release: replica.release,
      replica: request.replica,
      node,
      pool: replica.pool,
      task: request.task,
      endpoint: endpointOf(payer.asksFor, replica.functions),
      declaredMs: durationMs(request.declaredMs),
      size: request.size,
    };
    const misfit = this.#open.has(request.call) ? undefined : await this.#ports.misfit(replica.release, node);
    const refusal = misfit && { code: misfitCodes[misfit.code], says: misfit.says };
    const answer = await engine.submit({ type: "schedule", terms, ...(refusal && { misfit: refusal }) });
    if (!answer.ok) {
      this.#refuse(node, request, ledgerRefusal(answer.why));
    } else if (answer.events.length === 0) {
      await this.repeat(request.call);
    }
  }

  /** Tells a node again what the ledger holds about a call: after a repeat, or after the node came back. */
  async repeat(id: string): Promise<void> {
    const found = await this.#ports.engine.read((state, now) => {
      const call = callOf(state, id);
      return call && { call, message: this.#messageAbout(state, call, now, placeOf(state, id, now)) };
    });
    if (found?.message) this.#tell(found.call.terms, found.message);
  }

  /** Tells a node that came back all that is open there: leases, waiting calls, and slots whose old worker has to end. */
  async tellAll(node: string): Promise<void> {
    const open = await this.#ports.engine.read((state, now) => {
      const places = placesOf(state, now);
      const calls = openCallsOn(state, node);
      return {
        messages: calls.map((call) => ({
          terms: call.terms,
          message: this.#messageAbout(state, call, now, places.get(call.terms.call)),
        })),
        left: calls.flatMap((call) => (call.stage !== "queued" && call.visitorLeft ? [call.terms.call] : [])),
        doomed: [...state.nodes.values()].filter(({ name }) => name === node).flatMap((one) => doomedOn(state, one)),
        clearing: clearingOn(state, node),
      };
    });
    for (const { terms, message } of open.messages) if (message) this.#tell(terms, message);
    for (const call of open.left) this.#stopWhereWanted(call);
    for (const { terms, lease } of open.doomed) this.#stop(terms, lease.fence);
    for (const order of open.clearing) this.#clear(order);
  }

  /** Orders again the ends of old workers that have been awaited for long: the answer to the last order may be lost. */
  async clearAgain(): Promise<void> {
    const late = await this.#ports.engine.read((state, now) =>
      [...state.nodes.keys()]
        .flatMap((node) => clearingOn(state, node))
        .filter(({ slot }) => now - (state.slots.get(slot)?.since ?? now) >= clearAgainAfterMs),
    );
    for (const order of late) this.#clear(order);
  }

  /** Of a call that has not ended, as durable records tell it. */
  openCall(id: string): CallTerms | undefined {
    return this.#open.get(id)?.terms;
  }

  /** `mark`: of the request whose effect it is. */
  async left(call: string, mark?: string): Promise<void> {
    await this.#ports.engine.submit({ type: "leave", call }, mark);
  }

  /** The visitor of a request went away: its waiting calls leave the queue; a running one is marked, and ended where the Space wants that. */
  async visitorGone(request: string): Promise<void> {
    const theirs = [...this.#open.values()].filter(({ terms }) => terms.request === request);
    await Promise.all(theirs.map(({ terms }) => this.left(terms.call)));
  }

  /** Takes one report of a shim's meter; durable when this resolves, so that it may be acknowledged. */
  async meter(report: MeterReport): Promise<void> {
    const { engine } = this.#ports;
    switch (report.kind) {
      case "attached":
        await engine.submit({ type: "attach", call: report.call, fence: report.fence, pid: report.pid });
        return;
      case "ended":
        await engine.submit({
          type: "end",
          call: report.call,
          fence: report.fence,
          cause: isEndCause(report.cause) ? report.cause : "worker-killed",
          usedMs: durationMs(report.usedMs),
          workerAlive: report.workerAlive,
          unused: report.unused,
        });
        return;
      case "worker-gone":
        await engine.submit({ type: "clear-slot", slot: report.slot, fence: report.fence });
        return;
    }
  }

  async cleared(slot: string, fence: number): Promise<void> {
    await this.#ports.engine.submit({ type: "clear-slot", slot, fence });
  }

  /** What a durable record means for the nodes. */
  onRecord(record: LedgerRecord): void {
    for (const event of record.events) this.#onEvent(event, record.at);
    if (record.events.some(({ type }) => type === "cards-changed" || type === "drain-due"))
      this.#stopDoomed(record.events).catch((error: unknown) => this.#ports.onFailure("ending calls on a card", error));
  }

  /** Tells waiting calls what has changed for them: positions and estimates move while others end. */
  async retell(): Promise<void> {
    if (this.#told.size === 0) return;
    const waiting = await this.#ports.engine.read((state, now) => {
      const places = placesOf(state, now);
      return [...this.#told.keys()].map((id) => {
        const call = callOf(state, id);
        const place = places.get(id);
        return { id, terms: call?.terms, message: call && place && queuedMessage(call.terms, place) };
      });
    });
    for (const { id, terms, message } of waiting) {
      if (!this.#told.has(id)) continue; // it left the queue meanwhile
      if (terms === undefined || message === undefined) this.#told.delete(id);
      else this.#tellQueued(terms, message);
    }
  }

  /** What a node should hear about a call as it stands; undefined where nothing is left to say. */
  #messageAbout(state: State, call: Call, now: Instant, place: Place | undefined): ToAgent | undefined {
    const { terms } = call;
    switch (call.stage) {
      case "queued":
        return place && queuedMessage(terms, place);
      case "granted":
      case "attached": {
        const attachWithinMs = call.stage === "granted" ? Math.max(0, call.attachBy - now) : 0;
        const number = state.nodes.get(terms.node)?.grants ?? 0;
        return grantMessage({
          terms,
          lease: call.lease,
          number,
          attachWithinMs,
          device: this.#ports.device(call.lease.slots[0] ?? ""),
        });
      }
      case "refused":
        return refusedMessage(terms, call.refusal, now, call.routed);
      case "voided":
        return voidedMessage(call, call.cause, call.endedAt - call.admittedAt);
      case "settled":
        return undefined;
    }
  }

  #onEvent(event: Event, at: Instant): void {
    switch (event.type) {
      case "call-refused":
        this.#send(event.terms, refusedMessage(event.terms, event.refusal, at, event.routed));
        return;
      case "call-admitted":
        this.#open.set(event.terms.call, { terms: event.terms, admittedAt: at, lease: null });
        return;
      case "call-queued": {
        const open = this.#open.get(event.call);
        if (open) this.#tellQueued(open.terms, queuedMessage(open.terms, event));
        return;
      }
      case "call-granted":
        this.#granted(event, at);
        return;
      case "visitor-left":
        this.#stopWhereWanted(event.call);
        return;
      case "call-voided":
        this.#voided(event, at);
        return;
      case "call-settled": {
        const request = this.#open.get(event.call)?.terms.request ?? null;
        this.#open.delete(event.call);
        if (request !== null) this.#ports.told?.(request, { kind: "ended" });
        return;
      }
      case "slot-clearing":
        this.#clear(event);
        return;
      default:
        return;
    }
  }

  #granted({ call, lease, number, attachBy }: Extract<Event, { type: "call-granted" }>, at: Instant): void {
    const open = this.#open.get(call);
    this.#told.delete(call);
    if (!open) return;
    this.#open.set(call, { ...open, lease });
    const device = this.#ports.device(lease.slots[0] ?? "");
    this.#send(open.terms, grantMessage({ terms: open.terms, lease, number, attachWithinMs: attachBy - at, device }));
  }

  /** Its visitor has left, durably: so a node that was away hears it again when it is back. */
  #stopWhereWanted(call: string): void {
    const open = this.#open.get(call);
    if (!open?.lease || this.#ports.onLeave(open.terms.space) !== "stop") return;
    const { replica, node } = open.terms;
    this.#ports.send(node, { type: "withdraw", call, replica, fence: open.lease.fence, cause: "visitor-stop" });
  }

  /** What runs on a card with a fault of its own, or where a drain's time is over, ends; a node that is away hears it when it is back. */
  async #stopDoomed(events: readonly Event[]): Promise<void> {
    const doomed = await this.#ports.engine.read((state) =>
      nodesWithDoomed(state, events).flatMap((node) => doomedOn(state, node)),
    );
    for (const { terms, lease } of doomed) this.#stop(terms, lease.fence);
  }

  #stop({ call, replica, node }: CallTerms, fence: number): void {
    this.#ports.send(node, { type: "withdraw", call, replica, fence, cause: "operator-stop" });
  }

  #voided({ call, cause }: Extract<Event, { type: "call-voided" }>, at: Instant): void {
    const open = this.#open.get(call);
    this.#told.delete(call);
    this.#open.delete(call);
    if (open) this.#send(open.terms, voidedMessage(open, cause, at - open.admittedAt));
  }

  #clear({ slot, fence, replica }: { readonly slot: SlotId; readonly fence: number; readonly replica: string }): void {
    // Also where its replica has ended: its node alone knows what is left there (L22), and says the end again. One that is away is
    // told when it is back.
    this.#ports.send(nodeOfSlot(slot), { type: "clear", replica, slot, fence });
  }

  #tellQueued(terms: CallTerms, message: Extract<ToAgent, { type: "queued" }>): void {
    const told = `${message.position}/${message.of}/${message.estimateMs === null ? "" : Math.ceil(message.estimateMs / 1000)}`;
    if (this.#told.get(message.call) === told) return;
    this.#told.set(message.call, told);
    this.#send(terms, message);
  }

  /** To the call's node, and to whoever waits for its request. */
  #send({ node, request }: CallTerms, message: ToAgent): void {
    const told = request === null ? undefined : toldOf(message);
    // The edge knows why before the app can show what it makes of it.
    if (request !== null && told !== undefined) this.#ports.told?.(request, told);
    this.#ports.send(node, message);
  }

  /** Says it again, also what was said before; not what later records, told while this one was read, have ended. */
  #tell(terms: CallTerms, message: ToAgent): void {
    if (message.type === "grant" && !this.#open.has(message.call)) return;
    if (message.type !== "queued") return this.#send(terms, message);
    if (this.#open.get(message.call)?.lease !== null) return;
    this.#told.delete(message.call);
    this.#tellQueued(terms, message);
  }

  /** Says no before the ledger has anything to say of the call; its entry is written before the answer. */
  #refuse(node: string, request: ScheduleRequest, { hop, code, kind, says }: EarlyRefusal): void {
    if (hop !== null) {
      const facts = { code, says, replica: request.replica };
      this.#ports.emitter.write({ work: request.call, hop, mark: "refused", facts });
    } else {
      this.#ports.onFailure(`a schedule of ${request.call}`, new Error(says));
    }
    this.#ports.send(node, {
      type: "refuse",
      call: request.call,
      replica: request.replica,
      code,
      says,
      kind,
      leftMs: 0,
      askedMs: request.declaredMs,
      waitMs: 0,
    });
  }

  #payer(
    request: ScheduleRequest,
    replica: ReplicaFacts,
  ):
    | (Pick<CallTerms, "account" | "tier" | "billedBy" | "request" | "root"> & { ok: true; asksFor: string | null })
    | { ok: false; code: Code } {
    if (request.token !== null) return this.#ports.verifyToken(request.token, replica.space);
    // A call that no request caused: the app's own work, on its owner's account.
    return {
      ok: true,
      account: replica.owner,
      tier: this.#ports.ownerTier(replica.owner),
      billedBy: "owner",
      request: null,
      asksFor: null,
    };
  }
}

/** A function's name after a slash, whichever way it was asked for; null for one that the app has not told of, or has no name. */
function endpointOf(asksFor: string | null, functions: ReplicaFacts["functions"]): string | null {
  if (asksFor === null) return null;
  const name = asksFor.startsWith("/") ? asksFor.slice(1) : functions[asksFor];
  return name !== undefined && Object.values(functions).includes(name) ? `/${name}` : null;
}

/** The places of all waiting calls: each queue is walked once, however many are asked for. */
function placesOf(state: State, now: Instant): ReadonlyMap<string, Place> {
  const waiting = [...state.pools.keys()].flatMap((pool) => queueOf(state, pool, now));
  return new Map(waiting.map(({ call, place }) => [call.terms.call, place]));
}

/** What such a message means for the call's visitor. */
function toldOf(message: ToAgent): CallTold | undefined {
  switch (message.type) {
    case "queued": {
      const { position, of, estimateMs } = message;
      return { kind: "waiting", position, of, estimateMs };
    }
    case "grant":
      return { kind: "granted" };
    case "refuse":
      return isCode(message.code) ? { kind: "refused", code: message.code, says: message.says } : undefined;
    case "withdraw":
      return { kind: "ended" };
    default:
      return undefined;
  }
}

function isEndCause(cause: string): cause is EndCause {
  return Object.hasOwn(endCauses, cause);
}

/** What is known of an open call without asking the ledger. */
interface OpenFacts {
  readonly terms: CallTerms;
  readonly admittedAt: Instant;
  readonly lease: Lease | null;
}
