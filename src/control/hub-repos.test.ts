/** Repositories as a whole by the Hub's API: made, listed, moved, copied and deleted, and hidden where they are private. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import { commitOf, file, Hub, missing, says, sha1 } from "./hub.suite.ts";

const kinds = ["models", "datasets"] as const;

describe("a repository", () => {
  for (const kind of kinds)
    test(`of ${kind} is made with its first commit, by the address that was asked; the second time 409 says where it is`, async () => {
      await using hub = await Hub.open();
      const wish = { name: "Tiny-1", type: kind.slice(0, -1) };
      const made = await hub.ask("POST /api/repos/create", wish);
      const url = `http://hub.test:7070/${kind === "models" ? "" : "datasets/"}alice/Tiny-1`;
      assert.deepEqual([made.status, made.body], [200, { url, name: "alice/Tiny-1", id: "alice/Tiny-1" }]);
      const again = await hub.ask("POST /api/repos/create", wish);
      assert.deepEqual([again.status, again.body.url], [409, url]);
      const other = await hub.ask("POST /api/repos/create", { ...wish, name: "tiny-1" });
      assert.equal(other.status, 409);
      const info = await hub.ask(`GET /api/${kind}/alice/Tiny-1`, undefined, null);
      assert.match(info.body.sha, sha1);
      assert.deepEqual(info.body.siblings, [{ rfilename: ".gitattributes" }]);
      assert.equal((await hub.ask(`GET /api/${kind === "models" ? "datasets" : "models"}/alice/Tiny-1`)).status, 404);
    });

  test("has the files that it was asked for with, and is not made where one of them cannot be", async () => {
    await using hub = await Hub.open();
    const files = [{ path: "a.txt", content: Buffer.from("a").toString("base64"), encoding: "base64" }];
    for (const type of ["model", "space"]) {
      const wrong = await hub.ask("POST /api/repos/create", {
        name: "x",
        type,
        files: [{ path: "../a", content: "" }],
      });
      assert.deepEqual([wrong.status, (await hub.ask(`GET /api/${type}s/alice/x`)).status], [400, 404]);
      assert.equal((await hub.ask("POST /api/repos/create", { name: "x", type, files })).status, 200);
      const { siblings } = (await hub.ask(`GET /api/${type}s/alice/x`)).body;
      assert.ok(siblings.some(({ rfilename }: { rfilename: string }) => rfilename === "a.txt"));
    }
  });

  test("that is private is to all who may not read it as one that is missing, by each way to ask", async () => {
    await using hub = await Hub.open();
    await hub.model("secret", { private: true });
    await hub.commit("/api/models/alice/secret", [file("a.txt", "a")]);
    const lines = [
      ...["", "/revision/main", "/tree/main", "/tree/main/a", "/refs", "/commits/main", "/auth-check"].map(
        (rest) => `GET NAME${rest}`,
      ),
      "POST NAME/paths-info/main",
    ];
    for (const by of [null, "bob"])
      for (const line of lines) {
        const ask = (name: string) =>
          hub.ask(
            line.replace("NAME", `/api/models/alice/${name}`),
            line.startsWith("POST") ? { paths: ["a.txt"] } : undefined,
            by,
          );
        const [hidden, unmade] = [await ask("secret"), await ask("unmade")];
        assert.deepEqual(says(hidden), missing, `${line} by ${by}`);
        assert.deepEqual(says(hidden), says(unmade));
        assert.equal(hidden.body.error, unmade.body.error.replace("unmade", "secret"));
      }
    // Whoever may not write hears that in both cases, before anything is looked for.
    const writes: readonly (readonly [line: string, body?: object | string])[] = [
      ["POST NAME/commit/main", commitOf([file("a.txt", "b")], {})],
      ["POST NAME/preupload/main", { files: [] }],
      ["POST NAME/branch/dev", {}],
      ["DELETE NAME/branch/dev"],
      ["POST NAME/tag/main", { tag: "v1" }],
      ["POST NAME/super-squash/main", {}],
      ["PUT NAME/settings", { private: false }],
      ["POST NAME/duplicate", { repository: "bob/copy" }],
    ];
    for (const by of [null, "bob"])
      for (const [line, body] of writes) {
        const ask = (name: string) => hub.ask(line.replace("NAME", `/api/models/alice/${name}`), body, by);
        const [hidden, unmade] = [await ask("secret"), await ask("unmade")];
        assert.ok([401, 403, 404].includes(hidden.status), `${line} by ${by}: ${hidden.status}`);
        assert.deepEqual(says(hidden), says(unmade), `${line} by ${by}`);
      }
    assert.deepEqual((await hub.ask("GET /api/models", undefined, "bob")).body, []);
    assert.deepEqual(
      (await hub.ask("GET /api/models")).body.map(({ id }: { id: string }) => id),
      ["alice/secret"],
    );
    await hub.ask("PUT /api/models/alice/secret/settings", { visibility: "public" });
    assert.equal((await hub.ask("GET /api/models/alice/secret", undefined, null)).status, 200);
  });

  test("is moved with all its files, and deleted with none left; nobody else may either", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    await hub.commit(repo, [file("a.txt", "a")]);
    const { folder } = hub;
    const move = { fromRepo: "alice/tiny", toRepo: "alice/other", type: "model" };
    assert.equal((await hub.ask("POST /api/repos/move", move, "bob")).status, 403);
    assert.equal((await hub.ask("POST /api/repos/move", { ...move, toRepo: "bob/tiny" })).status, 403);
    await hub.model("there");
    assert.equal((await hub.ask("POST /api/repos/move", { ...move, toRepo: "alice/There" })).status, 409);
    assert.equal((await hub.ask("POST /api/repos/move", move)).status, 200);
    const former = await hub.ask(`GET ${repo}`);
    assert.deepEqual([former.status, former.body.id], [200, "alice/other"], "its former name leads to it");
    const moved = await hub.ask("GET /api/models/alice/other/tree/main");
    assert.deepEqual(
      moved.body.map(({ path }: { path: string }) => path),
      [".gitattributes", "a.txt"],
    );
    assert.equal(
      (await hub.ask("DELETE /api/repos/delete", { name: "other", organization: "alice" }, "bob")).status,
      403,
    );
    assert.equal((await hub.ask("DELETE /api/repos/delete", { name: "alice/other" })).status, 200);
    assert.deepEqual(says(await hub.ask("DELETE /api/repos/delete", { name: "alice/other" })), missing);
    assert.throws(() => execFileSync("ls", [folder], { stdio: "pipe" }));
    assert.deepEqual(await hub.world.catalog.repos.removals(), []);
  });

  test("is found by its name in other letters and by names that it had, until they are another's; strangers learn no new name of a private one", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model("Tiny");
    await hub.commit(repo, [file("a.txt", "a")]);
    await hub.commit("/api/models/alice/tINY", [file("b.txt", "b")]);
    assert.equal((await hub.ask("GET /api/models/alice/tiny")).body.id, "alice/Tiny");
    assert.equal((await hub.ask("GET /api/models/alice/Tiny/tree/main")).body.length, 3);
    const move = (fromRepo: string, toRepo: string) =>
      hub.ask("POST /api/repos/move", { fromRepo, toRepo, type: "model" });
    assert.equal((await move("alice/Tiny", "alice/other")).status, 200);
    await hub.commit("/api/models/alice/tiny", [file("c.txt", "c")]);
    await hub.ask("PUT /api/models/alice/tiny/settings", { visibility: "private" });
    const seen = await hub.ask("GET /api/models/alice/Tiny", undefined, "bob");
    assert.deepEqual(says(seen), missing);
    assert.doesNotMatch(JSON.stringify(seen.body), /other/);
    await hub.world.hubRepos.recover();
    assert.equal((await hub.ask("GET /api/models/alice/tiny")).body.id, "alice/other", "after a start too");
    assert.deepEqual(says(await hub.ask("DELETE /api/repos/delete", { name: "alice/tiny" })), missing);
    await hub.model("tiny");
    assert.equal((await hub.ask("GET /api/models/alice/Tiny")).body.id, "alice/tiny", "it is another's now");
    assert.equal((await hub.ask("GET /api/models/alice/other/tree/main")).body.length, 4);
  });

  test("a name without an owner is that of no repository, and says so as clients understand it", async () => {
    await using hub = await Hub.open();
    for (const path of ["/api/models/none", "/api/datasets/none/revision/main", "/api/models/none/commits/main"])
      assert.deepEqual(says(await hub.ask(`GET ${path}`)), missing, path);
    assert.deepEqual(says(await hub.ask("GET /none/resolve/main/a.txt")), missing);
    const repo = await hub.model();
    assert.deepEqual(says(await hub.ask(`GET ${repo}/no-such-route`)), [404, null, "string"]);
  });

  test("a folder is deleted by its name, as a file is", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    await hub.commit(repo, [file("one/a.txt", "a"), file("one/b/c.txt", "c"), file("two.txt", "d")]);
    assert.equal((await hub.commit(repo, [{ key: "deletedFile", value: { path: "one" } }])).status, 200);
    const left = (await hub.ask(`GET ${repo}/tree/main?recursive=true`)).body;
    assert.deepEqual(
      left.map(({ path }: { path: string }) => path),
      [".gitattributes", "two.txt"],
    );
    assert.equal((await hub.commit(repo, [{ key: "deletedFile", value: { path: "one" } }])).status, 404);
  });

  test("is copied with its branches and its large files; the copy of a private one is private", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model("tiny", { visibility: "private" });
    const oid = await hub.store(Buffer.from("large"));
    await hub.commit(repo, [{ key: "lfsFile", value: { path: "a.bin", algo: "sha256", oid, size: 5 } }]);
    await hub.ask(`POST ${repo}/branch/dev`, {});
    assert.equal((await hub.ask(`POST ${repo}/duplicate`, { repository: "bob/copy" }, "bob")).status, 404);
    const copy = await hub.ask(`POST ${repo}/duplicate`, { repository: "alice/copy" });
    assert.deepEqual([copy.status, copy.body.url], [200, "http://hub.test:7070/alice/copy"]);
    const info = await hub.ask("GET /api/models/alice/copy?blobs=true");
    assert.equal(info.body.private, true);
    assert.deepEqual(info.body.siblings.find(({ rfilename }: { rfilename: string }) => rfilename === "a.bin").lfs, {
      size: 5,
      sha256: oid,
      pointerSize: 126,
    });
    const { branches } = (await hub.ask("GET /api/models/alice/copy/refs")).body;
    assert.deepEqual(
      branches.map(({ name }: { name: string }) => name),
      ["dev", "main"],
    );
    // A commit of the same file is taken: its bytes are there.
    const again = await hub.commit("/api/models/alice/copy", [
      { key: "lfsFile", value: { path: "b.bin", algo: "sha256", oid } },
    ]);
    assert.equal(again.status, 200);
  });

  test("is listed by owner, words and tags, in the order and the pages that are asked for", async () => {
    await using hub = await Hub.open();
    for (const name of ["one", "two", "three"]) {
      await hub.model(name);
      hub.world.clock.advance(1_000);
    }
    await hub.commit("/api/models/alice/two", [file("README.md", "---\ntags: [tiny]\nlicense: mit\n---\n# Two\n")]);
    const list = async (query: string): Promise<readonly string[]> =>
      (await hub.ask(`GET /api/models?${query}`)).body.map(({ id }: { id: string }) => id.slice(6));
    assert.deepEqual(await list("sort=createdAt&direction=-1"), ["three", "two", "one"]);
    assert.deepEqual(await list("sort=last_modified"), ["two", "three", "one"]);
    assert.deepEqual(await list("search=ALICE/T&sort=createdAt"), ["three", "two"]);
    assert.deepEqual(await list("filter=tiny&filter=license:mit"), ["two"]);
    assert.deepEqual(await list("author=bob"), []);
    assert.equal((await hub.ask("GET /api/models?sort=colour")).status, 400);
    const first = await hub.ask("GET /api/models?limit=2&sort=createdAt");
    const next = /^<(http:\/\/hub\.test:7070(\/api\/models\?[^>]+))>; rel="next"$/.exec(
      first.headers.get("link") ?? "",
    );
    assert.ok(next, first.headers.get("link") ?? "no Link");
    const second = await hub.ask(`GET ${next[2]}`);
    assert.deepEqual(
      [second.body.map(({ id }: { id: string }) => id), second.headers.get("link")],
      [["alice/one"], null],
    );
    const [two] = (await hub.ask("GET /api/models?search=two&full=true")).body;
    assert.deepEqual(
      [two.cardData, two.tags, two.siblings.length],
      [{ tags: ["tiny"], license: "mit" }, ["tiny", "license:mit"], 2],
    );
  });
});

describe("a Space", () => {
  test("is deleted: it is nowhere, its builds stay, and another of its name begins anew", async () => {
    await using hub = await Hub.open();
    await hub.ask("POST /api/repos/create", { name: "app", type: "space", secrets: [{ key: "KEY", value: "v" }] });
    const pushed = await hub.commit("/api/spaces/alice/app", [file("README.md", "---\nsdk: node\n---\n")]);
    assert.match(pushed.body.build, /^b_/);
    const earlier = `GET /api/spaces/alice/app/tree/${(await hub.ask("GET /api/spaces/alice/app")).body.sha}`;
    assert.equal((await hub.ask(earlier)).status, 200);
    assert.deepEqual(Object.keys((await hub.ask("GET /api/spaces/alice/app/secrets")).body), ["KEY"]);
    assert.equal((await hub.ask("DELETE /api/repos/delete", { name: "alice/app", type: "space" }, "bob")).status, 403);
    assert.equal((await hub.ask("DELETE /api/repos/delete", { name: "alice/app", type: "space" })).status, 200);
    assert.deepEqual(says(await hub.ask("GET /api/spaces/alice/app")), missing);
    assert.equal((await hub.ask(`GET /api/builds/${pushed.body.build}`)).body.outcome, "cancelled");
    await hub.ask("POST /api/repos/create", { name: "app", type: "space" });
    const fresh = await hub.ask("GET /api/spaces/alice/app");
    assert.deepEqual(
      [fresh.body.sha, fresh.body.siblings, fresh.body.build, fresh.body.state],
      [null, [], null, "no-release"],
    );
    assert.deepEqual((await hub.ask("GET /api/spaces/alice/app/secrets")).body, {});
    await hub.commit("/api/spaces/alice/app", [file("other.txt", "other")]);
    assert.equal((await hub.ask(earlier)).status, 404, "what the first one had is not the second one's");
  });

  test("that is made with its SDK says so in a README, which nothing builds before an app comes", async () => {
    await using hub = await Hub.open();
    const make = (more: object) => hub.ask("POST /api/repos/create", { name: "app", type: "space", ...more });
    const wrong = await make({ sdk: "cobol" });
    assert.equal(wrong.status, 400);
    assert.match(wrong.body.error, /sdk/);
    assert.deepEqual(says(await hub.ask("GET /api/spaces/alice/app")), missing, "it was not made");
    assert.equal((await make({ sdk: "static" })).status, 200);
    const begun = await hub.ask("GET /api/spaces/alice/app");
    assert.deepEqual([begun.body.cardData, begun.body.build], [{ title: "app", sdk: "static" }, null]);
    await hub.world.commits.recover(AbortSignal.timeout(60_000));
    assert.equal((await hub.ask("GET /api/spaces/alice/app")).body.build, null, "and no start builds it");
    const filled = await hub.commit("/api/spaces/alice/app", [file("index.html", "1")]);
    assert.match(filled.body.build, /^b_/);
    const named = {
      name: "other",
      files: [{ path: "README.md", content: "---\nsdk: node\n---\n", encoding: "utf-8" }],
    };
    await make({ ...named, sdk: "static" });
    assert.deepEqual(
      (await hub.ask("GET /api/spaces/alice/other")).body.cardData,
      { sdk: "node" },
      "its own goes before",
    );
  });

  test("keeps its name, and says what to do instead", async () => {
    await using hub = await Hub.open();
    await hub.ask("POST /api/repos/create", { name: "app", type: "space" });
    const moved = await hub.ask("POST /api/repos/move", {
      fromRepo: "alice/app",
      toRepo: "alice/other",
      type: "space",
    });
    assert.equal(moved.status, 409);
    assert.match(
      moved.headers.get("x-error-message") ?? "",
      /^A Space keeps its name: .* Duplicate alice\/app as alice\/other/,
    );
  });

  test("takes commits on a branch that is there, which nobody builds, and none on another", async () => {
    await using hub = await Hub.open();
    const repo = "/api/spaces/alice/app";
    await hub.commit(repo, [file("README.md", "---\nsdk: node\n---\n")]);
    assert.deepEqual(says(await hub.commit(repo, [file("a.txt", "a")], {}, "dev")), [
      404,
      "RevisionNotFound",
      "string",
    ]);
    assert.equal((await hub.ask(`POST ${repo}/branch/dev`)).status, 200);
    const done = await hub.commit(repo, [file("a.txt", "a")], {}, "dev");
    assert.deepEqual([done.status, done.body.build, done.body.noBuild.why], [200, null, "wrong-branch"]);
  });

  test("is copied and built as its own", async () => {
    await using hub = await Hub.open();
    const pushed = await hub.commit("/api/spaces/alice/app", [file("README.md", "---\nsdk: node\n---\n")]);
    const wish = { repository: "bob/copy", variables: [{ key: "A", value: "1" }] };
    assert.equal((await hub.ask("POST /api/spaces/alice/app/duplicate", wish, "bob")).status, 200);
    const copy = await hub.ask("GET /api/spaces/bob/copy", undefined, "bob");
    assert.deepEqual([copy.body.sha, copy.body.build.commit], [pushed.body.commitOid, pushed.body.commitOid]);
    assert.equal((await hub.ask("GET /api/spaces/bob/copy/variables", undefined, "bob")).body.A.value, "1");
  });

  test("is in the Hub's list and in ours, each in its form", async () => {
    await using hub = await Hub.open();
    await hub.world.space("demo");
    const [space] = (await hub.ask("GET /api/spaces")).body;
    assert.deepEqual([space.id, space.runtime.stage], ["alice/demo", "NO_APP_FILE"]);
    const views = (await hub.ask("GET /api/spaces?form=views")).body;
    assert.deepEqual(
      views.items.map(({ id }: { id: string }) => id),
      ["alice/demo"],
    );
  });

  test("is in our list by words of its name and by whose it is, a page at a time; a private one of others in none", async () => {
    await using hub = await Hub.open();
    for (const name of ["one", "two", "three"]) await hub.world.space(name);
    await hub.ask("POST /api/repos/create", { name: "bobs-one", type: "space" }, "bob");
    await hub.ask("POST /api/repos/create", { name: "hidden", type: "space", private: true }, "bob");
    const ids = async (query: string, by: string | null = "alice"): Promise<string> => {
      const { body } = await hub.ask(`GET /api/spaces?form=views&${query}`, undefined, by);
      return body.items.map(({ id }: { id: string }) => id).join(" ");
    };
    assert.equal(await ids("search=ONE+ali"), "alice/one");
    assert.equal(await ids("of=me"), "alice/one alice/three alice/two");
    assert.equal(await ids("of=others"), "bob/bobs-one");
    assert.equal(await ids("of=me", "bob"), "bob/bobs-one bob/hidden");
    assert.equal(await ids("of=me", null), "");
    assert.equal(await ids("author=alice", "bob"), "alice/one alice/three alice/two");
    assert.equal(await ids("of=me&needs=1"), "", "nothing went wrong");
    const first = (await hub.ask("GET /api/spaces?form=views&limit=3")).body;
    assert.equal(await ids(`limit=3&page=${first.next}`), "bob/bobs-one");
    assert.equal((await hub.ask("GET /api/spaces?form=views&of=me&limit=3")).body.next, null, "no page is empty");
    for (const wrong of ["page=x", "of=you", `search=${"x".repeat(201)}`]) {
      const { status, body } = await hub.ask(`GET /api/spaces?form=views&${wrong}`);
      assert.deepEqual([status, body.code], [400, "invalid"], wrong);
    }
  });
});

test("a repository that a crash left half made is nowhere after the next start, and its folder is removed", async () => {
  await using hub = await Hub.open();
  const { catalog, repositories, hubRepos } = hub.world;
  await catalog.repos.begin("models/m_half", hub.world.clock.wall());
  await repositories.createRepository("models/m_half");
  await hubRepos.recover();
  assert.equal(await repositories.exists("models/m_half"), false);
  assert.deepEqual(await catalog.repos.removals(), []);
});
