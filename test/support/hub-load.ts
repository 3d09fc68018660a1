/** Clients of repositories at work, each as people have them, and what was promised to each: for a server that is killed among them. */
import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Prng } from "../../src/stdx/prng.ts";
import type { GitClient, Work } from "./git-client.ts";
import type { HubClient } from "./hub-client.ts";
import { until, type Account, type Platform } from "./platform.ts";
import { pointerTo, sha256 } from "./sha256.ts";

export interface HubLoadOptions {
  readonly up: Platform;
  readonly git: GitClient;
  readonly hub: HubClient | undefined;
  readonly random: Prng;
  readonly withLfs: boolean;
}

export interface Counts {
  /** git pushes, each to a branch of its own or, one in six, to one that others push to. */
  readonly push: number;
  /** git clones and pulls. */
  readonly pull: number;
  /** Commits of the Hub's API, with large files by git-lfs' addresses. */
  readonly commit: number;
  /** Downloads by plain HTTP, resumed where they were cut off. */
  readonly fetch: number;
  /** git pushes with git-lfs. */
  readonly lfs: number;
  /** Uploads and downloads by `huggingface_hub` with hf_xet. */
  readonly xet: number;
}

/** An answer that was read to its end: this commit is on that branch of that model, and has this file. */
interface Promised {
  readonly repo: string;
  readonly branch: string;
  readonly commit: string;
  readonly file?: { readonly path: string; readonly sha256: string };
}

type Kind = keyof Counts;

/** One that does not come through so often has found something that no repetition mends. */
const triesMax = 60;
/** Larger than what sockets hold on their way, so that a kill meets them in the middle. */
const fileBytes = { from: 100_000, to: 3_000_000 };
const kinds: readonly Kind[] = ["push", "pull", "commit", "fetch", "lfs", "xet"];

export class HubLoad {
  readonly #options: HubLoadOptions;
  readonly #accounts: Account[] = [];
  readonly #promised: Promised[] = [];
  readonly #done: Record<Kind, number> = { push: 0, pull: 0, commit: 0, fetch: 0, lfs: 0, xet: 0 };
  readonly #again: Record<Kind, number> = { push: 0, pull: 0, commit: 0, fetch: 0, lfs: 0, xet: 0 };
  /** Begun before a kill and through after it: by their client's own repetitions, or because they had not asked for anything yet. */
  #across = 0;
  #lives = 0;
  #up = Promise.withResolvers<void>();
  #isOver = false;
  #names = 0;

  constructor(options: HubLoadOptions) {
    this.#options = options;
    this.#up.resolve();
  }

