/** Discussions and pull requests by the clients that people have, `huggingface_hub` of three times and `hf`, and under SIGKILL. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { HubClient, hubVersions } from "../support/hub-client.ts";
import { needs } from "../support/needs.ts";
import { Platform, until, type Account } from "../support/platform.ts";
import { sha256 } from "../support/sha256.ts";

const { skip } = await needs("gradio");
type Body = any; // oxlint-disable-line typescript/no-explicit-any -- each test reads the answer that it is about
const line = (key: string, value: object): string => JSON.stringify({ key, value });
const commitOf = (path: string, text = path): string =>
  [
    line("header", { summary: `Add ${path}` }),
    line("file", { path, content: Buffer.from(text).toString("base64"), encoding: "base64" }),
  ].join("\n");

describe("discussions", () => {
  let up: Platform;
  let alice: Account;
  let bob: Account;
  before(async () => {
    up = await Platform.start();
    [alice, bob] = [await up.account("alice"), await up.account("bob")];
  });
  after(() => up[Symbol.asyncDispose]());

  const send = (who: Account, method: string, path: string, body?: object | string): Promise<Response> =>
    fetch(`${up.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${who.token}` },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
  const json = async (answer: Promise<Response>): Promise<Body> => {
    const response = await answer;
    const body: unknown = await response.json();
    assert.equal(response.status, 200, JSON.stringify(body));
    return body;
  };
  const make = (name: string, wish: object = {}): Promise<unknown> =>
    json(send(alice, "POST", "/api/repos/create", { name, ...wish }));

  describe("by huggingface_hub", { skip }, () => {
    for (const { version, word: name, title } of hubVersions)
      describe(title, () => {
        let hub: HubClient;
        before(async () => void (hub = await HubClient.make(version)));
        after(() => hub?.[Symbol.dispose]());
        const ask = (who: Account, program: string): Promise<unknown> =>
          hub.ask(
            { url: up.url, token: who.token, home: who.name, env: { HF_HUB_DISABLE_PROGRESS_BARS: "1" } },
            program,
          );

        for (const kind of ["model", "dataset"] as const)
          test(`a reader proposes to a ${kind} by a commit, a file and a folder with large files; the owner talks about it and merges it`, async () => {
            const large = Buffer.concat([Buffer.alloc(1), randomBytes(3 << 20)]);
            const folder = up.write({ "w.bin": large, "deep/a.txt": "a" });
            const id = `alice/${name}-${kind}`;
            await make(`${name}-${kind}`, { type: kind });
            const proposed = (await ask(
              bob,
              `
from huggingface_hub import CommitOperationAdd, snapshot_download
rid, kind = "${id}", "${kind}"
first = api.create_commit(rid, repo_type=kind, create_pr=True, commit_message="One", commit_description="why", operations=[CommitOperationAdd("one.txt", b"1")])
second = api.upload_file(path_or_fileobj=b"2", path_in_repo="two.txt", repo_id=rid, repo_type=kind, create_pr=True)
more = api.upload_file(path_or_fileobj=b"2b", path_in_repo="two-b.txt", repo_id=rid, repo_type=kind, revision=second.pr_revision)
third = api.upload_folder(folder_path=${JSON.stringify(folder)}, repo_id=rid, repo_type=kind, create_pr=True, commit_message="Weights")
talk = api.create_discussion(rid, "A question", repo_type=kind, description="Which?")
said = api.comment_discussion(rid, talk.num, "First", repo_type=kind)
edited = api.edit_discussion_comment(rid, talk.num, said.id, "Second", repo_type=kind)
renamed = api.rename_discussion(rid, talk.num, "The question", repo_type=kind)
draft = api.create_pull_request(rid, "Empty", repo_type=kind)
api.change_discussion_status(rid, draft.num, "open", repo_type=kind)
def why(call):
    try: call()
    except Exception as e: return getattr(getattr(e, "response", None), "status_code", type(e).__name__)
refs = api.list_repo_refs(rid, repo_type=kind, include_pull_requests=True)
print(json.dumps({
  "prs": [[p.pr_num, p.pr_revision] for p in (first, second, third)], "same": more.pr_num is None, "draft": [draft.num, draft.status, draft.git_reference],
  "edited": [edited.content, edited.edited, edited.number_of_edits, edited.last_edited_by], "renamed": [renamed.old_title, renamed.new_title],
  "refs": sorted(r.ref for r in refs.pull_requests),
  "files": sorted(api.list_repo_files(rid, repo_type=kind, revision=third.pr_revision)),
  "main": sorted(api.list_repo_files(rid, repo_type=kind)),
  "two": open(api.hf_hub_download(rid, "two-b.txt", repo_type=kind, revision=second.pr_revision)).read(),
  "snapshot": snapshot_download(rid, repo_type=kind, revision=third.pr_revision),
  "why": [why(lambda: api.merge_pull_request(rid, first.pr_num, repo_type=kind)), why(lambda: api.get_discussion_details(rid, 99, repo_type=kind)),
          why(lambda: api.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=rid, repo_type=kind))],
}))`,
            )) as Readonly<Record<string, unknown>>;
            const { snapshot, ...told } = proposed;
            assert.deepEqual(told, {
              ...{
                prs: [
                  [1, "refs/pr/1"],
                  [2, "refs/pr/2"],
                  [3, "refs/pr/3"],
                ],
                same: true,
              },
              ...{ draft: [5, "draft", "refs/pr/5"], edited: ["Second", true, 1, "bob"] },
              ...{ renamed: ["A question", "The question"], refs: [1, 2, 3, 5].map((num) => `refs/pr/${num}`) },
              ...{
                files: [".gitattributes", "deep/a.txt", "w.bin"],
                main: [".gitattributes"],
                two: "2b",
                why: [403, 404, 403],
              },
            });
            assert.equal(sha256(readFileSync(join(String(snapshot), "w.bin"))), sha256(large));
            const merged = (await ask(
              alice,
              `
rid, kind = "${id}", "${kind}"
third = api.get_discussion_details(rid, 3, repo_type=kind)
if third.status == "draft": api.change_discussion_status(rid, 3, "open", repo_type=kind, comment="Fine")
for num in (1, 2, 3, 5): api.merge_pull_request(rid, num, repo_type=kind, comment="Thanks" if num == 1 else None)
one = api.get_discussion_details(rid, 1, repo_type=kind)
closed = api.change_discussion_status(rid, 4, "closed", repo_type=kind)
talk = api.get_discussion_details(rid, 4, repo_type=kind)
hidden = api.hide_discussion_comment(rid, 4, [e for e in talk.events if e.type == "comment"][1].id, repo_type=kind)
clash = api.create_commit(rid, repo_type=kind, create_pr=True, commit_message="Clash", operations=[__import__("huggingface_hub").CommitOperationAdd("one.txt", b"one")])
api.upload_file(path_or_fileobj=b"uno", path_in_repo="one.txt", repo_id=rid, repo_type=kind)
conflict = api.get_discussion_details(rid, clash.pr_num, repo_type=kind)
try: api.merge_pull_request(rid, clash.pr_num, repo_type=kind); why = None
except Exception as e: why = [e.response.status_code, "one.txt" in str(e)]
print(json.dumps({
  "one": [one.status, one.author, one.target_branch, one.merge_commit_oid is not None, one.conflicting_files, "+1" in one.diff],
  "events": [[e.type, getattr(e, "content", None) or getattr(e, "new_status", None) or getattr(e, "summary", None)] for e in one.events],
  "closed": closed.new_status, "hidden": [hidden.hidden, hidden.content], "conflict": [conflict.conflicting_files, why],
  "lists": [[d.num for d in api.get_repo_discussions(rid, repo_type=kind, discussion_status="open")],
            [d.num for d in api.get_repo_discussions(rid, repo_type=kind, discussion_type="discussion")],
            [d.num for d in api.get_repo_discussions(rid, repo_type=kind, author="bob")]],
  "main": sorted(api.list_repo_files(rid, repo_type=kind)),
}))`,
            )) as { events: readonly (readonly [string, string])[] } & Readonly<Record<string, unknown>>;
            const { events, ...rest } = merged;
            assert.deepEqual(events.map((event) => event.join(" ")).toSorted(), [
              "comment Thanks",
              "comment why",
              "commit One",
              "status-change merged",
            ]);
            assert.deepEqual(rest, {
              ...{ one: ["merged", "bob", "refs/heads/main", true, [], true], closed: "closed", hidden: [true, ""] },
              ...{ conflict: [["one.txt"], [409, true]], lists: [[6], [4], [5, 4, 3, 2, 1]] },
              main: [".gitattributes", "deep/a.txt", "one.txt", "two-b.txt", "two.txt", "w.bin"],
            });
          });

        test(
          "`hf` opens, shows, talks, closes, merges and uploads",
          { skip: version === "==0.36.*" ? "its `hf` has no discussions" : false },
          async () => {
            const id = `alice/${name}-hf`;
            await make(`${name}-hf`);
            const hf = async (who: Account, ...args: readonly string[]): Promise<string> => {
              const { said, code } = hub.hf(up.url, args, { HF_TOKEN: who.token });
              assert.equal(await code, 0, `${args.join(" ")}: ${said.text}`);
              return said.text;
            };
            await hf(bob, "discussions", "create", id, "--title", "A bug", "--body", "It is here");
            await hf(bob, "upload", id, up.write({ "a.txt": "a" }), "--create-pr");
            await hf(alice, "discussions", "comment", id, "1", "--body", "Seen");
            await hf(alice, "discussions", "rename", id, "1", "A feature");
            await hf(alice, "discussions", "close", id, "1", "--comment", "Done", "--yes");
            assert.match(await hf(bob, "discussions", "list", id, "--status", "closed"), /A feature/);
            assert.match(await hf(bob, "discussions", "info", id, "2"), /refs\/pr\/2|is_pull_request/);
            assert.match(await hf(bob, "discussions", "diff", id, "2"), /\+a/);
            if (/draft/.test(await hf(bob, "discussions", "list", id)))
              await hf(bob, "discussions", "reopen", id, "2", "--yes");
            await hf(alice, "discussions", "merge", id, "2", "--yes");
            const files: { path: string }[] = await json(send(alice, "GET", `/api/models/${id}/tree/main`));
            assert.deepEqual(
              files.map(({ path }) => path),
              [".gitattributes", "a.txt"],
            );
          },
        );
      });
  });

  test("a merge on a Space's main is a build, which explain finds by the merge's request", async () => {
    await make("app", { type: "space", sdk: "static" });
    const repo = "/api/spaces/alice/app";
    await json(send(alice, "POST", `${repo}/commit/main`, commitOf("README.md", "---\nsdk: static\n---\n")));
    await json(send(bob, "POST", `${repo}/commit/main?create_pr=1`, commitOf("index.html", "<h1>merged</h1>")));
    const answer = await send(alice, "POST", `${repo}/discussions/1/merge`, {});
    const { build, commitOid } = (await answer.json()) as { build: string | null; commitOid: string };
    const shown = await json(send(alice, "GET", `/api/builds/${build}`));
    assert.equal(shown.commit, commitOid);
    const request = answer.headers.get("x-waybill-id") ?? "";
    await until("explain knows it", async () =>
      JSON.stringify(await (await send(alice, "GET", `/api/explain/${request}`)).json()).includes(build ?? "none"),
    );
    await until("it runs", async () => (await json(send(alice, "GET", `${repo}/runtime`))).stage === "RUNNING");
  });

  test("SIGKILL in the middle of openings and merges: what was acknowledged is so, and the rest whole or not at all", async () => {
    await make("busy");
    const repo = "/api/models/alice/busy";
    const opened = new Set<number>();
    const merged = new Set<number>();
    for (let round = 0; round < 5; round++) {
      let isKilled = false;
      let answered = 0;
      const enough = Promise.withResolvers<void>();
      const count = (): void => {
        if ((answered += 1) > 6 + 5 * round) enough.resolve();
      };
      const ask = async (who: Account, path: string, body: object | string): Promise<Body> => {
        const response = await send(who, "POST", `${repo}/${path}`, body).catch(() => undefined);
        // Killed before it answered, or in the middle of its answer.
        return response?.status === 200 ? response.json().catch(() => undefined) : undefined;
      };
      const waiting: number[] = [];
      const openers = [1, 2].map(async (opener) => {
        for (let n = 0; !isKilled; n++) {
          const done = await ask(bob, "commit/main?create_pr=1", commitOf(`${round}-${opener}-${n}.txt`));
          const num = Number(/\d+$/.exec(done?.pullRequestUrl ?? "")?.[0] ?? 0);
          if (num === 0) continue;
          opened.add(num);
          waiting.push(num);
          count();
        }
      });
      const merger = (async () => {
        while (!isKilled) {
          const num = waiting.shift();
          if (num === undefined) await new Promise((done) => setImmediate(done));
          else if ((await ask(alice, `discussions/${num}/merge`, {})) !== undefined) {
            merged.add(num);
            count();
          }
        }
      })();
      await enough.promise;
      await up.kill();
      isKilled = true;
      await Promise.all([...openers, merger]);
      await up.up();
    }
    const refs: { pullRequests: { ref: string }[] } = await json(send(bob, "GET", `${repo}/refs?include_prs=1`));
    const nums = refs.pullRequests.map(({ ref }) => Number(ref.split("/")[2]));
    assert.deepEqual(
      [...opened].filter((num) => !nums.includes(num)),
      [],
    );
    const onMain: { path: string }[] = await json(send(bob, "GET", `${repo}/tree/main`));
    const isOnMain = (path: string): boolean => onMain.some((file) => file.path === path);
    let wholes = 0;
    for (const num of nums) {
      const { status, title, changes } = await json(send(bob, "GET", `${repo}/discussions/${num}`));
      assert.equal(isOnMain(title.slice("Add ".length)), status === "merged", `${num} is ${status}`);
      assert.equal(changes.mergeCommitId !== undefined, status === "merged");
      if (status === "merged") wholes += 1;
      else assert.ok(!merged.has(num), `${num} was merged`);
    }
    const { "x-total-count": commits } = Object.fromEntries((await send(bob, "GET", `${repo}/commits/main`)).headers);
    assert.equal(Number(commits), wholes + 1, "each is one commit");
    // No reference lies there that nobody is told of.
    const models = join(up.data, "repositories", "models");
    const inGit = readdirSync(models)
      .map((folder) => {
        const args = [`--git-dir=${join(models, folder)}`, "for-each-ref", "--format=%(refname)", "refs/pr"];
        return execFileSync("git", args, { encoding: "utf8" });
      })
      .find((found) => found.includes(`refs/pr/${Math.max(...nums)}\n`));
    assert.deepEqual(inGit?.trim().split("\n").toSorted(), refs.pullRequests.map(({ ref }) => ref).toSorted());
  });
});
