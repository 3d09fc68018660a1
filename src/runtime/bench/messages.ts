/**
 * Between the agent and a build's bench, the process in the build's network namespace that runs its commands in sandboxes: JSON
 * Lines over one socket. Variables and commands travel here alone, so no file and no `/proc/PID/cmdline` shows them.
 */
import type { CgroupPlan, SandboxLimits } from "../folder.ts";
import type { Bind, BuilderRecipe } from "../sandbox/recipe.ts";
import type { SandboxDriver } from "../sandbox/way.ts";

/** Where the bench finds its line: a number that its sandboxes' own files lie over, so that none of them inherits it. */
export const lineFd = 3;

/** What all commands of one build have in common. */
export interface BenchPlan {
  /** The bench's own. */
  readonly folder: string;
  /** The gateway's socket for this build. */
  readonly gateway: string;
  readonly ports: readonly number[];
  readonly driver: SandboxDriver;
  readonly limits: SandboxLimits;
  readonly cgroups: CgroupPlan | null;
  readonly readOnly: readonly Bind[];
  readonly writable: readonly Bind[];
  /** Inside, where commands begin. */
  readonly cwd: string;
  /** Folders of the commands' PATH. */
  readonly path: readonly string[];
  /** `NAME=value` in the environment of all that it starts. */
  readonly marker: string;
  /** Its commands make images. Null: they are like any app. */
  readonly images: Pick<BuilderRecipe, "containers" | "temporary"> | null;
}

export type ToBench =
  | { readonly type: "open"; readonly plan: BenchPlan }
  | {
      readonly type: "run";
      readonly run: number;
      readonly argv: readonly string[];
      readonly env: Readonly<Record<string, string>>;
    }
  /** Lays Debian packages over the machine's for all commands from now on; answered with `laid`. */
  | { readonly type: "lay"; readonly packages: string }
  /** Ends the command that runs. */
  | { readonly type: "end" };

export type FromBench =
  | { readonly type: "ready" }
  | { readonly type: "denied"; readonly says: string }
  /** `says`: why they could not be; null: they are. */
  | { readonly type: "laid"; readonly says: string | null }
  /** For the owner: a refused connection, used-up memory. */
  | { readonly type: "note"; readonly text: string }
  /** In base64. */
  | { readonly type: "output"; readonly stream: "out" | "err"; readonly bytes: string }
  | ({ readonly type: "ended"; readonly run: number } & RunEnd);

export interface RunEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started. */
  readonly failure: string | null;
  /** It was the sandbox that could not be made. */
  readonly denied: boolean;
  readonly outOfMemory: boolean;
}
