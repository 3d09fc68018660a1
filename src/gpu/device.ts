/**
 * A replica's GPU side: its calls from `/schedule` to their end, its warm workers, and what the agent is told of both.
 * It decides nothing about time and money by itself: `meter.ts` does, and this carries it out.
 */
import type { MeterReport, ScheduleRequest, ToAgent } from "../contract/agent.ts";
import type { GpuOrder, OnCard, ShimToAgent } from "../contract/shim.ts";
import { assert } from "../stdx/assert.ts";
import { base32, newId, type RandomBytes } from "../stdx/ids.ts";
import { instant, iso, type Clock } from "../stdx/time.ts";
import { serveDeviceApi, type DeviceApi, type DeviceApiTimes } from "./device-api.ts";
import { Strays } from "./strays.ts";
import { dataSync, MeterFile, type MeterDraft } from "./meter-file.ts";
import {
  granted,
  nextTickAt,
  step,
  type End,
  type Lease,
  type Metered,
  type MeterEffect,
  type MeterInput,
  type Seen,
  type Step,
  type Worker,
} from "./meter.ts";
import type { GrantAnswer, Queued, Refusal, ReleaseQuery, ScheduleQuery } from "./wire.ts";

type Grant = Extract<ToAgent, { type: "grant" }>;

/** The app's processes, as the shim beside it sees them. */
export interface Workers {
  /** The app's process of this pid; undefined for pid 1, strangers and the dead. */
  find(pid: number): Worker | undefined;
  /** A call's use of a worker begins that was found for an earlier one. */
  begin(worker: Worker): void;
  /** Null while it lives. */
  look(worker: Worker): Seen | null;
  /** The app's living process of this name, as the host numbers it; undefined for its pid 1, strangers and the dead. */
  own(process: Worker): Worker | undefined;
  /** Whether a process is this worker, or below it. */
  isOf(worker: Worker, process: Worker): boolean;
  term(worker: Worker): void;
  /** Ends it with its descendants; resolves with whether all are gone. */
  end(worker: Worker): Promise<boolean>;
}

export interface DeviceHost {
  readonly replica: string;
  readonly space: string;
  readonly release: string;
  readonly folder: string;
  /** False where nobody listens: what matters is said again by `resume`. */
  send(message: ShimToAgent): boolean;
  connected(): boolean;
  /** A line of the app's log: what is wrong, and calls that wait, are refused or end badly. */
  note(text: string): void;
  /** A process is to be ended that used a card without a lease; resolves when that is on the disk. `app`: with it the app is, and the host ends it. */
  stray(found: Stray): Promise<"process" | "app">;
  readonly workers: Workers;
}

/** A process of the app that was at two looks on a card where none of its calls had a lease. */
export interface Stray {
  readonly process: Worker;
  readonly cards: readonly string[];
  /** The call whose worker it is, on another card. */
  readonly call: string | null;
}

export interface DeviceWorld {
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** The system's where absent. */
  readonly timers?: Timers;
  /** Keeps the meter's reports; a file in the host's folder where absent. */
  readonly openMeter?: (tell: (report: MeterReport) => void) => ReportStore;
  readonly times?: Partial<DeviceApiTimes>;
}

/** Both call back after `ms`, once or again and again; what they return ends that. */
export interface Timers {
  after(ms: number, ring: () => void): () => void;
  every(ms: number, ring: () => void): () => void;
}

/** What a device needs of its {@link MeterFile}. */
export type ReportStore = Pick<MeterFile, "append" | "pending" | "acknowledge" | "settled" | "close">;

export type ScheduleAnswer =
  | { readonly kind: "granted"; readonly grant: GrantAnswer }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** The app or its visitor is gone: nobody waits for an answer. */
  | { readonly kind: "moot" };

/** A client's place at `/schedule`. */
export interface Ticket {
  readonly call: string;
  readonly answer: Promise<ScheduleAnswer>;
  /** What it is told while it waits, last first; replaced by each newer one. */
  queued(): Queued | undefined;
  /** The client has gone away before it had its answer. `again`: it may come back once for the same call. */
  hangUp(again: boolean): void;
}

export type AllowAnswer = "ok" | "unknown" | "not-yours" | "ended" | "other-worker";
export type ReleaseAnswer = { readonly kind: "ended"; readonly end: End } | { readonly kind: "unknown" };

