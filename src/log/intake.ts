/**
 * What a program prints, on its way into its log: accepted as fast as it comes for a while, then at a rate that the disk and the
 * neighbours do not feel. What is more than that is left out in the middle, counted and told in one line; the newest always stays.
 */
import type { Clock } from "../stdx/time.ts";
import { LineSplitter } from "./lines.ts";
import { noMask, type Mask } from "./mask.ts";
import { countNewlines } from "./newlines.ts";

export interface IntakeLimits {
  /** Bytes of the disk that are taken at once after a quiet time. */
  readonly burstBytes: number;
  readonly bytesPerSecond: number;
  /** Of each stream's newest output, what is kept while it floods. */
  readonly newestBytes: number;
}

/** An app that starts prints a few hundred kilobytes, and at half a megabyte a second its whole log is filled in half a minute. */
export const runLimits: IntakeLimits = { burstBytes: 4 << 20, bytesPerSecond: 512 << 10, newestBytes: 32 << 10 };
/** A large install with a verbose compiler prints a few megabytes. */
export const buildLimits: IntakeLimits = { burstBytes: 16 << 20, bytesPerSecond: 256 << 10, newestBytes: 64 << 10 };

/** How often {@link Intake.tick} is wanted: what has no newline, and the newest of a flood, is seen after at most two of these. */
export const tickMs = 1_000;

/** What a stored line has beside its text: its number, time, source and stream. Many short lines cost the disk more than their bytes. */
const lineBytes = 90;

export type OutputStream = "out" | "err";

export interface IntakePorts {
  readonly clock: Pick<Clock, "monotonic">;
  readonly limits: IntakeLimits;
  readonly mask?: Mask;
  lines(stream: OutputStream, texts: readonly string[]): void;
  note(text: string): void;
}

export class Intake {
  readonly #ports: IntakePorts;
  readonly #streams: Readonly<Record<OutputStream, Inflow>>;
  #tokens: number;
  #refilledAt: number;

  constructor(ports: IntakePorts) {
    const mask = ports.mask ?? noMask;
    this.#ports = ports;
    this.#streams = { out: new Inflow(mask, ports.limits), err: new Inflow(mask, ports.limits) };
    this.#tokens = ports.limits.burstBytes;
    this.#refilledAt = ports.clock.monotonic();
  }

  push(stream: OutputStream, bytes: Uint8Array): void {
    const inflow = this.#streams[stream];
    if (inflow.floods) return inflow.newest.keep(bytes);
    this.#refill();
    if (this.#tokens < bytes.length) {
      this.#give(stream, inflow.cut());
      return inflow.newest.keep(bytes);
    }
    this.#take(stream, bytes);
  }

  /** Something waits for {@link tick}: without more output no other call would write it. */
  get waits(): boolean {
    return Object.values(this.#streams).some(({ floods, waited, splitter }) => floods || waited || splitter.open);
  }

  /** Writes lines that have no newline yet, and the newest of a flood as far as the rate allows. */
  tick(): void {
    this.#refill();
    for (const stream of ["out", "err"] as const) {
      const inflow = this.#streams[stream];
      if (inflow.floods && this.#tokens >= inflow.newest.length) this.#settle(stream);
      else if (inflow.waited) this.#give(stream, inflow.splitter.flush());
      inflow.waited = inflow.splitter.open;
    }
  }

  /** The stream's end: all that it had last is written, whatever the rate. */
  end(stream: OutputStream): void {
    this.#settle(stream);
    this.#give(stream, this.#streams[stream].splitter.end());
  }

  /** Ends a stream's flood: what was left out is told, then comes the newest. */
  #settle(stream: OutputStream): void {
    const inflow = this.#streams[stream];
    if (!inflow.floods) return;
    const { bytes, left } = inflow.newest.take();
    inflow.floods = false;
    if (left.bytes > 0) this.#ports.note(leftOut(left, this.#ports.limits));
    this.#take(stream, bytes);
  }

  /** What that costs beyond what there is, is paid off before anything else is taken. */
  #take(stream: OutputStream, bytes: Uint8Array): void {
    const texts = this.#streams[stream].splitter.push(bytes);
    this.#tokens -= bytes.length + texts.length * lineBytes;
    this.#give(stream, texts);
  }

