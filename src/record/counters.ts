/**
 * Refusals that a stranger can cause without an account are counted, not recorded: by code, host, address block and minute; and so is
 * what a node says of others', by code, node and minute. An answer bears its counter's id. Bounded in memory: beyond the bound the counts of a minute and code share one counter.
 */
import { newId } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";
import type { CountedRow } from "./evidence-database.ts";

/** Counters of the current minute held apart; a scan of random hosts ends in the shared one. */
export const countersMax = 1_000;
/** A few examples of what was refused are enough to recognise it. */
export const samplesMax = 3;
const sampleMaxLength = 200;
const minuteMs = 60_000;

export type Refused = {
  /** `boundary/name`. */
  readonly code: string;
  /** What was asked for, without its query: `GET /robots.txt`; or what a node said. */
  readonly sample?: string;
} & (Stranger | { readonly node: string });

interface Stranger {
  /** As the visitor sent it; "" where there was none. */
  readonly host: string;
  /** The visitor's address; only its block is kept. */
  readonly address: string;
}

export class Counters {
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  #minute = 0;
  #rows = new Map<string, CountedRow>();
  #dirty = new Set<string>();
  #done: CountedRow[] = [];

  constructor(clock: Clock, random: RandomBytes) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Counts one refusal and gives the id of its counter, `n_…`. */
  count({ code, sample, ...by }: Refused): string {
    this.#turnMinute();
    const wanted =
      "node" in by
        ? { host: "", block: `node ${by.node}` }
        : { host: by.host.slice(0, sampleMaxLength).toLowerCase(), block: addressBlock(by.address) };
    let key = `${code} ${wanted.host} ${wanted.block}`;
    let at = wanted;
    if (!this.#rows.has(key) && this.#rows.size >= countersMax) {
      key = `${code} *`;
      at = { host: "*", block: "*" };
    }
    const found = this.#rows.get(key) ?? {
      id: newId("n", this.#random),
      code,
      ...at,
      minute: this.#minute,
      count: 0,
      samples: [],
    };
    this.#rows.set(key, { ...found, count: found.count + 1, samples: withSample(found.samples, sample) });
    this.#dirty.add(key);
    return found.id;
  }

  /** The counters that changed since the last call, each with its whole count. */
  take(): readonly CountedRow[] {
    this.#turnMinute();
    const changed = [...this.#done, ...[...this.#dirty].flatMap((key) => this.#rows.get(key) ?? [])];
    this.#done = [];
    this.#dirty = new Set();
    return changed;
  }

  /** A counter of the current minute, as it stands; undefined for any other id. */
  find(id: string): CountedRow | undefined {
    return [...this.#rows.values(), ...this.#done].find((row) => row.id === id);
  }

  #turnMinute(): void {
    const minute = Math.floor(this.#clock.wall() / minuteMs) * minuteMs;
    if (minute === this.#minute) return;
    // Two minutes' worth at most wait for a flush: an older one that was never taken makes room.
    const left = [...this.#dirty].flatMap((key) => this.#rows.get(key) ?? []);
    this.#done = [...this.#done, ...left].slice(-2 * countersMax);
    this.#dirty = new Set();
    this.#rows = new Map();
    this.#minute = minute;
  }
}

/** The block of an address that one party usually holds: /24 of IPv4, /48 of IPv6. */
export function addressBlock(address: string): string {
  const v4 = /^(?:::ffff:)?(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.\d{1,3}$/i.exec(address);
  if (v4) return `${v4[1]}.${v4[2]}.${v4[3]}.0/24`;
  if (!/^[0-9a-f:]+(%\w+)?$/i.test(address) || !address.includes(":")) return "unknown";
  const [head = ""] = address.toLowerCase().split("%")[0]?.split("::") ?? [];
  const groups = head.split(":").filter((group) => group !== "");
  return `${[0, 1, 2].map((index) => groups[index] ?? "0").join(":")}::/48`;
}

function withSample(samples: readonly string[], sample: string | undefined): readonly string[] {
  if (sample === undefined || samples.length >= samplesMax) return samples;
  const short = sample.slice(0, sampleMaxLength);
  return samples.includes(short) ? samples : [...samples, short];
}