/** How long a client whose stream broke may take to schedule the same call once more. */
const againWithinMs = 5_000;
/** How long `left` is said again after each reconnection: longer than any queue. */
const leftKeptMs = 600_000;
/** Calls of one replica that wait at once; the server's own queue limits are lower. */
const waitingMax = 256;
/** Ended calls whose tokens still get the same answer. */
const endedMax = 1_024;
/** A worker's death and a lease's end are seen within this. */
const lookEveryMs = 50;
/** Attempts to end a process that the kernel holds on to, five seconds each; then its slot stays leased and the log says so. */
const endAttemptsMax = 120;
const tokenBytes = 20;
const platformStop = { type: "withdraw", cause: "operator-stop" } as const;
/** Above what any card is cut into. */
const slotsMaxOfCard = 1_000;

/** Opens the replica's Device API on a channel of its own. */
export async function openDevice(host: DeviceHost, world: DeviceWorld): Promise<Device> {
  const device = new Device(host, world);
  await device.listen();
  return device;
}

interface Call {
  readonly request: ScheduleRequest;
  readonly allowToken: string;
  readonly answer: PromiseWithResolvers<ScheduleAnswer>;
  /** Resolves when the call has ended and that is synced. */
  readonly ended: PromiseWithResolvers<void>;
  queued: Queued | undefined;
  sent: boolean;
  /** `dropped`: its client went away and may come back; `left`: it did not. */
  client: "waits" | "dropped" | "left" | "answered";
  cameBack: boolean;
  grant: Grant | undefined;
  metered: Metered | undefined;
  stopWaiting: (() => void) | undefined;
}

interface IdleWorker {
  readonly task: string;
  readonly worker: Worker;
  readonly fence: number;
}

export class Device {
  readonly #host: DeviceHost;
  readonly #world: DeviceWorld;
  readonly #timers: Timers;
  readonly #meter: ReportStore;
  readonly #calls = new Map<string, Call>();
  readonly #byToken = new Map<string, Call>();
  readonly #idle = new Map<string, IdleWorker>();
  /** Highest fence seen of each slot (L19). */
  readonly #fences = new Map<string, number>();
  /** The card of each slot that was granted, by its uuid. */
  readonly #cards = new Map<string, string>();
  readonly #strays = new Strays();
  #api: DeviceApi | undefined;
  #stopSweep: (() => void) | undefined;
  /** Old workers of a slot that are being ended: it is not told free before they are gone (L22). */
  readonly #endings = new Map<string, Promise<boolean>>();
  #stopping = false;

  constructor(host: DeviceHost, world: DeviceWorld) {
    this.#host = host;
    this.#world = world;
    this.#timers = world.timers ?? systemTimers;
    const tell = (report: MeterReport): void => this.#tell(report);
    this.#meter =
      world.openMeter?.(tell) ?? new MeterFile(host.folder, { tell, note: (text) => host.note(text), sync: dataSync });
  }

