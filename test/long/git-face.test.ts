/** git's face behind a server of its own, with limits that are soon reached: who waits, who is given up, and what stays then. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createConnection, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { GitFace, type GitDesk, type GitFaceLimits } from "../../src/hub/git-face.ts";
import { openRepositories } from "../../src/hub/repository.ts";
import { clock, random } from "../support/commits.ts";
import { GitClient } from "../support/git-client.ts";
import { until } from "../support/platform.ts";

interface World extends AsyncDisposable {
  readonly client: GitClient;
  readonly folder: string;
  readonly port: number;
  readonly url: (name: string) => string;
  readonly failures: readonly string[];
}

/** A face whose Spaces are alice's, and whose builds say two lines and end when `built` does. */
async function open(limits: Partial<GitFaceLimits>, built: Promise<void> = Promise.resolve()): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "wb-face-"));
  const failures: string[] = [];
  const desk: GitDesk = {
    callerOf: async (field) => ({
      caller: field === undefined ? null : { account: "alice", admin: false, scopes: ["read", "write"] },
    }),
    exists: () => true,
    ensure: async () => ({ ok: true }),
    inTurn: (_, work) => work(),
    refuse: async () => [],
    pushed: async ({ updates }) => ({ lines: [], build: updates[0]?.to ?? null }),
    watch: async function* (build) {
      yield `building ${build.slice(0, 7)}`;
      await built;
      yield "built";
    },
    onFailure: (what, error) => void failures.push(`${what}: ${String(error)}`),
  };
  const repositories = openRepositories({ folder: join(folder, "repositories"), clock, random });
  const face = await GitFace.open({ repositories, desk, clock, random, folder: join(folder, "git"), limits });
  const server = createServer((request, response) => {
    if (!face.serve(request, response)) response.writeHead(404).end();
  });
  const port = await listening(server);
  const client = new GitClient();
  return {
    client,
    folder,
    port,
    failures,
    url: (name) => `http://a:hf_x@127.0.0.1:${port}/spaces/alice/${name}`,
    [Symbol.asyncDispose]: async () => {
      await face[Symbol.asyncDispose]();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      client[Symbol.dispose]();
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)));
}

/** A push that sends its first bytes and then nothing more. */
function stall({ port }: World, name: string) {
  const socket = createConnection(port, "127.0.0.1");
  socket.on("error", () => undefined); // Given up by the other side, as it should be.
  socket.resume();
  socket.write(
    `POST /spaces/alice/${name}/git-receive-pack HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Basic eDp5\r\n` +
      "Content-Type: application/x-git-receive-pack-request\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n00a0\r\n",
  );
  return socket;
}

/** git processes that serve from this world's folder. */
function gits({ folder }: World): readonly string[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, "latin1").includes(`PATH_TRANSLATED=${folder}`);
    } catch {
      return false; // It has ended meanwhile.
    }
  });
}

const files = { "index.html": "one" };

describe("git's face", { skip: process.platform === "linux" ? false : "no /proc" }, () => {
  test("gives a client up that sends nothing more, with all that git had started for it", async () => {
    await using world = await open({ idleMs: 1_500 });
    const socket = stall(world, "stalled");
    await until("git serves it", () => gits(world).length > 0);
    const limits = readFileSync(`/proc/${gits(world)[0]}/limits`, "utf8");
    assert.match(limits, new RegExp(`Max address space +${3 * 2 ** 30} `));
    await until("git is ended", () => gits(world).length === 0);
    await until("its connection is closed", () => socket.destroyed);
  });

  test("serves so many at once; one more waits, and is told when that takes too long", async () => {
    await using world = await open({ atOnce: 1, slotWithinMs: 500 });
    const first = stall(world, "first");
    await until("git serves it", () => gits(world).length > 0);
    const work = world.client.init("second", world.url("second"), files);
    assert.match((await work.run("push", "origin", "main")).says, /remote: Too many others are served at this moment/);
    // Fetches have places of their own.
    assert.equal((await work.run("ls-remote", "origin")).exitCode, 0);
    first.destroy();
    await until("its place is free", () => gits(world).length === 0);
    assert.equal((await work.run("push", "origin", "main")).exitCode, 0);
  });

  test("a watcher holds no git and no place; one too many is told where to look", async () => {
    const built = Promise.withResolvers<void>();
    await using world = await open({ atOnce: 1, watchersMax: 1 }, built.promise);
    const heard = Promise.withResolvers<void>();
    const work = world.client.init("watched", world.url("watched"), files);
    const watching = work.start(["push", "origin", "main"], {
      onText: (text) => text.includes("building") && heard.resolve(),
    });
    await heard.promise;
    assert.deepEqual(gits(world), []);
    const other = world.client.init("other", world.url("other"), files);
    assert.match(
      (await other.run("push", "origin", "main")).says,
      /remote: http:\/\/127\.0\.0\.1:\d+\/w\/[0-9a-f]{40} tells/,
    );
    built.resolve();
    assert.match((await watching.ended).says, /remote: built/);
  });

  test("folders that hold each other many times, and a file of 256 MB in a pack of some KB, are refused by rule", async () => {
    await using world = await open({});
    const work = world.client.init("bomb", world.url("bomb"), files);
    const git = (args: readonly string[], input: string | Buffer): string =>
      execFileSync("git", ["-C", work.path, ...args], { input, encoding: "utf8", maxBuffer: 1 << 20 }).trim();
    let [object, kind, mode] = [work.git("rev-parse", "main:index.html").trim(), "blob", "100644"];
    for (let depth = 0; depth < 10; depth++) {
      const rows = Array.from({ length: 10 }, (_, at) => `${mode} ${kind} ${object}\t${at}\n`);
      [object, kind, mode] = [git(["mktree"], rows.join("")), "tree", "040000"];
    }
    work.git("update-ref", "refs/heads/many", work.git("commit-tree", object, "-m", "x").trim());
    const many = await work.run("push", "origin", "many");
    assert.match(many.says, /remote: many has more files than a repository may have/);

    const zeros = git(["hash-object", "-w", "--stdin"], Buffer.alloc(256 << 20));
    const tree = git(["mktree"], `100644 blob ${zeros}\tzeros\n`);
    work.git("update-ref", "refs/heads/zeros", work.git("commit-tree", tree, "-m", "x").trim());
    const large = await work.run("push", "origin", "zeros");
    assert.match(large.says, /remote: zeros has 256 MB/);
    assert.deepEqual(world.failures, []);
  });
});
