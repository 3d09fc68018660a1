/** What is written down of one outbound connection: one packed record when it was carried, entries when it was not. */
import type { Emitter, Facts, Hop } from "../evidence/entry.ts";
import type { Code } from "../evidence/codes.ts";
import type { Clock } from "../stdx/time.ts";
import { proxyErrorOfConnection } from "./proxy-error.ts";

/** Why a connection was not carried. `refused`: we decided so; `failed`: the world did not cooperate. */
export interface Refused {
  readonly code: Code;
  readonly hop: Hop;
  readonly mark: "refused" | "failed";
  /** A sentence without its full stop, for the app's owner. */
  readonly says: string;
  readonly facts?: Facts;
}

interface Passed {
  readonly hop: Hop;
  readonly ms: number;
  readonly facts: Facts;
}

export class ConnectionRecord {
  readonly id: string;
  readonly #emitter: Emitter;
  readonly #clock: Clock;
  readonly #about: Facts;
  readonly #startedAt: number;
  readonly #since: number;
  readonly #passed: Passed[] = [];

  constructor(id: string, about: Facts, emitter: Emitter, clock: Clock) {
    this.id = id;
    this.#about = about;
    this.#emitter = emitter;
    this.#clock = clock;
    this.#startedAt = clock.wall();
    this.#since = clock.monotonic();
  }

  /** A hop that went well. */
  pass(hop: Hop, facts: Facts = {}): void {
    this.#passed.push({ hop, ms: this.#ms(), facts });
  }

  /** It was carried to its end. */
  carried(facts: Facts): void {
    this.pass("egress.stream", facts);
    const stages = [["egress.open", 0] as const, ...this.#passed.map(({ hop, ms }) => [hop, ms] as const)];
    const all = Object.assign({}, this.#about, ...this.#passed.map((one) => one.facts)) as Facts;
    this.#emitter.pack({ work: this.id, kind: "connection", startedAt: this.#startedAt, stages, facts: all });
  }

  /** It was not; all of it is in the spool when this returns. */
  ended(refused: Refused, more: Facts): void {
    this.#write("egress.open", "took", this.#about);
    for (const { hop, ms, facts } of this.#passed) this.#write(hop, "done", { ms, ...facts });
    this.endedLikeOthers(refused, more);
  }

  /** Only its end, for one of many alike whose way here is told elsewhere. */
  endedLikeOthers({ hop, mark, code, says, facts }: Refused, more: Facts): void {
    this.#write(hop, mark, {
      ...{ ...this.#about, ms: this.#ms(), ...facts, ...more, code, says },
      proxyError: proxyErrorOfConnection(code, facts?.["errno"]),
    });
  }

  #write(hop: Hop, mark: "took" | "done" | "refused" | "failed", facts: Facts): void {
    this.#emitter.write({ work: this.id, hop, mark, facts });
  }

  #ms(): number {
    return this.#clock.monotonic() - this.#since;
  }
}
