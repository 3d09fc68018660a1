/** What does not get through between a client and a repository: files by git-lfs and by Xet, and git's own packs. */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import type { LfsPointer } from "../../../src/hub/lfs-pointer.ts";
import { XetHashes } from "../../../src/hub/xet/hashes.ts";
import { bytesOf, packShard, uploadOf } from "../../../src/hub/xet/writer.suite.ts";
import { GitClient, type Work } from "../../support/git-client.ts";
import { until } from "../../support/platform.ts";
import { packOf, pushCommand, sendGit, wantOf, zeroId } from "../../support/raw-git.ts";
import { pointerTo } from "../../support/sha256.ts";
import { seen } from "../answers.ts";
import { proved, type FaultCase, type Injected, type Stage } from "../case.ts";

/** More than sockets hold on the way. */
const large = randomBytes(20 << 20);

/** Undefined where it is there already. */
async function addressIn(stage: Stage, name: string, operation: "upload" | "download", pointer: LfsPointer) {
  const answer = await fetch(`${stage.up.url}/spaces/alice/${name}.git/info/lfs/objects/batch`, {
    method: "POST",
    headers: { authorization: `Bearer ${stage.alice.token}` },
    body: JSON.stringify({ operation, objects: [pointer] }),
  });
  const { objects } = (await answer.json()) as { objects: [{ actions?: Record<string, { href: string }> }] };
  return objects[0].actions?.[operation]?.href;
}

export async function addressOf(...asked: Parameters<typeof addressIn>): Promise<string> {
  const href = await addressIn(...asked);
  if (href === undefined) throw new Error(`no address to ${asked[2]}`);
  return href;
}

/** Where a Space's large files go by Xet, and the token for it. */
async function casOf(stage: Stage, name: string): Promise<{ readonly url: string; readonly accessToken: string }> {
  const headers = { authorization: `Bearer ${stage.alice.token}`, "content-type": "application/json" };
  const wish = JSON.stringify({ name, type: "model" });
  await fetch(`${stage.up.url}/api/repos/create`, { method: "POST", headers, body: wish });
  const answer = await fetch(`${stage.up.url}/api/models/alice/${name}/xet-write-token/main`, { headers });
  const { casUrl, accessToken } = (await answer.json()) as { casUrl: string; accessToken: string };
  return { url: casUrl, accessToken };
}

export async function sent(href: string, bytes: Uint8Array<ArrayBuffer>): Promise<Response> {
  return await fetch(href, { method: "PUT", body: bytes });
}

/** A Space's repository of its own with the large file in it; its address to fetch it. */
export async function stored(stage: Stage, name: string): Promise<string> {
  const pointer = pointerTo(large);
  const href = await addressIn(stage, name, "upload", pointer);
  const answer = href === undefined ? undefined : await sent(href, large);
  if (answer !== undefined && answer.status !== 200) throw new Error(`the file was not taken: ${await answer.text()}`);
  return await addressOf(stage, name, "download", pointer);
}

function answered({ status, headers }: Response, wanted: number): Injected {
  return seen({ work: headers.get("x-waybill-id") ?? "", status }, wanted);
}

/** One who asks, reads the head and nothing more; `work` is its transfer. */
async function reader(href: string): Promise<{ readonly socket: Socket; readonly work: string }> {
  const { hostname, port, pathname, search } = new URL(href);
  const socket = createConnection(Number(port), hostname);
  socket.on("error", () => undefined); // Its connection is ended, as it should be.
  socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
  const head = await new Promise<string>((done) =>
    socket.once("data", (bytes: Buffer) => done(bytes.toString("latin1"))),
  );
  socket.pause();
  return { socket, work: /x-waybill-id: (\S+)/i.exec(head)?.[1] ?? "" };
}

/** A working copy with these files, whose commits are pushed to a Space of its own byte by byte. */
export class Pushing implements Disposable {
  readonly #client = new GitClient();
  readonly #url: string;
  readonly #token: string;
  readonly work: Work;

