/** Commits, branches and tags by the Hub's API. */
import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { file, Hub, says } from "./hub.suite.ts";

describe("writing", () => {
  test("preupload says how each file goes in, what is there already, and what .gitignore leaves out", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    await hub.commit(repo, [file("a.txt", "hello"), file(".gitignore", "*.log\n")]);
    const files = [
      { path: "a.txt", size: 5, sample: Buffer.from("hello").toString("base64") },
      { path: "w.safetensors", size: 3, sample: "" },
      { path: "x.log", size: 3, sample: "" },
    ];
    const asked = await hub.ask(`POST ${repo}/preupload/main`, { files });
    assert.deepEqual(asked.body.files, [
      { path: "a.txt", uploadMode: "regular", shouldIgnore: false, oid: "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0" },
      { path: "w.safetensors", uploadMode: "lfs", shouldIgnore: false },
      { path: "x.log", uploadMode: "regular", shouldIgnore: true },
    ]);
    assert.equal(
      (await hub.ask(`POST ${repo}/preupload/main`, { files, gitIgnore: "" })).body.files[2].shouldIgnore,
      false,
    );
    assert.equal((await hub.ask(`POST ${repo}/preupload/main`, { files }, "bob")).status, 403);
    assert.deepEqual(says(await hub.ask(`POST ${repo}/preupload/none`, { files })), [
      404,
      "RevisionNotFound",
      "string",
    ]);
    assert.equal(
      (await hub.ask(`POST ${repo}/preupload/main`, { files: [{ path: "../a", size: 1, sample: "" }] })).status,
      400,
    );
  });

  test("a commit has the caller's host in its address; one without a change is the branch's head, and so is one that is sent again", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const done = await hub.commit(repo, [file("a.txt", "a")]);
    assert.equal(done.body.commitUrl, `http://hub.test:7070/alice/tiny/commit/${done.body.commitOid}`);
    assert.deepEqual([done.body.success, done.body.hookOutput, done.body.pullRequestUrl], [true, "", null]);
    for (const operations of [[file("a.txt", "a")], []]) {
      const again = await hub.commit(repo, operations);
      assert.deepEqual([again.status, again.body.commitOid], [200, done.body.commitOid]);
    }
    assert.equal((await hub.ask(`GET ${repo}/commits/main`)).headers.get("x-total-count"), "2");
  });

  test("of a commit that git has no room for it is said that the disk is full, and the branch is where it was", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const { sha } = (await hub.ask(`GET ${repo}`)).body;
    const hook = join(hub.folder, "hooks", "reference-transaction");
    mkdirSync(dirname(hook), { recursive: true });
    writeFileSync(hook, "#!/bin/sh\necho 'error: could not write: No space left on device' >&2\nexit 1\n", {
      mode: 0o755,
    });
    const full = await hub.commit(repo, [file("a.txt", "a")]);
    assert.deepEqual([full.status, full.body.boundary, full.body.code], [507, "transfer", "disk-full"]);
    rmSync(hook);
    assert.equal((await hub.ask(`GET ${repo}`)).body.sha, sha);
    assert.equal((await hub.commit(repo, [file("a.txt", "a")])).status, 200);
  });

  test("large commits are read into memory a few at a time: others wait, so many of one account, and one more is told so", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const bodies: ReadableStreamDefaultController<Uint8Array>[] = [];
    const begin = () => {
      const body = new ReadableStream<Uint8Array>({ start: (sent) => void bodies.push(sent) });
      return hub.ask(`POST ${repo}/commit/main`, body);
    };
    const begun = Array.from({ length: 4 + 50 }, begin);
    const beyond = await begin();
    assert.deepEqual([beyond.status, beyond.body.boundary, beyond.body.code], [503, "transfer", "busy"]);
    for (const sent of bodies) sent.close();
    const answers = await Promise.all(begun);
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([400]), "an empty commit has no header");
    assert.equal((await hub.commit(repo, [file("a.txt", "a")])).status, 200);
  });

  test("of two who saw the same parent one wins and the other is told 412", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const parentCommit = (await hub.ask(`GET ${repo}`)).body.sha;
    const both = await Promise.all(
      ["a", "b"].map((name) => hub.commit(repo, [file(`${name}.txt`, name)], { parentCommit })),
    );
    assert.deepEqual(
      both.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 412],
    );
    assert.equal((await hub.ask(`GET ${repo}/commits/main`)).headers.get("x-total-count"), "2");
  });

  test("files and folders are deleted, and a path may be deleted and added in one commit; one that is absent is EntryNotFound", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    await hub.commit(repo, [file("a/1.txt", "1"), file("a/b/2.txt", "2"), file("c.txt", "c")]);
    const gone = (path: string): object => ({ key: "deletedFile", value: { path } });
    await hub.commit(repo, [{ key: "deletedFolder", value: { path: "a/" } }, gone("c.txt"), file("c.txt", "again")]);
    const tree = (await hub.ask(`GET ${repo}/tree/main?recursive=true`)).body;
    assert.deepEqual(
      tree.map(({ path }: { path: string }) => path),
      [".gitattributes", "c.txt"],
    );
    assert.deepEqual(says(await hub.commit(repo, [gone("none.txt"), file("x", "x")])), [
      404,
      "EntryNotFound",
      "string",
    ]);
    assert.equal((await hub.ask(`GET ${repo}/tree/main`)).body.length, 2);
  });

  test("a large file is taken when its bytes are here, with its line in .gitattributes, and else refused with nothing stored", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const oid = await hub.store(Buffer.from("large"));
    const large = (value: object): object => ({
      key: "lfsFile",
      value: { path: "odd.name", algo: "sha256", oid, size: 5, ...value },
    });
    for (const wrong of [{ oid: "0".repeat(64) }, { size: 6 }, { algo: "md5" }])
      assert.equal((await hub.commit(repo, [large(wrong)])).status, 400, JSON.stringify(wrong));
    assert.equal((await hub.commit(repo, [large({})])).status, 200);
    const [entry] = (await hub.ask(`POST ${repo}/paths-info/main`, { paths: ["odd.name"] })).body;
    assert.equal(entry.lfs.oid, oid);
    const mode = await hub.ask(`POST ${repo}/preupload/main`, { files: [{ path: "odd.name", size: 1, sample: "" }] });
    assert.deepEqual([mode.body.files[0].uploadMode, mode.body.files[0].oid], ["lfs", oid]);
  });

  test("ten thousand operations are one commit", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const operations = Array.from({ length: 10_000 }, (_none, at) => file(`d${at % 100}/${at}.txt`, String(at)));
    const done = await hub.commit(repo, operations);
    assert.equal(done.status, 200, JSON.stringify(done.body));
    assert.equal((await hub.ask(`GET ${repo}`)).body.siblings.length, 10_001);
  });

  test("branches and tags are made once, and deleted once; main is not", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const status = async (line: string, body?: object, by?: string) =>
      (await hub.ask(line.replace("R", repo), body, by)).status;
    assert.deepEqual(
      [
        await status("POST R/branch/dev", {}),
        await status("POST R/branch/dev", {}),
        await status("POST R/branch/dev", { overwrite: true }),
        await status("POST R/branch/dev/inner", {}),
        await status("POST R/branch/x", { startingPoint: "none" }),
        await status("POST R/branch/dev", {}, "bob"),
        await status("DELETE R/branch/main"),
        await status("DELETE R/branch/dev"),
        await status("DELETE R/branch/dev"),
      ],
      [200, 409, 200, 409, 404, 403, 409, 200, 404],
    );
    for (const name of ["-x", "a..b", "a.lock", "0".repeat(40), "a%20b", "a%00b", ".hidden", "x".repeat(300)])
      assert.equal(await status(`POST R/branch/${name}`, {}), 400, name.slice(0, 50));
    assert.deepEqual(
      [
        await status("POST R/tag/main", { tag: "v1" }),
        await status("POST R/tag/main", { tag: "v1" }),
        await status("POST R/tag/none", { tag: "v2" }),
        await status("POST R/tag/main", { tag: "a b" }),
        await status("DELETE R/tag/v1"),
        await status("DELETE R/tag/v1"),
      ],
      [200, 409, 404, 400, 200, 404],
    );
  });

  test("the audit log says which branch and which tag was made and deleted", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const { sha } = (await hub.ask(`GET ${repo}`)).body;
    await hub.ask(`POST ${repo}/branch/a/b`, {});
    await hub.ask(`POST ${repo}/tag/main`, { tag: "v1" });
    await hub.ask(`DELETE ${repo}/branch/a/b`);
    await hub.ask(`DELETE ${repo}/tag/v1`);
    const page = await hub.world.catalog.audit.list({ target: "model/alice/tiny" }, { page: undefined, limit: 4 });
    assert.deepEqual(
      page?.items.map(({ action, became }) => [action, JSON.parse(became ?? "null")]),
      [
        ["tag.delete", { tag: "v1" }],
        ["branch.delete", { branch: "a/b" }],
        ["tag.create", { tag: "v1", commit: sha }],
        ["branch.create", { branch: "a/b", commit: sha }],
      ],
    );
  });

  test("a squashed branch has its files and one commit", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    for (const at of [1, 2]) await hub.commit(repo, [file("a.txt", String(at))]);
    const before = (await hub.ask(`GET ${repo}/tree/main`)).body;
    assert.equal((await hub.ask(`POST ${repo}/super-squash/main`, { message: "one" })).status, 200);
    const commits = await hub.ask(`GET ${repo}/commits/main`);
    assert.deepEqual([commits.headers.get("x-total-count"), commits.body[0].title], ["1", "one"]);
    assert.deepEqual((await hub.ask(`GET ${repo}/tree/main`)).body, before);
    assert.equal((await hub.ask(`POST ${repo}/super-squash/none`)).status, 404);
  });

  test("paths that no repository may hold are refused, and nothing of the commit is stored", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const wrong = [
      "../a",
      "/a",
      "a/../../b",
      ".git/config",
      "a/.GIT/x",
      "a\0b",
      "a//b",
      "a/",
      ".",
      "x".repeat(4_096),
      "a\\b",
      "\ud800",
    ];
    for (const path of wrong)
      assert.equal(
        (await hub.commit(repo, [file("fine.txt", "f"), file(path, "x")])).status,
        400,
        JSON.stringify(path.slice(0, 30)),
      );
    assert.equal((await hub.ask(`GET ${repo}/tree/main`)).body.length, 1);
    // They are two files: nobody's is lost.
    await hub.commit(repo, [file("Case.txt", "1"), file("case.txt", "2")]);
    assert.equal((await hub.ask(`GET ${repo}/tree/main`)).body.length, 3);
  });

  test("a repository may be called as a kind of them is", async () => {
    await using hub = await Hub.open();
    for (const name of ["models", "datasets", "spaces"]) {
      const repo = await hub.model(name);
      assert.equal((await hub.commit(repo, [file("a.txt", "a")])).body.success, true, name);
      const { body } = await hub.ask(`GET ${repo}`);
      assert.deepEqual([body.id, body.siblings.length], [`alice/${name}`, 2]);
      assert.equal((await hub.ask(`GET ${repo}/tree/main`)).body.length, 2);
    }
  });

  test("names that no model may have are refused with what a name is", async () => {
    await using hub = await Hub.open();
    for (const name of ["", "..", "a..b", "a--b", "-a", "a-", "a/b", "a b", "a.git", "ü", "x".repeat(97), "a\0"]) {
      const made = await hub.ask("POST /api/repos/create", { name });
      assert.ok([400, 403].includes(made.status), `${JSON.stringify(name.slice(0, 20))}: ${made.status}`);
    }
    for (const [wish, status] of [
      [{ name: "a", organization: "nobody" }, 403],
      [{ name: "a", type: "bucket" }, 400],
      [{ name: "a", visibility: "secret" }, 400],
    ] as const)
      assert.equal((await hub.ask("POST /api/repos/create", wish)).status, status);
    assert.deepEqual(hub.world.hubRepos.list("models"), []);
  });

  test("a commit that comes while its repository is deleted makes nothing of it again", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const { stored } = hub.world.hubRepos.list("models")[0] ?? { stored: "" };
    const [gone, late] = await Promise.all([
      hub.ask("DELETE /api/repos/delete", { name: "alice/tiny" }),
      hub.commit(repo, [file("a.txt", "a")]),
    ]);
    assert.equal(gone.status, 200);
    if (late.status !== 200) assert.deepEqual(says(late), [404, "RepoNotFound", "string"]);
    assert.equal(await hub.world.repositories.exists(stored), false);
  });
});
