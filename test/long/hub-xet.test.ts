/** Large files by Xet: the real `huggingface_hub` with `hf_xet` against a real platform, and by git-lfs' way what it sent. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { HubClient } from "../support/hub-client.ts";
import { needs } from "../support/needs.ts";
import { Platform, until, type Account } from "../support/platform.ts";
import { sha256 } from "../support/sha256.ts";

const { skip } = await needs("gradio");

const mebibyte = 1 << 20;
const line = (key: string, value: object): string => `${JSON.stringify({ key, value })}\n`;

/** As `create_commit` and `hf_hub_download` do it, without the addresses beside that are another part's. */
const client = `
import os
from pathlib import Path
from huggingface_hub import CommitOperationAdd, _commit_api
from huggingface_hub.file_download import xet_get
from huggingface_hub.utils import XetFileData, build_hf_headers, disable_progress_bars
disable_progress_bars()
def upload(space, *paths):
    operations = [CommitOperationAdd(path_in_repo=os.path.basename(path), path_or_fileobj=path) for path in paths]
    _commit_api._upload_xet_files(additions=operations, repo_type="space", repo_id=space, headers=build_hf_headers(), endpoint=api.endpoint, revision="main")
    print(json.dumps([operation.upload_info.sha256.hex() for operation in operations]))
def send_in_parts(space, path):
    from huggingface_hub.lfs import lfs_upload, post_lfs_batch_info
    operation = CommitOperationAdd(path_in_repo="w.bin", path_or_fileobj=path)
    asked = dict(upload_infos=[operation.upload_info], token=None, repo_type="space", repo_id=space, revision="main", endpoint=api.endpoint, headers=build_hf_headers())
    action = post_lfs_batch_info(**asked)[0][0]
    lfs_upload(operation=operation, lfs_batch_action=action, headers=build_hf_headers(), endpoint=api.endpoint)
    print(json.dumps([len(action["actions"]["upload"]["header"]) - 1, "actions" in post_lfs_batch_info(**asked)[0][0]]))
def download(space, hash, size, into):
    route = f"{api.endpoint}/api/spaces/{space}/xet-read-token/main"
    xet_get(incomplete_path=Path(into), xet_file_data=XetFileData(file_hash=hash, refresh_route=route), headers=build_hf_headers(), expected_size=size)
    import hashlib
    print(json.dumps(hashlib.sha256(Path(into).read_bytes()).hexdigest()))
`;

