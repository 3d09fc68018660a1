/** Large files with the real git-lfs: pushed, cloned, built as files, and refused where their content is not here. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { GitClient, type Work } from "../support/git-client.ts";
import { needs } from "../support/needs.ts";
import { Platform, until, type Account } from "../support/platform.ts";
import { sha256 } from "../support/sha256.ts";

const page = { "README.md": "---\nsdk: static\n---\n", "index.html": "<h1>one</h1>" };
const mebibyte = 1 << 20;
const line = (key: string, value: object): string => `${JSON.stringify({ key, value })}\n`;

describe("git-lfs", await needs("git-lfs"), () => {
  let up: Platform;
  let alice: Account;
  let client: GitClient;
  before(async () => {
    up = await Platform.start({ env: { WAYBILL_LFS_FILE_MB: "40" } });
    alice = await up.account("alice");
    client = new GitClient();
    client.work(client.folder).git("lfs", "install");
  });
  after(async () => {
    client[Symbol.dispose]();
    await up[Symbol.asyncDispose]();
  });

  const url = (name: string, token: string | null = alice.token): string =>
    `${up.url.replace("://", token === null ? "://" : `://any:${token}@`)}/spaces/alice/${name}`;
  const objects = (name: string): string => join(up.data, "repositories", "alice", `${name}.git`, "lfs", "objects");
  /** A working copy with one large file. */
  const large = (name: string, bytes: Uint8Array): Work => {
    const work = client.init(name, url(name), page);
    work.git("lfs", "track", "*.bin");
    work.commit({ "models/w.bin": bytes });
    return work;
  };
  const served = async (space: string, path: string): Promise<Buffer> => {
    const { addresses } = await up.admin.space(space);
    return Buffer.from(await (await fetch(`${addresses.at(-1)}/${path}`)).arrayBuffer());
  };
  const batch = (name: string, body: object, token: string | null = alice.token): Promise<Response> =>
    fetch(`${url(name, null)}.git/info/lfs/objects/batch`, {
      method: "POST",
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    });

  test("a large file is pushed, built as a file, and comes back by an anonymous clone", async () => {
    const bytes = randomBytes(25 * mebibyte);
    const work = large("model", bytes);
    const push = await work.run("push", "origin", "main");
    assert.equal(push.exitCode, 0, push.says);
    assert.doesNotMatch(push.says, /rror/, "locks are passed over without a word");
    assert.equal(sha256(await served("alice/model", "models/w.bin")), sha256(bytes));
    const clone = await client.clone(url("model", null), "model-again");
    assert.equal(clone.exitCode, 0, clone.says);
    assert.equal(sha256(readFileSync(join(client.folder, "model-again", "models", "w.bin"))), sha256(bytes));
  });

  test("a push whose large file was never sent is refused by name, and taken when it was", async () => {
    const work = large("unsent", randomBytes(mebibyte));
    const refused = await work.start(["push", "--no-verify", "origin", "main"]).ended;
    assert.notEqual(refused.exitCode, 0);
    assert.match(
      refused.says,
      /remote: main: models\/w\.bin \([0-9a-f]{12}…, 1048576 bytes\) is a large file whose content/,
    );
    assert.match(refused.says, /remote: {3}git lfs install && git lfs push --all/);
    const taken = await work.run("push", "origin", "main");
    assert.equal(taken.exitCode, 0, taken.says);
  });

  test("content that is lost from the store fails the build by name, before anything runs", async () => {
    const work = large("lost", randomBytes(mebibyte));
    await work.run("push", "--quiet", "origin", "main");
    rmSync(objects("lost"), { recursive: true });
    // A commit by the API on top: nobody sends the content again.
    const body = Buffer.from(
      line("header", { summary: "x" }) + line("file", { path: "x.html", content: "x", encoding: "utf-8" }),
    );
    const { build } = await alice.client.commit("alice/lost", body);
    const ended = await until("it has ended", async () => {
      const view = await alice.client.build(build ?? "");
      return view.outcome === null ? undefined : view;
    });
    assert.equal(ended.code, "build/lfs-missing");
    assert.match(ended.says, /models\/w\.bin/);
  });

  test("a file above the limit is refused with the limit", async () => {
    const work = large("limit", randomBytes(41 * mebibyte));
    const push = await work.run("push", "origin", "main");
    assert.notEqual(push.exitCode, 0);
    assert.match(push.says, /one file may have 41943040/);
  });

  test("the batch: who may, what is answered for each file, and what a signed address allows", async () => {
    const bytes = Buffer.from("hello large");
    const object = { oid: sha256(bytes), size: bytes.length };
    assert.equal((await batch("api", { operation: "upload", objects: [object] }, null)).status, 401);
    const bob = await up.account("bob");
    assert.equal((await batch("api", { operation: "upload", objects: [object] }, bob.token)).status, 403);
    assert.equal((await batch("api", { operation: "sideload", objects: [] })).status, 422);

    const asked = await batch("api", { operation: "upload", objects: [object, { oid: "../x", size: 1 }] });
    assert.match(asked.headers.get("content-type") ?? "", /^application\/vnd\.git-lfs\+json/);
    const { transfer, objects: answers } = (await asked.json()) as {
      transfer: string;
      objects: { actions?: { upload: { href: string }; verify: { href: string } }; error?: { code: number } }[];
    };
    assert.equal(transfer, "basic");
    assert.equal(answers[1]?.error?.code, 422);
    const href = answers[0]?.actions?.upload.href ?? "";
    assert.ok(href.startsWith(`${up.url}/spaces/alice/api.git/info/lfs/objects/`));

    const put = (to: string, body: Uint8Array): Promise<Response> =>
      fetch(to, { method: "PUT", body: new Uint8Array(body) });
    assert.equal((await put(href.replace(/size=\d+/, "size=12"), bytes)).status, 403);
    assert.equal((await fetch(href)).status, 405, "an address to send to is none to read from");
    assert.equal((await put(href, Buffer.from("hello LARGE"))).status, 422);
    const verify = async (token: string | null): Promise<number> => {
      const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
      return (
        await fetch(answers[0]?.actions?.verify.href ?? "", { method: "POST", headers, body: JSON.stringify(object) })
      ).status;
    };
    assert.equal(await verify(alice.token), 404);
    assert.equal((await put(href, bytes)).status, 200);
    assert.deepEqual([await verify(alice.token), await verify(null)], [200, 401]);

    const known = (await (await batch("api", { operation: "upload", objects: [object] })).json()) as {
      objects: object[];
    };
    assert.deepEqual(known.objects, [object], "what is here is not asked for again");
    const read = (await (await batch("api", { operation: "download", objects: [object] }, null)).json()) as {
      objects: { actions: { download: { href: string } } }[];
    };
    const from = read.objects[0]?.actions.download.href ?? "";
    const part = await fetch(from, { headers: { range: "bytes=6-" } });
    assert.deepEqual(
      [part.status, await part.text(), part.headers.get("content-range")],
      [206, "large", "bytes 6-10/11"],
    );
    assert.equal((await fetch(from, { headers: { range: "bytes=11-" } })).status, 416);
    assert.equal((await fetch(from)).headers.get("content-disposition"), "attachment");
  });

  test("a commit by the API names a file that was sent before; git-lfs and the build both see the file", async () => {
    const bytes = randomBytes(mebibyte);
    const object = { oid: sha256(bytes), size: bytes.length };
    const commit = (files: string) =>
      alice.client.commit("alice/named", Buffer.from(line("header", { summary: "x" }) + files));
    const small = Object.entries(page).map(([path, content]) => line("file", { path, content, encoding: "utf-8" }));
    const lfsFile = line("lfsFile", { path: "my models/w[1].bin", algo: "sha256", ...object });
    await assert.rejects(commit(small.join("") + lfsFile), /no file with the SHA-256/);
    const asked = (await (await batch("named", { operation: "upload", objects: [object] })).json()) as {
      objects: { actions: { upload: { href: string } } }[];
    };
    await fetch(asked.objects[0]?.actions.upload.href ?? "", { method: "PUT", body: bytes });
    const { build } = await commit(small.join("") + lfsFile);
    await until("it is built", async () => (await alice.client.build(build ?? "")).outcome === "ok");
    assert.equal(sha256(await served("alice/named", "my%20models/w[1].bin")), object.oid);
    await client.clone(url("named", null), "named");
    assert.equal(sha256(readFileSync(join(client.folder, "named", "my models", "w[1].bin"))), object.oid);
    assert.match(client.work(join(client.folder, "named")).git("lfs", "ls-files"), /w\[1\]\.bin/);
  });

  test("a pusher that is killed in the middle of a large file leaves nothing behind but what is whole", async () => {
    const work = large("killed", randomBytes(39 * mebibyte));
    const running = work.start(["push", "origin", "main"]);
    const incoming = join(objects("killed"), "..", "incoming");
    await until("it is on its way", () => filesIn(incoming).length > 0);
    running.child.kill("SIGKILL");
    await up.kill();
    await running.ended;
    await up.up();
    const again = await work.run("push", "origin", "main");
    assert.equal(again.exitCode, 0, again.says);
    assert.deepEqual(filesIn(incoming), []);
  });
});

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // Not made yet.
  }
}