  #give(stream: OutputStream, texts: readonly string[]): void {
    if (texts.length > 0) this.#ports.lines(stream, texts);
  }

  #refill(): void {
    const { burstBytes, bytesPerSecond } = this.#ports.limits;
    const now = this.#ports.clock.monotonic();
    this.#tokens = Math.min(burstBytes, this.#tokens + ((now - this.#refilledAt) * bytesPerSecond) / 1_000);
    this.#refilledAt = now;
  }
}

/** One stream: cut into lines, or kept as its newest bytes while it floods. */
class Inflow {
  readonly newest: Newest;
  splitter: LineSplitter;
  floods = false;
  /** A line was open at the last tick: it has waited for its newline long enough at the next. */
  waited = false;
  readonly #mask: Mask;

  constructor(mask: Mask, { newestBytes }: IntakeLimits) {
    this.#mask = mask;
    this.splitter = new LineSplitter(mask);
    this.newest = new Newest(newestBytes, mask.longest);
  }

  /** Begins a flood; gives what the line that it cuts off had so far. */
  cut(): readonly string[] {
    const lines = this.splitter.flush();
    this.splitter = new LineSplitter(this.#mask);
    this.floods = true;
    return lines;
  }
}

interface LeftOut {
  readonly bytes: number;
  readonly lines: number;
}

const newline = 10;

/** The newest bytes of a stream, with a count of what had to go for them. */
class Newest {
  readonly #size: number;
  readonly #skipped: number;
  #buffer: Buffer | undefined;
  #length = 0;
  #leftBytes = 0;
  #leftLines = 0;

  /** `skipped`: so much is not shown of a middle whose line's beginning is not known, since a secret may have begun there. */
  constructor(size: number, skipped: number) {
    this.#size = size;
    this.#skipped = skipped;
  }

  get length(): number {
    return this.#length;
  }

  keep(bytes: Uint8Array): void {
    const buffer = (this.#buffer ??= Buffer.allocUnsafeSlow(this.#size));
    const excess = this.#length + bytes.length - this.#size;
    const fromOurs = Math.min(this.#length, Math.max(0, excess));
    const fromTheirs = Math.max(0, excess - fromOurs);
    this.#leave(buffer.subarray(0, fromOurs));
    this.#leave(bytes.subarray(0, fromTheirs));
    buffer.copyWithin(0, fromOurs, this.#length);
    this.#length -= fromOurs;
    buffer.set(bytes.subarray(fromTheirs), this.#length);
    this.#length += bytes.length - fromTheirs;
  }

  /** What is kept, from a line's beginning on where anything was left out before it; empty afterwards. */
  take(): { readonly bytes: Buffer; readonly left: LeftOut } {
    const all = Buffer.from(this.#buffer?.subarray(0, this.#length) ?? []);
    const begins = all.indexOf(newline) + 1 || Math.min(all.length, this.#skipped);
    const from = this.#leftBytes > 0 ? begins : 0;
    this.#leave(all.subarray(0, from));
    const left = { bytes: this.#leftBytes, lines: this.#leftLines };
    this.#buffer = undefined;
    this.#length = 0;
    this.#leftBytes = 0;
    this.#leftLines = 0;
    return { bytes: all.subarray(from), left };
  }

  #leave(bytes: Uint8Array): void {
    this.#leftBytes += bytes.length;
    this.#leftLines += countNewlines(bytes);
  }
}

function leftOut({ bytes, lines }: LeftOut, { bytesPerSecond }: IntakeLimits): string {
  const count = (n: number): string => n.toLocaleString("en");
  return (
    `${count(lines)} ${lines === 1 ? "line" : "lines"} (${count(bytes)} bytes) are left out here: ` +
    `a log takes ${count(bytesPerSecond >> 10)} KiB a second, and what was printed last`
  );
}
