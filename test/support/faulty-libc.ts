/** A disk that fails to sync and a wall clock that is set, for one program, by a library that is loaded before the system's own. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const source = join(import.meta.dirname, "faulty-libc.c");
/** As `struct faults` in the source: the clock's offset, the count, the name. */
const page = { bytes: 80, failedAt: 8, nameAt: 12, nameBytes: 64 } as const;

export class FaultyLibc implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "wb-libc-"));
  readonly #fd: number;

  /** Compiles it: a tenth of a second. */
  constructor() {
    execFileSync("cc", ["-O1", "-Wall", "-shared", "-fPIC", "-o", this.#library, source, "-ldl"]);
    writeFileSync(this.#page, Buffer.alloc(page.bytes));
    this.#fd = openSync(this.#page, "r+");
  }

  /** For the program that shall have these faults. */
  get env(): Readonly<Record<string, string>> {
    return { LD_PRELOAD: this.#library, WAYBILL_TEST_FAULTS: this.#page };
  }

  /** From now on each sync of a file whose name ends so fails; none where it is empty. The count begins anew. */
  failSyncsOf(name: string): void {
    writeSync(this.#fd, Buffer.alloc(4), 0, 4, page.failedAt);
    writeSync(this.#fd, Buffer.from(name.padEnd(page.nameBytes, "\0")), 0, page.nameBytes, page.nameAt);
  }

  /** Syncs that have failed. */
  get failed(): number {
    const count = Buffer.alloc(4);
    readSync(this.#fd, count, 0, 4, page.failedAt);
    return count.readUInt32LE();
  }

  /** The wall clock is wrong by so much from now on; the monotonic one goes on. */
  setWall(offByMs: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(offByMs));
    writeSync(this.#fd, bytes, 0, 8, 0);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #library(): string {
    return join(this.#folder, "faulty.so");
  }

  get #page(): string {
    return join(this.#folder, "faults");
  }
}