  constructor({ up, alice }: Stage, name: string, files: Readonly<Record<string, string | Uint8Array>>) {
    this.#url = `${up.url}/spaces/alice/${name}`;
    this.#token = alice.token;
    this.work = this.#client.init(name, this.#url, files);
  }

  get head(): string {
    return this.work.git("rev-parse", "HEAD").trim();
  }

  /** Makes this reference with this commit, by a pack of all that the commit has. */
  async push({ ref = "refs/heads/main", commit = this.head, pack = packOf(this.work.path, commit) }: Push = {}) {
    return this.#ended("git-receive-pack", Buffer.concat([pushCommand(zeroId, commit, ref), pack]));
  }

  async fetch(commit: string): Promise<Injected> {
    return this.#ended("git-upload-pack", wantOf(commit));
  }

  /** The answer is read to its end: its evidence was written before. */
  async #ended(service: Parameters<typeof sendGit>[1], body: Buffer): Promise<Injected> {
    const answer = await sendGit(this.#url, service, body, this.#token);
    await answer.text();
    return { id: answer.headers.get("x-waybill-id") ?? "" };
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}

interface Push {
  readonly ref?: string;
  readonly commit?: string;
  readonly pack?: Buffer;
}

export const transferCases: readonly FaultCase[] = [
  {
    code: "transfer/digest-mismatch",
    how: "other bytes are sent than were announced",
    on: "tight",
    certainty: proved,
    async inject(stage) {
      const href = await addressOf(stage, "digests", "upload", pointerTo(Buffer.from("these")));
      return answered(await sent(href, new Uint8Array(Buffer.from("those"))), 422);
    },
  },
  {
    code: "transfer/tier-limit",
    how: "two files that fit alone are sent to a repository in which only one does",
    on: "tight",
    certainty: proved,
    async inject(stage) {
      const [one, other] = [large, randomBytes(large.length)];
      const hrefs = [
        await addressOf(stage, "limits", "upload", pointerTo(one)),
        await addressOf(stage, "limits", "upload", pointerTo(other)),
      ] as const;
      await sent(hrefs[0], one);
      return answered(await sent(hrefs[1], other), 413);
    },
  },
  {
    code: "transfer/range-mismatch",
    how: "a client goes on behind the end of the file",
    on: "tight",
    certainty: proved,
    async inject(stage) {
      const href = await stored(stage, "ranges");
      return answered(await fetch(href, { headers: { range: `bytes=${large.length}-` } }), 416);
    },
  },
  {
    code: "transfer/content-missing",
    how: "a file's content is removed from the disk after its address was given",
    on: "tight",
    certainty: proved,
    async inject(stage) {
      const href = await stored(stage, "losses");
      const { oid } = pointerTo(large);
      const place = join("lfs/objects", oid.slice(0, 2), oid.slice(2, 4), oid);
      rmSync(join(stage.up.data, "repositories/alice/losses.git", place));
      return answered(await fetch(href), 404);
    },
  },
  {
    code: "transfer/url-expired",
    how: "an address is used whose signature does not hold",
    on: "tight",
    certainty: proved,
    async inject(stage) {
      const href = await stored(stage, "addresses");
      return answered(await fetch(href.replace(/until=\d+/, "until=1")), 403);
    },
  },
  {
    code: "transfer/auth-failed",
    how: "a xorb is sent with a token that nobody gave",
    on: "tight",
    certainty: proved,
    async inject(stage) {
      const { url, accessToken } = await casOf(stage, "tokens");
      const headers = { authorization: `Bearer ${accessToken.replace(/.$/, (last) => (last === "x" ? "y" : "x"))}` };
      const body = new Uint8Array(9);
      return answered(await fetch(`${url}/v1/xorbs/default/${"a".repeat(64)}`, { method: "POST", headers, body }), 401);
    },
  },
  {
    code: "transfer/chunk-missing",
    how: "a shard names a xorb that was never sent",
    on: "tight",
    certainty: proved,
    async inject(stage) {
      const { url, accessToken } = await casOf(stage, "chunks");
      const hashes = new XetHashes();
      const body = new Uint8Array(packShard([uploadOf(hashes, bytesOf("never sent", 100_000)).file]));
      const headers = { authorization: `Bearer ${accessToken}` };
      return answered(await fetch(`${url}/v1/shards`, { method: "POST", headers, body }), 400);
    },
  },
  {
    code: "transfer/stalled",
    how: "a client reads nothing more of its file",
    on: "tight",
    certainty: proved,
    async inject(stage) {
      const { socket, work } = await reader(await stored(stage, "stalls"));
      await until("it is given up", async () => (await stage.up.admin.explain(work).catch(() => undefined))?.verdict);
      socket.destroy();
      return {
        id: work,
        also: ({ sentence }) => (/waited for the client/.test(sentence) ? undefined : `it says "${sentence}"`),
      };
    },
  },
  {
    code: "transfer/client-left",
    how: "a client closes its connection in the middle of its file",
    on: "tight",
    certainty: proved,
    async inject(stage) {
      const { socket, work } = await reader(await stored(stage, "leaves"));
      socket.destroy();
      return { id: work };
    },
  },
  {
    code: "transfer/pack-broken",
    how: "a push whose pack has another sum than stands at its end",
    on: "tight",
    certainty: proved,
    async inject(stage) {
      using pushing = new Pushing(stage, "broken", { "index.html": "one" });
      const pack = packOf(pushing.work.path, "HEAD");
      pack[pack.length - 1] = (pack.at(-1) ?? 0) ^ 1;
      return await pushing.push({ pack });
    },
  },
  {
    code: "transfer/object-refused",
    how: "a push of a commit whose author has no address",
    on: "tight",
    certainty: proved,
    async inject(stage) {
      using pushing = new Pushing(stage, "unsound", { "index.html": "one" });
      const { work } = pushing;
      const bad = `tree ${work.git("rev-parse", "HEAD^{tree}").trim()}\nauthor x 1 +0000\ncommitter x 1 +0000\n\nx\n`;
      const args = ["hash-object", "-t", "commit", "-w", "--stdin", "--literally"];
      const commit = spawnSync("git", args, { cwd: work.path, input: bad, encoding: "utf8" }).stdout.trim();
      return await pushing.push({ commit });
    },
  },
  {
    code: "transfer/too-large",
    how: "a push with a file that belongs into Git LFS",
    on: "tight",
    certainty: proved,
    async inject(stage) {
      using pushing = new Pushing(stage, "heavy", { "data.bin": randomBytes(11 << 20) });
      return await pushing.push();
    },
  },
  {
    code: "transfer/push-refused",
    how: "a push to a reference that is neither a branch nor a tag",
    on: "tight",
    certainty: proved,
    async inject(stage) {
      using pushing = new Pushing(stage, "elsewhere", { "index.html": "one" });
      return await pushing.push({ ref: "refs/notes/x" });
    },
  },
  {
    code: "transfer/conflict",
    how: "a push that believes a branch to be where it is not any more",
    on: "tight",
    certainty: proved,
    async inject(stage) {
      using pushing = new Pushing(stage, "races", { "index.html": "one" });
      await pushing.push({ ref: "refs/heads/x" });
      pushing.work.commit({ "index.html": "two" });
      return await pushing.push({ ref: "refs/heads/x" });
    },
  },
  {
    code: "transfer/git-refused",
    how: "a commit is fetched that is not there",
    on: "tight",
    certainty: proved,
    async inject(stage) {
      using pushing = new Pushing(stage, "gone", { "index.html": "one" });
      await pushing.push({ ref: "refs/heads/x" });
      return await pushing.fetch("1".repeat(40));
    },
  },
];
