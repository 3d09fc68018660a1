/** What the core's tests share: a ledger that decides, records and applies as a host does, and builders with defaults. */
import assert from "node:assert/strict";
import { after, durationMs, instant, seconds } from "../stdx/time.ts";
import type { DurationMs, Instant } from "../stdx/time.ts";
import { decide } from "./decide.ts";
import { apply } from "./evolve.ts";
import { newAudit, take } from "./audit.ts";
import { checkInvariants, checkRecord } from "./invariants.ts";
import type { Audit } from "./audit.ts";
import type {
  Call,
  CallTerms,
  Command,
  CommandRefusal,
  DeviceSpec,
  EndCause,
  Event,
  GrantedCall,
  Lease,
  PoolSettings,
  Slot,
} from "./model.ts";
import type { LedgerRecord } from "./record.ts";
import { emptyState } from "./state.ts";
import type { State } from "./state.ts";

export const noon = instant(Date.UTC(2026, 10, 22, 12));

export function card(index = 0, slots = 2): DeviceSpec {
  return { index, uuid: `GPU-${index}`, name: "simulated", slots, simulated: true };
}

export function terms(call: string, changes: Partial<CallTerms> = {}): CallTerms {
  return {
    call,
    account: "alice",
    tier: "free",
    billedBy: "token",
    request: null,
    space: "alice/demo",
    release: "rel_1",
    replica: "p_1",
    node: "n1",
    pool: "main",
    task: "1",
    endpoint: "/run",
    declaredMs: seconds(10),
    size: "large",
    ...changes,
  };
}

type EndChanges = Partial<Omit<Extract<Command, { type: "end" }>, "type" | "call">>;

export class Ledger {
  state: State = emptyState();
  readonly records: LedgerRecord[] = [];
  readonly audit: Audit = newAudit();
  now: Instant = noon;

  /** Decides now, records and applies; gives the events, or why not. */
  ask(command: Command): readonly Event[] | CommandRefusal {
    const decision = decide(this.state, command, this.now);
    if (!decision.ok) return decision.why;
    if (decision.events.length > 0) {
      const record = { index: this.state.index + 1, at: this.now, events: decision.events };
      apply(this.state, record);
      take(this.audit, record);
      assert.deepEqual(checkRecord(this.state, this.audit, record), []);
      this.records.push(record);
    }
    return decision.events;
  }

  /** The same, where a refusal would be the test's own mistake. */
  do(command: Command): readonly Event[] {
    const events = this.ask(command);
    if (typeof events === "string") assert.fail(`${command.type} was refused: ${events}`);
    return events;
  }

  schedule(call: string, changes: Partial<CallTerms> = {}): Call {
    this.do({ type: "schedule", terms: terms(call, changes) });
    return this.call(call);
  }
  attach(call: string, fence = this.lease(call).fence): readonly Event[] {
    return this.do({ type: "attach", call, fence, pid: 100 });
  }
  end(call: string, usedMs: number, changes: EndChanges = {}): readonly Event[] {
    const { fence } = this.lease(call);
    return this.do({
      type: "end",
      call,
      fence,
      cause: "returned",
      usedMs: durationMs(usedMs),
      workerAlive: false,
      ...changes,
    });
  }
  /** A whole call: scheduled, attached, run for so long, ended. */
  run(call: string, usedMs: number, changes: Partial<CallTerms> = {}, cause: EndCause = "returned"): Call {
    this.schedule(call, changes);
    this.attach(call);
    this.wait(usedMs);
    this.end(call, usedMs, { cause });
    return this.call(call);
  }
  tick(): readonly Event[] {
    return this.do({ type: "tick" });
  }
  wait(ms: number): void {
    this.now = after(this.now, ms as DurationMs);
  }

  call(id: string): Call {
    const call = this.state.calls.get(id);
    assert.ok(call, `${id} is known`);
    return call;
  }
  lease(id: string): Lease {
    return (this.call(id) as GrantedCall).lease;
  }
  slot(n: number, device = 0): Slot {
    return this.state.slots.get(`n1/${device}/${n}`) as Slot;
  }
  /** The audit's and the state's findings; a test asks for none. */
  check(): void {
    assert.deepEqual(checkInvariants(this.state, this.audit), []);
  }
}

/** A ledger with one node: by default one card of two slots, both free. */
export function ledger(devices: readonly DeviceSpec[] = [card()], settings: Partial<PoolSettings> = {}): Ledger {
  const made = new Ledger();
  made.do({ type: "start-writer", epoch: 1 });
  made.do({ type: "set-pool", pool: "main", settings });
  made.do(hello(devices));
  return made;
}

export function hello(
  devices: readonly DeviceSpec[] = [card()],
  replicas: readonly string[] = ["p_1", "p_2"],
): Command {
  return { type: "join-node", node: "n1", pool: "main", devices, replicas };
}

export const types = (events: readonly Event[]): string[] => events.map((event) => event.type);

export function eventOf<Type extends Event["type"]>(
  events: readonly Event[],
  type: Type,
): Extract<Event, { type: Type }> {
  const event = events.find((each) => each.type === type);
  assert.ok(event, `${type} among ${types(events).join(", ")}`);
  return event as Extract<Event, { type: Type }>;
}
