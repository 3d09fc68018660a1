/** `git push`, with the real git: what is taken, what is refused in which words, and what the one who pushes reads meanwhile. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { GitClient } from "./support/git-client.ts";
import { Platform, until, type Account } from "./support/platform.ts";

const page = { "README.md": "---\ntitle: T\nsdk: static\n---\n", "index.html": "<h1>one</h1>" };

describe("git push", () => {
  let up: Platform;
  let alice: Account;
  let client: GitClient;
  before(async () => {
    up = await Platform.start();
    alice = await up.account("alice");
    client = new GitClient();
  });
  after(async () => {
    client[Symbol.dispose]();
    await up[Symbol.asyncDispose]();
  });

  const url = (name: string, token: string | null = alice.token, owner = "alice"): string =>
    `${up.url.replace("://", token === null ? "://" : `://any:${token}@`)}/spaces/${owner}/${name}`;
  const served = async (space: string): Promise<string> => {
    const { addresses } = await up.admin.space(space);
    return (await fetch(addresses.at(-1) ?? "")).text();
  };

  test("makes the Space, builds it, and says where it runs; the next push replaces it", async () => {
    const work = client.init("page", url("page"), page);
    const first = await work.run("push", "origin", "main");
    assert.equal(first.exitCode, 0, first.says);
    assert.match(first.says, /remote: build b_\w+ of alice\/page, commit [0-9a-f]{7}/);
    assert.match(first.says, /remote: Ctrl-C stops watching, not the build/);
    assert.match(first.says, /remote: alice\/page runs:/);
    assert.match(await served("alice/page"), /one/);
    const commit = work.commit({ "index.html": "<h1>two</h1>" });
    const second = await work.run("push", "origin", "main");
    assert.equal(second.exitCode, 0, second.says);
    assert.equal((await up.admin.space("alice/page")).build?.commit, commit);
    await until("the second release is served", async () => (await served("alice/page")).includes("two"));
    const { items } = await alice.client.audit({ target: "space/alice/page" });
    const [push, begun] = items;
    assert.deepEqual(
      [push?.action, push?.outcome, push?.account, push?.token?.slice(0, 2), push?.address, push?.after],
      ["space.push", "done", "alice", "t_", "127.0.0.1", { "refs/heads/main": commit }],
    );
    assert.deepEqual([begun?.before, push?.before], [{ "refs/heads/main": null }, begun?.after]);
  });

  test("a push whose build fails names the line and the link, and exits as a push that was taken", async () => {
    const work = client.init("broken", url("broken"), { "README.md": "---\nsdk: static\napp_port: many\n---\n" });
    const push = await work.run("push", "origin", "main");
    assert.equal(push.exitCode, 0, push.says);
    assert.match(
      push.says,
      /remote: error\[build\/config-invalid\]: .*settings.*README\.md line 3: app_port is "many"/,
    );
    assert.match(push.says, /remote: {3}owner {5}app, proved/);
    const { build } = await up.admin.space("alice/broken");
    assert.ok(push.says.includes(`explain   ${up.url}/w/${build?.id}`), push.says);
  });

  test("other branches and tags are taken, and say that they trigger no build", async () => {
    const work = client.init("branches", url("branches"), page);
    await work.run("push", "--quiet", "origin", "main");
    const { build } = await up.admin.space("alice/branches");
    work.git("checkout", "--quiet", "-b", "dev");
    work.commit({ "index.html": "dev" });
    work.git("tag", "v1");
    const push = await work.run("push", "origin", "dev", "v1");
    assert.equal(push.exitCode, 0, push.says);
    assert.match(push.says, /remote: branch dev is taken at [0-9a-f]{7}: no build\. Only main is built/);
    const id = /remote: tag v1 is taken at [0-9a-f]{7}: no build\..* explain (b_\w+)/.exec(push.says)?.[1] ?? "";
    assert.match((await alice.client.explain(id)).sentence, /Only main is built/);
    const told = await alice.client.explain(build?.id ?? "");
    const by = told.chain?.at(-1);
    assert.deepEqual([by?.kind, by?.by, told.chain?.at(-2)?.kind], ["transfer", "alice", "commit"]);
    const commit = await alice.client.explain(`alice/branches@${(await up.admin.build(build?.id ?? "")).commit}`);
    assert.match(commit.sentence, /It was pushed by alice\./);
    assert.ok(commit.links.some((link) => link.id === by?.id));
    assert.equal((await up.admin.space("alice/branches")).build?.id, build?.id);
    const gone = await work.run("push", "origin", ":dev");
    assert.match(gone.says, /remote: branch dev is deleted/);
  });

  test("a file of more than 10 MB is refused by name, in whichever commit it is, with what to do", async () => {
    const work = client.init("large", url("large"), page);
    work.commit({ "weights.bin": Buffer.alloc((10 << 20) + 1) });
    work.git("rm", "--quiet", "weights.bin");
    work.git("commit", "--quiet", "--message", "gone again");
    const push = await work.run("push", "origin", "main");
    assert.notEqual(push.exitCode, 0);
    assert.match(push.says, /remote: weights\.bin has 10 MB/);
    assert.match(push.says, /remote: {3}git lfs install && git lfs migrate import --include="\*\.bin"/);
    const id = /remote: explain: (b_\w+)/.exec(push.says)?.[1] ?? assert.fail(push.says);
    const { verdict } = await alice.client.explain(id);
    assert.deepEqual([verdict?.boundary, verdict?.code, verdict?.owner], ["build", "push-too-large", "app"]);
    assert.match(verdict?.sentence ?? "", /weights\.bin has 10 MB/i);
  });

  test("no token, a wrong one, another's and one that may not write are each told apart", async () => {
    const bob = await up.account("bob");
    const reader = await up.admin.createToken({ account: "alice", scopes: ["read"] });
    const work = client.init("tokens", url("tokens", null), page);
    const says = async (remote: string): Promise<string> => {
      const { exitCode, says: text } = await work.run("push", remote, "main");
      assert.notEqual(exitCode, 0, text);
      return text;
    };
    assert.match(await says(url("tokens", null)), /could not read Username|Authentication failed/);
    assert.match(await says(url("tokens", "hf_nobodys")), /remote: .*token[^]*Authentication failed/);
    assert.match(await says(url("tokens", bob.token)), /remote: alice\/tokens belongs to alice; you are bob\./);
    assert.match(
      await says(url("tokens", reader.token)),
      /remote: This token is not for that: it has not the scope write/,
    );
    assert.match(await says(url("x", bob.token, "nobody")), /remote: nobody\/x belongs to nobody/);
    await assert.rejects(up.admin.space("alice/tokens"));
    const asked = await fetch(`${url("tokens", null)}/info/refs?service=git-receive-pack`);
    assert.equal(asked.status, 401);
    assert.match(asked.headers.get("www-authenticate") ?? "", /^Basic /);
  });

  test("anyone clones a Space, by its address with or without .git; one that is not there is said to who shows a token", async () => {
    const work = client.init("open", url("open"), page);
    await work.run("push", "--quiet", "origin", "main");
    for (const [name, end] of [
      ["a", ""],
      ["b", ".git"],
    ] as const) {
      const clone = await client.clone(`${url("open", null)}${end}`, `open-${name}`);
      assert.equal(clone.exitCode, 0, clone.says);
      assert.match(readFileSync(join(client.folder, `open-${name}`, "index.html"), "utf8"), /one/);
    }
    const partial = await client.clone(url("open", null), "open-c", "--depth=1", "--filter=blob:none");
    assert.equal(partial.exitCode, 0, partial.says);
    const none = await client.clone(url("nothing"), "nothing");
    assert.match(none.says, /remote: There is no Space alice\/nothing\./);
    const unseen = await client.clone(url("nothing", null), "unseen");
    assert.match(unseen.says, /could not read Username/, "a stranger is not told what is there and private");
  });

  test("a push to a paused Space is taken, and says who paused it and that nothing is built", async () => {
    const work = client.init("paused", url("paused"), page);
    await work.run("push", "--quiet", "origin", "main");
    await alice.client.pause("alice/paused");
    const commit = work.commit({ "index.html": "later" });
    const push = await work.run("push", "origin", "main");
    assert.equal(push.exitCode, 0, push.says);
    assert.match(push.says, /remote: branch main is taken at [0-9a-f]{7}: no build\. .*paused/i);
    assert.equal((await work.run("ls-remote", "origin", "main")).says.slice(0, 40), commit);
    assert.notEqual((await up.admin.space("alice/paused")).build?.commit, commit);
  });
});
