/** Discussions and pull requests of the Hub's API: who may do what, what becomes of it, and what is left when it is cut off. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import { mergingOf } from "../catalog/discussions.ts";
import { commitOf, file, Hub, missing, says, sha1, type Asked } from "./hub.suite.ts";

const git = (hub: Hub, ...args: string[]): string =>
  execFileSync("git", [`--git-dir=${hub.folder}`, ...args], { encoding: "utf8", stdio: "pipe" }).trim();

const propose = (hub: Hub, repo: string, operations: readonly object[], by = "bob", header: object = {}) =>
  hub.ask(`POST ${repo}/commit/main?create_pr=1`, commitOf(operations, header), by);

const onPull = (hub: Hub, repo: string, num: number, operations: readonly object[], by = "bob", header: object = {}) =>
  hub.ask(`POST ${repo}/commit/refs%2Fpr%2F${num}`, commitOf(operations, header), by);

const open = (hub: Hub, repo: string, wish: object, by = "bob") =>
  hub.ask(`POST ${repo}/discussions`, { title: "a title", description: "what it is about", ...wish }, by);

const one = async (hub: Hub, repo: string, num = 1, query = "") =>
  (await hub.ask(`GET ${repo}/discussions/${num}${query}`, undefined, "bob")).body;

const filesOf = async (hub: Hub, repo: string, rev: string): Promise<readonly string[]> =>
  (await hub.ask(`GET ${repo}/tree/${encodeURIComponent(rev)}?recursive=1`, undefined, null)).body.map(
    ({ path }: { path: string }) => path,
  );

/** What is told of each event: its type and what it says. */
const told = (discussion: Asked["body"]): readonly unknown[] =>
  discussion.events.map(({ type, author, data }: Asked["body"]) => [
    type,
    author.name,
    data.latest?.raw ?? data.status ?? data.subject ?? `${data.from} -> ${data.to}`,
  ]);

