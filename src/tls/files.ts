/** The operator's own certificates, in files: read again when they change, and kept as they were where what is there now is unfit. */
import { readFileSync, unwatchFile, watchFile } from "node:fs";

import { PairUnfit, readPair } from "./pair.ts";
import type { Certificate } from "./pair.ts";

export interface PairFiles {
  readonly cert: string;
  readonly key: string;
}

export interface OwnFilesOptions {
  /** In the order in which they are asked. */
  readonly pairs: readonly PairFiles[];
  readonly now: () => number;
  /** A pair that replaced the one before it. */
  readonly onReplaced: (files: PairFiles) => void;
  /** One that did not: a sentence. */
  readonly onRefused: (says: string) => void;
}

/** How often files are looked at. Tools that renew write both within a moment. */
const lookEveryMs = 2_000;

/** All that is wrong with the files at the start, a sentence each. */
export class CertificateFilesUnfit extends Error {
  override readonly name = "CertificateFilesUnfit";
}

export class OwnFiles implements Disposable {
  readonly #options: OwnFilesOptions;
  readonly #current: Certificate[] = [];
  readonly #reload = (): void => this.reload();

  /** Throws {@link CertificateFilesUnfit}. */
  constructor(options: OwnFilesOptions) {
    this.#options = options;
    const problems: string[] = [];
    for (const files of options.pairs) {
      const read = tryRead(files, options.now());
      if (typeof read === "string") problems.push(read);
      else this.#current.push(read);
    }
    if (problems.length > 0) throw new CertificateFilesUnfit(problems.join("; "));
    for (const file of this.#files()) watchFile(file, { interval: lookEveryMs, persistent: false }, this.#reload);
  }

  get all(): readonly Certificate[] {
    return this.#current;
  }

  /** The first that is for this name or address. */
  find(name: string): Certificate | undefined {
    return this.#current.find((pair) => pair.covers(name));
  }

  reload(): void {
    this.#options.pairs.forEach((files, i) => {
      const read = tryRead(files, this.#options.now());
      const before = this.#current[i] as Certificate;
      if (typeof read === "string") return this.#options.onRefused(`${read}; the one before it is still in use`);
      if (read.cert === before.cert && read.key === before.key) return;
      this.#current[i] = read;
      this.#options.onReplaced(files);
    });
  }

  [Symbol.dispose](): void {
    for (const file of this.#files()) unwatchFile(file, this.#reload);
  }

  #files(): string[] {
    return this.#options.pairs.flatMap(({ cert, key }) => [cert, key]);
  }
}

function tryRead({ cert, key }: PairFiles, now: number): Certificate | string {
  try {
    return readPair({ cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") }, now);
  } catch (error) {
    const says = error instanceof PairUnfit ? error.message : `it cannot be read (${(error as Error).message})`;
    return `the certificate ${cert} with the key ${key} cannot be used: ${says}`;
  }
}
