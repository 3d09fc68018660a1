/** What decides who is next, as a day's calls see it; and the queues that ours is compared with. */
import type { Call } from "./trace.ts";

export interface Moved {
  /** They have a slot from now on. */
  readonly granted: readonly Call[];
  /** They have waited for so long that they are told so. */
  readonly timedOut: readonly Call[];
}

export interface Cluster {
  readonly name: string;
  arrive(call: Call, node: number): Moved;
  end(call: Call, node: number, at: number): Moved;
  /** Once a second. */
  tick(at: number): Moved;
}

/** Each node has lists, the first of which is served first; each in the order in which its calls came. */
export class Lists implements Cluster {
  readonly name: string;
  readonly #lists: readonly (readonly Queue[])[];
  readonly #free: Int32Array;
  readonly #listOf: (call: Call) => number;
  readonly #limitMs: number;

  constructor(
    name: string,
    of: {
      readonly nodes: number;
      readonly slotsPerNode: number;
      readonly limitMs: number;
      readonly lists: number;
      readonly listOf: (call: Call) => number;
    },
  ) {
    this.name = name;
    this.#lists = Array.from({ length: of.nodes }, () => Array.from({ length: of.lists }, () => new Queue()));
    this.#free = new Int32Array(of.nodes).fill(of.slotsPerNode);
    this.#listOf = of.listOf;
    this.#limitMs = of.limitMs;
  }

  arrive(call: Call, node: number): Moved {
    this.#lists[node]?.[this.#listOf(call)]?.add(call);
    return { granted: this.#grant(node), timedOut: [] };
  }

  end(_: Call, node: number): Moved {
    this.#free[node] = (this.#free[node] as number) + 1;
    return { granted: this.#grant(node), timedOut: [] };
  }

  tick(at: number): Moved {
    const isLate = (call: Call): boolean => at >= call.at + this.#limitMs;
    return { granted: [], timedOut: this.#lists.flat().flatMap((list) => list.takeWhile(isLate)) };
  }

  #grant(node: number): readonly Call[] {
    const granted: Call[] = [];
    for (const list of this.#lists[node] ?? []) {
      while ((this.#free[node] as number) > 0) {
        const call = list.take();
        if (call === undefined) break;
        this.#free[node] = (this.#free[node] as number) - 1;
        granted.push(call);
      }
    }
    return granted;
  }
}

class Queue {
  #calls: Call[] = [];
  #head = 0;

  add(call: Call): void {
    this.#calls.push(call);
  }

  take(): Call | undefined {
    const call = this.#calls[this.#head];
    if (call === undefined) return undefined;
    this.#head += 1;
    if (this.#head > 1_000 && this.#head * 2 > this.#calls.length) {
      this.#calls = this.#calls.slice(this.#head);
      this.#head = 0;
    }
    return call;
  }

  takeWhile(isLate: (call: Call) => boolean): Call[] {
    const taken: Call[] = [];
    for (let call = this.#calls[this.#head]; call && isLate(call); call = this.#calls[this.#head])
      taken.push(this.take() as Call);
    return taken;
  }
}