describe("a discussion", () => {
  test("is opened by whoever may read, talked in, renamed, closed and opened again by who opened it or may write", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const opened = await open(hub, repo, { pullRequest: false });
    assert.deepEqual([opened.status, opened.body.num], [200, 1]);
    assert.equal(opened.body.url, "http://hub.test:7070/alice/tiny/discussions/1");
    const at = `${repo}/discussions/1`;
    const said = await hub.ask(`POST ${at}/comment`, { comment: "<b>seen</b>" });
    assert.equal(said.body.newMessage.data.latest.raw, "<b>seen</b>");
    assert.equal(said.body.newMessage.data.latest.html, "<p>&#60;b&#62;seen&#60;/b&#62;</p>");
    const named = await hub.ask(`POST ${at}/title`, { title: " another title " }, "bob");
    assert.deepEqual(named.body.newTitle.data, { from: "a title", to: "another title" });
    const closed = await hub.ask(`POST ${at}/status`, { status: "closed", comment: "done" });
    assert.equal(closed.body.newStatus.data.status, "closed");
    assert.equal((await hub.ask(`POST ${at}/status`, { status: "closed" })).status, 409);
    assert.equal((await hub.ask(`POST ${at}/status`, { status: "open" }, "bob")).status, 200);
    const whole = await one(hub, repo);
    const { events: _events, createdAt, ...rest } = whole;
    assert.match(createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(rest, {
      ...{ num: 1, title: "another title", author: { name: "bob", type: "user" }, status: "open" },
      ...{ isPullRequest: false, repo: { name: "alice/tiny", type: "model" }, pinned: false, locked: false },
    });
    assert.deepEqual(told(whole), [
      ["comment", "bob", "what it is about"],
      ["comment", "alice", "<b>seen</b>"],
      ["title-change", "bob", "a title -> another title"],
      ["status-change", "alice", "closed"],
      ["comment", "alice", "done"],
      ["status-change", "bob", "open"],
    ]);
  });

  test("a comment is changed by who wrote it, with what it said before, and hidden for good by who wrote it or may write", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    await open(hub, repo, {});
    const of = async (by: string, comment: string): Promise<string> => {
      const said = await hub.ask(`POST ${repo}/discussions/1/comment`, { comment }, by);
      return `${repo}/discussions/1/comment/${said.body.newMessage.id}`;
    };
    const [mine, hers] = [await of("bob", "first"), await of("alice", "hers")];
    const edited = await hub.ask(`POST ${mine}/edit`, { content: "second" }, "bob");
    const { data } = edited.body.updatedComment;
    assert.deepEqual(
      [data.edited, data.latest.raw, data.history.map(({ raw }: { raw: string }) => raw), data.numEdits],
      [true, "second", ["first"], 1],
    );
    assert.equal((await hub.ask(`POST ${mine}/edit`, { content: "x" }, "alice")).status, 403);
    assert.equal((await hub.ask(`POST ${hers}/hide`, undefined, "bob")).status, 403);
    const hidden = await hub.ask(`POST ${mine}/hide`, undefined, "alice");
    assert.equal(hidden.body.updatedComment.data.hidden, true);
    assert.equal((await hub.ask(`POST ${mine}/edit`, { content: "x" }, "bob")).status, 409);
    assert.doesNotMatch(JSON.stringify(await one(hub, repo)), /second|first/);
    const [change] =
      (await hub.world.catalog.audit.list({ action: "comment" }, { page: undefined, limit: 9 }))?.items ?? [];
    assert.deepEqual([change?.action, change?.target], ["comment.hide", "model/alice/tiny/discussions/1"]);
    assert.doesNotMatch(
      JSON.stringify((await hub.world.catalog.audit.list({}, { page: undefined, limit: 99 }))?.items),
      /second|what it is about/,
    );
    for (let at = 0; at < 20; at++) await hub.ask(`POST ${hers}/edit`, { content: String(at) });
    assert.equal((await hub.ask(`POST ${hers}/edit`, { content: "one too many" })).status, 409);
  });

  test("lists say how many there are, in pages, by type, status and author", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    for (let at = 0; at < 52; at++) await open(hub, repo, { title: `number ${at}`, pullRequest: at < 2 });
    await hub.ask(`POST ${repo}/discussions/3/status`, { status: "closed" });
    await open(hub, repo, { title: "alice's" }, "alice");
    const list = async (query: string): Promise<readonly unknown[]> => {
      const { body } = await hub.ask(`GET ${repo}/discussions?${query}`, undefined, null);
      return [body.count, body.start, body.discussions.length, body.discussions[0]?.title];
    };
    assert.deepEqual(await list("p=0"), [53, 0, 50, "alice's"]);
    assert.deepEqual(await list("p=1"), [53, 50, 3, "number 2"]);
    assert.deepEqual(await list("p=2"), [53, 100, 0, undefined]);
    assert.deepEqual(await list("type=pull_request&status=open"), [2, 0, 2, "number 1"]);
    assert.deepEqual(await list("type=discussion&status=closed"), [1, 0, 1, "number 2"]);
    assert.deepEqual(await list("author=alice&type=all&status=all"), [1, 0, 1, "alice's"]);
    for (const wrong of ["p=-1", "p=x", "p=9999999", "type=talk", "status=merged", "type=constructor"])
      assert.equal((await hub.ask(`GET ${repo}/discussions?${wrong}`)).status, 400, wrong);
  });

  test("each field that is wrong is refused by its name, and nothing is opened or said", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const long = "x".repeat(65_537);
    for (const wish of [
      { title: "" },
      { title: "  " },
      { title: "x".repeat(201) },
      { title: "two\nlines" },
      { title: "nul\0" },
      { title: "\ud800" },
      { title: 7 },
      { title: null },
      { description: long },
      { description: "nul\0" },
      { description: 7 },
      { pullRequest: "yes" },
    ])
      assert.equal((await open(hub, repo, wish)).status, 400, JSON.stringify(wish).slice(0, 60));
    assert.equal((await hub.ask(`POST ${repo}/discussions`, "no json", "bob")).status, 400);
    assert.equal((await hub.ask(`GET ${repo}/discussions`)).body.count, 0);
    await open(hub, repo, {});
    const at = `${repo}/discussions/1`;
    for (const [path, body] of [
      ["comment", {}],
      ["comment", { comment: "" }],
      ["comment", { comment: " \n" }],
      ["comment", { comment: long }],
      ["comment", { comment: ["a"] }],
      ["comment/00/edit", { content: "" }],
      ["title", { title: "" }],
      ["title", {}],
      ["status", { status: "merged" }],
      ["status", { status: "draft" }],
      ["status", {}],
      ["status", { status: "closed", comment: long }],
    ] as const)
      assert.equal(
        (await hub.ask(`POST ${at}/${path}`, body, "bob")).status,
        400,
        `${path} ${JSON.stringify(body).slice(0, 40)}`,
      );
    assert.equal((await hub.ask(`POST ${at}/merge`, { comment: 7 })).status, 400);
    assert.equal((await one(hub, repo)).events.length, 1);
    for (const line of ["GET R/2", "GET R/0", "GET R/x", "GET R/99999999999", "POST R/2/comment", "POST R/0/merge"])
      assert.equal(
        (await hub.ask(line.replace("R", `${repo}/discussions`), line.startsWith("GET") ? undefined : { comment: "x" }))
          .status,
        404,
        line,
      );
    assert.equal((await hub.ask(`POST ${at}/comment/${"0".repeat(24)}/edit`, { content: "x" }, "bob")).status, 404);
    assert.equal((await hub.ask(`POST ${at}/merge`, {})).status, 400, "no pull request");
  });

  test("of a private repository a stranger hears of none, and says nothing there: all answers are those of one that is missing", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model("tiny", { private: true });
    await open(hub, repo, { pullRequest: true }, "alice");
    const lines: readonly (readonly [string, unknown?])[] = [
      ["GET R/discussions"],
      ["GET R/discussions/1?diff=1"],
      ["GET R/refs?include_prs=1"],
      ["POST R/discussions", { title: "t", description: "d", pullRequest: true }],
      ["POST R/discussions/1/comment", { comment: "c" }],
      ["POST R/discussions/1/status", { status: "closed" }],
      ["POST R/discussions/1/title", { title: "other" }],
      ["POST R/discussions/1/comment/00/edit", { content: "c" }],
      ["POST R/discussions/1/comment/00/hide"],
      ["POST R/commit/main?create_pr=1", commitOf([file("a", "a")], {})],
      ["POST R/commit/refs%2Fpr%2F1", commitOf([file("a", "a")], {})],
      ["POST R/preupload/main?create_pr=1", { files: [] }],
      ["GET R/tree/refs%2Fpr%2F1"],
      ["GET R/xet-write-token/main?create_pr=1"],
    ];
    const answers = async (name: string, by: string | null): Promise<readonly unknown[]> => {
      const all = [];
      for (const [line, body] of lines) {
        const { status, headers, body: said } = await hub.ask(line.replace("R", `/api/models/alice/${name}`), body, by);
        all.push([line, status, headers.get("x-error-code"), said.error.replace(name, "NAME")]);
      }
      return all;
    };
    for (const by of ["bob", null]) assert.deepEqual(await answers("tiny", by), await answers("ghost", by));
    assert.deepEqual(says(await hub.ask(`GET ${repo}/discussions`, undefined, "bob")), missing);
    assert.equal((await one(hub, repo).catch(() => ({ error: 1 }))).num, undefined);
  });

  test("goes with its repository when that is moved, and is gone with it", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    await open(hub, repo, {});
    await propose(hub, repo, [file("a.txt", "a")]);
    assert.equal(
      (await hub.ask("POST /api/repos/move", { fromRepo: "alice/tiny", toRepo: "alice/moved" })).status,
      200,
    );
    const moved = "/api/models/alice/moved";
    assert.deepEqual((await one(hub, moved, 2)).repo, { name: "alice/moved", type: "model" });
    assert.deepEqual(await filesOf(hub, moved, "refs/pr/2"), [".gitattributes", "a.txt"]);
    await hub.ask("DELETE /api/repos/delete", { name: "alice/moved" });
    await hub.model("moved");
    assert.equal((await hub.ask(`GET ${moved}/discussions`)).body.count, 0);
    assert.deepEqual((await hub.ask(`GET ${moved}/refs?include_prs=1`)).body.pullRequests, []);
  });
});

