/**
 * A shim that was started in advance, so that nobody who waits for an app waits for a Node: it has loaded what it is made of, is in the
 * namespaces of any shim, and waits to be told which replica it is beside. Until then it is nobody's, and ends with its agent: it, and
 * the shells that wait beside it, hold ends of pipes whose others are the agent's. From then on it is a shim as any other.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, promises, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { readFrames, writeFrame } from "./frames.ts";
import { readText, shimOutput, volumesMountedName, volumesOf, type SandboxPlan, type StoredPlan } from "./folder.ts";
import { programNeeds, shimEnvironment, shimFlags, type ShimProgram } from "./shim-program.ts";
import {
  canStartSpare,
  foldersScript,
  hostCommand,
  runPlacing,
  spareCommand,
  usersScript,
  volumesScript,
  type Stage,
} from "./sandbox/stage.ts";
import { usersOfSpares } from "./sandbox/prepare.ts";
import { spareArgument, spareFds } from "./sandbox/spare-fds.ts";
import { areMade } from "./sandbox/volume.ts";

/** What the agent tells a spare shim. */
export type ToSpare =
  | { readonly type: "plan"; readonly folder: string; readonly secrets: Readonly<Record<string, string>> }
  /** Its file systems are mounted. */
  | { readonly type: "mounted" };
/** What it tells the agent: it can be told. */
export interface FromSpare {
  readonly type: "ready";
}

export interface SpareShims extends AsyncDisposable {
  /** The one that waits, whose place is taken by another in a while; undefined where none does. */
  take(): SpareShim | undefined;
  /** Resolves when one waits, or none is to be had now. */
  settled(): Promise<void>;
  /** The pid of the one that waits. */
  readonly waiting: number | undefined;
  /** Looks what the machine has left of its memory, as is done now and then: resolves when what followed from it was begun, or is over. */
  look(): Promise<void>;
}

export interface SparesOptions {
  /** The agent is root, and each Space has a user of its own. */
  readonly ownUsers: boolean;
  readonly program: ShimProgram;
  /** What it prints lies there until it has a folder: on the file system of the replicas'. What is there is removed. */
  readonly folder: string;
  readonly ports: () => readonly number[];
  /** Resolves when what Node compiled of a shim is kept. */
  readonly filled: () => Promise<void>;
  readonly log: { warn(facts: object, says: string): void };
  /** What the machine has left of its memory. */
  readonly availableBytes?: () => number;
  readonly pauseMs?: number;
}

/** Whoever took one starts an app, which has the processors for itself first. */
const usualPauseMs = 1_000;
/** One that does not start, or ends, is tried again that much later. */
const afterFailureMs = 60_000;
const readyWithinMs = 30_000;
const endWithinMs = 5_000;
/** What a spare has of memory is some 25 MB: with less than this left, an app may need it. */
const startAboveBytes = 768 << 20;
const endBelowBytes = 512 << 20;
const lookEveryMs = 10_000;
const lookForNextMs = 20;
/** Where a shim of an agent that is not root runs, whichever replica's. */
const agentsOwn = { hostUid: null, needs: [], frozen: [], cgroup: null } as const;
const startsSlowly = "no shim is started in advance, and apps start more slowly";

/** Whether a shim that was started in advance could be put in this one's place; what it is given there. Null where it could not. */
export function placeOf(
  stored: StoredPlan,
  { hostUid, cgroups, disk }: SandboxPlan,
  stage: Pick<Stage, "needs" | "frozen">,
): SparePlace | null {
  const volumes = volumesOf(disk);
  if (hostUid === null) return { stored, made: null };
  if (!areMade(volumes)) return null;
  // To look at what the disk has given them; who opens them is root.
  const needs = [...stage.needs, ...volumes.map(({ image }) => image)];
  const folders = foldersScript({ hostUid, needs, frozen: stage.frozen });
  if (folders === null) return null;
  const cgroup = cgroups?.shim ?? null;
  const made = volumesScript(volumes, join(stored.folder, volumesMountedName));
  return { stored, made: { hostUid, cgroup, folders, volumes: made } };
}

