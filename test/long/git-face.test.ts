/** git's face behind a server of its own, with limits that are soon reached: who waits, who is given up, and what stays then. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { paceLimits } from "../../src/hub/pace.ts";
import { gitFaceWorld, gits, stall, type GitFaceWorld } from "../support/git-face-world.ts";
import { until } from "../support/platform.ts";

/** One who has asked for all of a repository of some megabytes; of what comes back nothing is read. */
async function reader(world: GitFaceWorld, name: string, by?: string) {
  const work = world.client.init(name, world.url(name), {
    "data.bin": randomBytes(9 << 20),
    "more.bin": randomBytes(9 << 20),
  });
  assert.equal((await work.run("push", "origin", "main")).exitCode, 0);
  const body = `0032want ${work.git("rev-parse", "main").trim()}\n00000009done\n`;
  const socket = stall(world, name, { service: "git-upload-pack", body, ...(by === undefined ? {} : { by }) });
  socket.write("0\r\n\r\n");
  await until("git serves it", () => gits(world).length > 0);
  return socket;
}

/** Requests that git serves now. */
const servers = (world: GitFaceWorld): readonly number[] => gits(world, /^\S*git\0http-backend/);

const files = { "index.html": "one" };
const one = { atOnce: 1, perCaller: 1, anonymous: 1, withinMs: 120_000 };

