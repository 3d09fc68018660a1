/** The ledger's own two functions, `decide` and `apply`, in the place of a platform. */
import { assert } from "../../src/stdx/assert.ts";
import { decide } from "../../src/core/decide.ts";
import { apply } from "../../src/core/evolve.ts";
import type { Command, Event } from "../../src/core/model.ts";
import { emptyState } from "../../src/core/state.ts";
import { durationMs, instant } from "../../src/stdx/time.ts";
import type { Cluster, Moved } from "./cluster.ts";
import { longestMs, tiers } from "./trace.ts";
import type { Call, Shape } from "./trace.ts";

const pool = "main";
const space = "demo/app";
/** What authors declare: the next of these that is long enough. */
const declared = [10_000, 30_000, 60_000, 120_000, 300_000, longestMs] as const;
const slotsPerCard = 1;
/** More often than a node is given up for silence. */
const hearEveryMs = 20_000;
/** A day of a cluster begins after its start. */
const begins = 1_000;

export class Ledger implements Cluster {
  readonly name = "weighted fair share";
  readonly #state = emptyState();
  readonly #open = new Map<string, { readonly call: Call; fence: number }>();
  readonly #tierOf: Uint8Array;
  readonly #nodes: number;
  readonly #opened: Uint8Array;
  #heardAt = 0;

  constructor(shape: Shape, tierOf: Uint8Array, limitMs: number) {
    this.#tierOf = tierOf;
    this.#opened = new Uint8Array(shape.users);
    this.#nodes = shape.slots / shape.slotsPerNode;
    this.#do({ type: "start-writer", epoch: 1 }, 0);
    const settings = { queueLimitMs: durationMs(limitMs), queueMax: 1_000_000, tokenMaxCalls: 1_000_000 };
    this.#do({ type: "set-pool", pool, settings }, 0);
    // Budgets would keep most of the load away; here the queue alone decides.
    for (const { name } of tiers) this.#do({ type: "set-tier", tier: name, settings: { windowLimitMs: null } }, 0);
    for (let n = 0; n < this.#nodes; n += 1) {
      const devices = Array.from({ length: shape.slotsPerNode / slotsPerCard }, (_, index) => ({
        ...{ index, uuid: `GPU-${n}-${index}`, name: "simulated", slots: slotsPerCard, simulated: true },
      }));
      this.#do({ type: "join-node", node: `n${n}`, pool, devices, replicas: [`p_${n}`] }, 0);
    }
  }

  arrive(call: Call, node: number): Moved {
    const account = `u${call.user}`;
    const tier = tiers[this.#tierOf[call.user] as number]?.name ?? "free";
    if (this.#opened[call.user] === 0) this.#do({ type: "open-account", account, tier }, call.at);
    this.#opened[call.user] = 1;
    const declaredMs = durationMs(declared.find((ms) => ms >= call.lengthMs) ?? longestMs);
    const id = `c_${call.number}`;
    this.#open.set(id, { call, fence: 0 });
    const terms = {
      ...({ call: id, account, tier, billedBy: "token", request: null, space, release: "rel_1", task: "run" } as const),
      ...({ replica: `p_${node}`, node: `n${node}`, pool, endpoint: "/run", declaredMs, size: "large" } as const),
    };
    return this.#moved(this.#do({ type: "schedule", terms }, call.at), call.at);
  }

  end(call: Call, _: number, at: number): Moved {
    const id = `c_${call.number}`;
    const { fence } = this.#open.get(id) ?? { fence: 0 };
    this.#open.delete(id);
    const end = { cause: "returned", usedMs: durationMs(call.lengthMs), workerAlive: false } as const;
    return this.#moved(this.#do({ type: "end", call: id, fence, ...end }, at), at);
  }

  tick(at: number): Moved {
    if (at - this.#heardAt >= hearEveryMs) {
      this.#heardAt = at;
      for (let n = 0; n < this.#nodes; n += 1) this.#do({ type: "hear-node", node: `n${n}` }, at);
    }
    return this.#moved(this.#do({ type: "tick" }, at), at);
  }

  #do(command: Command, ms: number): readonly Event[] {
    const at = instant(begins + ms);
    const decision = decide(this.#state, command, at);
    assert(decision.ok, `${command.type} is not refused: ${JSON.stringify(decision)}`);
    if (decision.events.length > 0) apply(this.#state, { index: this.#state.index + 1, at, events: decision.events });
    return decision.events;
  }

  #moved(events: readonly Event[], at: number): Moved {
    const granted: Call[] = [];
    const timedOut: Call[] = [];
    for (const event of events) {
      assert(event.type !== "call-refused", "without budgets no call is refused");
      if (event.type === "call-granted") {
        const open = this.#open.get(event.call);
        assert(open, "a granted call is open");
        open.fence = event.lease.fence;
        granted.push(open.call);
        this.#do({ type: "attach", call: event.call, fence: event.lease.fence, pid: 1 }, at);
      } else if (event.type === "call-voided") {
        const open = this.#open.get(event.call);
        if (open) timedOut.push(open.call);
        this.#open.delete(event.call);
      }
    }
    return { granted, timedOut };
  }
}