describe("a pull request", () => {
  test("that begins with a commit has a reference of its own, and nothing of main is changed until it is merged", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const { sha } = (await hub.ask(`GET ${repo}`)).body;
    const done = await propose(hub, repo, [file("a.txt", "a")], "bob", { summary: "Add a", description: "why" });
    assert.equal(done.status, 200, JSON.stringify(done.body));
    assert.equal(done.body.pullRequestUrl, "http://hub.test:7070/alice/tiny/discussions/1");
    assert.match(done.body.commitOid, sha1);
    assert.equal((await hub.ask(`GET ${repo}`)).body.sha, sha);
    const refs = (await hub.ask(`GET ${repo}/refs?include_prs=1`, undefined, null)).body;
    assert.deepEqual(refs.pullRequests, [{ name: "pr/1", ref: "refs/pr/1", targetCommit: done.body.commitOid }]);
    assert.equal((await hub.ask(`GET ${repo}/refs`)).body.pullRequests, undefined);
    assert.equal((await onPull(hub, repo, 1, [file("b.txt", "b")], "bob", { summary: "Add b" })).status, 200);
    assert.deepEqual(await filesOf(hub, repo, "refs/pr/1"), [".gitattributes", "a.txt", "b.txt"]);
    assert.deepEqual(await filesOf(hub, repo, "main"), [".gitattributes"]);
    const before = await one(hub, repo, 1, "?diff=1");
    assert.deepEqual(
      [before.status, before.title, before.changes, before.filesWithConflicts],
      ["open", "Add a", { base: "refs/heads/main" }, []],
    );
    assert.match(before.diff, /^diff --git a\/a\.txt b\/a\.txt\nnew file[^]*\+a\n[^]*b\.txt/);
    assert.equal((await one(hub, repo)).diff, undefined);
    for (const by of ["bob", null])
      assert.equal((await hub.ask(`POST ${repo}/discussions/1/merge`, {}, by)).status, by === null ? 401 : 403);
    const merged = await hub.ask(`POST ${repo}/discussions/1/merge`, { comment: "thanks" });
    assert.equal(merged.status, 200, JSON.stringify(merged.body));
    assert.equal((await hub.ask(`GET ${repo}`)).body.sha, merged.body.commitOid);
    assert.deepEqual(await filesOf(hub, repo, "main"), [".gitattributes", "a.txt", "b.txt"]);
    const [last] = (await hub.ask(`GET ${repo}/commits/main`)).body;
    assert.deepEqual([last.title, last.authors[0].user], ["Add a (#1)", "bob"]);
    assert.match(last.message, /^- Add a \([0-9a-f]{40}\)\n- Add b \([0-9a-f]{40}\)$/);
    assert.equal(git(hub, "log", "-1", "--format=%an %cn %P", "main"), `bob alice ${sha}`);
    const after = await one(hub, repo, 1, "?diff=1");
    assert.deepEqual(after.changes, { base: "refs/heads/main", mergeCommitId: merged.body.commitOid });
    assert.equal(after.diff, before.diff);
    // Commits are known by the second.
    assert.deepEqual(
      told(after)
        .map((event) => (event as string[]).join(" "))
        .toSorted(),
      ["comment alice thanks", "comment bob why", "commit bob Add a", "commit bob Add b", "status-change alice merged"],
    );
    for (const again of ["merge", "status"])
      assert.equal((await hub.ask(`POST ${repo}/discussions/1/${again}`, { status: "open" })).status, 409);
    assert.equal((await onPull(hub, repo, 1, [file("c.txt", "c")])).status, 409);
  });

  test("that is opened first is a draft: it takes commits, and is merged when it is said to be done", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    assert.equal((await open(hub, repo, { pullRequest: true })).body.num, 1);
    assert.equal((await one(hub, repo)).status, "draft");
    for (const [at, name] of ["a.txt", "b.txt"].entries()) {
      const done = await onPull(hub, repo, 1, [file(name, name)], "bob", { summary: `part ${at}` });
      assert.equal(done.body.pullRequestUrl, "http://hub.test:7070/alice/tiny/discussions/1");
      // Sent again it does no harm.
      assert.equal((await onPull(hub, repo, 1, [file(name, name)])).body.commitOid, done.body.commitOid);
    }
    const draft = await hub.ask(`POST ${repo}/discussions/1/merge`, {});
    assert.equal(draft.status, 409);
    assert.match(draft.body.error, /draft/);
    await hub.ask(`POST ${repo}/discussions/1/status`, { status: "open" }, "bob");
    assert.equal((await hub.ask(`POST ${repo}/discussions/1/merge`)).status, 200);
    assert.deepEqual(await filesOf(hub, repo, "main"), [".gitattributes", "a.txt", "b.txt"]);
  });

  test("without a change is merged, and main has no commit of it", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    await open(hub, repo, { pullRequest: true });
    await hub.ask(`POST ${repo}/discussions/1/status`, { status: "open" });
    const { sha } = (await hub.ask(`GET ${repo}`)).body;
    assert.equal((await hub.ask(`POST ${repo}/discussions/1/merge`, {})).body.commitOid, sha);
    assert.deepEqual((await one(hub, repo)).changes.mergeCommitId, sha);
  });

  test("is its author's and of who may write: nobody else adds to it, renames or closes it", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    await propose(hub, repo, [file("a.txt", "a")], "alice");
    const status = async (line: string, body: unknown) => (await hub.ask(`POST ${repo}/${line}`, body, "bob")).status;
    assert.deepEqual(
      [
        await status("commit/refs%2Fpr%2F1", commitOf([file("b", "b")], {})),
        await status("discussions/1/title", { title: "mine" }),
        await status("discussions/1/status", { status: "closed" }),
        await status("discussions/1/merge", {}),
        await status("discussions/1/comment", { comment: "nice" }),
        await status("commit/main", commitOf([file("b", "b")], {})),
        await status("preupload/main", { files: [] }),
        await status("preupload/main?create_pr=1", { files: [] }),
        await status("preupload/refs%2Fpr%2F1", { files: [] }),
      ],
      [403, 403, 403, 403, 200, 403, 403, 200, 200],
    );
    assert.equal((await onPull(hub, repo, 1, [file("b.txt", "b")], "alice")).status, 200);
    const reading = await hub.world.token("bob", ["read"]);
    for (const line of [
      "discussions",
      "discussions/1/comment",
      "commit/main?create_pr=1",
      "preupload/main?create_pr=1",
    ])
      assert.equal(
        (await hub.ask(`POST ${repo}/${line}`, { title: "t", comment: "c", files: [] }, reading)).status,
        403,
        line,
      );
  });

  test("is merged beside what main has got meanwhile; where both changed a file it is refused with the file's name, and main stays", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    await hub.commit(repo, [file("a.txt", "1\n2\n3\n4\n5\n6\n7\n"), file("b ü.txt", "b")]);
    await propose(hub, repo, [file("a.txt", "one\n2\n3\n4\n5\n6\n7\n")]);
    await propose(hub, repo, [file("b ü.txt", "bob's"), file("a.txt", "1\n2\n3\n4\n5\n6\n7\n8\n")]);
    await hub.commit(repo, [file("a.txt", "1\n2\n3\n4\n5\n6\nseven\n"), file("other.txt", "o")]);
    assert.equal((await hub.ask(`POST ${repo}/discussions/1/merge`, {})).status, 200);
    assert.equal(git(hub, "show", "main:a.txt"), "one\n2\n3\n4\n5\n6\nseven");
    const { sha } = (await hub.ask(`GET ${repo}`)).body;
    await hub.commit(repo, [file("b ü.txt", "alice's")]);
    const { sha: now } = (await hub.ask(`GET ${repo}`)).body;
    assert.notEqual(sha, now);
    const refused = await hub.ask(`POST ${repo}/discussions/2/merge`, {});
    assert.equal(refused.status, 409);
    assert.deepEqual(refused.body.errors.map(({ message }: { message: string }) => message).toSorted(), [
      "a.txt",
      "b ü.txt",
    ]);
    assert.deepEqual((await one(hub, repo, 2)).filesWithConflicts.toSorted(), ["a.txt", "b ü.txt"]);
    assert.equal((await hub.ask(`GET ${repo}`)).body.sha, now);
    assert.equal((await one(hub, repo, 2)).status, "open");
  });

  test("of two that are merged at once, and of one that is merged twice at once, one wins", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    for (const text of ["first", "second"]) await propose(hub, repo, [file("same.txt", text)]);
    const merge = async (num: number) => (await hub.ask(`POST ${repo}/discussions/${num}/merge`, {})).status;
    const statuses = await Promise.all([merge(1), merge(2), merge(1)]);
    assert.deepEqual(
      statuses.toSorted((a, b) => a - b),
      [200, 409, 409],
    );
    assert.equal((await hub.ask(`GET ${repo}/commits/main`)).headers.get("x-total-count"), "2");
  });

  test("begins at its parent where one is named that main has had, and is refused where main never had it", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const { sha } = (await hub.ask(`GET ${repo}`)).body;
    await hub.commit(repo, [file("a.txt", "a")]);
    assert.equal((await propose(hub, repo, [file("b.txt", "b")], "bob", { parentCommit: sha })).status, 200);
    assert.deepEqual(await filesOf(hub, repo, "refs/pr/1"), [".gitattributes", "b.txt"]);
    const wrong = await propose(hub, repo, [file("c.txt", "c")], "bob", { parentCommit: "0".repeat(40) });
    assert.equal(wrong.status, 412);
    assert.equal((await onPull(hub, repo, 1, [file("c.txt", "c")], "bob", { parentCommit: sha })).status, 412);
    assert.equal((await hub.ask(`GET ${repo}/discussions`)).body.count, 1);
  });

  test("that its commit does not fit opens nothing, and leaves no reference", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const tries = [
      await propose(hub, repo, [file("../a", "a")]),
      await propose(hub, repo, [file("a/.git/x", "a")]),
      await propose(hub, repo, [{ key: "deletedFile", value: { path: "none" } }]),
      await propose(hub, repo, [
        { key: "lfsFile", value: { path: "w", algo: "sha256", oid: "0".repeat(64), size: 1 } },
      ]),
      await hub.ask(`POST ${repo}/commit/dev?create_pr=1`, commitOf([file("a", "a")], {}), "bob"),
      await hub.ask(`POST ${repo}/commit/main?create_pr=1`, "{", "bob"),
      await onPull(hub, repo, 1, [file("a", "a")]),
    ];
    assert.deepEqual(
      tries.map(({ status }) => status),
      [400, 400, 404, 400, 400, 400, 404],
    );
    assert.equal(tries[2]?.headers.get("x-error-code"), "EntryNotFound");
    assert.equal((await hub.ask(`GET ${repo}/discussions`)).body.count, 0);
    assert.equal(git(hub, "for-each-ref", "refs/pr"), "");
    assert.equal((await propose(hub, repo, [file("a", "a")], "bob", { summary: "s".repeat(900) })).status, 200);
    assert.equal((await one(hub, repo)).title.length, 200);
  });

  test("of an account there are a hundred open, in all repositories together; closing one makes room, opening it again needs some", async () => {
    await using hub = await Hub.open();
    const [first, second] = [await hub.model("one"), await hub.model("two")];
    for (let at = 0; at < 100; at++)
      assert.equal((await open(hub, at < 50 ? first : second, { pullRequest: true })).status, 200);
    assert.equal((await open(hub, first, { pullRequest: true })).status, 409);
    assert.equal((await propose(hub, first, [file("a", "a")])).status, 409);
    assert.equal((await open(hub, first, { pullRequest: false })).status, 200);
    assert.equal((await open(hub, first, { pullRequest: true }, "alice")).status, 200);
    await hub.ask(`POST ${first}/discussions/1/status`, { status: "closed" }, "bob");
    assert.equal((await open(hub, first, { pullRequest: true })).status, 200);
    assert.equal((await hub.ask(`POST ${first}/discussions/1/status`, { status: "open" }, "bob")).status, 409);
    await hub.ask(`POST ${second}/discussions/1/status`, { status: "closed" }, "bob");
    const reopen = async (repo: string) =>
      (await hub.ask(`POST ${repo}/discussions/1/status`, { status: "open" }, "bob")).status;
    const both = await Promise.all([reopen(first), reopen(second)]);
    assert.deepEqual(
      both.toSorted((a, b) => a - b),
      [200, 409],
      "two at once do not pass the bound together",
    );
  });

  test("what is said in one discussion has a bound; who may write can close it still", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    await open(hub, repo, {});
    const key = { repo: hub.world.hubRepos.list("models")[0]?.stored ?? "", num: 1 };
    const at = hub.world.clock.wall();
    const comment = (n: number) => ({
      ...{ id: n.toString(16).padStart(24, "0"), author: "bob", at, kind: "comment" as const },
      texts: [{ text: "x", by: "bob", at }],
    });
    await hub.world.catalog.discussions.add(
      key,
      Array.from({ length: 999 }, (_none, n) => comment(n)),
    );
    assert.equal((await hub.ask(`POST ${repo}/discussions/1/comment`, { comment: "x" }, "bob")).status, 409);
    assert.equal((await hub.ask(`POST ${repo}/discussions/1/status`, { status: "closed" })).status, 200);
    await open(hub, repo, {});
    const long = { ...comment(2_000), texts: [{ text: "x".repeat(2_080_000), by: "bob", at }] };
    await hub.world.catalog.discussions.add({ ...key, num: 2 }, [long]);
    const edit = `POST ${repo}/discussions/2/comment/${long.id}/edit`;
    for (const line of [`POST ${repo}/discussions/2/comment`, edit])
      assert.equal(
        (await hub.ask(line, { comment: "x".repeat(30_000), content: "x".repeat(30_000) }, "bob")).status,
        409,
        line,
      );
    assert.equal((await hub.ask(`POST ${repo}/discussions/2/comment`, { comment: "short" }, "bob")).status, 200);
    assert.equal((await hub.ask(`POST ${repo}/discussions/2/status`, { status: "closed" })).status, 200);
  });

  test("a merge that was cut off is whole where main had moved, and not at all where it had not; one that was being opened is gone", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const rows = hub.world.catalog.discussions;
    const stored = hub.world.hubRepos.list("models")[0]?.stored ?? "";
    for (const name of ["a.txt", "b.txt"]) await propose(hub, repo, [file(name, name)]);
    const { sha: from } = (await hub.ask(`GET ${repo}`)).body;
    const to = git(hub, "rev-parse", "refs/pr/1");
    await rows.merging({ repo: stored, num: 1 }, { from, to, account: "alice" });
    await rows.merging({ repo: stored, num: 2 }, { from, to: git(hub, "rev-parse", "refs/pr/2"), account: "alice" });
    const createdAt = hub.world.clock.wall();
    const half = {
      repo: stored,
      num: 3,
      title: "half",
      author: "bob",
      pull: true,
      status: "open",
      base: from,
    } as const;
    await rows.begin({ ...half, createdAt });
    git(hub, "update-ref", "refs/pr/3", from);
    git(hub, "update-ref", "refs/heads/main", to);
    assert.equal((await hub.ask(`GET ${repo}/discussions/3`)).status, 404);
    assert.deepEqual(
      (await hub.ask(`GET ${repo}/refs?include_prs=1`)).body.pullRequests.map(({ ref }: { ref: string }) => ref),
      ["refs/pr/1", "refs/pr/2"],
    );
    await hub.world.server.discussions.recover();
    const [first, second] = [await one(hub, repo, 1), await one(hub, repo, 2)];
    assert.deepEqual([first.status, first.changes.mergeCommitId], ["merged", to]);
    assert.deepEqual(told(first).at(-1), ["status-change", "alice", "merged"]);
    assert.deepEqual([second.status, mergingOf((await rows.get({ repo: stored, num: 2 }))!)], ["open", undefined]);
    assert.equal(git(hub, "for-each-ref", "refs/pr/3"), "");
    assert.deepEqual(await rows.pending(), []);
    assert.equal((await open(hub, repo, {})).body.num, 3);
  });

  test("a merge that was cut off is whole for the next who changes it, and is no effect of what that one asked for", async () => {
    await using hub = await Hub.open();
    const repo = await hub.model();
    const { catalog, hubRepos, server, clock } = hub.world;
    const [tiny] = hubRepos.list("models");
    assert.ok(tiny);
    await propose(hub, repo, [file("a.txt", "a")]);
    const { sha: from } = (await hub.ask(`GET ${repo}`)).body;
    const to = git(hub, "rev-parse", "refs/pr/1");
    await catalog.discussions.merging({ repo: tiny.stored, num: 1 }, { from, to, account: "alice" });
    git(hub, "update-ref", "refs/heads/main", to);
    const key = { account: "bob", key: "k", mark: "k_1", at: clock.wall(), asked: "closing it" };
    await catalog.requestKeys.begin(key, clock.wall());
    const bob = { account: "bob", mayWrite: false };
    const entries: null[] = [];
    const close = () => server.discussions.setStatus(tiny, 1, { status: "closed", comment: null }, bob);
    const entry = () => (entries.push(null), null);
    const done = await server.effects.audited(entry, () => server.effects.run({ mark: "k_1", made: undefined }, close));
    assert.deepEqual([done.ok, (await one(hub, repo)).status], [false, "merged"]);
    assert.deepEqual([(await catalog.requestKeys.get("bob", "k"))?.made, entries.length], [false, 0]);
  });
});

