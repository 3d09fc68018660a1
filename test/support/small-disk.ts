/** A disk of its own for a test, which can be full, and can fail so that the kernel makes it read-only: ext4 in a file. */
import { execFileSync } from "node:child_process";
import { closeSync, copyFileSync, mkdirSync, mkdtempSync, openSync, rmSync, truncateSync } from "node:fs";
import { writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

export class SmallDisk implements Disposable {
  /** Where it is mounted. */
  readonly path: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "wb-d-"));
  #repairs = 0;

  constructor(bytes: number) {
    writeFileSync(this.#image, "");
    truncateSync(this.#image, bytes);
    // Nothing of it is kept for root.
    execFileSync("mkfs.ext4", ["-q", "-m", "0", this.#image]);
    this.path = join(this.#folder, "m");
    mkdirSync(this.path);
    this.#mount();
  }

  /** Takes all that is free. */
  fill(): void {
    const fd = openSync(this.#filler, "a");
    try {
      for (const bytes of [1 << 20, 4_096]) fillWith(fd, Buffer.alloc(bytes));
    } finally {
      closeSync(fd);
    }
  }

  free(): void {
    rmSync(this.#filler);
  }

  /** The kernel finds an error on it, and lets nobody write any more. */
  break(): void {
    const device = execFileSync("findmnt", ["-no", "SOURCE", this.path], { encoding: "utf8" }).trim();
    writeFileSync(`/sys/fs/ext4/${basename(device)}/trigger_fs_error`, "by a test");
  }

  /** Checked and mounted again, as an operator would; nobody may have it open. */
  repair(): void {
    execFileSync("umount", [this.path]);
    const broken = this.#image;
    this.#repairs += 1;
    // A sandbox that began meanwhile has the mount in its namespace: there the disk lives on, as broken as it was.
    copyFileSync(broken, this.#image);
    rmSync(broken);
    // 1: errors were corrected.
    execFileSync("sh", ["-c", 'e2fsck -p "$1" || [ $? = 1 ]', "sh", this.#image]);
    this.#mount();
  }

  [Symbol.dispose](): void {
    execFileSync("umount", ["--lazy", this.path]);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #mount(): void {
    execFileSync("mount", ["-o", "loop,errors=remount-ro", this.#image, this.path]);
  }

  get #image(): string {
    return join(this.#folder, `image${this.#repairs}`);
  }

  get #filler(): string {
    return join(this.path, "filler");
  }
}

function fillWith(fd: number, block: Buffer): void {
  try {
    for (;;) writeSync(fd, block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
}
