/**
 * Small blobs of repositories by processes of git that stay for a while: a client that fetches a repository file by file would else start
 * one for each. One process a repository, some at once; each ends by itself when nobody asks it any more.
 */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { cleanEnv, GitFailure, type GitProgram } from "./git.ts";

/** Some 5 MB each. */
const processesMax = 8;
const idleMs = 5_000;
const headerMaxBytes = 200;

export class BlobBatches {
  readonly #git: GitProgram;
  /** By repository, the last used last. */
  readonly #running = new Map<string, BlobBatch>();

  constructor(git: GitProgram) {
    this.#git = git;
  }

  /** The blob's bytes; undefined where the repository has none of that id. Rejects with `GitFailure` where git ended meanwhile. */
  read(repository: string, oid: string): Promise<Buffer | undefined> {
    if (!/^[0-9a-f]{40}$/.test(oid)) throw new RangeError(`no blob's id: ${oid}`);
    const batch = this.#running.get(repository) ?? new BlobBatch(this.#git, repository, (ending) => this.#ends(ending));
    this.#running.delete(repository);
    this.#running.set(repository, batch);
    for (const oldest of this.#running.values()) {
      if (this.#running.size <= processesMax) break;
      oldest.end();
    }
    return batch.read(oid);
  }

  /** Another repository may be in its place from now on. */
  forget(repository: string): void {
    this.#running.get(repository)?.end();
  }

  #ends(batch: BlobBatch): void {
    if (this.#running.get(batch.repository) === batch) this.#running.delete(batch.repository);
  }
}

/** A process, or a pipe to one. */
interface Held {
  ref(): void;
  unref(): void;
}

class BlobBatch {
  readonly repository: string;
  readonly #child: ChildProcessWithoutNullStreams;
  /** In the order in which git was asked. */
  readonly #waiting: PromiseWithResolvers<Buffer | undefined>[] = [];
  readonly #idle: NodeJS.Timeout;
  readonly #onEnds: (batch: BlobBatch) => void;
  #held: Buffer = Buffer.alloc(0);

  /** `onEnds`: nothing is to be asked of it from here on. */
  constructor(git: GitProgram, repository: string, onEnds: (batch: BlobBatch) => void) {
    this.repository = repository;
    this.#onEnds = onEnds;
    this.#child = spawn(git.program, [`--git-dir=${repository}`, "cat-file", "--batch"], {
      env: cleanEnv(git),
      cwd: "/",
    });
    this.#idle = setTimeout(() => this.end(), idleMs).unref();
    const { stdin, stdout, stderr } = this.#child;
    // Its end says it to all who wait.
    stdin.on("error", () => undefined);
    stderr.resume();
    stdout.on("data", (piece: Buffer) => this.#take(piece));
    let failure: Error | undefined;
    this.#child.once("error", (error) => (failure = error));
    this.#child.once("close", (code) => {
      clearTimeout(this.#idle);
      onEnds(this);
      const why = new GitFailure("git-failed", `git cat-file ended with ${code}`, failure && { cause: failure });
      for (const waiting of this.#waiting.splice(0)) waiting.reject(why);
    });
  }

  read(oid: string): Promise<Buffer | undefined> {
    const done = Promise.withResolvers<Buffer | undefined>();
    this.#waiting.push(done);
    this.#idle.refresh();
    this.#hold(true);
    this.#child.stdin.write(`${oid}\n`);
    return done.promise;
  }

  /** After those who have asked by now. */
  end(): void {
    this.#onEnds(this);
    this.#child.stdin.end();
  }

  /** Our own process does not stay for one that is asked nothing; git ends when its input does. */
  #hold(wanted: boolean): void {
    const { stdin, stdout, stderr } = this.#child;
    for (const handle of [this.#child, stdin, stdout, stderr] as unknown as readonly Held[])
      if (wanted) handle.ref();
      else handle.unref();
  }

  /** `<oid> <type> <size>\n<bytes>\n`, or `<oid> missing\n`. */
  #take(piece: Buffer): void {
    this.#held = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    for (;;) {
      const end = this.#held.indexOf(10);
      if (end === -1) return void (this.#held.length > headerMaxBytes && this.#child.kill("SIGKILL"));
      const [, type, text] = this.#held.toString("latin1", 0, end).split(" ");
      const size = text === undefined ? 0 : Number(text);
      const whole = text === undefined ? end + 1 : end + 1 + size + 1;
      if (this.#held.length < whole) return;
      // Its own: what follows in the same piece is not kept alive by it.
      const bytes = type === "blob" ? Buffer.from(this.#held.subarray(end + 1, end + 1 + size)) : undefined;
      this.#held = this.#held.subarray(whole);
      this.#waiting.shift()?.resolve(bytes);
      if (this.#waiting.length === 0) this.#hold(false);
    }
  }
}