describe("on a Space", () => {
  test("a pull request is no build, and its merge is one, under the request's id in evidence", async () => {
    await using hub = await Hub.open();
    const repo = "/api/spaces/alice/app";
    await hub.ask("POST /api/repos/create", { name: "app", type: "space" });
    assert.equal((await open(hub, repo, { pullRequest: true })).status, 409, "nothing to merge into");
    assert.equal((await propose(hub, repo, [file("a", "a")])).status, 409);
    assert.equal((await open(hub, repo, {})).status, 200);
    await hub.commit(repo, [file("README.md", "---\nsdk: static\n---\n"), file("index.html", "1")]);
    const done = await propose(hub, repo, [file("index.html", "2")]);
    assert.deepEqual([done.status, done.body.build, done.body.noBuild], [200, null, null]);
    const builds = async () => (await hub.world.catalog.builds.list("alice/app", 9)).map(({ commit }) => commit);
    const before = await builds();
    const merged = await hub.ask(`POST ${repo}/discussions/2/merge`, {});
    assert.equal(merged.status, 200, JSON.stringify(merged.body));
    assert.deepEqual(await builds(), [merged.body.commitOid, ...before]);
    assert.match(merged.body.build, /^b_/);
    assert.equal(
      (await hub.ask("POST /api/spaces/alice/none/commit/main?create_pr=1", commitOf([file("a", "a")], {}), "bob"))
        .status,
      404,
    );
    await hub.ask("DELETE /api/repos/delete", { name: "app", type: "space" });
    await hub.ask("POST /api/repos/create", { name: "app", type: "space", sdk: "static" });
    assert.equal((await hub.ask(`GET ${repo}/discussions`)).body.count, 0);
  });
});
