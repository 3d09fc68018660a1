/** Virtual time: events in order of their instant, and the clocks of machines, which drift and whose wall time steps. */
import type { Timers } from "../src/gpu/device.ts";
import { instant } from "../src/stdx/time.ts";
import type { Clock } from "../src/stdx/time.ts";

/** Something that dies with all its timers: a process, a machine. While it is paused nothing of it runs; its clocks go on. */
export class Life {
  alive = true;
  pausedUntil = 0;
  readonly #of: Life | undefined;

  /** One that is part of another dies and pauses with it. */
  constructor(of?: Life) {
    this.#of = of;
  }

  get isAlive(): boolean {
    return this.alive && this.#of?.isAlive !== false;
  }

  get resumesAt(): number {
    return Math.max(this.pausedUntil, this.#of?.resumesAt ?? 0);
  }
}

interface Entry {
  at: number;
  seq: number;
  readonly life: Life;
  readonly run: () => void;
  off: boolean;
}

/** Milliseconds since the run's start; whole or not. */
export class VirtualTime {
  now = 0;
  #seq = 0;
  readonly #heap: Entry[] = [];

  after(ms: number, life: Life, run: () => void): () => void {
    const entry: Entry = { at: this.now + Math.max(0, ms), seq: this.#seq++, life, run, off: false };
    this.#push(entry);
    return () => (entry.off = true);
  }

  /** Runs the next event of somebody who lives; false where there is none until `end`. */
  step(end: number): boolean {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.at > end) return false;
      this.#pop();
      if (next.off || !next.life.isAlive) continue;
      const resumesAt = next.life.resumesAt;
      if (resumesAt > next.at) {
        next.at = resumesAt;
        this.#push(next);
        continue;
      }
      this.now = next.at;
      next.run();
      return true;
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(heap[parent] as Entry, entry)) break;
      heap[at] = heap[parent] as Entry;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry, heap[child] as Entry)) child++;
      if (isBefore(last, heap[child] as Entry)) break;
      heap[at] = heap[child] as Entry;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.seq < b.seq);
}

/** A machine's clocks: its monotonic one runs at `rate`, its wall time is off by `offsetMs` and steps when that is changed. */
export class MachineClock implements Clock {
  offsetMs: number;
  readonly #time: VirtualTime;
  readonly #rate: number;
  readonly #base: number;

  constructor(time: VirtualTime, { rate, offsetMs, base }: { rate: number; offsetMs: number; base: number }) {
    this.#time = time;
    this.#rate = rate;
    this.#base = base;
    this.offsetMs = offsetMs;
  }

  wall() {
    return instant(epochMs + this.#time.now * this.#rate + this.offsetMs);
  }

  monotonic(): number {
    return Math.floor(this.#base + this.#time.now * this.#rate);
  }

  /** Timers of a process on this machine. */
  timers(life: Life): Timers {
    const after = (ms: number, ring: () => void): (() => void) => this.#time.after(ms / this.#rate, life, ring);
    const every = (ms: number, ring: () => void): (() => void) => {
      let stopNext = (): void => {};
      const next = (): void => {
        stopNext = after(ms, () => {
          next();
          ring();
        });
      };
      next();
      return () => stopNext();
    };
    return { after, every };
  }
}

/** Where virtual time begins on a clock that is right. */
export const epochMs = Date.UTC(2026, 10, 22, 12);
