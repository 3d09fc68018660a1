/** `git push` where it takes long or goes wrong in the middle: large pushes, killed pushers, a killed platform, apps with a process. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createConnection } from "node:net";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { GitClient } from "../support/git-client.ts";
import { Platform, until, type Account } from "../support/platform.ts";

const page = { "README.md": "---\ntitle: T\nsdk: static\n---\n", "index.html": "<h1>one</h1>" };
const nodeApp = {
  "README.md": "---\nsdk: node\n---\n",
  "package.json": JSON.stringify({ name: "app", version: "1.0.0", scripts: { start: "node server.js" } }),
  "server.js":
    "require('node:http').createServer((_, answer) => answer.end('from node')).listen(process.env.PORT, '0.0.0.0');",
};
const mebibyte = 1 << 20;

describe("git push, the long way", () => {
  let up: Platform;
  let alice: Account;
  let client: GitClient;
  before(async () => {
    up = await Platform.start({ env: { WAYBILL_PUSH_MB: "80" } });
    alice = await up.account("alice");
    client = new GitClient();
  });
  after(async () => {
    client[Symbol.dispose]();
    await up[Symbol.asyncDispose]();
  });

  const served = async (space: string): Promise<string> => {
    const { addresses } = await up.admin.space(space);
    return (await fetch(addresses.at(-1) ?? "")).text();
  };
  const url = (name: string): string => `${up.url.replace("://", `://any:${alice.token}@`)}/spaces/alice/${name}`;
  const repository = (name: string): string => join(up.data, "repositories", "alice", `${name}.git`);
  /** The references of a repository that the real git finds whole. */
  const whole = (name: string): string => {
    const folder = repository(name);
    execFileSync("git", [`--git-dir=${folder}`, "fsck", "--strict", "--no-dangling"], { stdio: "pipe" });
    return execFileSync("git", [`--git-dir=${folder}`, "for-each-ref"], { encoding: "utf8" });
  };
  const blobs = (count: number, bytes: number): Record<string, Buffer> =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`data/${at}.bin`, randomBytes(bytes)]));

  test("main is never deleted; another history may take its place, and is built", async () => {
    const work = client.init("history", url("history"), page);
    await work.run("push", "--quiet", "origin", "main");
    const deleted = await work.run("push", "origin", ":main");
    assert.notEqual(deleted.exitCode, 0);
    assert.match(deleted.says, /remote: main cannot be deleted/);
    work.write({ "index.html": "other" });
    work.git("commit", "--quiet", "--all", "--amend", "--message", "other");
    const refused = await work.run("push", "origin", "main");
    assert.match(refused.says, /rejected/);
    const forced = await work.run("push", "--force", "origin", "main");
    assert.equal(forced.exitCode, 0, forced.says);
    assert.match(await served("alice/history"), /other/);
  });

  test("paths and links that could not be written into a folder are refused by name", async () => {
    const work = client.init("paths", url("paths"), page);
    const blob = work.git("hash-object", "-w", "index.html").trim();
    const refused = async (line: string) => {
      const tree = join(work.path, "tree");
      work.write({ tree: `${line}\n` });
      const commit = work.git("-c", `alias.make=!git commit-tree $(git mktree <${tree}) -m x`, "make").trim();
      const push = await work.run("push", "origin", `${commit}:refs/heads/main`);
      assert.notEqual(push.exitCode, 0, push.says);
      return push.says;
    };
    work.write({ target: "../../etc/passwd" });
    const link = work.git("hash-object", "-w", "target").trim();
    assert.match(await refused(`120000 blob ${link}\tout`), /remote: main: out is a link that leaves the repository/);
    assert.match(await refused(`100644 blob ${blob}\ta\\b`), /remote: main: .*backslash/);
    // git's own check of each object.
    assert.match(await refused(`100644 blob ${blob}\t.git`), /hasDotgit/);
    assert.equal((await up.admin.space("alice/paths")).build, null);
  });

  test("of two who push at once one wins, and the other is told to fetch", async () => {
    const work = client.init("race", url("race"), page);
    await work.run("push", "--quiet", "origin", "main");
    const works = await Promise.all(
      ["one", "two"].map(async (name) => {
        await client.clone(url("race"), `race-${name}`);
        const copy = client.work(join(client.folder, `race-${name}`));
        return { copy, commit: copy.commit({ "index.html": name }) };
      }),
    );
    const ends = await Promise.all(works.map(({ copy }) => copy.run("push", "origin", "main")));
    const won = ends.findIndex(({ exitCode }) => exitCode === 0);
    assert.equal(ends.filter(({ exitCode }) => exitCode === 0).length, 1, JSON.stringify(ends));
    assert.match(ends[1 - won]?.says ?? "", /rejected/);
    assert.equal((await up.admin.space("alice/race")).build?.commit, works[won]?.commit);
  });

  test("a push and a commit by the API at once: both or one, and the last one taken is what is built last", async () => {
    const work = client.init("both", url("both"), page);
    await work.run("push", "--quiet", "origin", "main");
    const pushed = work.commit({ "index.html": "pushed" });
    const line = (value: object): string => `${JSON.stringify(value)}\n`;
    const body = Buffer.from(
      line({ key: "header", value: { summary: "api" } }) +
        line({ key: "file", value: { path: "other.html", content: "api", encoding: "utf-8" } }),
    );
    const [push, commit] = await Promise.all([
      work.run("push", "origin", "main"),
      alice.client.commit("alice/both", body),
    ]);
    // The push is refused where the commit came first; the commit goes on top of either.
    const head = (await work.run("ls-remote", "origin", "main")).says.slice(0, 40);
    assert.equal(head, push.exitCode === 0 ? (head === pushed ? pushed : commit.commitOid) : commit.commitOid);
    await until("the head's build has ended", async () => {
      const { build } = await up.admin.space("alice/both");
      return build?.commit === head && build.outcome === "ok";
    });
  });

  test("a Node Space is built, started and answers when the push ends", async () => {
    const work = client.init("node", url("node"), nodeApp);
    const push = await work.run("push", "origin", "main");
    assert.equal(push.exitCode, 0, push.says);
    assert.match(push.says, /remote: alice\/node runs:/);
    const address = /remote: +(http:\/\/127\.\S+)/.exec(push.says)?.[1] ?? "";
    assert.equal(await (await fetch(address)).text(), "from node");
  });

  test("an app that ends at its start: the push says so with its last words", async () => {
    const work = client.init("ends", url("ends"), {
      ...nodeApp,
      "server.js": "console.error('no key'); process.exit(3)",
    });
    const push = await work.run("push", "origin", "main");
    assert.match(push.says, /remote: error\[app\/exit\]/);
    assert.match(push.says, /remote: {3}explain/);
  });

  test("50 MB go through, by a chunked push after its probe, and come back by a clone", async () => {
    const work = client.init("fifty", url("fifty"), { ...page, ...blobs(10, 5 * mebibyte) });
    const push = await work.run("push", "origin", "main");
    assert.equal(push.exitCode, 0, push.says);
    const clone = await client.clone(url("fifty"), "fifty-again");
    assert.equal(clone.exitCode, 0, clone.says);
    assert.equal(statSync(join(client.folder, "fifty-again", "data", "9.bin")).size, 5 * mebibyte);
    whole("fifty");
  });

  test("a push above the limit is refused with the limit, and nothing of it stays", async () => {
    const work = client.init("limit", url("limit"), { ...page, ...blobs(10, 9 * mebibyte) });
    const push = await work.run("push", "origin", "main");
    assert.notEqual(push.exitCode, 0);
    assert.match(push.says, /remote: fatal: pack exceeds maximum allowed size/);
    const id = /remote: explain: (b_\w+)/.exec(push.says)?.[1] ?? assert.fail(push.says);
    assert.match((await alice.client.explain(id)).sentence, /One push may have \d+ MB/);
    assert.equal(whole("limit"), "");
  });

  test("a pusher that is killed while it sends has pushed nothing", async () => {
    const work = client.init("killed", url("killed"), { ...page, ...blobs(8, 9 * mebibyte) });
    const running = work.start(["push", "origin", "main"]);
    await until("git receives", () => existsSync(repository("killed")) && incoming("killed") > 0);
    running.child.kill("SIGKILL");
    execFileSync("pkill", ["-KILL", "-f", `remote-http.*${alice.token}.*alice/killed`]);
    await running.ended;
    await until("git has thrown it away", () => incoming("killed") === 0);
    assert.equal(whole("killed"), "");
    const again = await work.run("push", "origin", "main");
    assert.equal(again.exitCode, 0, again.says);
  });

  test("a pusher that leaves while it watches stops watching; the build goes on to its end", async () => {
    const work = client.init("leaves", url("leaves"), {
      ...nodeApp,
      "package.json": JSON.stringify({
        name: "app",
        version: "1.0.0",
        scripts: { build: "sleep 3", start: "node server.js" },
      }),
    });
    const heard = Promise.withResolvers<void>();
    const running = work.start(["push", "origin", "main"], {
      onText: (text) => text.includes("Ctrl-C stops watching") && heard.resolve(),
    });
    await heard.promise;
    running.child.kill("SIGINT");
    execFileSync("pkill", ["-KILL", "-f", `remote-http.*${alice.token}.*alice/leaves`]);
    await running.ended;
    await until("it runs", async () => (await up.admin.space("alice/leaves")).state === "running");
  });

  test("a client that stops in the middle of its request and stays is ended, and harms nobody", async () => {
    const port = Number(new URL(up.url).port);
    const socket = createConnection(port, "127.0.0.1");
    const basic = Buffer.from(`a:${alice.token}`).toString("base64");
    socket.write(
      `POST /spaces/alice/stuck/git-receive-pack HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Basic ${basic}\r\n` +
        "Content-Type: application/x-git-receive-pack-request\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n00a0\r\n",
    );
    await until("git waits for more", () => existsSync(repository("stuck")));
    const work = client.init("stuck", url("stuck"), page);
    const push = await work.run("push", "origin", "main");
    assert.equal(push.exitCode, 0, push.says);
    socket.destroy();
  });

  test("kill -9 of the platform in the middle of a push: the repository is whole, nothing is half, and it can be pushed again", async () => {
    const work = client.init("crash", url("crash"), { ...page, ...blobs(8, 9 * mebibyte) });
    const running = work.start(["push", "origin", "main"]);
    await until("git receives", () => existsSync(repository("crash")) && incoming("crash") > 0);
    await up.kill();
    const { exitCode } = await running.ended;
    assert.notEqual(exitCode, 0);
    assert.equal(whole("crash"), "");
    await up.up();
    const again = await work.run("push", "origin", "main");
    assert.equal(again.exitCode, 0, again.says);
    assert.match(again.says, /alice\/crash runs/);
    await until("what it left is gone", () => incoming("crash") === 0);
  });

  test("a commit that main has come to when the platform was killed before it asked for its build is built by the next start, once", async () => {
    const work = client.init("between", url("between"), page);
    await work.run("push", "--quiet", "origin", "main");
    await up.kill();
    // What a kill between git's word and ours leaves: main has moved, and no build knows of it.
    const commit = work.commit({ "index.html": "<h1>moved</h1>" });
    work.git("push", "--quiet", repository("between"), "main");
    await up.up();
    await until("the commit is built", async () => (await up.admin.space("alice/between")).build?.commit === commit);
    await until("and served", async () => (await served("alice/between")).includes("moved"));
    const { build } = await up.admin.space("alice/between");
    await up.restart();
    await until("it runs again", async () => (await served("alice/between")).includes("moved"));
    assert.equal((await up.admin.space("alice/between")).build?.id, build?.id);
  });

  test("a push and a commit by the API are works of their own: their builds are linked to them, and tell of a failure", async () => {
    const work = client.init("linked", url("linked"), { "README.md": "---\nsdk: static\napp_port: x\n---\n" });
    const push = await work.run("push", "origin", "main");
    const id = /remote: build (b_\w+)/.exec(push.says)?.[1] ?? "";
    const links = await until("the build's story names the push", async () => {
      const { links: told } = await alice.client.explain(id);
      return told.some(({ kind }) => kind === "request") && told;
    });
    const request = await alice.client.explain(links.find(({ kind }) => kind === "request")?.id ?? "");
    assert.match(request.sentence, /^The platform answered 200.* Its build b_\w+: .*app_port is "x"/);
    const committed = await fetch(`${up.url}/api/spaces/alice/linked/commit/main`, {
      method: "POST",
      headers: { authorization: `Bearer ${alice.token}` },
      body: [
        JSON.stringify({ key: "header", value: { summary: "x" } }),
        JSON.stringify({
          key: "file",
          value: { path: "README.md", content: "---\nsdk: static\n---\n", encoding: "utf-8" },
        }),
      ].join("\n"),
    });
    const { build } = (await committed.json()) as { build: string };
    const told = await until("the commit's story names its build", async () => {
      const story = await alice.client.explain(committed.headers.get("x-waybill-id") ?? "").catch(() => undefined); // Not there yet.
      return story?.links.some((link) => link.id === build) && story;
    });
    assert.equal(told.outcome, "ok");
  });

  test("nothing of the machine's git, of its user's or of a pusher's wish is obeyed", async () => {
    const home = mkdtempSync(join(tmpdir(), "wb-home-"));
    const hooks = join(home, "hooks");
    mkdirSync(hooks);
    for (const hook of ["pre-receive", "post-receive", "update"])
      writeFileSync(join(hooks, hook), `#!/bin/sh\ntouch ${home}/ran\n`, { mode: 0o755 });
    writeFileSync(
      join(home, ".gitconfig"),
      `[core]\n\thooksPath = ${hooks}\n[receive]\n\tdenyNonFastForwards = true\n[uploadpack]\n\thideRefs = refs\n`,
    );
    await using other = await Platform.start({ env: { HOME: home } });
    const { token } = await other.account("alice");
    const remote = `${other.url.replace("://", `://any:${token}@`)}/spaces/alice/closed`;
    const work = client.init("closed", remote, page);
    const push = await work.run("push", "origin", "main");
    assert.match(push.says, /alice\/closed runs/);
    // Hooks and settings that lie in the repository itself, as a restore from elsewhere could bring them.
    const bare = join(other.data, "repositories", "alice", "closed.git");
    mkdirSync(join(bare, "hooks"), { recursive: true });
    writeFileSync(join(bare, "hooks", "post-receive"), `#!/bin/sh\ntouch ${home}/ran\n`, { mode: 0o755 });
    work.commit({ "index.html": "two" });
    const second = await work.run("push", "--push-option=x", "origin", "main");
    assert.match(second.says, /does not support push options/);
    assert.equal((await work.run("push", "origin", "main")).exitCode, 0);
    assert.equal(existsSync(join(home, "ran")), false);
    const clone = await client.clone(remote, "closed-again");
    assert.equal(clone.exitCode, 0, clone.says);
    const hidden = await work.run("push", "origin", "main:refs/waybill/noted");
    assert.match(hidden.says, /deny updating a hidden ref/);
    const odd = await work.run("push", "origin", "main:refs/pull/1/head");
    assert.match(odd.says, /remote: refs\/pull\/1\/head is neither a branch nor a tag/);
    rmSync(home, { recursive: true });
  });

  test("what git sends is taken in each of its forms: packed bodies, Expect, versions 0 to 2", async () => {
    const work = client.init("forms", url("forms"), page);
    await work.run("push", "--quiet", "origin", "main");
    for (const version of ["0", "1", "2"]) {
      const listed = await work.run("-c", `protocol.version=${version}`, "ls-remote", "origin", "main");
      assert.match(listed.says, /refs\/heads\/main/, version);
    }
    const asked = await fetch(`${up.url}/spaces/alice/forms/git-upload-pack`, {
      method: "POST",
      headers: {
        "content-type": "application/x-git-upload-pack-request",
        "content-encoding": "gzip",
        "git-protocol": "version=2",
      },
      body: gzipSync("0014command=ls-refs\n00010000"),
    });
    assert.match(await asked.text(), /[0-9a-f]{40} refs\/heads\/main/);
    const expecting = client.init("expect", url("expect"), { ...page, ...blobs(3, mebibyte) });
    const pushed = await expecting.run(
      "-c",
      "http.expectContinue=true",
      "-c",
      "http.postBuffer=131072",
      "push",
      "origin",
      "main",
    );
    assert.equal(pushed.exitCode, 0, pushed.says);
    const dumb = await fetch(`${up.url}/spaces/alice/forms/info/refs`);
    assert.deepEqual([dumb.status, await dumb.text()], [400, "Only git's smart HTTP protocol is spoken here.\n"]);
    for (const path of [
      "/spaces/alice/..%2f..%2fx/info/refs",
      "/spaces/alice/.git/info/refs",
      "/spaces/alice/forms/HEAD",
    ])
      assert.equal((await fetch(`${up.url}${path}?service=git-upload-pack`)).status, 404, path);
  });

  /** Folders in which git keeps what it has not taken. */
  function incoming(name: string): number {
    return readdirSync(join(repository(name), "objects")).filter((one) => one.startsWith("tmp_objdir-")).length;
  }
});
