/**
 * Xid messages: what the driver writes into the kernel's log when a card fails (NVIDIA, "Xid Errors"). They are there for who may
 * read `/dev/kmsg`, which is root on most machines; elsewhere only what `nvidia-smi` says is known.
 */
import { closeSync, constants, openSync, readSync } from "node:fs";
import { busOf } from "./nvidia-smi.ts";

export interface Xid {
  /** As `busOf` writes it. */
  readonly bus: string;
  readonly number: number;
  readonly says: string;
}

/**
 * Errors of the card itself, after which it has to be reset or looked at: uncorrected memory (48, 95, 140), a remap that failed (64),
 * its controllers (62, 119, 120), gone from the bus (79), not coming up (143), and the driver's own word that it has to be recovered
 * (154). The others are what a program's own error looks like (13, 31, 43, 45), or pass by themselves.
 */
const ofTheCard: ReadonlySet<number> = new Set([48, 62, 64, 79, 95, 119, 120, 140, 143, 154]);
const message = /NVRM: Xid \(PCI:([0-9a-f]+:[0-9a-f]+:[0-9a-f]+)[^)]*\): (\d+),? ?(.*)/i;
const saysMaxLength = 200;
/** One record of /dev/kmsg is no longer (Linux, dev-kmsg). */
const recordMaxBytes = 8_192;
/** At one look; what is beyond is read at the next. The kernel's ring holds some ten thousand records. */
const readsMax = 20_000;
/** Nothing more now; and a record that was overwritten before it was read, after which reading goes on. */
const [nothingNow, overwritten] = ["EAGAIN", "EPIPE"];

/** A fault of a card in a line of the kernel's log; undefined where it tells of none. */
export function xidIn(line: string): Xid | undefined {
  const [, place = "", number = "", rest = ""] = message.exec(line) ?? [];
  const bus = busOf(`${place}.0`);
  if (bus === undefined || !ofTheCard.has(Number(number)) || isRecovered(Number(number), rest)) return undefined;
  return { bus, number: Number(number), says: `Xid ${number}: ${rest.trim()}`.slice(0, saysMaxLength) };
}

/** Reads the kernel's log from its end on; null where it cannot be read. */
export class KernelLog implements Disposable {
  readonly #fd: number;
  #rest = "";

  static open(path: string): KernelLog | null {
    try {
      return new KernelLog(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
    } catch {
      return null; // Not there, or not for us: then the cards' own state is all there is.
    }
  }

  private constructor(fd: number) {
    this.#fd = fd;
    // What was said before this began shows in the card's state, or is over.
    try {
      this.news();
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** Faults that were told since the last time. */
  news(): readonly Xid[] {
    const found: Xid[] = [];
    const buffer = Buffer.alloc(recordMaxBytes);
    for (let reads = 0; reads < readsMax; reads++) {
      const count = this.#read(buffer);
      if (count === 0) break;
      const lines = (this.#rest + buffer.toString("utf8", 0, Math.max(0, count))).split("\n");
      this.#rest = (lines.pop() ?? "").slice(-recordMaxBytes);
      found.push(...lines.flatMap((line) => xidIn(line) ?? []));
    }
    return found;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  /** Bytes; 0 where there is nothing more now, -1 where something was lost. */
  #read(buffer: Buffer): number {
    try {
      return readSync(this.#fd, buffer);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === overwritten) return -1;
      if (code === nothingNow) return 0;
      throw error;
    }
  }
}

/** Xid 154 tells each change of what the card needs, back to nothing too. */
function isRecovered(number: number, rest: string): boolean {
  return number === 154 && /to 0x0\b/.test(rest);
}
