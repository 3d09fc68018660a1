/**
 * Runs git's own server, `git http-backend`, for one request (RFC 3875): with nothing of the machine's configuration, bounded in
 * time and memory, and with one hook, ours. The hook and we talk over an open file that only this process and its children have.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { access, chmod, constants, mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Duplex, Readable, Writable } from "node:stream";
import type { Clock } from "../stdx/time.ts";
import { isOneOf } from "./errors.ts";
import { cleanEnv, durable, type GitProgram } from "./git.ts";

/** Both in time order of a request: who may be given up, and when. */
export interface BackendLimits {
  /** Address space of one git process. Git maps packs piece by piece, so much of it is never used. */
  readonly memoryBytes: number;
  /** Nothing came and nothing went for so long: the client is gone, or git hangs. */
  readonly idleMs: number;
  /** The whole exchange. */
  readonly totalMs: number;
}

export const backendLimits: BackendLimits = { memoryBytes: 3 * 2 ** 30, idleMs: 120_000, totalMs: 3_600_000 };

export interface BackendRequest {
  /** The bare repository's folder. */
  readonly repository: string;
  /** `info/refs`, `git-upload-pack` or `git-receive-pack`. */
  readonly service: string;
  readonly method: string;
  readonly query: string;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
  readonly contentLength: string | undefined;
  /** `Git-Protocol`. */
  readonly protocol: string | undefined;
  /** Who may push; absent: nobody. */
  readonly user?: string;
  /** More of git's configuration. */
  readonly config?: Readonly<Record<string, string>>;
}

/** What a push wants, told by git when all of it has come and passed git's own checks, and before any reference is changed. */
export interface ReceivedPush {
  /** Where git finds what the push brings. */
  readonly env: Readonly<Record<string, string>>;
  readonly commands: readonly RefCommand[];
}

export interface RefCommand {
  /** 40 hexadecimal digits; all zero: it was not there. */
  readonly from: string;
  /** All zero: it is to be deleted. */
  readonly to: string;
  readonly ref: string;
}

export interface BackendHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

export class BackendFailure extends Error {
  override readonly name = "BackendFailure";
}

/** The head of an answer of git's is some 200 bytes. */
const headMaxBytes = 16 << 10;
const saysMaxBytes = 8 << 10;
/** References of one push; the hook's lines are as many. */
export const commandsMax = 1_000;
const watchEveryMs = 1_000;

/**
 * Asks over file 3 and waits for the answer: lines to show, then `ok` or anything else. An end of that file is the platform's, and
 * refuses the push.
 */
const preReceive = `#!/bin/sh
{ printf 'objects %s\\nalternates %s\\nquarantine %s\\n' "$GIT_OBJECT_DIRECTORY" "$GIT_ALTERNATE_OBJECT_DIRECTORIES" "$GIT_QUARANTINE_PATH"
  while read -r from to ref; do printf 'command %s %s %s\\n' "$from" "$to" "$ref"; done
  echo end; } >&3
while IFS= read -r line <&3; do
  case $line in
    'say '*) printf '%s\\n' "\${line#say }" >&2 ;;
    ok) exit 0 ;;
    *) exit 1 ;;
  esac
done
echo 'the platform went away: nothing of this push was taken' >&2
exit 1
`;

/** Writes our hooks into `folder`, whole or not at all. False where git would pass them over: nothing may be executed there. */
export async function writeHooks(folder: string): Promise<boolean> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const fresh = join(folder, ".pre-receive");
  await writeFile(fresh, preReceive);
  await chmod(fresh, 0o700);
  await rename(fresh, join(folder, "pre-receive"));
  // git asks the same (access(2)), and passes a hook over without a failure.
  return access(join(folder, "pre-receive"), constants.X_OK).then(
    () => true,
    (error: unknown) => {
      if (isOneOf(error, ["EACCES"])) return false;
      throw error;
    },
  );
}

