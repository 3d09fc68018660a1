/** From a folder to a running Space: one commit, then its build, then its start, each as it happens. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { BuildView, CommitView, SpaceState, SpaceView } from "../contract/api.ts";
import type { LogLine, ReplicaPhase } from "../contract/agent.ts";
import type { WaybillClient } from "./api.ts";
import { ApiError, ServerUnreachable, WaitOver } from "./errors.ts";
import { folderLimits, listFolder } from "./folder.ts";
import type { FolderFile, FolderLimits } from "./folder.ts";
import { answered, type Watching } from "./following.ts";

export type DeployEvent =
  | { readonly type: "folder"; readonly files: number; readonly bytes: number }
  | ({ readonly type: "commit"; readonly commit: string } & Pick<CommitView, "build" | "noBuild">)
  | { readonly type: "build"; readonly build: BuildView }
  | { readonly type: "line"; readonly line: LogLine }
  | { readonly type: "space"; readonly space: SpaceView };

/** Once its files are stored it is waited for the platform where that goes away. */
export interface DeployOptions extends Watching {
  readonly summary?: string | undefined;
  /** Made private before anything of it is there. */
  readonly private?: boolean | undefined;
  readonly limits?: FolderLimits | undefined;
  /** Called in order, for each change and each line of the build's log. */
  readonly onEvent?: ((event: DeployEvent) => void) | undefined;
  /** How long to wait for the end, in all; `WaitOver` after that, and the work goes on. */
  readonly waitMs?: number | undefined;
}

export interface Deployed {
  readonly space: SpaceView;
  /** Null where there was nothing to build, as when nothing had changed. */
  readonly build: BuildView | null;
  /** Why its commit started no build although something had changed; null in all other cases. */
  readonly noBuild: CommitView["noBuild"];
  readonly ok: boolean;
  /** One sentence: how it ended. */
  readonly says: string;
}

/** A build has its own deadlines on the server; this one is for a watcher, longer than any of them. */
const defaultWaitMs = 60 * 60 * 1000;
const pollFirstMs = 100;
const pollMostMs = 1_000;
/** A finished build's replica appears within this, or its node is away and the Space's own state says so. */
const startAppearsMs = 10_000;

/**
 * Sends `folder` as the whole content of `space` (`owner/name`) and follows it until it runs or has failed.
 * Throws `FolderRefused`, `ApiError`, `ServerUnreachable`, `WaitOver`, or the signal's reason.
 */
export async function deployFolder(
  client: WaybillClient,
  folder: string,
  space: string,
  options: DeployOptions = {},
): Promise<Deployed> {
  const files = await listFolder(folder, options.limits ?? folderLimits);
  options.onEvent?.({ type: "folder", files: files.length, bytes: files.reduce((sum, file) => sum + file.bytes, 0) });
  const before = await replicasOf(client, space, options.signal);
  const body = await commitBody(folder, files, options.summary ?? "Deploy");
  if (options.private === true) await makePrivate(client, space, options.signal);
  const commit = await client.commit(space, body, { signal: options.signal });
  options.onEvent?.({ type: "commit", commit: commit.commitOid, build: commit.build, noBuild: commit.noBuild });

  const limit = AbortSignal.timeout(options.waitMs ?? defaultWaitMs);
  const signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit;
  try {
    const watching = { ...options, signal };
    const build = commit.build === null ? null : await followBuild(client, commit.build, watching);
    const { noBuild } = commit;
    if (noBuild && noBuild.why !== "unchanged")
      return { space: await viewOf(client, space, watching), build: null, noBuild, ok: false, says: noBuild.says };
    if (build === null) return unchanged(await followUnchanged(client, space, watching));
    if (build.outcome !== "ok")
      return { space: await viewOf(client, space, watching), build, noBuild: null, ok: false, says: build.says };
    return started(await followStart(client, space, before, watching), build, before);
  } catch (error) {
    if (error instanceof ServerUnreachable) throw error.withNext(onceBack(space));
    if (!limit.aborted || options.signal?.aborted) throw error;
    throw new WaitOver(`${space} was not ready in time; the work goes on.`, { cause: error });
  }
}

const onceBack = (space: string): string =>
  `Its files are stored. Start it with \`waybill up\`; then \`waybill builds ${space}\` says what became of them.`;

async function viewOf(client: WaybillClient, space: string, watching: DeployOptions): Promise<SpaceView> {
  return await answered(() => client.space(space, { signal: watching.signal }), watching);
}

/** Before anything of it is there. */
async function makePrivate(client: WaybillClient, space: string, signal: AbortSignal | undefined): Promise<void> {
  try {
    await client.createSpace(space, { private: true }, { signal });
  } catch (error) {
    if (!(error instanceof ApiError) || error.problem.status !== 409) throw error;
    await client.changeSpace(space, { private: "true" }, { signal });
  }
}