describe("large files by Xet", { skip }, () => {
  let up: Platform;
  let alice: Account;
  let hub: HubClient;
  let homes = 0;
  before(async () => {
    hub = await HubClient.make();
    up = await Platform.start({ gpus: "1x1" });
    alice = await up.account("alice");
    for (const name of ["model", "lfs", "changed", "killed"]) await create(name);
  });
  after(async () => {
    hub[Symbol.dispose]();
    await up[Symbol.asyncDispose]();
  });

  const create = async (name: string, more: object = {}): Promise<void> => {
    const made = await fetch(`${up.url}/api/repos/create`, {
      method: "POST",
      headers: { authorization: `Bearer ${alice.token}`, "content-type": "application/json" },
      body: JSON.stringify({ name, type: "space", sdk: "static", ...more }),
    });
    assert.equal(made.status, 200, await made.text());
  };
  const file = (name: string, bytes: Uint8Array): string => {
    const path = join(hub.folder, name);
    writeFileSync(path, bytes);
    return path;
  };
  /** Each with a home of its own: what an earlier one remembers is no help. */
  const ask = (call: string, who = alice.token): Promise<unknown> =>
    hub.ask({ url: up.url, token: who, home: `home${++homes}` }, `${client}\n${call}`);
  const upload = (space: string, ...paths: readonly string[]): Promise<unknown> =>
    ask(`upload(${[space, ...paths].map((word) => JSON.stringify(word)).join(", ")})`);
  const batch = async (name: string, operation: string, object: object, transfers = ["basic"]): Promise<Batch> => {
    const answer = await fetch(`${up.url}/spaces/alice/${name}.git/info/lfs/objects/batch`, {
      method: "POST",
      headers: { authorization: `Bearer ${alice.token}` },
      body: JSON.stringify({ operation, transfers, objects: [object] }),
    });
    return (await answer.json()) as Batch;
  };
  const stored = (): number => sizeOf(join(up.data, "blobs"));

  test("what hf_xet sends is in the repository: a commit names it, the build finds it, git-lfs fetches it in parts", async () => {
    const bytes = Buffer.concat([randomBytes(3 * mebibyte), Buffer.alloc(mebibyte, "waybill ")]);
    const object = { oid: sha256(bytes), size: bytes.length };
    assert.deepEqual(await upload("alice/model", file("w.bin", bytes)), [object.oid]);
    const body =
      line("header", { summary: "x" }) +
      line("file", { path: "README.md", content: "---\nsdk: static\n---\n", encoding: "utf-8" }) +
      line("file", { path: "index.html", content: "here", encoding: "utf-8" }) +
      line("lfsFile", { path: "w.bin", algo: "sha256", ...object });
    const { build } = await alice.client.commit("alice/model", Buffer.from(body));
    const ended = await until("it is built", async () => {
      const view = await alice.client.build(build ?? "");
      return view.outcome === null ? undefined : view;
    });
    assert.equal(ended.outcome, "ok", ended.says ?? "");
    const space = await until("it runs", async () => {
      const view = await alice.client.space("alice/model");
      return view.state === "running" ? view : undefined;
    });
    const address = space.addresses.at(-1) ?? "";
    const served = await fetch(`${address}/w.bin`);
    assert.equal(sha256(new Uint8Array(await served.arrayBuffer())), object.oid);

    const { objects } = await batch("model", "download", object);
    const href = objects[0]?.actions?.["download"]?.href ?? "";
    assert.equal(sha256(new Uint8Array(await (await fetch(href)).arrayBuffer())), object.oid);
    const part = await fetch(href, { headers: { range: "bytes=3000000-3200000" } });
    assert.equal(part.status, 206);
    assert.equal(sha256(new Uint8Array(await part.arrayBuffer())), sha256(bytes.subarray(3_000_000, 3_200_001)));
    assert.deepEqual((await batch("model", "upload", object)).objects, [object], "nobody has to send it again");
  });

  test("a model's file is one file by Xet, git-lfs and plain HTTP, also in a copy of the model, and each way is told", async () => {
    const bytes = randomBytes(5 * mebibyte);
    const path = file("tiny.bin", bytes);
    const before = stored();
    const fetched = `hashlib.sha256(open(api.hf_hub_download("alice/tiny", "w.bin"), "rb").read()).hexdigest()`;
    const told = await ask(`
import hashlib
api.create_repo("alice/tiny")
api.upload_file(path_or_fileobj=${JSON.stringify(path)}, path_in_repo="w.bin", repo_id="alice/tiny")
print(json.dumps(${fetched}))`);
    assert.equal(told, sha256(bytes));
    assert.ok(stored() - before >= bytes.length, "it came by Xet");
    const url = `${up.url}/alice/tiny/resolve/main/w.bin`;
    const head = await fetch(url, { method: "HEAD" });
    assert.match(head.headers.get("x-xet-hash") ?? "", /^[0-9a-f]{64}$/);
    assert.match(
      head.headers.get("link") ?? "",
      /\/api\/models\/alice\/tiny\/xet-read-token\/[0-9a-f]{40}>; rel="xet-auth"/,
    );
    const plain = await fetch(url, { headers: { authorization: `Bearer ${alice.token}`, range: "bytes=1000-1999" } });
    assert.deepEqual(Buffer.from(await plain.arrayBuffer()), bytes.subarray(1_000, 2_000));
    const transfer = plain.headers.get("x-waybill-id") ?? "";
    const said = await until("its record", () => alice.client.explain(transfer).catch(() => undefined));
    assert.match(
      said.sentence,
      /^The download of w\.bin of models\/alice\/tiny by http was delivered: 1\.0 kB passed, from byte 1000 on\..*Xet was offered/,
    );
    const copied = await fetch(`${up.url}/api/models/alice/tiny/duplicate`, {
      method: "POST",
      headers: { authorization: `Bearer ${alice.token}`, "content-type": "application/json" },
      body: JSON.stringify({ repository: "alice/tiny-2" }),
    });
    assert.equal(copied.status, 200, await copied.text());
    const again = await fetch(`${up.url}/alice/tiny-2/resolve/main/w.bin`);
    assert.equal(sha256(new Uint8Array(await again.arrayBuffer())), sha256(bytes));
  });

  test("without Xet the same client sends a large file in parts", async () => {
    const bytes = randomBytes(70 * mebibyte);
    const path = file("parts.bin", bytes);
    assert.deepEqual(await ask(`send_in_parts("alice/lfs", ${JSON.stringify(path)})`), [2, false]);
    const { objects } = await batch("lfs", "download", { oid: sha256(bytes), size: bytes.length });
    const got = await fetch(objects[0]?.actions?.["download"]?.href ?? "");
    assert.equal(sha256(new Uint8Array(await got.arrayBuffer())), sha256(bytes));
  });

  test("what git-lfs sent comes by hf_xet too, once it is known what it is by Xet", async () => {
    const bytes = randomBytes(5 * mebibyte);
    const object = { oid: sha256(bytes), size: bytes.length };
    const { objects } = await batch("lfs", "upload", object);
    const put = await fetch(objects[0]?.actions?.["upload"]?.href ?? "", { method: "PUT", body: bytes });
    assert.equal(put.status, 200);
    const path = file("lfs.bin", bytes);
    const hash = (await hub.ask(
      { url: up.url, token: alice.token },
      `import hf_xet\nprint(json.dumps(hf_xet.hash_files([${JSON.stringify(path)}])[0].hash))`,
    )) as string;
    const before = stored();
    // Who reads a file of git-lfs has its hash worked out, for the next.
    await batch("lfs", "download", object);
    const plan = await until("its hash is worked out", async () => {
      const token = await fetch(`${up.url}/api/spaces/alice/lfs/xet-read-token/main`);
      const { accessToken, casUrl } = (await token.json()) as { accessToken: string; casUrl: string };
      const answer = await fetch(`${casUrl}/v1/reconstructions/${hash}`, {
        headers: { authorization: `Bearer ${accessToken}` },
      });
      return answer.status === 200 ? answer : undefined;
    });
    assert.ok(plan);
    const into = join(hub.folder, "lfs-again.bin");
    assert.equal(
      await ask(`download("alice/lfs", ${JSON.stringify(hash)}, ${bytes.length}, ${JSON.stringify(into)})`),
      object.oid,
    );
    assert.equal(stored(), before, "nothing of it is stored again");
  });

  test("of a file of which one part in a hundred is changed little is sent, also by one who remembers nothing", async () => {
    const bytes = randomBytes(192 * mebibyte);
    await upload("alice/changed", file("changed.bin", bytes));
    const first = stored();
    randomBytes(2 * mebibyte).copy(bytes, 90 * mebibyte);
    await upload("alice/changed", file("changed.bin", bytes));
    const sent = stored() - first;
    assert.ok(sent > 0 && sent <= 0.05 * bytes.length, `${sent} bytes of ${bytes.length}`);
    const { objects } = await batch("changed", "download", { oid: sha256(bytes), size: bytes.length });
    const got = await fetch(objects[0]?.actions?.["download"]?.href ?? "");
    assert.equal(sha256(new Uint8Array(await got.arrayBuffer())), sha256(bytes));
  });

  test("who may not write gets no token for it, and of a private Space a stranger gets none at all", async () => {
    await create("secret", { private: true });
    const bob = await up.account("bob");
    const token = async (path: string, who: string | null): Promise<number> => {
      const headers: Record<string, string> = who === null ? {} : { authorization: `Bearer ${who}` };
      return (await fetch(`${up.url}/api/spaces/alice/${path}`, { headers })).status;
    };
    assert.equal(await token("model/xet-write-token/main", bob.token), 403);
    assert.equal(await token("model/xet-write-token/main", null), 401);
    assert.equal(await token("model/xet-read-token/main", null), 200);
    for (const who of [bob.token, null]) assert.equal(await token("secret/xet-read-token/main", who), 404);
    assert.equal(await token("secret/xet-read-token/main", alice.token), 200);
    assert.equal(await token("secret/xet-write-token/refs%2Fpr%2F1", alice.token), 200);
    await assert.rejects(
      ask(`upload("alice/model", ${JSON.stringify(file("b.bin", randomBytes(9)))})`, bob.token),
      /403/,
    );
  });

  test("an account that is full hears so before a byte of it is sent", async () => {
    const path = file("full.bin", randomBytes(mebibyte));
    await up.admin.setStorage("alice", { maxBytes: 1_000 });
    const before = stored();
    await assert.rejects(ask(`upload("alice/model", ${JSON.stringify(path)})`), /413/);
    const { objects } = await batch("model", "upload", { oid: "1".repeat(64), size: mebibyte });
    assert.equal(objects[0]?.error?.code, 413);
    assert.match(objects[0].error.message, /alice may keep 1000 bytes in its repositories and has \d+/);
    assert.equal(stored(), before);
    const { accounts } = await up.admin.storageUsage();
    assert.ok(
      accounts.some(({ account, xetBytes, maxBytes }) => account === "alice" && xetBytes > 1_000 && maxBytes === 1_000),
    );
    await up.admin.setStorage("alice", { maxBytes: null });
  });

  test("killed in the middle of uploads it has nothing half, and the next try is whole", async () => {
    const bytes = randomBytes(96 * mebibyte);
    const path = file("killed.bin", bytes);
    const before = stored();
    const sending = upload("alice/killed", path).catch((error: unknown) => String(error));
    await until("bytes have come", () => stored() > before + mebibyte);
    await up.kill();
    await up.up();
    await sending;
    await upload("alice/killed", path);
    const { objects } = await batch("killed", "download", { oid: sha256(bytes), size: bytes.length });
    const got = await fetch(objects[0]?.actions?.["download"]?.href ?? "");
    assert.equal(sha256(new Uint8Array(await got.arrayBuffer())), sha256(bytes));
    const begun = await up.admin.beginHubJob({ kind: "verify" });
    const { verified } = await until("it is verified", async () => {
      const job = await up.admin.hubJob(begun.id);
      return job.ended && job;
    });
    assert.deepEqual(verified?.problems, []);
    assert.ok(verified.files >= 4 && verified.xorbs >= 4, JSON.stringify(verified));
  });
});

interface Batch {
  readonly transfer: string;
  readonly objects: readonly {
    readonly actions?: Readonly<
      Record<string, { readonly href: string; readonly header?: Readonly<Record<string, string>> }>
    >;
    readonly error?: { readonly code: number; readonly message: string };
  }[];
}

function sizeOf(folder: string): number {
  let sum = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) sum += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0;
  return sum;
}