export class Backend {
  readonly #child: ChildProcess;
  readonly #control: Duplex;
  readonly #watch: NodeJS.Timeout;
  readonly #push = Promise.withResolvers<ReceivedPush | undefined>();
  readonly #clock: Clock;
  #lastSign: number;
  #failure: BackendFailure | undefined;
  #says = "";
  /** Resolves when git has ended, however. */
  readonly ended: Promise<{
    readonly exitCode: number | null;
    readonly says: string;
    readonly failure: BackendFailure | undefined;
  }>;

  constructor(git: GitProgram, hooks: string, request: BackendRequest, clock: Clock, limits: BackendLimits) {
    this.#clock = clock;
    this.#lastSign = clock.monotonic();
    // Address space is limited by the shell's own word for it; where the system knows none it says so and goes on.
    const limited = 'ulimit -v "$1"; shift; exec "$@"';
    const kib = String(Math.floor(limits.memoryBytes / 1024));
    this.#child = spawn("/bin/sh", ["-c", limited, "sh", kib, git.program, "http-backend"], {
      env: backendEnv(git, hooks, request),
      stdio: ["pipe", "pipe", "pipe", "pipe"],
      cwd: "/",
      // A group of its own, so that all that it starts can be ended.
      detached: true,
    });
    this.#control = this.#child.stdio[3] as unknown as Duplex;
    this.#control.on("error", () => undefined); // The hook ended before it read our word: how git ended says the rest.
    this.#child.stdin?.on("error", () => undefined); // Likewise.
    const startedAt = this.#lastSign;
    this.#watch = setInterval(() => {
      const now = clock.monotonic();
      if (now - startedAt > limits.totalMs) this.kill(`it took longer than ${limits.totalMs / 1000} s`);
      else if (now - this.#lastSign > limits.idleMs) this.kill(`nothing came or went for ${limits.idleMs / 1000} s`);
    }, watchEveryMs);
    this.ended = this.#end();
    void this.#listen();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get stdin(): Writable {
    return this.#child.stdin as Writable;
  }

  get stdout(): Readable {
    return this.#child.stdout as Readable;
  }

  /** A byte came or went: it is alive. */
  sign(): void {
    this.#lastSign = this.#clock.monotonic();
  }

  /** What the push wants; undefined where git ended before it asked. */
  get push(): Promise<ReceivedPush | undefined> {
    return this.#push.promise;
  }

  /** Lines for the person who pushes, and whether the references may be changed. */
  answer(accept: boolean, lines: readonly string[]): void {
    const said = lines.flatMap((line) => plainText(line).split("\n")).map((line) => `say ${line}\n`);
    this.#control.write(`${said.join("")}${accept ? "ok" : "no"}\n`);
  }

  kill(why: string): void {
    this.#failure ??= new BackendFailure(`git was ended: ${why}`);
    const { pid } = this.#child;
    if (pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }

  /** Ends git for one who will not read the rest: git counts as ended when its output is over. */
  drop(why: string): void {
    this.kill(why);
    this.stdout.destroy();
  }

  /** Reads git's head and gives the rest of its answer as it comes. Throws {@link BackendFailure} where it is none. */
  async read(): Promise<{ readonly head: BackendHead; readonly body: AsyncGenerator<Buffer> }> {
    const pieces = this.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    let seen = Buffer.alloc(0);
    for (;;) {
      const end = seen.indexOf("\r\n\r\n");
      if (end !== -1) {
        const body = this.#body(seen.subarray(end + 4), pieces);
        return { head: parseHead(seen.toString("latin1", 0, end)), body };
      }
      const next = await pieces.next();
      if (next.done === true || seen.length > headMaxBytes) break;
      this.sign();
      seen = Buffer.concat([seen, next.value]);
    }
    const { exitCode, says, failure } = await this.ended;
    throw failure ?? new BackendFailure(`git gave no answer and ended with ${exitCode}: ${says.trim()}`);
  }

  async *#body(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
    if (first.length > 0) yield first;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
      this.sign();
      yield next.value;
    }
  }

  async #end(): Promise<Awaited<Backend["ended"]>> {
    const child = this.#child;
    child.stderr?.on("data", (piece: Buffer) => {
      this.#says = (this.#says + piece.toString("utf8")).slice(-saysMaxBytes);
    });
    const exitCode = await new Promise<number | null>((resolve) => {
      child.once("error", (error) => {
        this.#failure ??= new BackendFailure(`git could not be started: ${error.message}`);
        resolve(null);
      });
      // Also its output is over then: what it started holds none of it open.
      child.once("close", (code) => resolve(code));
    });
    clearInterval(this.#watch);
    this.#push.resolve(undefined);
    return { exitCode, says: this.#says, failure: this.#failure };
  }

  async #listen(): Promise<void> {
    const env: Record<string, string> = {};
    const commands: RefCommand[] = [];
    for await (const line of createInterface({ input: this.#control })) {
      const [word, rest] = [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)];
      if (line === "end") break;
      if (word === "objects") env["GIT_OBJECT_DIRECTORY"] = rest;
      else if (word === "alternates") env["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = rest;
      else if (word === "quarantine") env["GIT_QUARANTINE_PATH"] = rest;
      else if (commands.length <= commandsMax) commands.push(commandOf(rest));
    }
    if (Object.keys(env).length > 0) this.#push.resolve({ env, commands });
    // To its end, or git would not count as ended.
    this.#control.resume();
  }
}

/** Names of files are shown on a terminal that is not ours. */
export function plainText(text: string): string {
  return text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, "?");
}

