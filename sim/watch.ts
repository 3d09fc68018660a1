/**
 * What a run is judged by: the ledger's audit after each record, and what the audit cannot see: answers and messages beside the
 * disk (L24, L28), repeats (L10, L11, L21, L23, L30), fences at agents (L19), processes on cards (L20, L22, L31).
 */
import type { MeterReport, ToAgent, ToServer } from "../src/contract/agent.ts";
import type { Answer, Engine } from "../src/control/engine.ts";
import { apply } from "../src/core/evolve.ts";
import { newAudit, take } from "../src/core/audit.ts";
import { checkInvariants, checkRecord } from "../src/core/invariants.ts";
import type { Audit, Finding } from "../src/core/audit.ts";
import type { Command } from "../src/core/model.ts";
import type { LedgerRecord } from "../src/core/record.ts";
import { emptyState, stateHashInput } from "../src/core/state.ts";
import type { State } from "../src/core/state.ts";
import { quotaOf } from "../src/core/views.ts";
import type { GrantAnswer } from "../src/gpu/wire.ts";
import { hash } from "node:crypto";
import { recordsOf } from "./journal.ts";
import type { Disk } from "./journal.ts";
import { durationMs } from "../src/stdx/time.ts";
import type { Process, Shim } from "./shim.ts";
import type { VirtualTime } from "./time.ts";

export interface Broken {
  readonly invariant: string;
  readonly says: string;
}

type Schedule = Extract<Command, { type: "schedule" }>;
type Report = Extract<Command, { type: "attach" | "end" }>;

/** Commands that are asked again later; the oldest go. */
const askedMax = 400;
/** How long after its lease's end a worker may still be there. */
const goneWithinMs = 1_000;

export class Watch {
  broken: Broken | undefined;
  readonly looked = new Map<string, number>();
  audit: Audit = newAudit();
  readonly scheduled: Schedule[] = [];
  readonly reports: Report[] = [];
  readonly #disk: Disk;
  readonly #time: VirtualTime;
  #engine: Engine | undefined;
  #state: State | undefined;
  #unsaved: LedgerRecord[] = [];
  #isStopped = false;
  /** The log's time less the writer's monotonic clock. */
  #offset: number | undefined;
  /** Reports that came in, by replica and number. */
  readonly #came = new Map<string, MeterReport>();
  /** When a call's grant arrived, on its shim's clock. */
  readonly #began = new Map<string, number>();
  /** Of each record that somebody was told of: its hash. */
  readonly #told = new Map<number, string>();
  /** What the durable log says: the fence of each call's lease, and which calls are over. */
  readonly #granted = new Map<string, number>();
  readonly #over = new Set<string>();
  readonly #fences = new Map<string, number>();
  readonly #onSlots = new Map<string, Set<Process>>();
  /** Of processes that are gone: what was on each slot, and when its memory is free. */
  readonly #memory = new Map<string, { readonly replica: string; readonly freeAt: number }>();
  /** Living processes that are on a card on which their app has a lease only now and then. */
  readonly #strays = new Set<Process>();

  constructor(disk: Disk, time: VirtualTime) {
    this.#disk = disk;
    this.#time = time;
  }

  look(invariant: string): void {
    this.looked.set(invariant, (this.looked.get(invariant) ?? 0) + 1);
  }

  fail(invariant: string, says: string): void {
    this.broken ??= { invariant, says };
  }

  /** An error that nobody foresaw; an assertion names its invariant. */
  unexpected(what: string, error: unknown): void {
    const says = error instanceof Error ? error.message : String(error);
    const isSnapshot = (error as { code?: unknown } | undefined)?.code === "snapshot-mismatch";
    const [named = isSnapshot ? "L25" : "unexpected"] = /^L\d+/.exec(says) ?? [];
    const where = error instanceof Error && named === "unexpected" ? ` ${error.stack?.split("\n")[1]?.trim()}` : "";
    this.fail(named, `${what}: ${says}${where}`);
  }

  /* ── the journal and the engine ─────────────────────────────────────── */