  /** Accounts with a model each, which has a first commit and a file to fetch. */
  async prepare(accounts: number): Promise<void> {
    for (let n = 0; n < accounts; n += 1) {
      const account = await this.#options.up.account(`user${n}`, "unlimited");
      this.#accounts.push(account);
      await this.#post(account, "/api/repos/create", { name: "model", type: "model" });
      await this.#commit(account, "main", this.#options.random.bytes(fileBytes.to));
    }
    if (this.#options.withLfs) this.#options.git.work(this.#options.git.folder).git("lfs", "install");
  }

  /** All at once: each does its work again and again until all is over, and once at least. */
  start(counts: Counts): readonly Promise<void>[] {
    return kinds
      .filter(
        (kind) => (kind !== "xet" || this.#options.hub !== undefined) && (kind !== "lfs" || this.#options.withLfs),
      )
      .flatMap((kind) => Array.from({ length: counts[kind] }, (_, n) => this.#client(kind, n)));
  }

  isDown(): void {
    this.#up = Promise.withResolvers();
    this.#lives += 1;
  }

  isUp(): void {
    this.#up.resolve();
  }

  /** Nothing is killed any more: each ends with what it does now. */
  finish(): void {
    this.#isOver = true;
  }

  get done(): number {
    return kinds.reduce((sum, kind) => sum + this.#done[kind], 0);
  }

  /** Answers that are to be kept. */
  get promises(): number {
    return this.#promised.length;
  }

  said(): string {
    const each = kinds.map((kind) => `${kind} ${this.#done[kind]} (${this.#again[kind]} begun anew)`).join(", ");
    return `${each}; ${this.#across} began before a kill and came through after it; ${this.#promised.length} promises`;
  }

  /** Every promise is kept: looked for in fresh copies of all that is there. */
  async check(): Promise<string> {
    const { git } = this.#options;
    let files = 0;
    for (const account of this.#accounts) {
      const repo = repoOf(account);
      const name = `check-${account.name}`;
      const cloned = await git.clone(this.#url(account), name, "--mirror", "--quiet", "--config", "filter.lfs.smudge=");
      assert.equal(cloned.exitCode, 0, cloned.says);
      const work = git.work(join(git.folder, name));
      work.git("fsck", "--full", "--strict");
      for (const { branch, commit, file } of this.#promised.filter((one) => one.repo === repo)) {
        const contains = await work.run("merge-base", "--is-ancestor", commit, `refs/heads/${branch}`);
        assert.equal(contains.exitCode, 0, `${commit} of ${branch} of ${repo} was acknowledged: ${contains.says}`);
        if (file === undefined) continue;
        files += 1;
        const bytes = await this.#fetchAll(`${this.#base}/${repo}/resolve/${commit}/${file.path}`);
        assert.equal(sha256(bytes), file.sha256, `${file.path} at ${commit} of ${branch} of ${repo}`);
      }
    }
    return `${this.#promised.length} commits are where they were promised, and ${files} files of them have their digest`;
  }

  /** A file is stored, and fetched again. */
  async storeOne(bytes: Uint8Array): Promise<Uint8Array> {
    const account = this.#accounts[0] as Account;
    const { commit, file } = await this.#commit(account, "main", bytes);
    return this.#fetchAll(`${this.#base}/${repoOf(account)}/resolve/${commit}/${file?.path ?? ""}`);
  }

  async #client(kind: Kind, n: number): Promise<void> {
    const account = this.#accounts[n % this.#accounts.length] as Account;
    const work = this.#workOf(kind, account, n);
    do {
      for (let tries = 1; ; tries += 1) {
        await this.#up.promise;
        const life = this.#lives;
        const wrong = await work().then(
          () => undefined,
          (error: unknown) => ({ error }),
        );
        if (wrong === undefined) {
          this.#done[kind] += 1;
          if (life !== this.#lives) this.#across += 1;
          break;
        }
        if (wrong.error instanceof assert.AssertionError) throw wrong.error;
        this.#again[kind] += 1;
        if (tries === triesMax)
          throw new Error(`${kind} ${n} was not through at the ${tries}th try: ${String(wrong.error)}`, {
            cause: wrong.error,
          });
      }
    } while (!this.#isOver);
  }

  #workOf(kind: Kind, account: Account, n: number): () => Promise<void> {
    switch (kind) {
      case "push":
        return this.#pusher(account, n % 6 === 5 ? "shared" : `push${n}`, n);
      case "pull":
        return this.#puller(account, n);
      case "commit":
        return async () => {
          // Every other one on a branch on which others commit too.
          const branch = n % 2 === 0 ? "main" : `commit${n}`;
          if (branch !== "main") await this.#branch(account, branch);
          this.#promised.push(await this.#commit(account, branch, this.#file()));
        };
      case "fetch":
        return () => this.#fetchOne(account);
      case "lfs":
        return this.#lfsPusher(account, `lfs${n}`, n);
      case "xet":
        return this.#xetClient(account, `xet${n}`);
    }
  }

  #pusher(account: Account, branch: string, n: number): () => Promise<void> {
    const { random } = this.#options;
    const name = `push${n}`;
    let work: Work | undefined;
    return async () => {
      work ??= await this.#clone(account, name);
      const file = `${name}-${++this.#names}.txt`;
      work.commit({ [file]: Buffer.from(random.bytes(2_000)).toString("hex") });
      // A push that another was before brings what that one brought first.
      if (branch === "shared") {
        await work.run("fetch", "--quiet", "origin");
        await work.run("rebase", "--quiet", "origin/shared");
      }
      const commit = work.git("rev-parse", "HEAD").trim();
      const pushed = await work.run("push", "--quiet", "origin", `HEAD:refs/heads/${branch}`);
      if (pushed.exitCode !== 0) throw new Error(pushed.says);
      this.#promised.push({ repo: repoOf(account), branch, commit });
    };
  }

  #puller(account: Account, n: number): () => Promise<void> {
    const { git } = this.#options;
    return async () => {
      const name = `pull${n}-${++this.#names}`;
      const work = await this.#clone(account, name);
      const pulled = await work.run("pull", "--quiet", "origin", "main");
      if (pulled.exitCode !== 0) throw new Error(pulled.says);
      const sound = await work.run("fsck", "--full", "--strict", "--no-dangling");
      assert.equal(sound.exitCode, 0, sound.says);
      rmSync(join(git.folder, name), { recursive: true, force: true });
    };
  }

  #lfsPusher(account: Account, branch: string, n: number): () => Promise<void> {
    let work: Work | undefined;
    return async () => {
      work ??= await this.#clone(account, `lfs${n}`);
      const bytes = this.#file();
      const path = `${branch}-${++this.#names}.lfsbin`;
      work.git("lfs", "track", "*.lfsbin");
      const commit = work.commit({ [path]: bytes });
      const pushed = await work.run("push", "--quiet", "origin", `HEAD:refs/heads/${branch}`);
      if (pushed.exitCode !== 0) throw new Error(pushed.says);
      this.#promised.push({ repo: repoOf(account), branch, commit, file: { path, sha256: sha256(bytes) } });
    };
  }

  /** Uploads by Xet to a branch of its own, and fetches what it has uploaded by Xet. */
  #xetClient(account: Account, branch: string): () => Promise<void> {
    const { up, hub } = this.#options;
    const repo = repoOf(account);
    return async () => {
      if (hub === undefined) return;
      const bytes = this.#file();
      const name = `${branch}-${++this.#names}`;
      const path = join(hub.folder, `${name}.bin`);
      writeFileSync(path, bytes);
      await this.#branch(account, branch);
      const told = (await hub.ask(
        { url: up.url, token: account.token, home: name, env: { HF_HUB_DISABLE_PROGRESS_BARS: "1" } },
        `
import hashlib
made = api.upload_file(path_or_fileobj=${JSON.stringify(path)}, path_in_repo="${name}.bin", repo_id="${repo}", revision="${branch}")
got = api.hf_hub_download("${repo}", "${name}.bin", revision=made.oid)
print(json.dumps([made.oid, hashlib.sha256(open(got, "rb").read()).hexdigest()]))`,
      )) as [string, string];
      assert.equal(told[1], sha256(bytes));
      const file = { path: `${name}.bin`, sha256: sha256(bytes) };
      this.#promised.push({ repo, branch, commit: told[0], file });
    };
  }

  async #clone(account: Account, name: string): Promise<Work> {
    const { git } = this.#options;
    const path = join(git.folder, name);
    rmSync(path, { recursive: true, force: true });
    mkdirSync(git.folder, { recursive: true });
    const cloned = await git.clone(this.#url(account), name, "--quiet");
    if (cloned.exitCode !== 0) throw new Error(cloned.says);
    return git.work(path);
  }

  #file(): Uint8Array<ArrayBuffer> {
    const { random } = this.#options;
    // Drawing each byte would be most of what these clients do.
    const bytes = new Uint8Array(fileBytes.from + random.int(fileBytes.to - fileBytes.from));
    const drawn = random.bytes(4_096);
    for (let at = 0; at < bytes.length; at += drawn.length)
      bytes.set(drawn.subarray(0, Math.min(drawn.length, bytes.length - at)), at);
    return bytes;
  }

  async #branch(account: Account, branch: string): Promise<void> {
    const path = `/api/models/${repoOf(account)}/branch/${branch}`;
    await this.#post(account, path, {}, [409]);
  }