/** The Hub's commit form: a header, then a file a line. `replace` makes the files the whole content. */
export async function commitBody(folder: string, files: readonly FolderFile[], summary: string): Promise<Uint8Array> {
  const lines = [JSON.stringify({ key: "header", value: { summary, description: "", replace: true } })];
  for (const { path } of files) {
    const content = (await readFile(join(folder, path))).toString("base64");
    lines.push(JSON.stringify({ key: "file", value: { path, content, encoding: "base64" } }));
  }
  return Buffer.from(`${lines.join("\n")}\n`);
}

/** Ids of the replicas that were there before; what is not among them belongs to this deployment. */
type Before = ReadonlySet<string>;

async function replicasOf(client: WaybillClient, space: string, signal: AbortSignal | undefined): Promise<Before> {
  try {
    return new Set((await client.space(space, { signal })).replicas.map(({ id }) => id));
  } catch (error) {
    if (error instanceof ApiError && error.problem.status === 404) return new Set(); // The commit creates it.
    throw error;
  }
}

async function followBuild(client: WaybillClient, id: string, options: DeployOptions): Promise<BuildView> {
  const { onEvent } = options;
  const gone = new AbortController();
  const both = AbortSignal.any([gone.signal, ...(options.signal ? [options.signal] : [])]);
  // That the platform is away is told once, where its stages are asked for.
  const log = (async () => {
    for await (const line of client.buildLog(id, { follow: true, isThere: true, signal: both }))
      onEvent?.({ type: "line", line });
  })();
  const stages = poll(
    () => client.build(id, { signal: both }),
    (build) => build.outcome !== null,
    { ...options, signal: both, onChange: (build) => onEvent?.({ type: "build", build }) },
  );
  // Every line of the log is told before the build's end is acted on.
  try {
    return (await Promise.all([stages, log]))[0];
  } finally {
    gone.abort(); // Where one of them failed, the other is waited for no longer.
  }
}

/** Nothing was built: the release that is there runs, or says why not. */
async function followUnchanged(client: WaybillClient, space: string, options: DeployOptions): Promise<SpaceView> {
  return await poll(
    () => client.space(space, { signal: options.signal }),
    ({ state }) => state === "running" || isDown(state),
    { ...options, onChange: (view) => options.onEvent?.({ type: "space", space: view }) },
  );
}

/** Until a replica of this deployment is ready, or all of them have ended. An older release may run beside it all the while. */
async function followStart(
  client: WaybillClient,
  space: string,
  before: Before,
  options: DeployOptions,
): Promise<SpaceView> {
  let appears = AbortSignal.timeout(startAppearsMs);
  return await poll(
    () => client.space(space, { signal: options.signal }),
    (view) => {
      const fresh = freshOf(view, before);
      if (fresh.length > 0) return isRunning(view, before) || fresh.every(({ phase }) => endedPhases.has(phase));
      return appears.aborted && isDown(view.state);
    },
    {
      ...options,
      onChange: (view) => options.onEvent?.({ type: "space", space: view }),
      onBack() {
        appears = AbortSignal.timeout(startAppearsMs); // Its node comes back after it.
        options.onBack?.();
      },
    },
  );
}

/** It does not run, and nothing is under way that would change that. */
function isDown(state: SpaceState): boolean {
  return ["failing", "crash-looping", "stopped", "paused", "sleeping"].includes(state);
}

const endedPhases: ReadonlySet<string> = new Set(["exited", "lost", "stopped"] satisfies ReplicaPhase[]);

function freshOf({ replicas }: SpaceView, before: Before): SpaceView["replicas"] {
  return replicas.filter(({ id }) => !before.has(id));
}

function isRunning(view: SpaceView, before: Before): boolean {
  return view.state === "running" && freshOf(view, before).some(({ phase }) => phase === "ready");
}

function unchanged(space: SpaceView): Deployed {
  return { space, build: null, noBuild: null, ok: space.state === "running", says: space.says };
}

function started(space: SpaceView, build: BuildView, before: Before): Deployed {
  const ok = isRunning(space, before);
  const ended = freshOf(space, before).at(-1);
  const older = space.state === "running" ? " The release before it still runs." : "";
  return { space, build, noBuild: null, ok, says: ok || !ended ? space.says : `${ended.says}${older}` };
}

async function poll<View>(
  ask: () => Promise<View>,
  isOver: (view: View) => boolean,
  { onChange, ...watching }: Watching & { readonly onChange: (view: View) => void },
): Promise<View> {
  const { signal } = watching;
  let told = "";
  for (let waitMs = pollFirstMs; ; waitMs = Math.min(pollMostMs, waitMs * 1.5)) {
    const view = await answered(ask, watching);
    const text = JSON.stringify(view);
    if (text !== told) onChange(view);
    told = text;
    if (isOver(view)) return view;
    await delay(waitMs, undefined, signal ? { signal } : {});
  }
}