  /** A journal was opened on the disk: what was told is there as it was (L7, L24), and the books begin anew. */
  reopened(): void {
    this.look("L24");
    this.look("L7");
    for (const [index, was] of this.#told) {
      const row = this.#disk.rows[index - 1];
      if (row === undefined) return this.fail("L24", `record ${index} was acknowledged, and is lost`);
      if (hexOf(row.hash) !== was) return this.fail("L7", `record ${index} is not the one that was acknowledged`);
    }
    this.#keep();
    this.audit = newAudit();
    this.#engine = undefined;
    this.#state = undefined;
    this.#isStopped = false;
    this.#offset = undefined;
    this.#unsaved = [];
    const records = recordsOf(this.#disk.rows);
    for (const record of records) take(this.audit, record);
    this.durable(records);
    this.#find(this.audit.findings);
  }

  /** L14: within one writer's life the log's time moves as its monotonic clock does. */
  appended(record: LedgerRecord, monotonicMs: number): void {
    this.#unsaved.push(record);
    this.#offset ??= record.at - monotonicMs;
    this.look("L14");
    if (Math.abs(record.at - monotonicMs - this.#offset) > 1)
      this.fail("L14", `record ${record.index} is ${record.at - monotonicMs - this.#offset} ms off its writer's clock`);
    take(this.audit, record);
    if (this.#state) this.#find(checkRecord(this.#state, this.audit, record));
  }

  durable(records: readonly LedgerRecord[]): void {
    for (const { events } of records) {
      for (const event of events) {
        if (event.type === "call-granted") this.#granted.set(event.call, event.lease.fence);
        if (event.type === "call-voided" || event.type === "call-settled") this.#over.add(event.call);
        if (event.type === "call-refused") this.#over.add(event.terms.call);
        if (event.type === "call-admitted") this.#over.delete(event.terms.call);
      }
    }
  }

  /** The engine is open: its state is what the whole log gives (L25); from here on each record is looked at beside it. */
  opened(engine: Engine): void {
    this.#engine = engine;
    // The state is there at once; a disk that fails meanwhile is told to whoever started the engine.
    engine.read((state) => (this.#state = state)).catch(() => undefined);
    this.look("L17");
    const [begun] = this.#unsaved[0]?.events ?? [];
    if (begun?.type !== "writer-started") this.fail("L17", "a start is not recorded before anything else");
    this.look("L25");
    // No fault here damages a snapshot, so each gives the state that it was taken of.
    const [passed] = engine.passedOver;
    if (passed) this.fail("L25", `the snapshot after record ${passed.index} cannot be used: ${passed.why}`);
    const state = emptyState();
    const durable = recordsOf(this.#disk.rows);
    const head = durable.at(-1)?.index ?? 0;
    for (const record of [...durable, ...this.#unsaved.filter(({ index }) => index > head)]) apply(state, record);
    if (hash("sha256", stateHashInput(state), "hex") !== engine.stateHash())
      this.fail("L25", "the state after a start is not what the log gives");
    this.checkAll();
    this.#observe(engine);
  }

  /** The audit of everything. */
  checkAll(): void {
    if (this.#state) this.#find(checkInvariants(this.#state, this.audit));
  }

  engineFailed(failure: Error): void {
    const { code } = failure as { code?: unknown };
    if (code !== "journal-stopped") return this.unexpected("the engine", failure);
    this.look("L27");
    this.#isStopped = true;
    const engine = this.#engine;
    if (engine === undefined) return;
    void engine.submit({ type: "tick" }).then(
      () => this.fail("L27", "an engine whose journal has failed goes on"),
      () => {},
    );
  }

  #observe(engine: Engine): void {
    const submit = engine.submit.bind(engine);
    engine.submit = async (command) => {
      const mustCount = this.#mustCount(command);
      const answer = await submit(command);
      this.#answered(command, answer, mustCount);
      return answer;
    };
  }

  /** L16: a report of who holds the lease counts, at whatever time it comes. */
  #mustCount(command: Command): boolean {
    if (command.type !== "end") return false;
    const hold = this.audit.holds.get(command.call);
    return hold?.chargedMs === null && hold.lease?.fence === command.fence;
  }

  #answered(command: Command, answer: Answer, mustCount: boolean): void {
    this.look("L28");
    if (this.#isStopped) this.fail("L27", `${command.type} was answered after the journal had failed`);
    const row = this.#disk.rows[answer.index - 1];
    if (answer.index > 0 && row === undefined)
      return this.fail("L28", `${command.type} was answered by record ${answer.index} before it was durable`);
    if (row) this.#told.set(answer.index, hexOf(row.hash));
    if (command.type === "end") this.#ended(command, answer, mustCount);
    if (!answer.ok || answer.events.length === 0) return;
    if (command.type === "schedule") remember(this.scheduled, command);
    if (command.type === "attach" || command.type === "end") remember(this.reports, command);
  }

  #ended(command: Extract<Command, { type: "end" }>, answer: Answer, mustCount: boolean): void {
    if (!mustCount) return;
    this.look("L16");
    if (!answer.ok || answer.events.length === 0)
      return this.fail("L16", `the end of ${command.call} was not taken from who holds its lease`);
    const settled = answer.events.find((event) => event.type === "call-settled" && event.call === command.call);
    const hold = this.audit.holds.get(command.call);
    this.look("L30");
    if (settled === undefined && command.usedMs > 0 && command.unused !== true)
      this.fail("L30", `${command.call} used its GPU, and is not settled: its end overtook its attach`);
    if (settled?.type !== "call-settled" || settled.chargedMs === 0 || !hold) return;
    const factor = hold.terms.size === "xlarge" ? 2 : 1;
    const due = Math.min(Math.floor(Math.min(command.usedMs, hold.leaseMs) * factor), hold.heldMs);
    if (settled.chargedMs !== due)
      this.fail("L16", `${command.call} is charged ${settled.chargedMs}, by its shim's clock it is ${due}`);
  }

  /* ── repeats ────────────────────────────────────────────────────────── */

  /** L10, L12: the same again changes nothing. L11: another content under the same id is refused. */
  async askAgain(engine: Engine, command: Schedule): Promise<void> {
    const isKnown = this.#state?.calls.has(command.terms.call) === true;
    if (!isKnown) return;
    const other = { ...command, terms: { ...command.terms, declaredMs: (command.terms.declaredMs + 1) as never } };
    const [same, same2, otherwise] = await Promise.all([
      engine.submit(command),
      engine.submit(command),
      engine.submit(other),
    ]);
    this.look("L10");
    this.look("L11");
    this.look("L12");
    if (!same.ok || same.events.length > 0) this.fail("L10", `asking ${command.terms.call} again gave another answer`);
    if (!same2.ok || same2.events.length > 0) this.fail("L12", `asking ${command.terms.call} twice had two effects`);
    if (otherwise.ok || otherwise.why !== "other-content")
      this.fail("L11", `${command.terms.call} was taken with other content`);
  }

  /** L21: whoever has another fence changes nothing. L23, L30: nor does a report that was taken. */
  async reportAgain(engine: Engine, command: Report): Promise<void> {
    const isOver = this.audit.holds.get(command.call)?.chargedMs !== null;
    const [again, stranger] = await Promise.all([
      engine.submit(command),
      engine.submit({ ...command, fence: command.fence + 1 }),
    ]);
    this.look("L21");
    this.look(isOver ? "L23" : "L30");
    if (again.ok && again.events.length > 0) this.fail("L30", `the same report of ${command.call} counted twice`);
    if (stranger.ok && stranger.events.length > 0) this.fail("L21", `a stranger's report of ${command.call} counted`);
    if (isOver && again.ok && again.events.length > 0) this.fail("L23", `${command.call} went on after its end`);
  }

  /** L21: reports of an open lease by somebody who does not hold it. */
  async strangers(engine: Engine): Promise<void> {
    const open = [...(this.#state?.calls.values() ?? [])].find(
      ({ stage }) => stage === "granted" || stage === "attached",
    );
    if (open?.stage !== "granted" && open?.stage !== "attached") return;
    const { call } = open.terms;
    const fence = open.lease.fence - 1;
    const end = { cause: "returned", usedMs: durationMs(1), workerAlive: false } as const;
    const answers = await Promise.all([
      engine.submit({ type: "attach", call, fence, pid: 1 }),
      engine.submit({ type: "end", call, fence, ...end }),
      ...open.lease.slots.map((slot) => engine.submit({ type: "clear-slot", slot, fence })),
    ]);
    this.look("L21");
    if (answers.some((answer) => answer.ok && answer.events.length > 0))
      this.fail("L21", `a stranger's report of ${call} counted`);
  }

  /** L34: what is shown as left is limit − used − held, at the index shown with it. */
  async showQuota(engine: Engine, account: string): Promise<void> {
    const shown = await engine.read((state, now) => {
      const quota = quotaOf(state, account, now);
      const book = this.audit.books.get(account);
      return quota && book && { quota, book: { ...book }, index: this.audit.index, now };
    });
    if (!shown) return;
    this.look("L34");
    const { quota, book, index, now } = shown;
    const isOver = book.resetsAt !== null && now >= book.resetsAt;
    const spent = isOver ? 0 : book.usedMs + book.heldMs;
    const left = quota.limitMs === null ? null : Math.max(0, quota.limitMs - spent);
    if (quota.leftMs !== left || quota.index !== index || quota.usedMs + quota.heldMs !== spent)
      this.fail("L34", `${account} is shown ${quota.leftMs} left at ${quota.index}; the log gives ${left} at ${index}`);
  }

  /* ── what leaves the server ─────────────────────────────────────────── */

  /** L28: a node hears nothing that is not durable. L24: nor is a report acknowledged before. */
  told(message: ToAgent): void {
    this.look("L28");
    if (message.type === "grant" && this.#granted.get(message.call) !== message.fence)
      this.fail("L28", `${message.call} was told of a grant that is not durable`);
    if (message.type !== "ack-meter") return;
    const report = this.#came.get(`${message.replica} ${message.seq}`);
    this.#came.delete(`${message.replica} ${message.seq}`);
    if (report?.kind !== "ended") return;
    this.look("L24");
    if (this.#granted.get(report.call) === report.fence && !this.#over.has(report.call))
      this.fail("L24", `the end of ${report.call} was acknowledged before it was durable`);
  }

  came(message: ToServer): void {
    if (message.type === "meter") this.#came.set(`${message.replica} ${message.report.seq}`, message.report);
  }

  /* ── at the nodes ───────────────────────────────────────────────────── */

  /** L19: an agent passed on an operation on these slots. */
  passed(node: string, slots: readonly string[], fence: number): void {
    for (const slot of slots) {
      this.look("L19");
      const key = `${node} ${slot}`;
      const highest = this.#fences.get(key) ?? 0;
      if (fence < highest) this.fail("L19", `${node} passed on fence ${fence} of ${slot} after ${highest}`);
      this.#fences.set(key, Math.max(fence, highest));
    }
  }

  /** Its disk is new: it knows nothing of before. */
  reinstalled(node: string): void {
    for (const key of this.#fences.keys()) if (key.startsWith(`${node} `)) this.#fences.delete(key);
  }

  /** A worker may use the card from here on. */
  uses(shim: Shim, grant: GrantAnswer, worker: Process): void {
    const lease = this.audit.holds.get(grant.call)?.lease;
    const slots = lease?.slots ?? [grant.slot];
    for (const slot of slots) {
      this.look("L22");
      const left = this.#memory.get(slot);
      if (left && left.freeAt > this.#time.now && left.replica !== worker.replica)
        this.fail("L22", `${grant.call} uses ${slot}, where the memory of a worker of ${left.replica} is not free yet`);
      const there = this.#onSlots.get(slot) ?? new Set();
      this.#onSlots.set(slot, there);
      for (const other of there) {
        // A warm worker that its app has replaced is ended while the new one begins.
        if (other === worker || (other.replica === worker.replica && lease?.warm !== false)) continue;
        this.fail("L22", `${grant.call} of ${worker.replica} uses ${slot}, where a worker of ${other.replica} lives`);
      }
      there.add(worker);
    }
    worker.cards.add(grant.nvidiaUUID);
    this.#mustEnd(shim, grant, worker);
  }

  /** L48: a process of an app goes where it has no right to be. */
  strays(process: Process): void {
    this.#strays.add(process);
  }

  /** L48: a shim is about to end it for that. */
  strayFound(process: Process | undefined): void {
    this.look("L48");
    if (process && !this.#strays.has(process))
      this.fail("L48", `process ${process.pid} of ${process.replica} is ended, and may be on its card`);
  }

  /** It is free as after a machine's crash, or its agent has waited for it as long as it may. */
  memoryFree(node: string, uuid: string): void {
    for (const slot of this.#memory.keys())
      if (slot.startsWith(`${node}/${uuid.slice("GPU-".length)}/`)) this.#memory.delete(slot);
  }

  get hasStrays(): boolean {
    return this.#strays.size > 0;
  }

  /** L48: what is still where it may not be, though all leases are over and agents have looked since. */
  checkStrays(): void {
    this.look("L48");
    const [left] = this.#strays;
    if (left)
      this.fail("L48", `process ${left.pid} of ${left.replica} is on ${[...left.cards].join(" and ")} without a lease`);
  }

  /** The shim has the grant: its meter begins no earlier. */
  arrived(shim: Shim, call: string): void {
    if (!this.#began.has(call)) this.#began.set(call, shim.machine.clock.monotonic());
  }

  /** L16: what a meter reports is no more than what has passed on its own clock, whatever the wall showed. */
  metered(shim: Shim, report: MeterReport): void {
    if (report.kind !== "ended") return;
    const began = this.#began.get(report.call);
    if (began === undefined) return;
    this.look("L16");
    const passed = shim.machine.clock.monotonic() - began;
    if (report.usedMs > passed + 1)
      this.fail("L16", `${report.call} is metered ${report.usedMs} ms, ${passed} ms have passed`);
  }

  /** L24: the app has its answer to /release, so its shim's report is on the disk. */
  released(shim: Shim, call: string): void {
    this.look("L24");
    if (!shim.hasReported(call))
      this.fail("L24", `the release of ${call} was answered before its report was on the disk`);
  }

  /** Whether a living worker is on the slot. */
  isInUse(slot: string): boolean {
    return (this.#onSlots.get(slot)?.size ?? 0) > 0;
  }

  processGone(process: Process, freeAt: number): void {
    for (const [slot, there] of this.#onSlots)
      if (there.has(process)) this.#memory.set(slot, { replica: process.replica, freeAt });
    this.#strays.delete(process);
    for (const there of this.#onSlots.values()) there.delete(process);
  }

  /** L31: a second after its lease's end, of its shim's running time, the worker is gone or idle. */
  #mustEnd(shim: Shim, { call, leaseMs }: GrantAnswer, worker: Process): void {
    const since = this.#time.now;
    const check = (): void => {
      const paused = shim.life.resumesAt > since;
      if (paused && this.#time.now < shim.life.resumesAt + goneWithinMs) return later(goneWithinMs);
      this.look("L31");
      const isOpen = shim.app.isUsing(call);
      if (isOpen && worker.seen === null)
        this.fail("L31", `${call}'s worker lives ${leaseMs + goneWithinMs} ms after its start`);
    };
    const later = (ms: number): void => void shim.machine.clock.timers(shim.life).after(ms, check);
    later(leaseMs + goneWithinMs);
  }

  /* ── in the end ─────────────────────────────────────────────────────── */

  /** What still waits for somebody: open holds, and slots that are neither free nor warm. */
  unfinished(): string[] {
    const state = this.#state;
    if (!state) return ["the server is not up"];
    const calls = [...state.calls.values()].flatMap(({ stage, terms }) =>
      stage === "queued" || stage === "granted" || stage === "attached" ? [`${terms.call} is ${stage}`] : [],
    );
    const slots = [...state.slots].flatMap(([id, { stage }]) => {
      if (stage === "free") return [];
      return stage === "warm" && this.isInUse(id) ? [] : [`${id} is ${stage}`];
    });
    return [...calls, ...slots];
  }

  finish(): void {
    this.checkAll();
    this.#keep();
  }

  #keep(): void {
    for (const [id, count] of this.audit.looked) this.looked.set(id, (this.looked.get(id) ?? 0) + count);
    this.audit.looked.clear();
  }

  #find(findings: readonly Finding[]): void {
    const [first] = findings;
    if (first) this.fail(first.invariant, first.says);
  }
}

function remember<T>(list: T[], one: T): void {
  list.push(one);
  if (list.length > askedMax) list.shift();
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
