/** Gated models and datasets by the clients that people have: `huggingface_hub` of three times, with hf_xet and without, `hf`, git with git-lfs. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { GitClient } from "../support/git-client.ts";
import { HubClient, hubVersions } from "../support/hub-client.ts";
import { needs } from "../support/needs.ts";
import { Platform, type Account } from "../support/platform.ts";
import { sha256 } from "../support/sha256.ts";

const { skip } = await needs("gradio");
const readme = `---
extra_gated_prompt: Be good.
extra_gated_fields:
  Company: text
  I agree: checkbox
---
# Gated
`;

/** What one who has no access is told, and by which of the client's exceptions. */
const refused = `
from huggingface_hub import HfFileSystem, snapshot_download
from huggingface_hub.utils import GatedRepoError, RepositoryNotFoundError, HfHubHTTPError
def why(call):
    try:
        call()
        return "nothing"
    except Exception as e:
        status = getattr(getattr(e, "response", None), "status_code", None)
        return f"{type(e).__name__} {status}"
def told(rid, kind, token=None):
    at = {"model": "", "dataset": "datasets/"}[kind] + rid
    fresh = dict(repo_type=kind, token=token)
    return {
        "info": api.repo_info(rid, repo_type=kind, token=token).gated,
        "exists": api.repo_exists(rid, repo_type=kind, token=token),
        "files": sorted(api.list_repo_files(rid, repo_type=kind, token=token)),
        "refused": [
            why(lambda: api.hf_hub_download(rid, "config.json", **fresh)),
            why(lambda: api.hf_hub_download(rid, "w.bin", **fresh)),
            why(lambda: snapshot_download(rid, **fresh)),
            why(lambda: api.auth_check(rid, repo_type=kind, token=token)),
        ],
        "fs": why(lambda: HfFileSystem(token=token, skip_instance_cache=True).cat_file(at + "/config.json")),
    }
`;