  async listen(): Promise<void> {
    const secret = base32(this.#world.random(tokenBytes));
    this.#api = await serveDeviceApi(this, { secret, times: this.#world.times ?? {} });
  }

  get url(): string {
    return this.#api?.url ?? "";
  }

  get told(): boolean {
    return this.#meter.pending.length === 0;
  }

  connected(): boolean {
    return this.#host.connected();
  }

  /** Calls of this replica that wait for a GPU. */
  queueSize(): number {
    return [...this.#calls.values()].filter((call) => !call.metered && call.client !== "left").length;
  }

  /** A place for the call; the place of a call whose stream broke, once; undefined when too many wait. */
  schedule(query: ScheduleQuery): Ticket | undefined {
    const before = this.#dropped(query);
    if (before) {
      before.stopWaiting?.();
      before.client = "waits";
      before.cameBack = true;
      return this.#ticket(before);
    }
    if (this.queueSize() >= waitingMax) return undefined;
    const { replica, space, release } = this.#host;
    const { task, declaredMs, size, token } = query;
    const call = newId("c", this.#world.random);
    const made: Call = {
      request: { call, replica, space, release, task, declaredMs, size, token },
      allowToken: base32(this.#world.random(tokenBytes)),
      answer: Promise.withResolvers(),
      ended: Promise.withResolvers(),
      queued: undefined,
      sent: false,
      client: "waits",
      cameBack: false,
      grant: undefined,
      metered: undefined,
      stopWaiting: undefined,
    };
    this.#calls.set(call, made);
    made.sent = this.#host.send({ type: "schedule", request: made.request });
    return this.#ticket(made);
  }

  async allow(allowToken: string, pid: number): Promise<AllowAnswer> {
    const now = this.#now();
    const call = this.#byToken.get(allowToken);
    if (!call?.metered) return "unknown";
    const worker = this.#host.workers.find(pid);
    if (!worker) return "not-yours";
    const { refused } = await this.#feed(call, { type: "allow", worker }, now);
    return refused ?? "ok";
  }

  async release(query: ReleaseQuery): Promise<ReleaseAnswer> {
    const now = this.#now();
    const call = this.#byToken.get(query.allowToken);
    if (!call?.metered) return { kind: "unknown" };
    const seen = this.#seen(call);
    // A visitor who is cut off by a restart of the platform looks to the app like one who left, and pays nothing for it.
    const outcome = query.outcome === "aborted" && !this.#host.connected() ? "cut-off" : query.outcome;
    if (this.#stopping && query.fail && outcome !== "raised") await this.#feed(call, platformStop, now);
    await this.#feed(call, { type: "release", word: { ...query, outcome }, seen }, now);
    await call.ended.promise;
    const { metered } = call;
    assert(metered.stage === "ended", "a call whose end was told has ended");
    return { kind: "ended", end: metered.end };
  }

  take(order: GpuOrder): void {
    if (order.type === "ack-meter") this.#meter.acknowledge(order.seq);
    else if (order.type === "clear") void this.#clear(order.slot, order.fence);
    else if (order.type === "grant") void this.#grant(order);
    else if (order.type === "on-cards") this.#onCards(order.processes);
    else this.#takeOfCall(order);
  }

  resume(): void {
    for (const call of this.#calls.values()) {
      if (call.metered || call.grant) continue;
      if (call.client !== "left") call.sent = this.#host.send({ type: "schedule", request: call.request }) || call.sent;
      else this.#host.send({ type: "left", call: call.request.call, replica: this.#host.replica });
    }
    for (const report of this.#meter.pending) this.#tell(report);
  }

  /** The platform begins to end the app: a worker that is lost from now on is the platform's doing. */
  stopping(): void {
    this.#stopping = true;
  }

  async appEnded(cause: "app-exit" | "app-killed" | "operator-stop"): Promise<void> {
    for (const call of [...this.#calls.values()]) {
      if (call.metered) await this.#feed(call, { type: "app-ended", cause }, this.#now());
      else this.#forget(call, { kind: "moot" });
    }
    const slots = [...this.#idle];
    this.#idle.clear();
    for (const [slot, { fence }] of slots) await this.#reportGone(slot, fence);
    await this.#meter.settled();
  }

  async close(): Promise<void> {
    this.#stopSweep?.();
    for (const call of this.#calls.values()) call.stopWaiting?.();
    await this.#api?.close();
    await this.#meter.settled();
    this.#meter.close();
  }

  #ticket(call: Call): Ticket {
    return {
      call: call.request.call,
      answer: call.answer.promise.then((answer) => {
        if (call.client === "waits") call.client = "answered";
        return answer;
      }),
      queued: () => call.queued,
      hangUp: (again) => this.#hangUp(call, again),
    };
  }

  #dropped({ task, token }: ScheduleQuery): Call | undefined {
    const same = ({ client, cameBack, request }: Call): boolean =>
      client === "dropped" && !cameBack && request.task === task && request.token === token;
    return [...this.#calls.values()].find((call) => same(call) && call.metered?.stage !== "ended");
  }

  #hangUp(call: Call, again: boolean): void {
    if (call.metered?.stage === "ended" || !this.#calls.has(call.request.call)) return;
    if (call.metered && "attached" in call.metered && call.metered.attached) return;
    if (!again || call.cameBack) return this.#leave(call);
    call.client = "dropped";
    call.stopWaiting = this.#timers.after(againWithinMs, () => this.#leave(call));
  }

  /** The client is gone for good. A call of which the agent never heard simply ends. */
  #leave(call: Call): void {
    call.client = "left";
    if (!call.sent) return this.#forget(call, { kind: "moot" });
    this.#host.send({ type: "left", call: call.request.call, replica: this.#host.replica });
    call.answer.resolve({ kind: "moot" });
    if (!call.metered) {
      call.stopWaiting = this.#timers.after(leftKeptMs, () => this.#forget(call, { kind: "moot" }));
      return;
    }
    const word = { fail: false, outcome: "unused", exitCode: null, signal: null } as const;
    void this.#feed(call, { type: "release", word, seen: this.#seen(call) }, this.#now());
  }

  /** How the call's worker ended; null while it lives. */
  #seen({ metered }: Call): Seen | null {
    if (metered === undefined || !("worker" in metered)) return { exitCode: null, signal: null };
    return this.#host.workers.look(metered.worker);
  }

  #takeOfCall(order: Queued | Refusal | Extract<GpuOrder, { type: "withdraw" }>): void {
    const call = this.#calls.get(order.call);
    if (!call) return;
    if (order.type === "withdraw") {
      if (call.metered?.lease.fence === order.fence)
        void this.#feed(call, { type: "withdraw", cause: order.cause }, this.#now());
    } else if (!call.metered && order.type === "queued") {
      if (call.queued === undefined) this.#host.note(`${order.call}: ${order.says}`);
      call.queued = order;
    } else if (!call.metered && order.type === "refuse") {
      this.#host.note(`${order.call}: ${order.says} (${order.code})`);
      this.#forget(call, { kind: "refused", refusal: order });
    }
  }

  async #grant(grant: Grant): Promise<void> {
    const stale = grant.slots.some((slot) => grant.fence <= (this.#fences.get(slot) ?? -1));
    if (stale) return; // a repeat, or older than what this slot has had since (L19)
    for (const slot of grant.slots) {
      this.#fences.set(slot, grant.fence);
      this.#cards.set(slot, grant.device.uuid);
    }
    const call = this.#calls.get(grant.call);
    if (!call || call.grant || call.client === "left") return this.#reportUnwanted(grant, call);
    call.grant = grant;
    const { warm, others } = this.#idleOn(grant.slots, grant.warm ? call.request.task : null);
    if (warm) this.#host.workers.begin(warm);
    const { fence, leaseMs, attachWithinMs, device } = grant;
    const begun = granted({ fence, leaseMs, attachWithinMs } satisfies Lease, warm, this.#now());
    call.metered = begun.next;
    this.#byToken.set(call.allowToken, call);
    this.#watch();
    // The old workers of these slots are gone before anybody else runs there (L22).
    await Promise.all(others.map((worker) => this.#endOn(grant.slots, worker)));
    // A warm grant's stamp: the disk has it before `/release` is answered, and one that a crash loses costs its payer nothing.
    const stamped = this.#perform(call, begun);
    const answer: GrantAnswer = {
      call: grant.call,
      idle: warm !== null,
      nvidiaIndex: workerIndex(grant),
      nvidiaUUID: device.uuid,
      allowToken: call.allowToken,
      leaseMs,
      slot: grant.slots[0] ?? "",
    };
    call.answer.resolve({ kind: "granted", grant: answer });
    await stamped;
  }

  /** Takes the idle workers off these slots: the living one of `task`, which may run again, and the others. */
  #idleOn(
    slots: readonly string[],
    task: string | null,
  ): { readonly warm: Worker | null; readonly others: readonly Worker[] } {
    let warm: Worker | null = null;
    const others: Worker[] = [];
    for (const slot of slots) {
      const idle = this.#idle.get(slot);
      if (!idle) continue;
      this.#idle.delete(slot);
      if (idle.task === task && this.#host.workers.look(idle.worker) === null) warm = idle.worker;
      else others.push(idle.worker);
    }
    return { warm, others };
  }

  /** A grant that nobody can use: its call ended here, or was never made here. A worker that was to run it idles on. */
  async #reportUnwanted({ call, fence, slots }: Grant, known: Call | undefined): Promise<void> {
    if (known && !known.grant) this.#forget(known, { kind: "moot" });
    const { warm, others } = this.#idleOn(slots, known?.request.task ?? null);
    if (warm) for (const slot of slots) this.#idle.set(slot, { task: known?.request.task ?? "", worker: warm, fence });
    await Promise.all(others.map((worker) => this.#endOn(slots, worker)));
    const end = {
      cause: "returned",
      usedMs: 0,
      workerAlive: warm !== null,
      unused: true,
      says: "Nobody waited for this grant any more.",
    };
    await this.#report({ kind: "ended", call, fence, ...end, at: this.#at() });
  }

  async #clear(slot: string, fence: number): Promise<void> {
    if (fence < (this.#fences.get(slot) ?? -1)) return; // the slot has been leased anew since
    this.#fences.set(slot, fence);
    const holder = [...this.#calls.values()].find(
      ({ grant, metered }) => grant?.slots.includes(slot) && metered?.stage !== "ended",
    );
    if (holder?.metered) {
      await this.#feed(holder, { type: "withdraw", cause: "operator-stop" }, this.#now());
      await holder.ended.promise;
    }
    const idle = this.#idle.get(slot);
    if (idle) {
      const slots = this.#takeIdle(idle.worker);
      if (
        !(await this.#endOn(
          slots.map((one) => one.slot),
          idle.worker,
        ))
      )
        return;
      // A worker that had several slots is gone from all of them.
      for (const other of slots) if (other.slot !== slot) await this.#reportGone(other.slot, other.fence);
    }
    if (!(await this.#areFree([slot]))) return;
    this.#host.send({ type: "cleared", replica: this.#host.replica, slot, fence });
  }

  /** L48: what is on a card at two looks without a lease there is ended. */
  #onCards(seen: readonly OnCard[]): void {
    for (const one of this.#strays.after(seen, (process) => this.#mayUse(process), this.#now()))
      void this.#endStray(one);
  }

  /** A call of the replica has the card, or its slot's idle worker this process, or an old worker is being ended there. */
  #mayUse({ pid, start, cards }: OnCard): boolean {
    const isThere = (slot: string): boolean => cards.includes(this.#cards.get(slot) ?? "");
    const { workers } = this.#host;
    return (
      [...this.#calls.values()].some(
        ({ grant, metered }) => metered?.stage !== "ended" && grant?.slots.some(isThere),
      ) ||
      [...this.#endings.keys()].some(isThere) ||
      [...this.#idle].some(([slot, { worker }]) => isThere(slot) && workers.isOf(worker, { pid, start }))
    );
  }

  async #endStray({ pid, start, cards }: OnCard): Promise<void> {
    const { workers } = this.#host;
    const stray = workers.own({ pid, start });
    if (stray === undefined) return;
    const isIt = (worker: Worker): boolean => worker.pid === pid && worker.start === start;
    const runs = (): Call | undefined =>
      [...this.#calls.values()].find(
        ({ metered }) => metered !== undefined && "worker" in metered && isIt(metered.worker),
      );
    const whose = await this.#host.stray({ process: stray, cards, call: runs()?.request.call ?? null });
    if (whose === "app") return;
    const call = runs();
    if (call !== undefined) await this.#feed(call, { type: "withdraw", cause: "without-lease" }, this.#now());
    else if ([...this.#idle.values()].some(({ worker }) => isIt(worker))) await this.#idleDied(stray);
    else await this.#end(stray);
  }

  async #feed(call: Call, input: MeterInput, now: number): Promise<Step> {
    const before = call.metered as Metered;
    const taken = step(before, input, now);
    call.metered = taken.next;
    await this.#perform(call, taken);
    return taken;
  }

  async #perform(call: Call, { effects }: Step): Promise<void> {
    for (const effect of effects) await this.#carryOut(call, effect);
  }

  async #carryOut(call: Call, effect: MeterEffect): Promise<void> {
    const { workers } = this.#host;
    const { call: id, task } = call.request;
    const fence = (call.grant as Grant).fence;
    switch (effect.do) {
      case "report-attached":
        return this.#report({ kind: "attached", call: id, fence, pid: effect.pid, at: this.#at() });
      case "report-ended": {
        const { end } = effect;
        const { slots } = call.grant as Grant;
        if (effect.worker) for (const slot of slots) this.#idle.set(slot, { task, worker: effect.worker, fence });
        if (!(await this.#areFree(slots))) return;
        // A call that goes well says nothing in the app's log, which keeps little: it may have a hundred of them a second.
        if (end.cause !== "returned") this.#host.note(`${id}: ${end.says}`);
        await this.#report({ kind: "ended", call: id, fence, ...end, at: this.#at() });
        return this.#ended(call);
      }
      case "term":
        return workers.term(effect.worker);
      case "end":
        // Nobody waits here: the end is told by `gone`, and whoever needs it waits for the call's end.
        void this.#end(effect.worker).then((gone) =>
          gone ? this.#feed(call, { type: "gone" }, this.#now()) : undefined,
        );
        return;
      case "end-replaced":
        void this.#endOn((call.grant as Grant).slots, effect.worker);
        return;
    }
  }

  #ended(call: Call): void {
    call.ended.resolve();
    this.#forget(call, { kind: "moot" });
    if (this.#byToken.size <= endedMax) return;
    for (const [token, { metered }] of this.#byToken) {
      if (metered?.stage !== "ended") continue;
      this.#byToken.delete(token);
      return;
    }
  }

  #forget(call: Call, answer: ScheduleAnswer): void {
    call.stopWaiting?.();
    this.#calls.delete(call.request.call);
    call.answer.resolve(answer);
  }

  /** Ends a worker, however long the kernel holds on to it. */
  async #end(worker: Worker): Promise<boolean> {
    for (let attempt = 0; attempt < endAttemptsMax; attempt++) {
      if (await this.#host.workers.end(worker)) return true;
    }
    this.#host.note(`worker ${worker.pid} does not end: its GPU slot stays taken until the node is looked at`);
    return false;
  }

  async #endOn(slots: readonly string[], worker: Worker): Promise<boolean> {
    const ending = Promise.all([this.#areFree(slots), this.#end(worker)]).then((gone) => !gone.includes(false));
    for (const slot of slots) this.#endings.set(slot, ending);
    const gone = await ending;
    if (gone) for (const slot of slots) if (this.#endings.get(slot) === ending) this.#endings.delete(slot);
    return gone;
  }

  /** Waits for the old workers of these slots; false where one of them cannot be ended. */
  async #areFree(slots: readonly string[]): Promise<boolean> {
    return !(await Promise.all(slots.map(async (slot) => this.#endings.get(slot)))).includes(false);
  }

  #watch(): void {
    this.#stopSweep ??= this.#timers.every(lookEveryMs, () => this.#look());
  }

  #look(): void {
    const now = this.#now();
    let open = false;
    for (const call of this.#calls.values()) {
      const { metered } = call;
      if (!metered || metered.stage === "ended") continue;
      open = true;
      const watched = metered.stage === "running" || metered.stage === "expiring";
      const seen = watched ? this.#host.workers.look(metered.worker) : null;
      if (seen) void this.#feed(call, this.#stopping ? platformStop : { type: "died", seen }, now);
      const due = call.metered ? nextTickAt(call.metered) : null;
      if (due !== null && now >= due) void this.#feed(call, { type: "tick" }, now);
    }
    for (const { worker } of new Set(this.#idle.values())) {
      if (this.#host.workers.look(worker) !== null) void this.#idleDied(worker);
    }
    if (open || this.#idle.size > 0) return;
    this.#stopSweep?.();
    this.#stopSweep = undefined;
  }

  async #idleDied(worker: Worker): Promise<void> {
    const slots = this.#takeIdle(worker);
    // What it started may live on; the slot is free when that is gone too.
    if (
      !(await this.#endOn(
        slots.map(({ slot }) => slot),
        worker,
      ))
    )
      return;
    for (const { slot, fence } of slots) await this.#reportGone(slot, fence);
  }

  #takeIdle(worker: Worker): readonly { readonly slot: string; readonly fence: number }[] {
    const slots = [...this.#idle].filter(
      ([, idle]) => idle.worker.pid === worker.pid && idle.worker.start === worker.start,
    );
    for (const [slot] of slots) this.#idle.delete(slot);
    return slots.map(([slot, { fence }]) => ({ slot, fence }));
  }

  #reportGone(slot: string, fence: number): Promise<void> {
    return this.#report({ kind: "worker-gone", slot, fence, at: this.#at() });
  }

  #report(draft: MeterDraft): Promise<void> {
    return this.#meter.append(draft);
  }

  #tell(report: MeterReport): void {
    this.#host.send({ type: "meter", replica: this.#host.replica, report });
  }

  #now(): number {
    return this.#world.clock.monotonic();
  }

  #at(): string {
    return iso(instant(this.#world.clock.wall()));
  }
}

const systemTimers: Timers = {
  after(ms, ring) {
    const timer = setTimeout(ring, ms);
    return () => clearTimeout(timer);
  },
  every(ms, ring) {
    const timer = setInterval(ring, ms);
    return () => clearInterval(timer);
  },
};

/**
 * What a `spaces` client keeps its warm workers by, and nothing else: a number for each slot, since two slots of one card have
 * two workers. The card itself is named by its UUID.
 */
function workerIndex({ slots, device }: Grant): number {
  const slot = Number(/\/(\d{1,3})$/.exec(slots[0] ?? "")?.[1] ?? 0);
  return device.index * slotsMaxOfCard + slot;
}