function commandOf(line: string): RefCommand {
  const [from = "", to = "", ...ref] = line.split(" ");
  return { from, to, ref: ref.join(" ") };
}

function parseHead(text: string): BackendHead {
  const headers: Record<string, string> = {};
  let status = 200;
  for (const line of text.split("\r\n")) {
    const colon = line.indexOf(":");
    const [name, value] = [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    if (name === "status") status = Number.parseInt(value, 10);
    else headers[name] = value;
  }
  return { status, headers };
}

function backendEnv(git: GitProgram, hooks: string, request: BackendRequest): Record<string, string> {
  const { repository, service, user } = request;
  const config = {
    ...durable,
    "core.hooksPath": hooks,
    "safe.directory": repository,
    // Memory of one process: packs are mapped in pieces; what is larger is streamed, and not compared with others for a difference.
    "core.packedGitWindowSize": "32m",
    "core.packedGitLimit": "256m",
    "core.bigFileThreshold": "2m",
    "pack.threads": "1",
    "pack.windowMemory": "128m",
    "receive.autogc": "false",
    "receive.fsckObjects": "true",
    "transfer.hideRefs": "refs/waybill",
    "uploadpack.allowFilter": "true",
    "http.receivepack": String(user !== undefined),
    ...request.config,
  };
  const optional = {
    CONTENT_TYPE: request.contentType,
    CONTENT_LENGTH: request.contentLength,
    HTTP_CONTENT_ENCODING: request.contentEncoding,
    GIT_PROTOCOL: request.protocol,
    REMOTE_USER: user,
  };
  return {
    ...cleanEnv(git),
    GIT_HTTP_EXPORT_ALL: "1",
    GATEWAY_INTERFACE: "CGI/1.1",
    REQUEST_METHOD: request.method,
    QUERY_STRING: request.query,
    PATH_TRANSLATED: join(repository, service),
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
    ...configEnv(config),
  };
}

/** git's configuration by its environment: `GIT_CONFIG_COUNT` (git-config, "ENVIRONMENT"). */
function configEnv(config: Readonly<Record<string, string>>): Record<string, string> {
  const env: Record<string, string> = { GIT_CONFIG_COUNT: String(Object.keys(config).length) };
  Object.entries(config).forEach(([key, value], at) => {
    env[`GIT_CONFIG_KEY_${at}`] = key;
    env[`GIT_CONFIG_VALUE_${at}`] = value;
  });
  return env;
}
