/**
 * git over HTTP (gitprotocol-http): git's own server answers; we say who may, what a push may bring, and, while the client still
 * listens, what becomes of it. A repository's references change in its turn, so that builds are queued in the order of commits.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { visitorOf } from "../http/visitor.ts";
import { newId, type RandomBytes } from "../stdx/ids.ts";
import { codeRow } from "../evidence/codes.ts";
import type { Clock, Instant } from "../stdx/time.ts";
import {
  addressOf,
  askedBy,
  buildHeader,
  leaving,
  mayAccess,
  parseGitPath,
  plainHeaders,
  writePlain,
  type AccessRefusal,
  type GitAsked,
  type GitPath,
  type Standing,
} from "./git-access.ts";
import type { GateRefusal } from "./gate.ts";
import { runGit, systemGit, type GitProgram } from "./git.ts";
import {
  Backend,
  backendLimits,
  writeHooks,
  type BackendLimits,
  type ReceivedPush,
  type RefCommand,
} from "./http-backend.ts";
import { feed, PushAnswer, shown } from "./git-exchange.ts";
import { failed, given, received, waitsFor, type Exchange } from "./git-transfer.ts";
import { keepPace, paceLimits, type PaceLimits } from "./pace.ts";
import { pushEnd } from "./push-end.ts";
import { refusePush } from "./receive-rules.ts";
import { pathOf, type RepoName } from "./repo-name.ts";
import type { RepositoryStore } from "./repository.ts";
import { Slots, type SlotLimits } from "./slots.ts";
import type { Transfer, Transfers } from "./transfers.ts";

/** Who pushes where. */
export interface Pusher {
  /** The request's id, and when it came. */
  readonly request: string;
  readonly startedAt: Instant;
  /** What it asked for. */
  readonly path: string;
  readonly repo: RepoName;
  readonly account: string;
  /** The id of its token, `t_…`. */
  readonly token: string | null;
  readonly address: string;
}

/** References that a push changes, or has changed. */
export interface Pushed extends Pusher {
  readonly updates: readonly RefCommand[];
}

/** What the platform makes of a push: lines for the person who pushes, and then whatever comes, until it ends or nobody listens. */
export interface Taken {
  readonly lines: readonly string[];
  readonly build: string | null;
}

/** What git's face needs of the platform. */
export interface GitDesk {
  callerOf(authorization: string | undefined): Promise<GitAsked>;
  /** Without regard to who asks. */
  standing(repo: RepoName): Standing;
  /** Why who asks gets none of its files, where they may know of it; undefined where they get them. */
  gate(repo: RepoName, asked: GitAsked): Promise<GateRefusal | undefined>;
  /** As it is called itself, for who may read it, where it is asked for in other letters or by a name that it had; else as it is asked for. */
  named(repo: RepoName, asked: GitAsked): RepoName;
  /** What it is called in the {@link RepositoryStore}; undefined where there is no such repository. */
  storedAs(repo: RepoName): string | undefined;
  /** Whether who asked then (as {@link askedBy} names them; empty: without a token) may read its files now. */
  mayRead(repo: RepoName, by: string): Promise<boolean>;
  /** The same of writing. */
  mayWrite(repo: RepoName, by: string): Promise<boolean>;
  /** The same of what a pull request is to have. */
  mayPropose(repo: RepoName, by: string): Promise<boolean>;
  /** Makes the Space where it is absent; says why it cannot be. */
  ensure(repo: RepoName, by: string): Promise<{ readonly ok: true } | { readonly ok: false; readonly says: string }>;
  /** Nothing else commits to this repository meanwhile. */
  inTurn<T>(repo: RepoName, work: () => Promise<T>): Promise<T>;
  /** In its turn: why these references cannot be changed now. */
  refuse(push: Pushed): Promise<readonly string[]>;
  /** Writes down that a push brought more than one may; gives lines that say how that is found again. */
  tooLarge(pusher: Pusher, says: string): Promise<readonly string[]>;
  /** In its turn, when the references have changed. */
  pushed(push: Pushed): Promise<Taken>;
  /** What becomes of a build, as lines of a terminal, until it has ended. `origin`: the platform's address for this client. */
  watch(build: string, options: { readonly origin: string; readonly signal: AbortSignal }): AsyncIterable<string>;
  onFailure(what: string, error: unknown): void;
}

export interface GitFaceLimits extends BackendLimits {
  /** Bytes of one push, as git packs them. */
  readonly pushMaxBytes: number;
  /** Processes of git that serve at once, some of a machine's memory each. Of fetches; pushes have as many of their own. */
  readonly places: SlotLimits;
  readonly pace: PaceLimits;
  /** Pushers whose build is followed at once; one more is told where to look. */
  readonly watchersMax: number;
  /** How long a build is followed. */
  readonly watchMs: number;
}

