/** Repositories of all kinds by the Hub's API: each answer in the form that its clients read. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { LfsStore } from "../hub/lfs-store.ts";
import { createApi } from "./app.ts";
import { ControlWorld } from "./control.suite.ts";

const kinds = ["models", "datasets"] as const;
const sha1 = /^[0-9a-f]{40}$/;

interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly body: any; // oxlint-disable-line typescript/no-explicit-any -- each test reads the answer that it is about
}

class Hub implements AsyncDisposable {
  readonly world: ControlWorld;
  readonly #app: ReturnType<typeof createApi>;
  readonly #tokens: ReadonlyMap<string, string>;

  private constructor(world: ControlWorld, tokens: ReadonlyMap<string, string>) {
    this.world = world;
    this.#app = createApi(world.server);
    this.#tokens = tokens;
  }

  static async open(): Promise<Hub> {
    const world = await ControlWorld.open();
    await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
    const tokens = new Map<string, string>();
    for (const name of ["alice", "bob"]) tokens.set(name, await world.token(name, ["read", "write"]));
    return new Hub(world, tokens);
  }

  /** `by`: null for nobody. */
  async ask(line: string, body?: unknown, by: string | null = "alice"): Promise<Asked> {
    const [method = "", path = ""] = line.split(" ");
    const answer = await this.#app.request(`http://hub.test:7070${path}`, {
      method,
      headers: {
        ...(by !== null && { authorization: `Bearer ${this.#tokens.get(by) ?? by}` }),
        ...(typeof body === "string" && { "content-type": "application/x-ndjson" }),
      },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, body: text === "" ? undefined : JSON.parse(text) };
  }

  async model(name = "tiny", wish: object = {}): Promise<string> {
    const made = await this.ask("POST /api/repos/create", { name, ...wish });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    return `/api/models/alice/${name}`;
  }

  commit(
    repo: string,
    operations: readonly object[],
    header: object = {},
    branch = "main",
    by = "alice",
  ): Promise<Asked> {
    return this.ask(`POST ${repo}/commit/${branch}`, commitOf(operations, header), by);
  }

  /** Where alice's only model lies. */
  get folder(): string {
    return this.world.repositories.repositoryOf(this.world.hubRepos.stored()[0] ?? "");
  }

  async store(bytes: Buffer): Promise<string> {
    const oid = createHash("sha256").update(bytes).digest("hex");
    const store = new LfsStore(this.world.random, { freeMinBytes: 0 });
    const pieces = (async function* () {
      yield bytes;
    })();
    assert.deepEqual(await store.put(this.folder, { oid, size: bytes.length }, pieces, "alice"), { ok: true });
    return oid;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.world[Symbol.asyncDispose]();
  }
}

const file = (path: string, text: string): object => ({
  key: "file",
  value: { path, content: Buffer.from(text).toString("base64"), encoding: "base64" },
});

function commitOf(operations: readonly object[], header: object): string {
  const first = { key: "header", value: { summary: "next", description: "", ...header } };
  return [first, ...operations].map((line) => JSON.stringify(line)).join("\n");
}

const says = ({ status, headers, body }: Asked): readonly unknown[] => [
  status,
  headers.get("x-error-code"),
  body.error === undefined ? "no error" : typeof body.error,
];
const missing = [404, "RepoNotFound", "string"];

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
    assert.deepEqual(says(await hub.ask(`GET ${repo}`)), missing);
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
});

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
    const form = await createApi(hub.world.server).request(`http://x${repo}/paths-info/main`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: "paths=a%2Fb.txt&paths=m.bin&expand=False",
    });
    assert.deepEqual(
      ((await form.json()) as { path: string }[]).map(({ path }) => path),
      ["a/b.txt", "m.bin"],
    );
  });

  test("revisions are branches, tags, references and whole ids; git's own arithmetic is none", async () => {
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
      commitOid.slice(0, 10),
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

  test("of two who saw the same parent one wins and the other is told 412", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const parentCommit = (await hub.ask(`GET ${repo}`)).body.sha;
    const both = await Promise.all(
      ["a", "b"].map((name) => hub.commit(repo, [file(`${name}.txt`, name)], { parentCommit })),
    );
    assert.deepEqual(both.map(({ status }) => status).toSorted(), [200, 412]);
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

  test("a pull request is refused by its name, before anything is stored", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const asked = await hub.ask(`POST ${repo}/commit/main?create_pr=1`, commitOf([file("a", "a")], {}));
    assert.equal(asked.status, 400);
    assert.match(asked.headers.get("x-error-message") ?? "", /^Pull requests are not kept here/);
    assert.equal((await hub.ask(`GET ${repo}/tree/main`)).body.length, 1);
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
});

describe("the Hub's other questions", () => {
  test("front matter is checked as the builder checks it, of a Space; of others it has to be YAML", async () => {
    await using hub = await Hub.open();
    const check = (content: string, repoType: string) =>
      hub.ask("POST /api/validate-yaml", { content, repoType }, null);
    assert.deepEqual((await check("---\nlicense: mit\n---\n", "model")).body, { errors: [], warnings: [] });
    assert.deepEqual((await check("# No front matter", "dataset")).status, 200);
    const wrong = await check("---\na: [1\n---\n", "model");
    assert.deepEqual([wrong.status, wrong.body.errors.length > 0], [400, true]);
    const space = await check("---\nsdk: cobol\n---\n", "space");
    assert.equal(space.status, 400);
    assert.match(space.body.errors[0].message, /sdk/);
    assert.equal((await check("---\nsdk: node\n---\n", "space")).status, 200);
  });

  test("a request's own id comes back; of a bad token it is told that it is the token which is bad", async () => {
    await using hub = await Hub.open();
    const app = createApi(hub.world.server);
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

test("a repository that a crash left half made is nowhere after the next start, and its folder is removed", async () => {
  await using hub = await Hub.open();
  const { catalog, repositories, hubRepos } = hub.world;
  await catalog.repos.begin("models/m_half", hub.world.clock.wall());
  await repositories.createRepository("models/m_half");
  await hubRepos.recover();
  assert.equal(await repositories.exists("models/m_half"), false);
  assert.deepEqual(await catalog.repos.removals(), []);
});