export interface SparePlace {
  readonly stored: StoredPlan;
  /** What root makes for it there; null where the agent is not root: its shims are its own user, who has all of it as it is. */
  readonly made: {
    readonly hostUid: number;
    readonly cgroup: string | null;
    readonly folders: string;
    readonly volumes: string;
  } | null;
}

export function keepSpare(options: SparesOptions): SpareShims {
  return new Spares(options);
}

class Spares implements SpareShims {
  readonly #options: SparesOptions;
  readonly #availableBytes: () => number;
  readonly #canStart: boolean;
  #spare: SpareShim | undefined;
  #next: NodeJS.Timeout | undefined;
  #starting: Promise<void> | undefined;
  readonly #looks: NodeJS.Timeout;
  #closed = false;
  #failed = false;
  #made = 0;

  constructor(options: SparesOptions) {
    this.#options = options;
    this.#availableBytes = options.availableBytes ?? (() => process.availableMemory());
    rmSync(options.folder, { recursive: true, force: true });
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    this.#looks = setInterval(() => void this.look(), lookEveryMs).unref();
    this.#canStart = !options.ownUsers || canStartSpare(programNeeds(options.program));
    if (this.#canStart) this.#later(options.pauseMs ?? usualPauseMs);
    else
      options.log.warn(
        { node: options.program.nodePath },
        `${startsSlowly}: root enters its folder by its rights alone`,
      );
  }

  take(): SpareShim | undefined {
    const spare = this.#spare;
    if (!spare?.isReady) return undefined;
    this.#spare = undefined;
    this.#later(this.#options.pauseMs ?? usualPauseMs);
    return spare;
  }

  get waiting(): number | undefined {
    return this.#spare?.isReady === true ? this.#spare.child.pid : undefined;
  }

  async settled(): Promise<void> {
    // Kept alive by whoever waits: its own timer keeps nobody.
    while (this.#next !== undefined || this.#starting !== undefined) await delay(lookForNextMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#looks);
    clearTimeout(this.#next);
    this.#next = undefined;
    await Promise.all([this.#spare?.end(), this.#starting]);
    rmSync(this.#options.folder, { recursive: true, force: true });
  }

  /** None is on its way, or will be. */
  get #isIdle(): boolean {
    return this.#canStart && this.#next === undefined && this.#starting === undefined;
  }

  #later(inMs: number): void {
    if (this.#closed) return;
    clearTimeout(this.#next);
    this.#next = setTimeout(() => {
      this.#next = undefined;
      this.#starting = this.#start().finally(() => (this.#starting = undefined));
    }, inMs).unref();
  }

  async #start(): Promise<void> {
    if (this.#closed || this.#spare || this.#availableBytes() < startAboveBytes) return;
    try {
      await this.#options.filled();
      if (this.#closed) return;
      const spare = new SpareShim(this.#options, String((this.#made += 1)));
      this.#spare = spare;
      void spare.ended.then(() => {
        if (this.#spare !== spare) return;
        this.#spare = undefined;
        this.#fail(new Error(`it ended by itself. ${spare.printed()}`));
      });
      await spare.ready;
      this.#failed = false;
    } catch (error) {
      const spare = this.#spare;
      this.#spare = undefined;
      await spare?.end();
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    // Once for each streak: apps start without it.
    if (!this.#failed && !this.#closed) this.#options.log.warn({ error: String(error) }, startsSlowly);
    this.#failed = true;
    this.#later(afterFailureMs);
  }

  async look(): Promise<void> {
    const bytes = this.#availableBytes();
    const spare = this.#spare;
    if (spare && bytes < endBelowBytes) {
      this.#spare = undefined;
      await spare.end();
    } else if (!spare && this.#isIdle && bytes >= startAboveBytes) this.#later(0);
  }
}

/** A shim that was started in advance. */
export class SpareShim {
  readonly child: ChildProcess;
  /** Resolves when it can be told which replica it is beside; rejects where it ends before, or takes too long. */
  readonly ready: Promise<void>;
  readonly ended: Promise<void>;
  isReady = false;
  readonly #output: string;

  constructor(options: SparesOptions, name: string) {
    const { program, folder, ports, ownUsers } = options;
    this.#output = join(folder, `${name}.out`);
    const output = openSync(this.#output, "a", 0o600);
    const shim = [program.nodePath, ...shimFlags, program.shimEntry, spareArgument, JSON.stringify(ports())];
    const [command, ...rest] = ownUsers ? spareCommand(shim, usersOfSpares) : hostCommand(agentsOwn, shim);
    this.child = spawn(command, rest, {
      cwd: "/",
      detached: true,
      env: shimEnvironment(program),
      stdio: ["ignore", output, output, ...Object.values(spareFds).map(() => "pipe" as const)],
    });
    closeSync(output);
    this.child.unref();
    const told = this.#pipe(spareFds.told);
    for (const fd of Object.values(spareFds)) {
      // Who has ended says so by its end.
      this.#pipe(fd).on("error", () => undefined);
      this.#pipe(fd).unref();
    }
    this.ended = new Promise((resolve) => {
      this.child.once("error", () => resolve());
      this.child.once("exit", () => resolve());
    });
    const says = new Promise<true>((resolve) => readFrames<FromSpare>(told, () => resolve(true)));
    this.ready = Promise.race([says, this.ended, delay(readyWithinMs, undefined, { ref: false })]).then((said) => {
      if (said !== true) throw new Error(`it was not ready within ${readyWithinMs} ms, or ended. ${this.printed()}`);
      this.isReady = true;
    });
    this.ready.catch(() => undefined);
  }

  /** Resolves when it has all that a shim has; rejects where that cannot be given, and then it is to be ended. */
  async become(place: SparePlace, secrets: Readonly<Record<string, string>>): Promise<void> {
    const { stored, made } = place;
    const { folder } = stored;
    renameSync(this.#output, join(folder, shimOutput));
    const volumes = made === null ? true : runPlacing(this.#pipe(spareFds.volumes), made.volumes);
    if (made !== null) await this.#make(made);
    const told = this.#pipe(spareFds.told);
    writeFrame<ToSpare>(told, { type: "plan", folder, secrets });
    if (!(await volumes)) throw new Error("its file systems could not be mounted");
    writeFrame<ToSpare>(told, { type: "mounted" });
    told.end();
  }

  async #make({ hostUid, cgroup, folders }: NonNullable<SparePlace["made"]>): Promise<void> {
    const pid = this.child.pid as number;
    const [isUser, areThere] = await Promise.all([
      runPlacing(this.#pipe(spareFds.users), usersScript(pid, hostUid)),
      runPlacing(this.#pipe(spareFds.folders), folders),
      cgroup === null ? undefined : promises.writeFile(join(cgroup, "cgroup.procs"), String(pid)),
    ]);
    if (!isUser) throw new Error("it could not be made its Space's user");
    if (!areThere) throw new Error("its folders could not be put in their places");
  }

  /** What it printed until now. */
  printed(): string {
    return readText(dirname(this.#output), basename(this.#output))?.trim() ?? "";
  }

  /** Resolves when it is gone. */
  async end(): Promise<void> {
    for (const fd of Object.values(spareFds)) this.#pipe(fd).destroy();
    this.child.ref();
    const late = setTimeout(() => this.child.kill("SIGKILL"), endWithinMs);
    if (this.child.pid !== undefined) await this.ended;
    clearTimeout(late);
    rmSync(this.#output, { force: true });
  }

  #pipe(fd: number): Socket {
    return (this.child.stdio as readonly unknown[])[fd] as Socket;
  }
}