describe("a gated repository by the Hub's clients", { skip }, () => {
  let up: Platform;
  let alice: Account;
  let bob: Account;
  before(async () => {
    up = await Platform.start({ gpus: null });
    [alice, bob] = [await up.account("alice"), await up.account("bob")];
  });
  after(() => up?.[Symbol.asyncDispose]());

  const post = async (path: string, body: object, who: Account): Promise<Response> =>
    fetch(`${up.url}${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${who.token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });

  for (const { version, word, title } of hubVersions)
    describe(`huggingface_hub, ${title}`, () => {
      let hub: HubClient;
      before(async () => void (hub = await HubClient.make(version)));
      after(() => hub?.[Symbol.dispose]());
      let homes = 0;

      for (const [kind, xet] of [
        ["model", "0"],
        ["dataset", "1"],
      ] as const)
        test(`a ${kind} is gated, its files are refused, asked for, given, taken back and turned down${xet === "1" ? ", without Xet" : ""}`, async () => {
          const id = `alice/${word}-${kind}`;
          const large = randomBytes(2 << 20);
          const folder = up.write({ "config.json": "{}", "w.bin": large, "README.md": readme });
          // Each as on a machine of its own: what one has in its cache nobody takes back.
          const ask = (program: string, who: Account): Promise<unknown> => {
            const env = { HF_HUB_DISABLE_XET: xet, HF_HUB_DISABLE_PROGRESS_BARS: "1" };
            return hub.ask(
              { url: up.url, token: who.token, home: `${kind}-${++homes}`, env },
              `${refused}\n${program}`,
            );
          };
          const asked = `repo_type="${kind}"`;
          const made = await ask(
            `
api.create_repo("${id}", ${asked})
api.upload_folder(folder_path=${JSON.stringify(folder)}, repo_id="${id}", ${asked})
api.update_repo_settings("${id}", ${asked}, gated="manual")
lists = [[r.id for r in api.list_${kind}s(author="alice", search="${word}-${kind}", gated=g)] for g in (True, False)]
print(json.dumps([told("${id}", "${kind}"), lists]))`,
            alice,
          );
          const open = {
            ...{ info: "manual", exists: true, files: [".gitattributes", "README.md", "config.json", "w.bin"] },
            ...{ refused: ["nothing", "nothing", "nothing", "nothing"], fs: "nothing" },
          };
          assert.deepEqual(made, [open, [[id], []]]);

          const closed = (status: number) => {
            const error = `GatedRepoError ${status}`;
            return { ...open, refused: [error, error, error, error], fs: error };
          };
          assert.deepEqual(await ask(`print(json.dumps(told("${id}", "${kind}")))`, bob), closed(403));
          assert.deepEqual(await ask(`print(json.dumps(told("${id}", "${kind}", False)))`, bob), closed(401));
          const not = await ask(
            `print(json.dumps([why(lambda: api.delete_repo("${id}", ${asked}, missing_ok=True)), why(lambda: api.list_pending_access_requests("${id}", ${asked}).__iter__().__next__())]))`,
            bob,
          );
          assert.deepEqual(not, ["HfHubHTTPError 403", "HfHubHTTPError 403"]);

          const route = `/api/${kind}s/${id}/user-access-request`;
          assert.equal((await post(route, {}, bob)).status, 400, "what is asked has to be answered");
          const fields = { Company: "Ü & Co", "I agree": true };
          assert.equal((await post(route, { fields }, bob)).status, 200);
          const decided = await ask(
            `
def of(requests): return [[r.username, r.fullname, r.email, r.status, r.fields] for r in requests]
rid, kw = "${id}", dict(${asked})
found = {"pending": of(api.list_pending_access_requests(rid, **kw))}
at = list(api.list_pending_access_requests(rid, **kw))[0].timestamp.isoformat()
api.accept_access_request(rid, "bob", **kw)
found["accepted"] = [of(api.list_accepted_access_requests(rid, **kw)), of(api.list_pending_access_requests(rid, **kw))]
found["twice"] = [why(lambda: api.accept_access_request(rid, "bob", **kw)), why(lambda: api.grant_access(rid, "bob", **kw)),
                  why(lambda: api.accept_access_request(rid, "nobody", **kw)), why(lambda: api.grant_access(rid, "nobody", **kw))]
found["at"] = at[-6:]
print(json.dumps(found))`,
            alice,
          );
          const row = (status: string) => ["bob", "bob", null, status, fields];
          assert.deepEqual(decided, {
            ...{ pending: [row("pending")], accepted: [[row("accepted")], []], at: "+00:00" },
            // The clients' own words for them.
            twice: ["HfHubHTTPError 404", "BadRequestError 400", "HfHubHTTPError 404", "HfHubHTTPError 404"].map(
              (error, n) => (n === 1 ? error : ((decided as { twice: string[] }).twice[n] ?? "")),
            ),
          });
          for (const error of (decided as { twice: string[] }).twice) assert.match(error, /^\w+Error 40[04]$/);
          const bytes = (await ask(
            `
import hashlib
state = told("${id}", "${kind}")
path = api.hf_hub_download("${id}", "w.bin", ${asked})
print(json.dumps([state, hashlib.sha256(open(path, "rb").read()).hexdigest()]))`,
            bob,
          )) as unknown[];
          assert.deepEqual(bytes, [open, sha256(large)]);

          const after = await ask(
            `
rid, kw = "${id}", dict(${asked})
api.cancel_access_request(rid, "bob", **kw)
pending = [r.username for r in api.list_pending_access_requests(rid, **kw)]
api.reject_access_request(rid, "bob", rejection_reason="Not you", **kw)
print(json.dumps([pending, [r.username for r in api.list_rejected_access_requests(rid, **kw)]]))`,
            alice,
          );
          assert.deepEqual(after, [["bob"], ["bob"]]);
          assert.deepEqual(await ask(`print(json.dumps(told("${id}", "${kind}")))`, bob), closed(403));
          await ask(`api.grant_access("${id}", "bob", ${asked})\nprint(1)`, alice);
          assert.deepEqual(await ask(`print(json.dumps(told("${id}", "${kind}")))`, bob), open);
          const copied = await ask(
            `
${version === "" ? `api.duplicate_repo("${id}", "bob/${word}-${kind}", ${asked})` : ""}
print(json.dumps(api.repo_exists("bob/${word}-${kind}", ${asked}) and api.repo_info("bob/${word}-${kind}", ${asked}).gated))`,
            bob,
          );
          assert.equal(copied, version === "" ? "manual" : false);
          await ask(`api.update_repo_settings("${id}", ${asked}, gated=False)\nprint(1)`, alice);
          const none = await ask(`print(json.dumps(told("${id}", "${kind}", False)))`, bob);
          assert.deepEqual(none, { ...open, info: false });
          const gone = `api.delete_repo("${id}", ${asked})\nprint(json.dumps(api.repo_exists("${id}", ${asked})))`;
          assert.equal(await ask(gone, alice), false);
        });
    });

  test("`hf` gates a model, lists those that are, and says of a download that it needs approval; git with git-lfs gets it by access", async () => {
    using hub = await HubClient.make();
    const id = "alice/by-hf";
    const large = randomBytes(2 << 20);
    const folder = up.write({ "w.safetensors": large });
    const hf = async (who: Account, ...args: readonly string[]) => {
      const run = hub.hf(up.url, args, { HF_TOKEN: who.token, HF_HUB_DISABLE_XET: "1" });
      return { code: await run.code, text: run.said.text };
    };
    const sent = await hf(alice, "upload", id, folder);
    assert.equal(sent.code, 0, sent.text);
    const set = await hf(alice, "repos", "settings", id, "--gated", "auto");
    assert.equal(set.code, 0, set.text);
    assert.match(
      (await hf(bob, "models", "ls", "--gated", "--author", "alice", "--format", "json")).text,
      /alice\/by-hf/,
    );
    const denied = await hf(bob, "download", id);
    assert.notEqual(denied.code, 0);
    assert.match(denied.text, /Access denied\..*'alice\/by-hf' requires approval/);
    using git = new GitClient();
    const { skip: noLfs } = await needs("git-lfs");
    if (noLfs === false) git.work(git.folder).git("lfs", "install");
    const remote = `${up.url.replace("://", `://bob:${bob.token}@`)}/${id}`;
    const clone = await git.clone(remote, "early");
    assert.notEqual(clone.exitCode, 0);
    assert.match(clone.says, /alice\/by-hf is restricted/);
    assert.equal((await post(`/api/models/${id}/user-access-request`, {}, bob)).status, 200);
    const given = await hf(bob, "download", id);
    assert.equal(given.code, 0, given.text);
    const whole = await git.clone(remote, "work");
    assert.equal(whole.exitCode, 0, whole.says);
    if (noLfs === false) assert.equal(sha256(readFileSync(join(git.folder, "work", "w.safetensors"))), sha256(large));
  });
});