export const gitFaceLimits: GitFaceLimits = {
  ...backendLimits,
  pushMaxBytes: 2 ** 30,
  places: { atOnce: 8, perCaller: 4, anonymous: 6, withinMs: 30_000 },
  pace: paceLimits,
  watchersMax: 100,
  watchMs: 3_600_000,
};

export interface GitFaceOptions {
  readonly repositories: RepositoryStore;
  readonly desk: GitDesk;
  readonly transfers: Transfers;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** For hooks, and for the repository of a Space that has none yet. */
  readonly folder: string;
  readonly git?: GitProgram;
  readonly limits?: Partial<GitFaceLimits>;
}

const tooMany: AccessRefusal = { status: 503, says: "Too many others are served at this moment: try again." };
/** git shows a token only when it is asked for one. */
const tooManyNameless: AccessRefusal = {
  status: 401,
  says: "Too many others read without a token at this moment: show yours, or try again.",
};
/** A proxy between us closes a connection on which nothing passes, mostly after 60 s. */
const signEveryMs = 5_000;

export class GitFace implements AsyncDisposable {
  readonly #options: GitFaceOptions;
  readonly #git: GitProgram;
  readonly #limits: GitFaceLimits;
  readonly #hooks: string;
  /** Whether git runs our hook. */
  readonly #asksUs: boolean;
  readonly #fetches: Slots;
  readonly #pushes: Slots;
  readonly #running = new Set<Backend>();
  /** Pushes that are received now, by repository. */
  readonly #receiving = new Map<string, number>();
  readonly #closed = new AbortController();
  #watchers = 0;

  private constructor(options: GitFaceOptions, asksUs: boolean) {
    this.#options = options;
    this.#asksUs = asksUs;
    this.#git = options.git ?? systemGit;
    this.#limits = { ...gitFaceLimits, ...options.limits };
    this.#hooks = join(options.folder, "hooks");
    this.#fetches = new Slots(this.#limits.places);
    this.#pushes = new Slots(this.#limits.places);
  }

