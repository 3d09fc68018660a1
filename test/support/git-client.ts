/** The machine's own git, as a person uses it: a home of its own, and what it prints. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export interface GitEnd {
  readonly exitCode: number | null;
  /** Standard output and standard error, in the order in which they came. */
  readonly says: string;
}

/** A push with its build takes some seconds; a large one on a busy machine a minute. */
const gitWithinMs = 300_000;
/** What it prints at once: a tree of a hundred thousand files is some 10 MB. */
const saysMaxBytes = 64_000_000;

export class GitClient implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "wb-git-"));
  readonly #env: Readonly<Record<string, string>>;

  constructor() {
    mkdirSync(join(this.folder, "home"));
    this.#env = {
      PATH: process.env["PATH"] ?? "/usr/bin:/bin",
      HOME: join(this.folder, "home"),
      GIT_TERMINAL_PROMPT: "0",
      GIT_CONFIG_NOSYSTEM: "1",
      LC_ALL: "C.UTF-8",
    };
    for (const [key, value] of [
      ["user.name", "alice"],
      ["user.email", "alice@example.test"],
      ["init.defaultBranch", "main"],
      ["protocol.version", "2"],
    ] as const)
      this.#sync(this.folder, "config", "--global", key, value);
  }

  /** A working copy with these files committed; `remote` is `origin`. */
  init(name: string, remote: string, files: Readonly<Record<string, string | Uint8Array>>): Work {
    const path = join(this.folder, name);
    mkdirSync(path);
    const work = this.work(path);
    work.git("init", "--quiet");
    work.git("remote", "add", "origin", remote);
    work.commit(files);
    return work;
  }

  work(path: string): Work {
    const write = (files: Readonly<Record<string, string | Uint8Array>>): void => {
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(dirname(join(path, name)), { recursive: true });
        writeFileSync(join(path, name), content);
      }
    };
    const git = (...args: readonly string[]): string => this.#sync(path, ...args);
    return {
      path,
      git,
      write,
      commit: (files, message = "next") => {
        write(files);
        git("add", "--all");
        git("commit", "--quiet", "--message", message);
        return git("rev-parse", "HEAD").trim();
      },
      start: (args, options) => this.start(path, args, options),
      run: async (...args) => this.start(path, args).ended,
    };
  }

  clone(url: string, name: string, ...options: readonly string[]): Promise<GitEnd> {
    return this.start(this.folder, ["clone", ...options, url, name]).ended;
  }

  /** Begins a git command; `onText` hears what it prints, as it prints it. */
  start(
    cwd: string,
    args: readonly string[],
    { onText, env }: { onText?: (text: string) => void; env?: Readonly<Record<string, string>> } = {},
  ): Running {
    const child = spawn("git", args, { cwd, env: { ...this.#env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    let says = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (piece: Buffer) => {
        says += piece.toString("utf8");
        onText?.(says);
      });
    const late = setTimeout(() => child.kill("SIGKILL"), gitWithinMs);
    const ended = new Promise<GitEnd>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (exitCode) => {
        clearTimeout(late);
        resolve({ exitCode, says });
      });
    });
    return { child, ended };
  }

  #sync(cwd: string, ...args: readonly string[]): string {
    const options = { cwd, env: this.#env, encoding: "utf8", maxBuffer: saysMaxBytes } as const;
    const { status, stdout, stderr, error } = spawnSync("git", args, options);
    if (status !== 0) throw new Error(`git ${args.join(" ")} ended with ${status}: ${stderr}`, { cause: error });
    return stdout;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<GitEnd>;
}

export interface Work {
  readonly path: string;
  /** Runs git to its end; throws where it fails. */
  git(...args: readonly string[]): string;
  write(files: Readonly<Record<string, string | Uint8Array>>): void;
  /** Adds all and commits; gives the commit. */
  commit(files: Readonly<Record<string, string | Uint8Array>>, message?: string): string;
  start(args: readonly string[], options?: Parameters<GitClient["start"]>[2]): Running;
  /** Runs git and tells how it ended, also where it fails. */
  run(...args: readonly string[]): Promise<GitEnd>;
}
