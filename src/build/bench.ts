/** Where a build's commands run: what a builder needs of it. `plain-bench.ts` is one without a sandbox; a sandbox's is plugged in. */

import type { ReplicaLimits } from "../contract/agent.ts";

/** Opens a bench for each build that runs commands. */
export interface Benches {
  /** Whether commands and apps can have packages that the machine has not. */
  readonly layers: boolean;
  /** Rejects with a {@link BenchDenied} where none can be made. */
  open(place: BenchPlace): Promise<Bench>;
  /** Whether commands may make images here: they need a sandbox, and users to give an image's files to. */
  readonly images: boolean;
  /** Ends what a builder that was killed left of this build. */
  recover(build: string): Promise<void>;
}

/** What the commands of one build see beside the system's own programs. Paths are absolute, and the same for a command. */
export interface BenchPlace {
  readonly build: string;
  readonly space: string;
  /** The build's own folder, the builder's; what commands may write is below it. */
  readonly work: string;
  /** The folder of the app's files, in which commands run; a sandbox shows it at the path where the app will run. */
  readonly app: string;
  /** Files and folders that commands may read. */
  readonly readable: readonly string[];
  /** Folders that commands see writable; what of it is theirs to write is said by {@link Bench.give}. */
  readonly writable: readonly string[];
  /** Its commands make images: a folder with the image builder's configuration, and one for its large files. Absent: they are like any app. */
  readonly images?: { readonly containers: string; readonly temporary: string };
  /** A sentence for the build's log: a connection that was refused, memory that was used up. */
  note(text: string): void;
}

/** One build's bench. Its commands run one after the other. */
export interface Bench {
  /** What its commands are limited to, as it was found when the bench was made; null: nothing. */
  readonly limits: ReplicaLimits | null;
  /** Makes it a folder, if it is none, that commands may write with all that is in it. */
  give(folder: string): Promise<void>;
  /** Resolves when the command and all that it started have ended, however that came. Rejects where the bench itself is lost. */
  run(command: BenchCommand): Promise<CommandEnd>;
  /**
   * Lays unpacked Debian packages over the machine's own, for all commands from now on, as the app will have them. Says why that
   * could not be, else null.
   */
  lay(packages: string): Promise<string | null>;
  /** Ends what still runs. */
  close(): Promise<void>;
}

export interface BenchCommand {
  readonly argv: readonly [string, ...string[]];
  /** The bench adds PATH, HOME and TMPDIR, and the mark of its build. */
  readonly env: Readonly<Record<string, string>>;
  /** Aborted: the command and all that it started are ended at once. */
  readonly signal: AbortSignal;
  readonly onOutput: (stream: "out" | "err", bytes: Uint8Array) => void;
}

export interface CommandEnd {
  /** It was ended because its signal was aborted. */
  readonly aborted: boolean;
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started, in the system's words. */
  readonly failure: string | null;
  /** Memory that it was not allowed is why it, or a part of it, was ended. */
  readonly outOfMemory: boolean;
  /** Processes that outlived it and were ended; 0 where none can. */
  readonly leftBehind: number;
}

/** No bench could be made; the message names what failed. */
export class BenchDenied extends Error {
  override readonly name = "BenchDenied";
}