  static async open(options: GitFaceOptions): Promise<GitFace> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    const asksUs = await writeHooks(join(options.folder, "hooks"));
    return new GitFace(options, asksUs);
  }

  /** Whether the request is git's; then it is answered, and never fails. */
  serve(request: IncomingMessage, response: ServerResponse): boolean {
    const path = parseGitPath(request.url ?? "");
    if (path === undefined || path.rest.startsWith("info/lfs/")) return false;
    const id = newId("q", this.#options.random);
    response.setHeader("x-waybill-id", id);
    this.#answer(path, id, request, response).catch((error: unknown) => {
      // Nobody is left to be told, and git was ended with its client.
      if (response.destroyed) return;
      this.#options.desk.onFailure(`git at ${path.id}`, error);
      if (response.headersSent) response.destroy();
      else writePlain(response, { status: 503, says: `${says(error)} Try again; the operator's log says more.` });
    });
    return true;
  }

  /** Ends what git does for others; what it has not taken is not taken. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    for (const backend of this.#running) backend.drop("the platform stops");
    await Promise.all([...this.#running].map(({ ended }) => ended));
  }

  async #answer(wanted: GitPath, id: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = this.#options.clock.wall();
    const { desk } = this.#options;
    const service = wanted.rest === "info/refs" ? wanted.query.get("service") : wanted.rest;
    if (service !== "git-upload-pack" && service !== "git-receive-pack")
      return writePlain(response, { status: 400, says: "Only git's smart HTTP protocol is spoken here." });
    const method = wanted.rest === "info/refs" ? "GET" : "POST";
    if (request.method !== method) return writePlain(response, { status: 405, says: `Ask with ${method}.` });
    const write = service === "git-receive-pack";
    const asked = await desk.callerOf(request.headers.authorization);
    const path = { ...wanted, ...desk.named(wanted, asked) };
    const refused = mayAccess(path, write, asked, desk.standing(path));
    if (refused) return writePlain(response, refused);
    const gate = write ? undefined : await desk.gate(path, asked);
    if (gate) {
      const about = { direction: "download", via: "git", repository: `${path.kind}/${path.id}` } as const;
      const asker = askedBy(asked);
      // git shows a token only when it is asked for one: without one nothing is refused yet.
      if (asker !== null) this.#options.transfers.deny(request, response, { ...about, account: asker }, gate);
      return writePlain(response, gate);
    }
    if (write && !this.#asksUs)
      return writePlain(response, {
        status: 503,
        says: "The platform's data folder allows no programs (noexec): no push is taken.",
      });
    const account = "caller" in asked ? asked.caller?.account : undefined;
    const slots = write ? this.#pushes : this.#fetches;
    const left = leaving(response);
    const caller = { account: askedBy(asked), address: addressOf(request) };
    // What references there are is no transfer: it moves nothing that is kept.
    const exchange =
      path.rest === "info/refs" ? undefined : this.#begin(path, request, response, { write, account: caller.account });
    using slot = await slots.take(caller, left);
    if (left.aborted) return;
    if (!slot) {
      exchange?.transfer.refuse("transfer/busy");
      return writePlain(response, account === undefined ? tooManyNameless : tooMany);
    }
    if (exchange === undefined) {
      using _pace = keepPace(request, response, this.#options.clock, { limits: this.#limits.pace });
      const repository = await this.#repository(path);
      if (left.aborted) return;
      const backend = this.#start(repository, path, request, write ? account : undefined);
      return await this.#give(backend, { request, response });
    }
    exchange.transfer.watch();
    const build = request.headers[buildHeader];
    if ("node" in asked && typeof build === "string" && asked.reads(path.id, build))
      exchange.transfer.learn({ link: [build] });
    if (write && account !== undefined) {
      const pusher: Pusher = {
        request: id,
        startedAt,
        path: `${pathOf(path)}/${path.rest}`,
        repo: repoOf(path),
        account,
        token: "caller" in asked && asked.caller?.via.kind === "token" ? asked.caller.via.id : null,
        address: caller.address,
      };
      return await this.#receive(path, pusher, exchange, slot);
    }
    const repository = await this.#repository(path);
    if (left.aborted) return;
    const { transfer } = exchange;
    const backend = this.#start(repository, path, request, undefined);
    exchange.backend = backend;
    await this.#orFailed(transfer, () => this.#give(backend, exchange, (body) => given(transfer, backend, body)));
  }

  /** What of a repository is moved is a transfer, from here on. */
  #begin(
    { kind, id }: GitPath,
    request: IncomingMessage,
    response: ServerResponse,
    { write, account }: { readonly write: boolean; readonly account: string | null },
  ): Exchange {
    const exchange: Omit<Exchange, "transfer"> = { request, response, backend: undefined, isDeciding: false };
    const transfer = this.#options.transfers.begin(request, response, {
      ...{ direction: write ? "upload" : "download", via: "git", repository: `${kind}/${id}`, account },
      waitsFor: () => waitsFor(exchange),
      pace: this.#limits.pace,
    });
    return Object.assign(exchange, { transfer });
  }

  /** Bytes both ways, as fast as the slower side takes them. */
  async #give(
    backend: Backend,
    { request, response }: Pick<Exchange, "request" | "response">,
    told: (body: AsyncIterable<Buffer>) => AsyncIterable<Buffer> = (body) => body,
  ): Promise<void> {
    response.once("close", () => response.writableFinished || backend.drop("its client left"));
    feed(backend, request);
    const { head, body } = await backend.read();
    response.writeHead(head.status, { ...head.headers, ...plainHeaders, ...shown(head.status) });
    await pipeline(told(body), response);
    const { failure } = await backend.ended;
    if (failure) throw failure;
  }

  /** What git fails at is told with its reason, before it is answered. */
  async #orFailed<T>(transfer: Transfer, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      // Whose client has left, its close says so.
      if (!transfer.isClosed) failed(transfer, says(error));
      throw error;
    }
  }

  async #receive(path: GitPath, pusher: Pusher, exchange: Exchange, slot: Disposable): Promise<void> {
    const { desk, repositories } = this.#options;
    const { request, response, transfer } = exchange;
    const made = await desk.ensure(path, pusher.account);
    if (!made.ok) {
      transfer.refuse("transfer/push-refused", made.says);
      return writePlain(response, { status: 403, says: made.says });
    }
    const stored = desk.storedAs(path);
    // It was there when it was asked for.
    if (stored === undefined) return writePlain(response, { status: 404, says: `${path.id} was deleted meanwhile.` });
    await repositories.createRepository(stored);
    const repository = repositories.repositoryOf(stored);
    const { answer, taken } = await this.#orFailed(transfer, () =>
      this.#exchange({ path, repository }, pusher, exchange),
    );
    // It is kept, and whoever leaves now leaves nothing behind: what its build does is another work.
    transfer.through();
    using _pace = keepPace(request, response, this.#options.clock, { limits: this.#limits.pace });
    slot[Symbol.dispose]();
    for (const line of taken?.lines ?? []) answer.say(line);
    const build = taken?.build ?? null;
    if (build !== null) await this.#watch(build, answer, visitorOf(request).origin);
    answer.end();
  }

  /** All that git has to do with a push. */
  async #exchange(
    { path, repository }: { readonly path: GitPath; readonly repository: string },
    pusher: Pusher,
    exchange: Exchange,
  ): Promise<{ readonly answer: PushAnswer; readonly taken: Taken | undefined }> {
    using _writing = await this.#options.repositories.hold(repository);
    using _sweeping = await this.#sweeping(repository);
    const { request, response, transfer } = exchange;
    const backend = this.#start(repository, path, request, pusher.account);
    exchange.backend = backend;
    const answer = new PushAnswer(response, backend);
    const told = answer.begin();
    told.catch(() => undefined); // Awaited below.
    const sent = feed(backend, request, received(transfer, request));
    const push = await backend.push;
    // git itself ends one that goes on above its limit, and asks us nothing.
    const isOver = push === undefined && sent.bytes > this.#limits.pushMaxBytes;
    const taken = isOver
      ? { lines: await this.#tooLarge(pusher, transfer), build: null }
      : push && (await transfer.decided(() => this.#decide(pusher, exchange, { repository, backend, push })));
    await told;
    const { exitCode, failure, says: gitSays } = await backend.ended;
    if (taken === undefined && failure === undefined && !transfer.isOver && !transfer.isClosed) {
      const { report, said } = answer;
      const isBroken = report.length === 0 && (exitCode !== 0 || response.statusCode >= 400);
      const end = isBroken
        ? ({ code: "transfer/failed", says: `git ended with ${exitCode}: ${gitSays.trim()}` } as const)
        : pushEnd({ report, said: `${said}\n${gitSays}` });
      if (end !== undefined) {
        transfer[codeRow(end.code).owner === "platform" ? "fail" : "refuse"](end.code, end.says);
        answer.say(`explain: ${transfer.id}`);
      }
    }
    if (failure) {
      if (!transfer.isClosed) failed(transfer, failure.message);
      answer.fatal(failure.message);
      // What more it sends is for nobody.
      response.once("finish", () => request.destroy());
    }
    return { answer, taken };
  }

  /** Whether the push may be taken, and what becomes of it; undefined where it was refused or git did not do it. */
  async #decide(
    pusher: Pusher,
    exchange: Exchange,
    { repository, backend, push }: { repository: string; backend: Backend; push: ReceivedPush },
  ): Promise<Taken | undefined> {
    const { transfer } = exchange;
    const { desk } = this.#options;
    const run: Parameters<typeof refusePush>[0] = (args, rest) =>
      runGit(this.#git, { args, repository, ...rest, env: push.env, signal: this.#closed.signal });
    // As long as it waits for us it is alive; from our answer on it has to give signs of its own.
    const alive = setInterval(() => backend.sign(), signEveryMs);
    let [accepted, isStored] = [false, false];
    exchange.isDeciding = true;
    const answer = (lines: readonly string[]): void => {
      clearInterval(alive);
      exchange.isDeciding = false;
      accepted = lines.length === 0;
      backend.answer(accepted, lines);
    };
    try {
      const refused = await refusePush(run, push.commands, repository);
      if (refused) {
        const { lines, code } = refused;
        transfer.refuse(code, notTaken(lines));
        const story = code === "transfer/too-large" ? await desk.tooLarge(pusher, lines[0] ?? "") : [];
        answer([...lines, ...(story.length > 0 ? story : [`explain: ${transfer.id}`])]);
        return undefined;
      }
      return await desk.inTurn(pusher.repo, async () => {
        const lines = await desk.refuse({ ...pusher, updates: push.commands });
        if (lines.length > 0) transfer.refuse("transfer/push-refused", notTaken(lines));
        answer(lines);
        await backend.ended;
        const updates = await changed(repository, push.commands, this.#git);
        if (updates.length === 0) return undefined;
        isStored = true;
        const taken = await desk.pushed({ ...pusher, updates });
        transfer.learn({
          refs: updates.length,
          link: [pusher.request, ...(taken.build === null ? [] : [taken.build])],
        });
        return taken;
      });
    } catch (error) {
      desk.onFailure(`a push to ${pusher.repo.id} (${transfer.id})`, error);
      if (isStored) return { lines: [`The push is stored. ${says(error)}`], build: null };
      transfer.fail("transfer/failed", says(error));
      // git had our word, and what it made of it could not be read.
      if (accepted) return { lines: [`${says(error)} Whether the push is stored is not known.`], build: null };
      answer([`${says(error)} Nothing of this push was taken.`]);
      return undefined;
    }
  }

  #tooLarge(pusher: Pusher, transfer: Transfer): Promise<readonly string[]> {
    const { pushMaxBytes } = this.#limits;
    const limit = `One push may have ${Math.floor(pushMaxBytes / (1 << 20))} MB, as git packs it.`;
    transfer.refuse("transfer/too-large", limit);
    return this.#options.desk.tooLarge(pusher, limit);
  }

  async #watch(build: string, answer: PushAnswer, origin: string): Promise<void> {
    if (!answer.isHeard) return;
    if (this.#watchers >= this.#limits.watchersMax) return answer.say(`${origin}/w/${build} tells how it goes on.`);
    this.#watchers += 1;
    const alive = setInterval(() => answer.sign(), signEveryMs);
    const signal = AbortSignal.any([answer.left, this.#closed.signal, AbortSignal.timeout(this.#limits.watchMs)]);
    try {
      for await (const line of this.#options.desk.watch(build, { origin, signal })) answer.say(line);
    } finally {
      clearInterval(alive);
      this.#watchers -= 1;
    }
  }

  /**
   * Removes what pushes left that were ended by force, before and after one, where no other of ours is at work there. One of an earlier
   * process may be: its hook cannot ask any more, so what it brings is never taken.
   */
  async #sweeping(repository: string): Promise<Disposable> {
    const atWork = this.#receiving.get(repository) ?? 0;
    this.#receiving.set(repository, atWork + 1);
    if (atWork === 0) await removeUntaken(repository);
    return {
      [Symbol.dispose]: () => {
        const others = (this.#receiving.get(repository) ?? 1) - 1;
        if (others > 0) return void this.#receiving.set(repository, others);
        this.#receiving.delete(repository);
        removeUntaken(repository).catch((error: unknown) => this.#options.desk.onFailure(repository, error));
      },
    };
  }

  #start(repository: string, path: GitPath, request: IncomingMessage, user: string | undefined): Backend {
    const protocol = request.headers["git-protocol"];
    const backend = new Backend(
      this.#git,
      this.#hooks,
      {
        repository,
        service: path.rest,
        method: request.method ?? "",
        query: path.query.toString(),
        contentType: request.headers["content-type"],
        contentEncoding: request.headers["content-encoding"],
        contentLength: request.headers["content-length"],
        protocol: typeof protocol === "string" && /^version=[012]$/.test(protocol) ? protocol : undefined,
        ...(user === undefined ? {} : { user }),
        config: { "receive.maxInputSize": String(this.#limits.pushMaxBytes) },
      },
      this.#options.clock,
      this.#limits,
    );
    this.#running.add(backend);
    void backend.ended.then(() => this.#running.delete(backend));
    return backend;
  }

  /** Where it is, or an empty one where nothing was ever pushed to a Space. */
  async #repository(repo: RepoName): Promise<string> {
    const { repositories, desk, folder } = this.#options;
    const stored = desk.storedAs(repo);
    if (stored !== undefined && (await repositories.exists(stored))) return repositories.repositoryOf(stored);
    const empty = join(folder, "empty.git");
    await runGit(this.#git, { args: ["init", "--quiet", "--bare", "--initial-branch=main", "--template=", empty] });
    return empty;
  }
}

/** Folders in which git keeps what a push brings until it is taken (`tmp-objdir`). */
async function removeUntaken(repository: string): Promise<void> {
  const objects = join(repository, "objects");
  for (const name of await readdir(objects))
    if (name.startsWith("tmp_objdir-")) await rm(join(objects, name), { recursive: true, force: true });
}

/** Which of the commands came true. */
async function changed(
  repository: string,
  commands: readonly RefCommand[],
  git: GitProgram,
): Promise<readonly RefCommand[]> {
  const { output } = await runGit(git, { repository, args: ["for-each-ref", "--format=%(objectname) %(refname)"] });
  const now = new Map(
    output
      .toString("utf8")
      .split("\n")
      .map((line) => [line.slice(41), line.slice(0, 40)]),
  );
  return commands.filter(({ from, to, ref }) => from !== to && (now.get(ref) ?? "0".repeat(40)) === to);
}

/** Lines for a terminal as one sentence. */
function notTaken(lines: readonly string[]): string {
  return `Nothing of the push was taken: ${lines.map((line) => line.trim().replace(/[.:]$/, "")).join("; ")}.`;
}

function repoOf({ kind, owner, name, id }: GitPath): RepoName {
  return { kind, owner, name, id };
}

function says(error: unknown): string {
  return `The platform could not serve this: ${error instanceof Error ? error.message : String(error)}.`;
}
