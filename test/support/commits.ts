/** Repositories and builders on a temporary folder, for tests with the real git and npm. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import {
  plainBenches,
  runBuild,
  type BuildLogLine,
  type BuildOutcome,
  type BuildTools,
} from "../../src/build/builder.ts";
import { Environments } from "../../src/build/environments.ts";
import { openRepositories, type RepositoryStore } from "../../src/hub/repository.ts";
import { newId } from "../../src/stdx/ids.ts";
import { durationMs, instant, type Clock } from "../../src/stdx/time.ts";

export const clock: Clock = { wall: () => instant(Date.now()), monotonic: () => Math.trunc(performance.now()) };
export const random = (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count));
/** The running Node's folder first, then where the machine has npm. */
export const buildPath: readonly string[] = [
  dirname(process.execPath),
  ...(process.env["PATH"] ?? "/usr/bin:/bin").split(delimiter),
];

/** Name → text, or bytes where the encoding matters. */
export type Files = Readonly<Record<string, string | Uint8Array>>;

export interface TestWorkshop extends AsyncDisposable {
  readonly folder: string;
  readonly store: RepositoryStore;
  readonly tools: BuildTools;
  /** Commits these files, alone, to a repository of its own. */
  commit(files: Files): Promise<{ readonly repository: string; readonly commit: string }>;
  /** Builds these files; `lines` is the log as it was told. */
  build(files: Files, options?: BuildOptions): Promise<TestBuild>;
}

export interface BuildOptions {
  /** `alice/app` where it is not said. */
  readonly space?: string;
  readonly build?: string;
  readonly limitMs?: number;
  readonly signal?: AbortSignal;
  readonly onLine?: (line: BuildLogLine) => void;
  readonly tools?: Partial<BuildTools>;
}

export interface TestBuild {
  readonly build: string;
  readonly outcome: BuildOutcome;
  readonly lines: readonly BuildLogLine[];
  readonly log: string;
  /** `install done`, in order. */
  readonly steps: readonly string[];
}

/** `within`: where its folder is made. */
export async function testWorkshop(within = tmpdir()): Promise<TestWorkshop> {
  const folder = await mkdtemp(join(within, "wb-build-"));
  const store = openRepositories({ folder: join(folder, "repositories"), clock, random });
  const tools: BuildTools = {
    source: store,
    folder: join(folder, "builder"),
    path: buildPath,
    benches: plainBenches({ path: buildPath }),
    sdk: null,
    environments: new Environments(),
    clock,
    random,
  };
  let repositories = 0;

  async function commit(files: Files) {
    const name = `alice/app-${++repositories}`;
    await store.createRepository(name);
    const repository = store.repositoryOf(name);
    const result = await store.commitFiles({
      repository,
      branch: "main",
      files: Object.entries(files).map(([path, content]) => ({ path, content: { bytes: Buffer.from(content) } })),
      author: { name: "alice", email: "alice@example.test" },
      summary: "test",
    });
    if (!result.ok) throw new Error(result.says);
    return { repository, commit: result.commit };
  }

  return {
    folder,
    store,
    tools,
    commit,
    async build(files, { space = "alice/app", build = newId("b", random), limitMs = 300_000, ...more } = {}) {
      const { signal, onLine, tools: other } = more;
      const lines: BuildLogLine[] = [];
      const steps: string[] = [];
      const spec = {
        build,
        space,
        ...(await commit(files)),
        limitMs: durationMs(limitMs),
      };
      const on = {
        log: (line: BuildLogLine) => {
          lines.push(line);
          onLine?.(line);
        },
        step: (step: string, state: string) => void (state === "started" || steps.push(`${step} ${state}`)),
      };
      const outcome = await runBuild(spec, { ...tools, ...other }, on, signal);
      return { build: spec.build, outcome, lines, log: lines.map(({ text }) => text).join("\n"), steps };
    },
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
