/** What is in a repository, as the Hub's clients read it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createChecked } from "./described/checked.suite.ts";
import { file, Hub, says, type Asked } from "./hub.suite.ts";

describe("reading", () => {
  test("a tree is listed by folder or whole, in pages of one commit; what is not there is EntryNotFound or RevisionNotFound", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const paths = Array.from({ length: 1_500 }, (_none, at) => `data/${String(at).padStart(5, "0")}.txt`);
    const done = await hub.commit(
      repo,
      [...paths, "a b/ü.txt", "z.txt"].map((path) => file(path, path)),
    );
    const names = ({ body }: Asked): readonly string[] => body.map(({ path }: { path: string }) => path);
    const top = await hub.ask(`GET ${repo}/tree/main`);
    assert.deepEqual(names(top), [".gitattributes", "a b", "data", "z.txt"]);
    assert.deepEqual(Object.keys(top.body[1]), ["type", "oid", "size", "path"]);
    assert.deepEqual(names(await hub.ask(`GET ${repo}/tree/main/a%20b`)), ["a b/ü.txt"]);
    assert.deepEqual(names(await hub.ask(`GET ${repo}/tree/main/${encodeURIComponent("a b")}?recursive=True`)), [
      "a b/ü.txt",
    ]);
    const first = await hub.ask(`GET ${repo}/tree/main?recursive=true`);
    const link = /<http:\/\/hub\.test:7070([^>]+)>/.exec(first.headers.get("link") ?? "")?.[1] ?? "";
    assert.ok(link.includes(`/tree/${done.body.commitOid}?`), link);
    await hub.commit(repo, [file("0-before-all.txt", "later")]);
    const second = await hub.ask(`GET ${link}`);
    assert.deepEqual(
      [...names(first), ...names(second)],
      [".gitattributes", "a b", "a b/ü.txt", "data", ...paths, "z.txt"],
    );
    assert.equal(second.headers.get("link"), null);
    assert.deepEqual(says(await hub.ask(`GET ${repo}/tree/main/none`)), [404, "EntryNotFound", "string"]);
    assert.deepEqual(says(await hub.ask(`GET ${repo}/tree/main/z.txt`)), [404, "EntryNotFound", "string"]);
    assert.deepEqual(says(await hub.ask(`GET ${repo}/tree/none`)), [404, "RevisionNotFound", "string"]);
  });

  test("paths are told by JSON and by form, with what they stand for and who changed them last; unknown ones are left out", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const oid = await hub.store(Buffer.from("large"));
    const done = await hub.commit(
      repo,
      [file("a/b.txt", "b"), { key: "lfsFile", value: { path: "m.bin", algo: "sha256", oid, size: 5 } }],
      { summary: "both" },
    );
    const asked = await hub.ask(`POST ${repo}/paths-info/main`, {
      paths: ["a", "m.bin", "none", "../x"],
      expand: true,
    });
    const [folder, large] = asked.body;
    assert.deepEqual([asked.body.length, folder.type, folder.path], [2, "directory", "a"]);
    assert.deepEqual([large.size, large.lfs], [5, { oid, size: 5, pointerSize: 126 }]);
    assert.deepEqual([large.lastCommit.id, large.lastCommit.title], [done.body.commitOid, "both"]);
    const form = await createChecked(hub.world.server).request(`http://x${repo}/paths-info/main`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: "paths=a%2Fb.txt&paths=m.bin&expand=False",
    });
    assert.deepEqual(
      ((await form.json()) as { path: string }[]).map(({ path }) => path),
      ["a/b.txt", "m.bin"],
    );
  });

  test("revisions are branches, tags, references, and ids whole or short; git's own arithmetic is none", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const { commitOid } = (await hub.commit(repo, [file("a.txt", "a")])).body;
    await hub.ask(`POST ${repo}/branch/feature/one`, { startingPoint: commitOid });
    await hub.ask(`POST ${repo}/tag/main`, { tag: "v1.0", message: "first" });
    for (const revision of [
      "main",
      "HEAD",
      "refs%2Fheads%2Fmain",
      "feature%2Fone",
      "v1.0",
      "refs%2Ftags%2Fv1.0",
      commitOid,
      commitOid.slice(0, 7),
    ]) {
      const info = await hub.ask(`GET ${repo}/revision/${revision}`);
      assert.deepEqual([info.status, info.body.sha], [200, commitOid], revision);
    }
    const wrong = [
      "main~0",
      "main^",
      "@{0}",
      "main:a.txt",
      "refs%2Fheads",
      "%2Fmain",
      "--all",
      "*",
      commitOid.slice(0, 6),
      `${commitOid.slice(0, 6)}${commitOid.startsWith("0", 6) ? "1" : "0"}`,
      "0".repeat(40),
      "a%00b",
      "x".repeat(4_000),
    ];
    for (const revision of wrong) {
      const answer = await hub.ask(`GET ${repo}/revision/${revision}`);
      assert.deepEqual(says(answer), [404, "RevisionNotFound", "string"], revision.slice(0, 40));
    }
    const refs = (await hub.ask(`GET ${repo}/refs?include_prs=1`)).body;
    assert.deepEqual(refs, {
      branches: ["feature/one", "main"].map((name) => ({ name, ref: `refs/heads/${name}`, targetCommit: commitOid })),
      converts: [],
      tags: [{ name: "v1.0", ref: "refs/tags/v1.0", targetCommit: commitOid }],
      pullRequests: [],
    });
  });

  test("commits come newest first, counted, in pages that others' commits do not move", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    for (const at of [1, 2, 3])
      await hub.commit(repo, [file("a.txt", String(at))], { summary: `c${at}`, description: "why\nit is" });
    const first = await hub.ask(`GET ${repo}/commits/main?limit=2`);
    assert.equal(first.headers.get("x-total-count"), "4");
    const [newest] = first.body;
    assert.deepEqual(
      [newest.title, newest.message, newest.authors],
      ["c3", "why\nit is", [{ user: "alice", avatar: "" }]],
    );
    assert.match(newest.date, /^2026-11-22T12:00:\d\d\.000Z$/);
    await hub.commit(repo, [file("a.txt", "4")], { summary: "c4" });
    const link = /<http:\/\/hub\.test:7070([^>]+)>/.exec(first.headers.get("link") ?? "")?.[1] ?? "";
    const second = await hub.ask(`GET ${link}`);
    assert.deepEqual(
      second.body.map(({ title }: { title: string }) => title),
      ["c1", "initial commit"],
    );
  });

  test("`expand` names the fields that are told, and no others are", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const asked = await hub.ask(`GET ${repo}?expand=sha&expand[]=usedStorage&expand=nothing`);
    assert.deepEqual(Object.keys(asked.body).toSorted(), ["_id", "id", "modelId", "sha", "usedStorage"]);
  });
});

describe("the Hub's other questions", () => {
  test("front matter is checked as the builder checks it, of a Space; of others it has to be YAML", async () => {
    await using hub = await Hub.open();
    const check = (content: string, repoType: string) =>
      hub.ask("POST /api/validate-yaml", { content, repoType }, null);
    assert.deepEqual((await check("---\nlicense: mit\n---\n", "model")).body, { errors: [], warnings: [] });
    const bare = await check("# No front matter", "dataset");
    assert.deepEqual([bare.status, bare.body.warnings.length], [200, 1]);
    const index = await check("---\nmodel-index: foo\n---\n", "model");
    assert.equal(index.status, 400);
    assert.match(index.body.errors[0].message, /model-index is a list/);
    assert.equal((await check("---\nmodel-index:\n- name: a\n  results: []\n---\n", "model")).status, 200);
    const wrong = await check("---\na: [1\n---\n", "model");
    assert.deepEqual([wrong.status, wrong.body.errors.length > 0], [400, true]);
    const space = await check("---\nsdk: cobol\n---\n", "space");
    assert.equal(space.status, 400);
    assert.match(space.body.errors[0].message, /sdk/);
    assert.equal((await check("---\nsdk: node\n---\n", "space")).status, 200);
  });

  test("a request's own id comes back; of a bad token it is told that it is the token which is bad", async () => {
    await using hub = await Hub.open();
    const app = createChecked(hub.world.server);
    const answer = await app.request("http://x/api/models/alice/none", {
      headers: { "x-request-id": "mine", "x-amzn-trace-id": "t" },
    });
    assert.equal(answer.headers.get("x-request-id"), "mine");
    assert.equal(answer.headers.get("content-type"), "application/json");
    const traced = await app.request("http://x/api/models", { headers: { "x-amzn-trace-id": "Root=1" } });
    assert.equal(traced.headers.get("x-request-id"), "Root=1");
    const ours = await app.request("http://x/api/models/alice/none", {
      headers: { accept: "application/problem+json" },
    });
    assert.equal(ours.headers.get("content-type"), "application/problem+json");
    const bad = await hub.ask("GET /api/models/alice/none", undefined, "hf_wrong");
    assert.deepEqual(
      [bad.status, bad.headers.get("x-error-message")],
      [401, "Invalid credentials in Authorization header"],
    );
  });

  test("whether one may read, and may write, is told apart", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const status = async (rest: string, by: string | null) =>
      (await hub.ask(`GET ${repo}/auth-check${rest}`, undefined, by)).status;
    assert.deepEqual(
      [
        await status("", null),
        await status("", "bob"),
        await status("/write", "bob"),
        await status("/write", null),
        await status("/write", "alice"),
      ],
      [200, 200, 403, 401, 200],
    );
  });
});
