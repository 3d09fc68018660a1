/** Commits of repositories that are on another machine: fetched over git's own protocol by a token, each checked against its id by git. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { getCACertificates } from "node:tls";
import type { ReadableStream } from "node:stream/web";
import type { RandomBytes } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";
import { GitFailure, runGit, systemGit } from "./git.ts";
import { buildHeader } from "./git-access.ts";
import { listTree } from "./git-objects.ts";
import { largeFilesOf } from "./lfs-tree.ts";
import type { LfsPointer } from "./lfs-pointer.ts";
import { LfsStore } from "./lfs-store.ts";
import { openRepositories, type CheckoutResult } from "./repository.ts";

export interface RemoteSourceOptions {
  /** `http://host:port` or `https://…`, tried in turn. */
  readonly servers: readonly string[];
  token(): string;
  /** A file with authorities beside the machine's own. */
  readonly authorities?: string;
  /** The agent's own, for what is fetched; emptied here. */
  readonly folder: string;
  /** What stays free of the disk. */
  readonly reserveBytes: number;
  /** A fetch in which nothing came for so long is tried again; whole seconds. */
  readonly stalledMs?: number;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

export interface RemoteSource {
  /** As {@link openRepositories}'s; `repository` is an address on the server, `/spaces/owner/name.git`. Throws what the last try threw. */
  checkout(
    repository: string,
    commit: string,
    folder: string,
    signal?: AbortSignal,
    build?: string,
  ): Promise<CheckoutResult>;
}

/** A server that is taken over is back within them; the step's own limit ends them too. */
const triesMax = 6;
const pauseMs = 1_000;
/** Nothing comes for so long on no line that is there: git's server says every 5 s that it lives. */
const stalledAfterMs = 60_000;
/** A commit of the largest size that is taken, over a slow line; beside it a stall ends a fetch, and so does its step. */
const fetchWithinMs = 1_800_000;
/** Of the answer that says where large files are. */
const lfsType = "application/vnd.git-lfs+json";

export async function openRemoteSource(options: RemoteSourceOptions): Promise<RemoteSource> {
  // What an agent left that was ended in the middle.
  await rm(options.folder, { recursive: true, force: true });
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const { authorities, ...rest } = options;
  const known = authorities === undefined ? rest : { ...rest, authorities: await withOwn(authorities, options.folder) };
  return { checkout: (...asked) => checkout(known, ...asked) };
}

/** git takes one file of authorities in place of the machine's own: both are in it, as Node itself trusts both. */
async function withOwn(authorities: string, folder: string): Promise<string> {
  const file = join(folder, "authorities.pem");
  const system = getCACertificates("system");
  const own = system.length > 0 ? system : getCACertificates("bundled");
  await writeFile(file, [...own, await readFile(authorities, "utf8")].join("\n"));
  return file;
}

async function checkout(
  options: RemoteSourceOptions,
  repository: string,
  commit: string,
  into: string,
  signal?: AbortSignal,
  build?: string,
): Promise<CheckoutResult> {
  const { folder, clock, random } = options;
  if (!/^[0-9a-f]{40}$/.test(commit)) throw new RangeError(`no commit's id: ${commit}`);
  const passing = await mkdtemp(join(folder, "c-"));
  const bare = join(passing, "repository.git");
  try {
    await runGit(systemGit, { args: ["init", "--quiet", "--bare", "--template=", bare], ...(signal && { signal }) });
    await again(options, signal, (server) =>
      fetchCommit(options, { address: new URL(repository, server).href, bare, commit, build }, signal),
    );
    const store = openRepositories({ folder: passing, clock, random });
    if (await has(bare, commit)) await fetchLargeFiles(options, { repository, bare, commit, signal });
    return await store.checkout(bare, commit, into, signal);
  } finally {
    await rm(passing, { recursive: true, force: true });
  }
}

/** A commit that the repository does not have is no failure here: the checkout says so. */
async function fetchCommit(
  { token, authorities, stalledMs = stalledAfterMs }: RemoteSourceOptions,
  {
    address,
    bare,
    commit,
    build,
  }: {
    readonly address: string;
    readonly bare: string;
    readonly commit: string;
    readonly build: string | undefined;
  },
  signal: AbortSignal | undefined,
): Promise<void> {
  const settings = [
    ["http.extraHeader", `Authorization: Bearer ${token()}`],
    ...(build === undefined ? [] : [["http.extraHeader", `${buildHeader}: ${build}`]]),
    ["http.followRedirects", "false"],
    ["protocol.version", "2"],
    // Bytes in a second: fewer is none.
    ["http.lowSpeedLimit", "1"],
    ["http.lowSpeedTime", String(stalledMs / 1_000)],
  ];
  // In the environment: other users can read a command line.
  const env = settings.flatMap(([key, value], n) => [
    [`GIT_CONFIG_KEY_${n}`, key],
    [`GIT_CONFIG_VALUE_${n}`, value],
  ]);
  try {
    await runGit(systemGit, {
      args: ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1", address, commit],
      repository: bare,
      env: {
        ...Object.fromEntries(env),
        GIT_CONFIG_COUNT: String(settings.length),
        GIT_ALLOW_PROTOCOL: "http:https",
        ...(authorities !== undefined && { GIT_SSL_CAINFO: authorities }),
      },
      limitMs: fetchWithinMs,
      withHelpers: true,
      ...(signal && { signal }),
    });
  } catch (error) {
    if (!(error instanceof GitFailure && /not our ref/.test(error.message))) throw error;
  }
}