describe("git's face", { skip: process.platform === "linux" ? false : "no /proc" }, () => {
  test("gives a client up that sends nothing more, with all that git had started for it", async () => {
    await using world = await gitFaceWorld({ idleMs: 1_500 });
    const socket = stall(world, "stalled", { by: "alice" }).resume();
    await until("git serves it", () => gits(world).length > 0);
    const limits = readFileSync(`/proc/${gits(world)[0]}/limits`, "utf8");
    assert.match(limits, new RegExp(`Max address space +${3 * 2 ** 30} `));
    await until("git is ended", () => gits(world).length === 0);
    await until("its connection is closed", () => socket.destroyed);
  });

  test("serves so many at once; one more waits, and is told when that takes too long", async () => {
    await using world = await gitFaceWorld({ places: { ...one, withinMs: 500 } });
    const first = stall(world, "first", { by: "alice" });
    await until("git serves it", () => gits(world).length > 0);
    const work = world.client.init("second", world.url("second"), files);
    assert.match((await work.run("push", "origin", "main")).says, /remote: Too many others are served at this moment/);
    // Fetches have places of their own.
    assert.equal((await work.run("ls-remote", "origin")).exitCode, 0);
    first.destroy();
    await until("its place is free", () => gits(world).length === 0);
    assert.equal((await work.run("push", "origin", "main")).exitCode, 0);
  });

  test("readers without a token never hold all places, and no account does", async () => {
    await using world = await gitFaceWorld({ places: { atOnce: 3, perCaller: 2, anonymous: 1, withinMs: 500 } });
    const work = world.client.init("read", world.url("read"), files);
    assert.equal((await work.run("push", "origin", "main")).exitCode, 0);
    const stalled = [undefined, undefined, "mallory", "mallory"].map((by) =>
      stall(world, "read", { service: "git-upload-pack", ...(by === undefined ? {} : { by }) }),
    );
    await until("as many are served as may be", () => servers(world).length === 3);
    assert.match(
      (await work.run("ls-remote", "origin")).says,
      /remote: Too many others are served/,
      "all three are held",
    );
    stalled.at(-1)?.destroy();
    await until("one is free", () => servers(world).length === 2);
    const nameless = await fetch(`http://127.0.0.1:${world.port}/spaces/alice/read/info/refs?service=git-upload-pack`);
    assert.equal(nameless.status, 401, "it is for none without a token");
    assert.match(await nameless.text(), /^Too many others read without a token at this moment: show yours/);
    assert.equal((await work.run("ls-remote", "origin")).exitCode, 0, "git shows its token when it is asked");
  });

  test("one who leaves before its turn gives its place to the next at once", async () => {
    await using world = await gitFaceWorld({ places: one });
    const work = world.client.init("next", world.url("next"), files);
    assert.equal((await work.run("push", "origin", "main")).exitCode, 0);
    const first = stall(world, "next", { by: "alice" });
    await until("git serves it", () => gits(world).length > 0);
    const waiting = ["mallory", "mallory"].map((by) => stall(world, "next", { by }));
    const next = work.start(["push", "origin", "main:again"]);
    await until("all wait", () => world.connections() >= 4);
    for (const socket of waiting) socket.destroy();
    first.destroy();
    const since = performance.now();
    assert.equal((await next.ended).exitCode, 0);
    assert.ok(performance.now() - since < 60_000, "no git waited for one who had left");
    await until("nothing is left", () => gits(world).length === 0);
  });

  test("one who sent all and left before git was started holds no place", async () => {
    const made = Promise.withResolvers<void>();
    await using world = await gitFaceWorld({ places: one }, { made: made.promise });
    const work = world.client.init("early", world.url("early"), files);
    const early = stall(world, "early", { by: "alice" });
    early.write("0\r\n\r\n");
    await until("it is connected", () => world.connections() === 1);
    const next = work.start(["push", "origin", "main"]);
    await until("the next one waits", () => world.connections() >= 2);
    early.destroy();
    await until("it has left", () => world.connections() === 1);
    const since = performance.now();
    made.resolve();
    assert.equal((await next.ended).exitCode, 0);
    assert.ok(performance.now() - since < 60_000, "no git waited for one who had left");
    await until("nothing is left", () => gits(world).length === 0);
  });

  test("a reader who takes nothing does not hold up the platform's stop", async () => {
    const world = await gitFaceWorld({});
    await reader(world, "stops");
    const since = performance.now();
    await world.stop();
    assert.ok(performance.now() - since < 60_000);
    assert.deepEqual(gits(world), []);
    await world[Symbol.asyncDispose]();
  });

  test("one who leaves in the middle of a fetch ends its git at once", async () => {
    await using world = await gitFaceWorld({});
    const socket = await reader(world, "leaves");
    socket.destroy();
    await until("git is ended", () => gits(world).length === 0, 60_000);
    assert.deepEqual(world.heard, []);
  });

  test("a reader of some bytes a second is ended; one who reads is not", async () => {
    await using world = await gitFaceWorld({ pace: { ...paceLimits, patienceMs: 2_000, minBytesPerSecond: 64 << 10 } });
    const socket = await reader(world, "slow");
    const sips = setInterval(() => socket.read(1), 100);
    await until("git is ended", () => gits(world).length === 0, 60_000);
    await until("its connection is closed", () => (socket.resume(), socket.destroyed));
    clearInterval(sips);
    assert.equal((await world.client.clone(world.url("slow"), "slow-again")).exitCode, 0);
  });

  test("a pusher of some bytes a second is ended, with its git", async () => {
    await using world = await gitFaceWorld({ pace: { ...paceLimits, patienceMs: 2_000, minBytesPerSecond: 64 << 10 } });
    const socket = stall(world, "drips", { by: "alice" }).resume();
    await until("git serves it", () => gits(world).length > 0);
    const drips = setInterval(() => socket.write("1\r\n0\r\n"), 100);
    await until("git is ended", () => gits(world).length === 0, 60_000);
    clearInterval(drips);
    await until("its connection is closed", () => socket.destroyed);
  });

  test("a watcher holds no git and no place; one too many is told where to look", async () => {
    const built = Promise.withResolvers<void>();
    await using world = await gitFaceWorld({ places: one, watchersMax: 1 }, { built: built.promise });
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
    await using world = await gitFaceWorld({});
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
    assert.deepEqual(world.heard, []);
  });
});