  /** A commit with one small file and one large one, which goes before it as git-lfs sends it. */
  async #commit(account: Account, branch: string, bytes: Uint8Array): Promise<Promised> {
    const repo = repoOf(account);
    const object = pointerTo(bytes);
    const batch = (await (
      await this.#post(account, `/${repo}.git/info/lfs/objects/batch`, { operation: "upload", objects: [object] })
    ).json()) as { objects: [{ actions?: { upload: { href: string } } }] };
    const href = batch.objects[0].actions?.upload.href;
    if (href !== undefined) {
      const sent = await fetch(href, { method: "PUT", body: Buffer.from(bytes) });
      if (sent.status !== 200) throw new Error(`${sent.status}: ${await sent.text()}`);
    }
    const path = `file-${++this.#names}.bin`;
    const lines = [
      { key: "header", value: { summary: path } },
      { key: "file", value: { path: `${path}.txt`, content: path, encoding: "utf-8" } },
      { key: "lfsFile", value: { path, algo: "sha256", ...object } },
    ];
    const body = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    const done = await this.#post(account, `/api/models/${repo}/commit/${branch}`, body);
    const { commitOid } = (await done.json()) as { commitOid: string };
    return { repo, branch, commit: commitOid, file: { path, sha256: object.oid } };
  }

  /** One of the promised files, fetched until all of it has come, as clients go on where they were cut off. */
  async #fetchOne(account: Account): Promise<void> {
    const mine = this.#promised.filter(({ repo, file }) => repo === repoOf(account) && file !== undefined);
    const one = mine.length === 0 ? undefined : this.#options.random.pick(mine);
    if (one?.file === undefined) {
      const promised = await this.#commit(account, "main", this.#file());
      return void this.#promised.push(promised);
    }
    const bytes = await this.#fetchAll(`${this.#base}/${one.repo}/resolve/${one.commit}/${one.file.path}`);
    assert.equal(sha256(bytes), one.file.sha256, `${one.file.path} of ${one.repo}`);
  }

  async #fetchAll(url: string): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let [at, of] = [0, Infinity];
    await until(`all of ${url} has come`, async () => {
      await this.#up.promise;
      try {
        const answer = await fetch(url, { headers: at === 0 ? {} : { range: `bytes=${at}-` } });
        if (answer.status === 503 || answer.body === null) return false;
        assert.ok(answer.ok, `${answer.status} of ${url}`);
        of = at + Number(answer.headers.get("content-length"));
        for await (const piece of answer.body) {
          pieces.push(piece);
          at += piece.length;
        }
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        return false; // Cut off: it goes on from there.
      }
      return at === of;
    });
    return Buffer.concat(pieces);
  }

  async #post(account: Account, path: string, body: object | string, taken: readonly number[] = []): Promise<Response> {
    const isLines = typeof body === "string";
    const answer = await fetch(this.#base + path, {
      method: "POST",
      headers: {
        authorization: `Bearer ${account.token}`,
        "content-type": isLines ? "application/x-ndjson" : "application/json",
      },
      body: isLines ? body : JSON.stringify(body),
    });
    if (!answer.ok && !taken.includes(answer.status))
      throw new Error(`${answer.status} of ${path}: ${await answer.text()}`);
    return answer;
  }

  get #base(): string {
    return this.#options.up.url;
  }

  #url({ name, token }: Account): string {
    return `${this.#base.replace("://", `://any:${token}@`)}/${name}/model`;
  }
}

function repoOf({ name }: Account): string {
  return `${name}/model`;
}