async function has(bare: string, commit: string): Promise<boolean> {
  const asked = { args: ["cat-file", "-e", `${commit}^{commit}`], repository: bare, answers: [1, 128] };
  return (await runGit(systemGit, asked)).exitCode === 0;
}

/** Those that the server does not have stay absent: the checkout names them. */
async function fetchLargeFiles(
  options: RemoteSourceOptions,
  asked: {
    readonly repository: string;
    readonly bare: string;
    readonly commit: string;
    readonly signal: AbortSignal | undefined;
  },
): Promise<void> {
  const { bare, commit, repository, signal } = asked;
  const run: Parameters<typeof listTree>[0] = (args, rest) => runGit(systemGit, { args, repository: bare, ...rest });
  const all = await largeFilesOf(run, await listTree(run, commit), bare);
  const pointers = [...new Map(all.map(({ pointer }) => [pointer.oid, pointer])).values()];
  const store = new LfsStore(options.random, { freeMinBytes: options.reserveBytes });
  for (const pointer of pointers)
    await again(options, signal, (server) =>
      fetchLargeFile(options, store, { server, repository, bare, pointer, signal }),
    );
}

async function fetchLargeFile(
  { token }: RemoteSourceOptions,
  store: LfsStore,
  asked: {
    readonly server: string;
    readonly repository: string;
    readonly bare: string;
    readonly pointer: LfsPointer;
    readonly signal: AbortSignal | undefined;
  },
): Promise<void> {
  const { server, repository, bare, pointer, signal = null } = asked;
  const batch = await fetch(new URL(`${repository}/info/lfs/objects/batch`, server), {
    method: "POST",
    headers: { authorization: `Bearer ${token()}`, accept: lfsType, "content-type": lfsType },
    body: JSON.stringify({ operation: "download", transfers: ["basic"], objects: [pointer] }),
    redirect: "error",
    signal,
  });
  if (batch.status === 401 || batch.status === 403) throw new Refused(`the server refused this node ${pointer.oid}`);
  if (!batch.ok) throw new Error(`the server answered for ${pointer.oid} with status ${batch.status}`);
  const { objects } = (await batch.json()) as {
    objects: readonly { actions?: { download?: { href: string } }; error?: { code: number; message: string } }[];
  };
  const [object] = objects;
  if (object?.error?.code === 404) return;
  const href = object?.actions?.download?.href;
  if (href === undefined)
    throw new Error(`the server does not give ${pointer.oid}: ${object?.error?.message ?? "it does not say why"}`);
  // Its own name for itself may be another than the one by which it is reached.
  const { pathname, search } = new URL(href);
  const answer = await fetch(new URL(pathname + search, server), { redirect: "error", signal });
  if (!answer.ok || answer.body === null)
    throw new Error(`the server answered with status ${answer.status} instead of ${pointer.oid}`);
  const stored = await store.put(bare, pointer, answer.body as ReadableStream<Uint8Array>, "");
  if (!stored.ok) throw new Error(`${pointer.oid} could not be fetched: ${stored.says}`);
}

/** The server knows this node's token, and says no; or does not know it. */
class Refused extends Error {
  override readonly name = "Refused";
}

/** git says it in its own words. */
function isRefusal(error: unknown): boolean {
  if (error instanceof Refused) return true;
  return error instanceof GitFailure && /returned error: 40[13]|could not read Username/.test(error.message);
}

/** One server after another, with pauses; an answer of no is no reason to ask again. */
async function again(
  { servers }: RemoteSourceOptions,
  signal: AbortSignal | undefined,
  attempt: (server: string) => Promise<void>,
): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt(servers[tries % servers.length] as string);
    } catch (error) {
      signal?.throwIfAborted();
      if (tries + 1 >= triesMax || isRefusal(error)) throw error;
      await delay(pauseMs, undefined, signal && { signal });
    }
  }
}
