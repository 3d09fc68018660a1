/** Pull requests against a real platform by `@huggingface/hub`, git and plain HTTP: files of all sizes, and in whose room they are. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import * as js from "@huggingface/hub";
import { GitClient } from "./support/git-client.ts";
import { Platform, until, type Account } from "./support/platform.ts";
import { pointerTo, sha256 } from "./support/sha256.ts";

const mebibyte = 1 << 20;
const line = (key: string, value: object): string => JSON.stringify({ key, value });

interface Answer {
  readonly status: number;
  readonly body: any; // oxlint-disable-line typescript/no-explicit-any -- each test reads the answer that it is about
}

interface Batch {
  readonly transfer: string;
  readonly objects: readonly {
    readonly actions?: Readonly<
      Record<string, { readonly href: string; readonly header?: Readonly<Record<string, string>> }>
    >;
    readonly error?: { readonly code: number; readonly message: string };
  }[];
}

describe("pull requests", () => {
  let up: Platform;
  let alice: Account;
  let bob: Account;
  let carol: Account;
  before(async () => {
    up = await Platform.start();
    [alice, bob, carol] = [await up.account("alice"), await up.account("bob"), await up.account("carol")];
  });
  after(() => up[Symbol.asyncDispose]());

  const ask = async (who: Account | null, line_: string, body?: object | string): Promise<Answer> => {
    const [method = "", path = ""] = line_.split(" ");
    const response = await fetch(`${up.url}${path}`, {
      method,
      headers: who === null ? {} : { authorization: `Bearer ${who.token}` },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
  };
  const make = async (name: string, wish: object = {}): Promise<string> => {
    assert.equal((await ask(alice, "POST /api/repos/create", { name, ...wish })).status, 200);
    return `/api/models/alice/${name}`;
  };
  const merge = (repo: string, num: number): Promise<Answer> => ask(alice, `POST ${repo}/discussions/${num}/merge`, {});
  const read = async (path: string, who: Account | null = null): Promise<Buffer> => {
    const headers: Record<string, string> = who === null ? {} : { authorization: `Bearer ${who.token}` };
    const response = await fetch(`${up.url}${path}`, { headers });
    assert.equal(response.status, 200, path);
    return Buffer.from(await response.arrayBuffer());
  };
  const kept = async (who: Account): Promise<{ xetBytes: number; lfsBytes: number }> => {
    const { accounts } = await up.admin.storageUsage();
    const { xetBytes = 0, lfsBytes = 0 } = accounts.find(({ account }) => account === who.name) ?? {};
    return { xetBytes, lfsBytes };
  };
  const batch = async (who: Account | null, name: string, bytes: Uint8Array, transfers = ["basic"]): Promise<Batch> => {
    const answer = await ask(who, `POST /alice/${name}.git/info/lfs/objects/batch`, {
      ...{ operation: "upload", transfers, objects: [pointerTo(bytes)] },
    });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body as Batch;
  };
  const put = async (of: Batch, bytes: Uint8Array): Promise<number> => {
    const href = of.objects[0]?.actions?.["upload"]?.href ?? "";
    return (await fetch(href, { method: "PUT", body: Buffer.from(bytes) })).status;
  };
  const largeCommit = (path: string, bytes: Uint8Array): string =>
    [line("header", { summary: `Add ${path}` }), line("lfsFile", { path, algo: "sha256", ...pointerTo(bytes) })].join(
      "\n",
    );

  test("by @huggingface/hub one who may only read proposes files of all sizes; they are read by their reference, counted of the proposer until they are merged, and then of the owner", async () => {
    const repo = await make("tiny");
    const large = randomBytes(3 * mebibyte);
    const asked = { repo: { type: "model", name: "alice/tiny" } as const, hubUrl: up.url, accessToken: bob.token };
    const [hers, his] = [await kept(alice), await kept(bob)];
    const done = await js.uploadFiles({
      ...{ ...asked, isPullRequest: true, commitTitle: "Add weights" },
      files: [
        { path: "a.txt", content: new Blob(["a"]) },
        { path: "w.bin", content: new Blob([large]) },
      ],
    });
    assert.equal(done?.pullRequestUrl, `${up.url}/alice/tiny/discussions/1`);
    await assert.rejects(js.uploadFile({ ...asked, file: { path: "b.txt", content: new Blob(["b"]) } }), /403|belongs/);
    await js.uploadFile({ ...asked, branch: "refs/pr/1", file: { path: "b.txt", content: new Blob(["b"]) } });
    const paths = await Array.fromAsync(js.listFiles({ ...asked, revision: "refs/pr/1" }), ({ path }) => path);
    assert.deepEqual(paths, [".gitattributes", "a.txt", "b.txt", "w.bin"]);
    const blob = await js.downloadFile({ ...asked, revision: "refs/pr/1", path: "w.bin" });
    assert.equal(sha256(new Uint8Array((await blob?.arrayBuffer()) ?? [])), sha256(large));
    assert.ok((await kept(bob)).xetBytes >= his.xetBytes + large.length);
    assert.deepEqual(await kept(alice), hers);
    assert.equal((await merge(repo, 1)).status, 200);
    assert.deepEqual(await kept(bob), his);
    assert.ok((await kept(alice)).xetBytes >= hers.xetBytes + large.length);
    assert.equal(sha256(await read("/alice/tiny/resolve/main/w.bin")), sha256(large));
    assert.deepEqual(
      (await ask(null, `GET ${repo}/discussions/1`)).body.events.map(({ type }: { type: string }) => type).toSorted(),
      ["comment", "commit", "commit", "status-change"],
    );
  });

  test("what git-lfs brings for a pull request lies apart until it is merged; an owner without room is told, and nothing is merged", async () => {
    const repo = await make("lfs");
    const bytes = randomBytes(2 * mebibyte);
    const [hers, his] = [await kept(alice), await kept(bob)];
    const first = await batch(bob, "lfs", bytes, ["basic", "multipart"]);
    assert.equal(first.transfer, "basic");
    assert.equal(await put(first, bytes), 200);
    assert.equal((await batch(bob, "lfs", bytes)).objects[0]?.actions, undefined);
    assert.notEqual(
      (await batch(alice, "lfs", bytes)).objects[0]?.actions,
      undefined,
      "hers would be the repository's",
    );
    const done = await ask(bob, `POST ${repo}/commit/main?create_pr=1`, largeCommit("w.bin", bytes));
    assert.equal(done.status, 200, JSON.stringify(done.body));
    assert.equal(sha256(await read("/alice/lfs/resolve/refs%2Fpr%2F1/w.bin")), sha256(bytes));
    assert.deepEqual(await kept(bob), { ...his, lfsBytes: his.lfsBytes + bytes.length });
    assert.deepEqual(await kept(alice), hers);
    await up.admin.setStorage("alice", { maxBytes: hers.xetBytes + hers.lfsBytes + bytes.length - 1 });
    const full = await merge(repo, 1);
    assert.equal(full.status, 413);
    assert.match(full.body.error, /cannot be merged.*alice may keep/);
    assert.equal((await ask(null, `GET ${repo}/tree/main`)).body.length, 1);
    await up.admin.setStorage("alice", { maxBytes: null });
    assert.equal((await merge(repo, 1)).status, 200);
    assert.deepEqual([await kept(bob), await kept(alice)], [his, { ...hers, lfsBytes: hers.lfsBytes + bytes.length }]);
    assert.equal(sha256(await read("/alice/lfs/resolve/main/w.bin")), sha256(bytes));
    await up.restart();
    assert.deepEqual([await kept(bob), await kept(alice)], [his, { ...hers, lfsBytes: hers.lfsBytes + bytes.length }]);
  });

  test("a proposer who is full is refused before a byte, whatever room the owner has; a stranger without a token brings nothing", async () => {
    const repo = await make("full");
    const bytes = randomBytes(mebibyte);
    await up.admin.setStorage("carol", { maxBytes: 1_000 });
    const { objects } = await batch(carol, "full", bytes);
    assert.equal(objects[0]?.error?.code, 413);
    assert.match(objects[0].error.message, /^carol may keep 1000 bytes/);
    const sample = { files: [{ path: "w.bin", size: bytes.length, sample: "" }] };
    assert.equal((await ask(carol, `POST ${repo}/preupload/main?create_pr=1`, sample)).status, 413);
    assert.equal((await ask(bob, `POST ${repo}/preupload/main?create_pr=1`, sample)).status, 200);
    await up.admin.setStorage("carol", { maxBytes: 0 });
    assert.equal((await ask(carol, `GET ${repo}/xet-write-token/main?create_pr=1`)).status, 413);
    assert.equal((await ask(bob, `GET ${repo}/xet-write-token/main`)).status, 403);
    assert.equal((await ask(bob, `GET ${repo}/xet-write-token/None?create_pr=1`)).status, 200);
    assert.equal((await ask(null, `GET ${repo}/xet-write-token/main?create_pr=1`)).status, 401);
    assert.equal(
      (await ask(null, "POST /alice/full.git/info/lfs/objects/batch", { operation: "upload", objects: [] })).status,
      401,
    );
    const large = await batch(bob, "full", bytes);
    await up.admin.setStorage("bob", { maxBytes: 1_000 });
    assert.equal(await put(large, bytes), 413);
    await up.admin.setStorage("bob", { maxBytes: null });
  });

  test("a proposal's token is for the proposer's own: it names nothing that the repository has by others, and ends when the repository is private", async () => {
    const repo = await make("secret-chunks");
    const large = randomBytes(2 * mebibyte);
    const asked = { repo: { type: "model", name: "alice/secret-chunks" } as const, hubUrl: up.url };
    await js.uploadFile({ ...asked, accessToken: alice.token, file: { path: "w.bin", content: new Blob([large]) } });
    const given = (await ask(bob, `GET ${repo}/xet-write-token/main?create_pr=1`)).body;
    const { headers } = await fetch(`${up.url}/alice/secret-chunks/resolve/main/w.bin`, { method: "HEAD" });
    const plan = await fetch(`${given.casUrl}/v1/reconstructions/${headers.get("x-xet-hash")}`, {
      headers: { authorization: `Bearer ${given.accessToken}` },
    });
    assert.equal(plan.status, 200, "who proposes reads");
    const { terms } = (await plan.json()) as { terms: readonly { hash: string }[] };
    assert.equal(terms.length, 1);
    const shard = async (): Promise<Response> =>
      fetch(`${given.casUrl}/v1/chunks/default/${terms[0]?.hash}`, {
        headers: { authorization: `Bearer ${given.accessToken}` },
      });
    assert.equal((await shard()).status, 404);
    assert.equal((await ask(alice, `PUT ${repo}/settings`, { private: true })).status, 200);
    assert.equal((await shard()).status, 403);
    assert.equal((await ask(bob, `GET ${repo}/xet-write-token/main?create_pr=1`)).status, 404);
  });

  test("git fetches a pull request's reference, also without a token, and pushes to it for who may write while it is open", async () => {
    const repo = await make("by-git");
    using git = new GitClient();
    const own = { "own.txt": "never pushed" };
    const opened = await ask(
      bob,
      `POST ${repo}/commit/main?create_pr=1`,
      [
        line("header", { summary: "Add a" }),
        line("file", { path: "a.txt", content: Buffer.from("a").toString("base64"), encoding: "base64" }),
      ].join("\n"),
    );
    const url = (who: Account | null): string =>
      `${up.url.replace("://", who === null ? "://" : `://${who.name}:${who.token}@`)}/alice/by-git`;
    const work = git.init("work", url(null), own);
    work.git("fetch", "--quiet", "origin", "refs/pr/1:pr1");
    assert.equal(work.git("rev-parse", "pr1").trim(), opened.body.commitOid);
    work.git("checkout", "--quiet", "pr1");
    work.commit({ "b.txt": "b" });
    const push = async (who: Account, ref: string): Promise<string> => {
      const end = await work.run("push", url(who), `HEAD:${ref}`);
      return end.exitCode === 0 ? "taken" : end.says;
    };
    assert.match(await push(bob, "refs/pr/1"), /403|belongs to alice/);
    assert.match(await push(alice, "refs/pr/2"), /opening a pull request/);
    assert.match(await push(alice, "refs/other/2"), /neither a branch nor a tag/);
    assert.equal(await push(alice, "refs/pr/1"), "taken");
    const end = await work.run("push", url(alice), ":refs/pr/1");
    assert.match(end.says, /opening a pull request/);
    const events = (await ask(null, `GET ${repo}/discussions/1`)).body.events;
    assert.equal(events.filter(({ type }: { type: string }) => type === "commit").length, 2);
    assert.equal((await merge(repo, 1)).status, 200);
    assert.equal((await read("/alice/by-git/resolve/main/b.txt")).toString(), "b");
    work.commit({ "c.txt": "c" });
    assert.match(await push(alice, "refs/pr/1"), /is merged/);
  });

  test("all that is stored is right, a backup has the references, and a deleted repository takes what was proposed to it off its proposers", async () => {
    const name = "ends";
    const repo = await make(name);
    const [before_, bytes] = [await kept(bob), randomBytes(mebibyte)];
    await put(await batch(bob, name, bytes), bytes);
    await js.uploadFile({
      ...{
        repo: { type: "model", name: `alice/${name}` },
        hubUrl: up.url,
        accessToken: bob.token,
        isPullRequest: true,
      },
      file: { path: "x.bin", content: new Blob([randomBytes(2 * mebibyte)]) },
    });
    const begun = await up.admin.beginHubJob({ kind: "verify" });
    const { verified } = await until("it is verified", async () => {
      const job = await up.admin.hubJob(begun.id);
      return job.ended && job;
    });
    assert.deepEqual(verified?.problems, []);
    assert.ok((await kept(bob)).lfsBytes >= before_.lfsBytes + bytes.length);
    const folder = join(up.folder, "backup");
    await up.admin.backup({ folder });
    const { files } = JSON.parse(readFileSync(join(folder, "backup.json"), "utf8")) as { files: { path: string }[] };
    const has = (pattern: RegExp): boolean => files.some(({ path }) => pattern.test(path));
    assert.ok(has(/^repositories\/models\/m_[^/]+\.git\/refs\/pr\/1$/));
    assert.ok(has(/^repositories\/models\/m_[^/]+\.git\/lfs\/proposed\/bob\/lfs\/objects\//));
    assert.equal(
      (await ask(alice, "POST /api/repos/move", { fromRepo: `alice/${name}`, toRepo: "alice/moved" })).status,
      200,
    );
    assert.ok((await kept(bob)).xetBytes > before_.xetBytes, "moving takes nothing off");
    assert.equal((await ask(alice, "DELETE /api/repos/delete", { name: "alice/moved" })).status, 200);
    assert.deepEqual(await kept(bob), before_);
    assert.equal((await ask(null, `GET ${repo}/discussions`)).status, 404);
    assert.ok(readdirSync(join(up.data, "repositories", "models")).length > 0);
  });
});
