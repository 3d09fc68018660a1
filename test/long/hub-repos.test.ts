/** Models, datasets and Spaces by the clients that people have: `huggingface_hub` of three times, `hf`, `@huggingface/hub`, git with git-lfs. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import * as js from "@huggingface/hub";
import { GitClient } from "../support/git-client.ts";
import { HubClient, hubVersions } from "../support/hub-client.ts";
import { needs } from "../support/needs.ts";
import { Platform, type Account } from "../support/platform.ts";
import { sha256 } from "../support/sha256.ts";

const { skip } = await needs("gradio");
const kinds = ["model", "dataset", "space"] as const;
/** Large files by LFS; test/long/hub-xet.test.ts sends them by Xet. */
const env = { HF_HUB_DISABLE_XET: "1", HF_HUB_DISABLE_PROGRESS_BARS: "1" };
const pathOf = (kind: (typeof kinds)[number], id: string): string => (kind === "model" ? `/${id}` : `/${kind}s/${id}`);

describe("repositories", () => {
  let up: Platform;
  let alice: Account;
  let bob: Account;
  before(async () => {
    up = await Platform.start();
    [alice, bob] = [await up.account("alice"), await up.account("bob")];
  });
  after(() => up[Symbol.asyncDispose]());

  /** Asks as nobody, and reads JSON. */
  const get = async (path: string, token?: string): Promise<Response> =>
    fetch(`${up.url}${path}`, {
      redirect: "error",
      ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
    });

  describe("by huggingface_hub", { skip }, () => {
    for (const { version, word: name, title } of hubVersions)
      describe(title, () => {
        let hub: HubClient;
        before(async () => void (hub = await HubClient.make(version)));
        after(() => hub?.[Symbol.dispose]());
        const ask = (program: string, who: Account = alice) => hub.ask({ url: up.url, token: who.token, env }, program);

        for (const kind of kinds)
          test(`a ${kind} is made, filled by a folder, read file by file and whole, changed on a branch, squashed, copied and deleted`, async () => {
            const large = Buffer.concat([Buffer.alloc(1), randomBytes(3 << 20)]);
            const files = {
              "README.md": "---\nlicense: mit\nsdk: static\n---\n# Tiny\n",
              "index.html": "<h1>1</h1>",
              "w.bin": large,
            };
            const folder = up.write({ ...files, "deep er/ü.txt": "x", "empty.bin": Buffer.alloc(0) });
            const found = (await ask(`
import io, os
from huggingface_hub import HfFileSystem, CommitOperationAdd, CommitOperationDelete, snapshot_download
rid, kind, folder = "alice/${name}-${kind}", "${kind}", ${JSON.stringify(folder)}
sdk = {"space_sdk": "static"} if kind == "space" else {}
made = [str(api.create_repo(rid, repo_type=kind, **sdk)), str(api.create_repo(rid, repo_type=kind, exist_ok=True, **sdk))]
first = api.upload_folder(folder_path=folder, repo_id=rid, repo_type=kind)
again = api.upload_folder(folder_path=folder, repo_id=rid, repo_type=kind)
api.create_branch(rid, repo_type=kind, branch="dev")
api.create_branch(rid, repo_type=kind, branch="dev", exist_ok=True)
api.create_commit(rid, repo_type=kind, revision="dev", commit_message="on dev", operations=[
    CommitOperationAdd("a/b.txt", b"hello"), CommitOperationDelete("index.html")])
api.create_tag(rid, repo_type=kind, tag="v1", tag_message="one")
snapshot = snapshot_download(rid, repo_type=kind, revision="v1")
fs = HfFileSystem()
at = {"model": "", "dataset": "datasets/", "space": "spaces/"}[kind] + rid
with fs.open(at + "/by-fs.txt", "w") as f: f.write("by fs")
def why(call):
    try: call()
    except Exception as e: return type(e).__name__.replace("Remote", "")
refs = api.list_repo_refs(rid, repo_type=kind)
told = {
  "made": made, "same": first.oid == again.oid,
  "files": sorted(e.path for e in api.list_repo_tree(rid, repo_type=kind, recursive=True) if hasattr(e, "blob_id")),
  "lfs": [[e.path, e.size, e.lfs.sha256] for e in api.get_paths_info(rid, ["w.bin", "none"], repo_type=kind, expand=True)],
  "dev": sorted(api.list_repo_files(rid, repo_type=kind, revision="dev")),
  "refs": [[b.name for b in refs.branches], [t.name for t in refs.tags]],
  "titles": [c.title for c in api.list_repo_commits(rid, repo_type=kind)][:2],
  "read": open(api.hf_hub_download(rid, "a/b.txt", repo_type=kind, revision="dev")).read(),
  "snapshot": snapshot, "fs": [fs.read_text(at + "/by-fs.txt"), fs.cat_file(at + "/w.bin", start=1, end=3).hex(), sorted(fs.glob(at + "/*.html"))],
  "why": [why(lambda: api.hf_hub_download(rid, "none", repo_type=kind)), why(lambda: api.hf_hub_download(rid, "README.md", revision="none", repo_type=kind)),
          why(lambda: api.hf_hub_download("alice/none", "README.md", repo_type=kind)), why(lambda: api.repo_info("alice/none", repo_type=kind))],
}
api.super_squash_history(rid, repo_type=kind)
told["squashed"] = len(api.list_repo_commits(rid, repo_type=kind))
api.update_repo_settings(rid, repo_type=kind, private=True)
told["private"] = api.repo_info(rid, repo_type=kind).private
print(json.dumps(told))`)) as Readonly<Record<string, unknown>>;
            const id = `alice/${name}-${kind}`;
            const url = `${up.url}${pathOf(kind, id)}`;
            const shown = [
              ".gitattributes",
              "README.md",
              "by-fs.txt",
              "deep er/ü.txt",
              "empty.bin",
              "index.html",
              "w.bin",
            ];
            const { snapshot, titles, ...rest } = found;
            assert.deepEqual(rest, {
              ...{ made: [url, url], same: true, files: shown, lfs: [["w.bin", large.length, sha256(large)]] },
              dev: shown
                .filter((path) => path !== "by-fs.txt" && path !== "index.html")
                .concat("a/b.txt")
                .toSorted(),
              ...{ refs: [["dev", "main"], ["v1"]], read: "hello" },
              fs: [
                "by fs",
                large.subarray(1, 3).toString("hex"),
                [`${kind === "model" ? "" : `${kind}s/`}${id}/index.html`],
              ],
              why: [
                "EntryNotFoundError",
                "RevisionNotFoundError",
                "RepositoryNotFoundError",
                "RepositoryNotFoundError",
              ],
              ...{ squashed: 1, private: true },
            });
            assert.match((titles as string[])[1] ?? "", /^Upload folder/);
            for (const [path, content] of Object.entries(files))
              assert.equal(
                sha256(readFileSync(join(snapshot as string, path))),
                sha256(new Uint8Array(Buffer.from(content))),
                path,
              );
            const others = await ask(
              `print(json.dumps([api.repo_exists("${id}", repo_type="${kind}"), len(list(api.list_${kind}s(author="alice", search="${name}-${kind}")))]))`,
              bob,
            );
            assert.deepEqual(others, [false, 0]);
            const ended = await ask(`
api.delete_repo("${id}", repo_type="${kind}")
api.delete_repo("${id}", repo_type="${kind}", missing_ok=True)
print(json.dumps(api.repo_exists("${id}", repo_type="${kind}")))`);
            assert.equal(ended, false);
          });

        test("a token that is not known is told as that, and not as a repository that is missing", async () => {
          const told = (await hub.ask(
            { url: up.url, token: "hf_wrong", env },
            `
try: api.model_info("alice/none")
except Exception as e: print(json.dumps([type(e).__name__, str(e)]))`,
          )) as readonly string[];
          assert.equal(told[0], "HfHubHTTPError", told.join(": "));
          assert.match(told[1] ?? "", /Invalid credentials in Authorization header|Unauthorized/);
        });
      });
  });

  describe("by hf", { skip }, () => {
    let hub: HubClient;
    before(async () => void (hub = await HubClient.make()));
    after(() => hub?.[Symbol.dispose]());

    test("`hf upload` makes the repository and fills it, `hf download` gives it back, and `hf repos` names and deletes it", async () => {
      const hf = async (...args: readonly string[]): Promise<string> => {
        const run = hub.hf(up.url, args, { ...env, HF_TOKEN: alice.token });
        assert.equal(await run.code, 0, `hf ${args.join(" ")}: ${run.said.text}`);
        return run.said.text;
      };
      const large = randomBytes(1 << 20);
      const folder = up.write({ "a.txt": "hello", "w.safetensors": large });
      assert.match(
        await hf("upload", "alice/by-hf", folder, ".", "--repo-type", "dataset"),
        /\/datasets\/alice\/by-hf/,
      );
      const into = join(hub.folder, "down");
      await hf("download", "alice/by-hf", "--repo-type", "dataset", "--local-dir", into);
      assert.deepEqual(
        [readFileSync(join(into, "a.txt"), "utf8"), sha256(readFileSync(join(into, "w.safetensors")))],
        ["hello", sha256(large)],
      );
      await hf("repos", "branch", "create", "alice/by-hf", "dev", "--repo-type", "dataset");
      await hf("repos", "tag", "create", "alice/by-hf", "v1", "--repo-type", "dataset");
      await hf("repos", "delete-files", "alice/by-hf", "a.txt", "--repo-type", "dataset");
      await hf("repos", "settings", "alice/by-hf", "--private", "--repo-type", "dataset");
      await hf("repos", "move", "alice/by-hf", "alice/moved", "--repo-type", "dataset");
      assert.match(await hf("repos", "list"), /alice\/moved/);
      assert.match(await hf("datasets", "info", "alice/moved"), /alice\/moved/);
      await hf("repos", "delete", "alice/moved", "--repo-type", "dataset", "--yes");
      assert.equal((await get("/api/datasets/alice/moved", alice.token)).status, 404);
    });
  });

  for (const type of ["model", "dataset", "space"] as const)
    test(`by @huggingface/hub a ${type} is made, filled, listed, read in parts and whole, and deleted`, async () => {
      const repo = { type, name: `alice/js-${type}` };
      const asked = { repo, hubUrl: up.url, accessToken: alice.token };
      const large = new Uint8Array(3 << 20).fill(7).fill(0, 0, 4);
      const listed = async <T>(list: AsyncIterable<T>): Promise<readonly T[]> => Array.fromAsync(list);
      await js.createRepo({ ...asked, ...(type === "space" && { sdk: "static" }) });
      await assert.rejects(
        js.createRepo({ ...asked, ...(type === "space" && { sdk: "static" }) }),
        /409|there already/,
      );
      assert.deepEqual(
        [await js.repoExists(asked), await js.repoExists({ ...asked, repo: { type, name: "alice/none" } })],
        [true, false],
      );
      const readme = "---\nlicense: mit\nsdk: static\n---\n";
      await js.uploadFiles({
        ...asked,
        files: [
          { path: "README.md", content: new Blob([readme]) },
          { path: "deep/a.txt", content: new Blob(["hello"]) },
          { path: "w.safetensors", content: new Blob([large]) },
        ],
      });
      const files = await listed(js.listFiles({ ...asked, recursive: true, expand: true }));
      const found = files.find(({ path }) => path === "w.safetensors");
      assert.deepEqual(
        [found?.size, found?.lfs?.oid, found?.lastCommit?.title],
        [large.length, sha256(large), "Add 3 files"],
      );
      assert.deepEqual(
        (await js.pathsInfo({ ...asked, paths: ["deep", "none"] })).map(({ path }) => path),
        ["deep"],
      );
      assert.deepEqual(
        [await js.fileExists({ ...asked, path: "deep/a.txt" }), await js.fileExists({ ...asked, path: "zz" })],
        [true, false],
      );
      const blob = await js.downloadFile({ ...asked, path: "w.safetensors" });
      assert.equal(sha256(new Uint8Array((await blob?.arrayBuffer()) ?? [])), sha256(large));
      assert.equal(
        Buffer.from(new Uint8Array((await blob?.slice(5, 9).arrayBuffer()) ?? [])).toString("hex"),
        "07070707",
      );
      assert.equal(await (await js.downloadFile({ ...asked, path: "deep/a.txt" }))?.text(), "hello");
      const cache = up.write({});
      mkdirSync(cache, { recursive: true });
      const snapshot = await js.snapshotDownload({ ...asked, cacheDir: cache });
      assert.equal(readFileSync(join(snapshot, "README.md"), "utf8"), readme);
      assert.equal(await js.countCommits({ ...asked, revision: "main" }), (await listed(js.listCommits(asked))).length);
      await js.createBranch({ ...asked, branch: "dev" });
      await js.uploadFile({ ...asked, branch: "dev", file: { path: "b.txt", content: new Blob(["b"]) } });
      await js.deleteBranch({ ...asked, branch: "dev" });
      await js.deleteFile({ ...asked, path: "deep/a.txt" });
      await js.checkRepoAccess(asked);
      await js.deleteRepo(asked);
      assert.equal(await js.repoExists(asked), false);
    });

  describe("by git with git-lfs", async () => {
    const lfs = await needs("git-lfs");
    for (const kind of ["model", "dataset"] as const)
      test(
        `a ${kind} is cloned, pushed to with a large file, and read by the API; a private one only by who may`,
        lfs,
        async () => {
          using client = new GitClient();
          client.work(client.folder).git("lfs", "install");
          const id = `alice/git-${kind}`;
          const url = (token: string | null): string =>
            `${up.url.replace("://", token === null ? "://" : `://any:${token}@`)}${pathOf(kind, id)}`;
          const push = await client.init("early", url(alice.token), { "a.txt": "a" }).run("push", "origin", "main");
          assert.notEqual(push.exitCode, 0);
          assert.match(push.says, /not found|There is no/);
          await js.createRepo({ repo: { type: kind, name: id }, hubUrl: up.url, accessToken: alice.token });
          assert.equal((await client.clone(url(null), "work")).exitCode, 0);
          const work = client.work(join(client.folder, "work"));
          work.git("remote", "set-url", "origin", url(alice.token));
          const large = randomBytes(2 << 20);
          work.commit({ "deep/w.safetensors": large, "a.txt": "by git" });
          const pushed = await work.run("push", "origin", "main");
          assert.equal(pushed.exitCode, 0, pushed.says);
          assert.doesNotMatch(pushed.says, /no build/);
          const file = await get(`${pathOf(kind, id)}/resolve/main/deep/w.safetensors`);
          assert.equal(file.headers.get("x-linked-etag"), `"${sha256(large)}"`);
          assert.equal(file.headers.get("x-repo-commit"), work.git("rev-parse", "HEAD").trim());
          assert.equal(sha256(new Uint8Array(await file.arrayBuffer())), sha256(large));
          const raw = await (await get(`${pathOf(kind, id)}/raw/main/deep/w.safetensors`)).text();
          assert.match(raw, /^version https:\/\/git-lfs\.github\.com\/spec\/v1\noid sha256:/);
          const deleted = await work.run("push", "origin", ":main");
          assert.match(deleted.says, /remote: main cannot be deleted/);
          await fetch(`${up.url}/api/${kind}s/${id}/settings`, {
            method: "PUT",
            headers: { authorization: `Bearer ${alice.token}` },
            body: JSON.stringify({ private: true }),
          });
          for (const [at, token] of [
            [url(null), undefined],
            [url(bob.token), bob.token],
          ] as const) {
            assert.notEqual((await client.clone(at, `no-${token ?? "one"}`.slice(0, 12))).exitCode, 0);
            const hidden = await get(`${pathOf(kind, id)}/resolve/main/a.txt`, token);
            assert.deepEqual([hidden.status, hidden.headers.get("x-error-code")], [404, "RepoNotFound"]);
            const batch = await fetch(`${up.url}${pathOf(kind, id)}.git/info/lfs/objects/batch`, {
              method: "POST",
              headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
              body: JSON.stringify({ operation: "download", objects: [{ oid: sha256(large), size: large.length }] }),
            });
            assert.equal(batch.status, token === undefined ? 401 : 404);
          }
          assert.equal((await client.clone(url(alice.token), "again")).exitCode, 0);
          assert.equal(sha256(readFileSync(join(client.folder, "again", "deep", "w.safetensors"))), sha256(large));
        },
      );
  });

  test("a file is told by HEAD, given in parts, and not given again to who has it; what is asked amiss says how", async () => {
    const text = "0123456789";
    const repo = { type: "model", name: "alice/parts" } as const;
    const asked = { repo, hubUrl: up.url, accessToken: alice.token };
    await js.createRepo(asked);
    await js.uploadFile({ ...asked, file: { path: "a b/ü.txt", content: new Blob([text]) } });
    await js.uploadFile({ ...asked, file: { path: "page.html", content: new Blob(["<script>1</script>"]) } });
    const path = `/alice/parts/resolve/main/${encodeURIComponent("a b")}/%C3%BC.txt`;
    const fetched = (headers: Record<string, string>, method = "GET", at = path): Promise<Response> =>
      fetch(`${up.url}${at}`, { method, headers });
    const head = await fetched({ "accept-encoding": "gzip" }, "HEAD");
    assert.deepEqual(
      ["content-length", "accept-ranges", "content-encoding", "x-linked-size"].map((name) => head.headers.get(name)),
      ["10", "bytes", null, null],
    );
    const part = await fetched({ range: "bytes=2-4" });
    assert.deepEqual([part.status, part.headers.get("content-range"), await part.text()], [206, "bytes 2-4/10", "234"]);
    const beyond = await fetched({ range: "bytes=10-" });
    assert.deepEqual([beyond.status, beyond.headers.get("content-range")], [416, "bytes */10"]);
    const etag = head.headers.get("etag") ?? "";
    assert.equal((await fetched({ "if-none-match": etag })).status, 304);
    assert.equal(await (await fetched({ range: "bytes=2-4", "if-range": '"another"' })).text(), text);
    const page = await fetched({}, "GET", "/alice/parts/resolve/main/page.html");
    assert.deepEqual(
      [
        page.headers.get("content-type"),
        page.headers.get("content-security-policy"),
        page.headers.get("content-disposition")?.slice(0, 10),
      ],
      ["application/octet-stream", "sandbox; default-src 'none'", "attachment"],
    );
    for (const [wrong, status, code] of [
      ["/alice/parts/resolve/main/none", 404, "EntryNotFound"],
      ["/alice/parts/resolve/main/a%20b", 404, "EntryNotFound"],
      ["/alice/parts/resolve/main/..%2f..%2fconfig", 404, "EntryNotFound"],
      ["/alice/parts/resolve/main/.git%2fconfig", 404, "EntryNotFound"],
      ["/alice/parts/resolve/main/a%00b", 404, "EntryNotFound"],
      [`/alice/parts/resolve/main/${"x".repeat(4_096)}`, 404, "EntryNotFound"],
      ["/alice/parts/resolve/main~0/page.html", 404, "RevisionNotFound"],
      ["/alice/parts/resolve/--all/page.html", 404, "RevisionNotFound"],
      ["/alice/none/resolve/main/page.html", 404, "RepoNotFound"],
      ["/datasets/alice/parts/resolve/main/page.html", 404, "RepoNotFound"],
      ["/alice/parts/resolve/main/%zz", 400, null],
    ] as const) {
      const answer = await fetched({}, "GET", wrong);
      const { error } = (await answer.json()) as { error: string };
      assert.deepEqual(
        [answer.status, answer.headers.get("x-error-code"), typeof error],
        [status, code, "string"],
        wrong.slice(0, 60),
      );
    }
    assert.match(
      (await fetched({}, "HEAD", "/alice/parts/resolve/main/none")).headers.get("x-repo-commit") ?? "",
      /^[0-9a-f]{40}$/,
    );
  });

  test("what was acknowledged is there after a SIGKILL, and a deleted repository is not", async () => {
    const asked = (name: string) => ({
      repo: { type: "model", name } as const,
      hubUrl: up.url,
      accessToken: alice.token,
    });
    for (const name of ["alice/kept", "alice/gone"]) {
      await js.createRepo(asked(name));
      await js.uploadFile({ ...asked(name), file: { path: "a.txt", content: new Blob(["a"]) } });
    }
    await js.deleteRepo(asked("alice/gone"));
    await up.restart();
    assert.equal(await (await js.downloadFile({ ...asked("alice/kept"), path: "a.txt" }))?.text(), "a");
    assert.equal(await js.repoExists(asked("alice/gone")), false);
    assert.equal((await get("/alice/gone/resolve/main/a.txt", alice.token)).status, 404);
  });

  test("SIGKILL in the middle of commits, makings, moves and deletions: what was acknowledged is so, and the rest whole or not at all", async () => {
    const ask = async (method: string, path: string, body: object | string): Promise<Response | undefined> =>
      fetch(`${up.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${alice.token}` },
        body: typeof body === "string" ? body : JSON.stringify(body),
      }).catch(() => undefined); // The platform was killed before it answered.
    const line = (key: string, value: object): string => JSON.stringify({ key, value });
    const commit = (path: string): string => {
      const content = Buffer.from(path).toString("base64");
      // Both or none of them.
      const files = [path, `twin/${path}`].map((name) => line("file", { path: name, content, encoding: "base64" }));
      return [line("header", { summary: path }), ...files].join("\n");
    };
    const names = async (): Promise<readonly string[]> =>
      ((await (await get("/api/models?author=alice", alice.token)).json()) as { id: string }[]).map(({ id }) => id);
    await ask("POST", "/api/repos/create", { name: "busy" });
    await ask("POST", "/api/repos/create", { name: "here-0" });
    const kept = new Set<string>();
    const made = new Set<string>();
    const ended = new Set<string>();
    for (let round = 0; round < 4; round++) {
      let isKilled = false;
      let answered = 0;
      const enough = Promise.withResolvers<void>();
      const each = async (work: (n: number) => Promise<boolean>): Promise<void> => {
        for (let n = 0; !isKilled; n++) if ((await work(n)) && (answered += 1) > 12 + 7 * round) enough.resolve();
      };
      const writers = [1, 2, 3].map((writer) =>
        each(async (n) => {
          const path = `${round}-${writer}-${n}.txt`;
          const done = await ask("POST", "/api/models/alice/busy/commit/main", commit(path));
          if (done?.status === 200) kept.add(path);
          return done?.status === 200;
        }),
      );
      const maker = each(async (n) => {
        const name = `m-${round}-${n}`;
        if ((await ask("POST", "/api/repos/create", { name }))?.status !== 200) return false;
        made.add(`alice/${name}`);
        if (n % 2 === 0) return true;
        const gone = await ask("DELETE", "/api/repos/delete", { name: `alice/${name}` });
        // Asked for, so it may be either where nobody heard the answer.
        made.delete(`alice/${name}`);
        if (gone?.status === 200) ended.add(`alice/${name}`);
        return gone?.status === 200;
      });
      const mover = each(async () => {
        const from = (await names().catch(() => [])).find((id) => id.startsWith("alice/here-"));
        if (from === undefined) return false;
        const toRepo = `alice/here-${round}-${answered}`;
        return (await ask("POST", "/api/repos/move", { fromRepo: from, toRepo, type: "model" }))?.status === 200;
      });
      await enough.promise;
      await up.kill();
      isKilled = true;
      await Promise.all([...writers, maker, mover]);
      await up.up();
    }
    const found = await names();
    assert.deepEqual(
      [...made].filter((id) => !found.includes(id)),
      [],
    );
    assert.deepEqual(
      [...ended].filter((id) => found.includes(id)),
      [],
    );
    assert.equal(found.filter((id) => id.startsWith("alice/here-")).length, 1);
    const siblings = async (id: string): Promise<readonly string[]> => {
      const info = await get(`/api/models/${id}`, alice.token);
      assert.equal(info.status, 200, id);
      return ((await info.json()) as { siblings: { rfilename: string }[] }).siblings.map(({ rfilename }) => rfilename);
    };
    const files = await siblings("alice/busy");
    assert.deepEqual(
      [...kept].filter((path) => !files.includes(path)),
      [],
    );
    const [own, twins] = [
      files.filter((path) => path.endsWith(".txt") && !path.includes("/")),
      files.filter((path) => path.startsWith("twin/")),
    ];
    assert.deepEqual(
      twins.map((path) => path.slice("twin/".length)),
      own,
    );
    for (const id of found) assert.ok((await siblings(id)).includes(".gitattributes"), id);
    // No folder lies there that nobody has.
    const folders = readdirSync(join(up.data, "repositories", "models"));
    assert.equal(folders.length, found.length, String(folders));
  });

  test("a backup has their files", async () => {
    const folder = join(up.folder, "backup");
    await up.admin.backup({ folder });
    const { files } = JSON.parse(readFileSync(join(folder, "backup.json"), "utf8")) as {
      files: readonly { path: string }[];
    };
    assert.ok(files.some(({ path }) => /^repositories\/models\/m_[^/]+\.git\/refs\/heads\/main$/.test(path)));
  });
});
