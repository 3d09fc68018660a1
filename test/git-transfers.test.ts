/** What is recorded and said of git's packs on their way, behind a real server and git's own: how far one came, who was waited for, and what ended it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Explanation } from "../src/evidence/verdict.ts";
import { paceLimits } from "../src/hub/pace.ts";
import { eventually } from "./support/eventually.ts";
import { gitFaceWorld, gits, stall, type GitFaceWorld } from "./support/git-face-world.ts";
import { needs } from "./support/needs.ts";
import { packOf, pushCommand, sendGit, wantOf, zeroId } from "./support/raw-git.ts";
import { SmallDisk } from "./support/small-disk.ts";

const ownDisk = await needs("own-disk");
const files = { "index.html": "one" };
const large = (): Record<string, Buffer> => ({ "data.bin": randomBytes(9 << 20), "more.bin": randomBytes(9 << 20) });

/** What is told of the only transfer that has entries. */
const toldOf = (world: GitFaceWorld, what: string, direction?: "download"): Promise<Explanation> =>
  eventually(what, () => told(world, direction));

/** The same once it is over. */
const endOf = (world: GitFaceWorld, what: string, direction?: "download"): Promise<Explanation> =>
  eventually(what, () => {
    const found = told(world, direction);
    return found?.verdict !== null && found;
  });

/** Of the first transfer that has entries, or the first that goes that way. */
function told({ emitter, explain }: GitFaceWorld, direction: "download" | undefined): Explanation | undefined {
  const entry = emitter.entries.find(({ facts }) => direction === undefined || facts["direction"] === direction);
  return entry && explain(entry.work);
}

const codeOf = ({ verdict }: Explanation): string | null =>
  verdict && `${verdict.boundary}/${verdict.code} ${verdict.owner} ${verdict.certainty}`;

const urlOf = ({ port }: GitFaceWorld): string => `http://127.0.0.1:${port}/spaces/alice/app`;

describe("git's packs on their way", () => {
  test("a push and a clone are one packed record each, with how many objects passed and the sum of their pack", async () => {
    await using world = await gitFaceWorld({});
    const work = world.client.init("app", world.url("app"), files);
    assert.equal((await work.run("push", "origin", "main")).exitCode, 0);
    const pushed = await eventually("its record", () => world.emitter.packs[0]);
    assert.deepEqual(
      pushed.stages.map(([hop]) => hop),
      ["transfer.auth", "transfer.negotiate", "transfer.move", "transfer.verify"],
    );
    const told = world.explain(pushed.work);
    assert.equal(told.outcome, "ok");
    assert.match(
      told.sentence,
      /^The upload of a pack of 3 objects of spaces\/alice\/app by git was taken, verified and kept: \d+ bytes passed\. It took .* It changed 1 reference\. Its sum is pack:[0-9a-f]{40}\.$/,
    );
    assert.match(JSON.stringify(pushed.facts["link"]), /^\["q_\w+","[0-9a-f]{40}"\]$/);
    assert.equal((await world.client.clone(world.url("app"), "copy")).exitCode, 0);
    const cloned = await eventually("the clone's", () => world.emitter.packs[1]);
    assert.match(world.explain(cloned.work).sentence, /^The download of a pack of 3 objects .* by git was delivered: /);
    // git keeps what comes in a clone as the pack that it was, under its sum.
    const packs = readdirSync(join(world.client.folder, "copy/.git/objects/pack"));
    const kept = packs.find((name) => name.endsWith(".pack"));
    const bytes = readFileSync(join(world.client.folder, "copy/.git/objects/pack", kept ?? ""));
    assert.equal(cloned.facts["digest"], `pack:${bytes.subarray(-20).toString("hex")}`);
    // That nothing is new moves nothing.
    assert.equal((await work.run("fetch", "origin")).exitCode, 0);
    assert.deepEqual([world.emitter.packs.length, world.emitter.entries, world.heard], [2, [], []]);
  });

  test("one that deletes brings no pack, and is told all the same", async () => {
    await using world = await gitFaceWorld({});
    const work = world.client.init("app", world.url("app"), files);
    await work.run("push", "origin", "main", "main:x");
    assert.equal((await work.run("push", "origin", ":x")).exitCode, 0);
    const { sentence } = await eventually("its record", () => {
      const [, second] = world.emitter.packs;
      return second && world.explain(second.work);
    });
    assert.match(sentence, /It changed 1 reference\.$/);
  });

  test("a pack with a wrong sum, and one that is cut off, are the sender's", async () => {
    for (const break_ of [
      (pack: Buffer) => Buffer.concat([pack.subarray(0, -1), Buffer.from([(pack.at(-1) ?? 0) ^ 1])]),
      (pack: Buffer) => pack.subarray(0, -30),
    ]) {
      await using world = await gitFaceWorld({});
      const work = world.client.init("app", world.url("app"), files);
      const head = work.git("rev-parse", "HEAD").trim();
      const answer = await sendGit(
        urlOf(world),
        "git-receive-pack",
        Buffer.concat([pushCommand(zeroId, head), break_(packOf(work.path, head))]),
      );
      const body = await answer.text();
      assert.match(answer.headers.get("x-waybill-id") ?? "", /^tr_/);
      const told = await toldOf(world, "that it is broken");
      assert.equal(codeOf(told), "transfer/pack-broken visitor proved", told.sentence);
      assert.match(body, new RegExp(`explain: ${answer.headers.get("x-waybill-id")}`));
      assert.equal((await work.run("ls-remote", "origin")).says, "");
    }
  });

  test("an object that git's check refuses is named, and nothing of the push is taken", async () => {
    await using world = await gitFaceWorld({});
    const work = world.client.init("app", world.url("app"), files);
    const tree = work.git("rev-parse", "HEAD^{tree}").trim();
    const bad = `tree ${tree}\nauthor nobody 1 +0000\ncommitter nobody 1 +0000\n\nbad\n`;
    const made = spawnSync("git", ["hash-object", "-t", "commit", "-w", "--stdin", "--literally"], {
      ...{ cwd: work.path, input: bad, encoding: "utf8" },
    });
    const push = await work.run("push", "origin", `${made.stdout.trim()}:refs/heads/main`);
    assert.notEqual(push.exitCode, 0);
    const told = await toldOf(world, "the refusal");
    assert.equal(codeOf(told), "transfer/object-refused visitor proved", told.sentence);
    assert.match(told.sentence, new RegExp(`object ${made.stdout.trim()}: missingEmail`));
    assert.match(push.says, /remote: explain: tr_\w+/);
  });

  test("more than one push may have is too large, also where a single file is", async () => {
    await using world = await gitFaceWorld({ pushMaxBytes: 200_000 });
    const work = world.client.init("app", world.url("app"), { "data.bin": randomBytes(400_000) });
    assert.notEqual((await work.run("push", "origin", "main")).exitCode, 0);
    assert.equal(codeOf(await toldOf(world, "the limit")), "transfer/too-large visitor proved");
    await using other = await gitFaceWorld({});
    const file = other.client.init("app", other.url("app"), { "data.bin": randomBytes(11 << 20) });
    assert.notEqual((await file.run("push", "origin", "main")).exitCode, 0);
    const told = await toldOf(other, "the file");
    assert.equal(codeOf(told), "transfer/too-large visitor proved");
    assert.match(told.sentence, /data\.bin has 11 MB/);
  });

  test("what the platform refuses, and a branch that another changed first, are told apart", async () => {
    await using closed = await gitFaceWorld({}, { refused: ["There is no room for a build."] });
    const work = closed.client.init("app", closed.url("app"), files);
    assert.notEqual((await work.run("push", "origin", "main")).exitCode, 0);
    const told = await toldOf(closed, "the refusal");
    assert.equal(codeOf(told), "transfer/push-refused visitor proved");
    assert.match(told.sentence, /There is no room for a build\./);
    await using world = await gitFaceWorld({});
    const other = world.client.init("app", world.url("app"), files);
    const head = other.git("rev-parse", "HEAD").trim();
    await other.run("push", "origin", "main");
    const next = other.commit({ "index.html": "two" });
    // It believes that main is not there.
    await (
      await sendGit(
        urlOf(world),
        "git-receive-pack",
        Buffer.concat([pushCommand(zeroId, next), packOf(other.path, next)]),
      )
    ).text();
    assert.equal(codeOf(await toldOf(world, "the race")), "transfer/conflict visitor proved");
    assert.match((await other.run("ls-remote", "origin")).says, new RegExp(`^${head}`));
  });

  test("a fetch of a commit that is not there is refused with git's words", async () => {
    await using world = await gitFaceWorld({});
    const work = world.client.init("app", world.url("app"), files);
    await work.run("push", "origin", "main");
    const missing = createHash("sha1").update("no commit").digest("hex");
    assert.notEqual((await work.run("-c", "protocol.version=0", "fetch", "origin", missing)).exitCode, 0);
    await (await sendGit(urlOf(world), "git-upload-pack", wantOf(missing))).text();
    const told = await toldOf(world, "the refusal");
    assert.equal(codeOf(told), "transfer/git-refused visitor proved");
    assert.match(told.sentence, new RegExp(`not our ref ${missing}`));
  });

  test("a client that leaves in the middle of a push has left, and one that stands still is given up", async () => {
    await using world = await gitFaceWorld({ pace: { ...paceLimits, patienceMs: 2_000, quietAfterMs: 300 } });
    const body = Buffer.concat([pushCommand(zeroId, "1".repeat(40)), Buffer.from("PACK\0\0\0\x02\0\0\0\x07")]).toString(
      "latin1",
    );
    const leaving = stall(world, "leaves", { by: "alice", body });
    await eventually("git serves it", () => gits(world, /receive-pack/).length > 0);
    leaving.destroy();
    assert.equal(codeOf(await endOf(world, "that it left")), "transfer/client-left visitor proved");
    await using other = await gitFaceWorld({ pace: { ...paceLimits, patienceMs: 2_000, quietAfterMs: 300 } });
    stall(other, "stands", { by: "alice", body });
    const seen = await toldOf(other, "that it stands still");
    assert.match(
      seen.sentence,
      /^The upload of a pack of 7 objects of spaces\/alice\/stands by git is under way\. .* the client was being waited for: \d+ bytes passed\.$/,
    );
    const ended = await endOf(other, "its end");
    assert.equal(codeOf(ended), "transfer/stalled visitor proved");
  });

  test("a client that leaves while its push is decided has pushed, where it is taken, and else what refused it is said", async () => {
    for (const [refused, says] of [
      [[], /^The upload of a pack of 3 objects .* was taken, verified and kept: .* It changed 1 reference\./],
      [["It is too late."], /It is too late\./],
    ] as const) {
      const decided = Promise.withResolvers<void>();
      await using world = await gitFaceWorld({}, { decided: decided.promise, refused });
      const work = world.client.init("app", world.url("app"), files);
      const head = (await work.run("rev-parse", "HEAD")).says.trim();
      const leaving = new AbortController();
      const sent = sendGit(
        urlOf(world),
        "git-receive-pack",
        Buffer.concat([pushCommand(zeroId, head), packOf(work.path, head)]),
        "x",
        leaving.signal,
      );
      await eventually("it is decided", () => world.heard.length > 0);
      leaving.abort();
      await assert.rejects(sent.then((response) => response.text()));
      await eventually("its client has left", () => world.connections() === 0);
      decided.resolve();
      const { work: id } = await eventually(
        "what is told",
        () => world.emitter.packs[0] ?? world.emitter.entries.at(-1),
      );
      assert.match(world.explain(id).sentence, says);
      assert.equal((await work.run("ls-remote", "origin")).says.includes(head), refused.length === 0);
    }
  });

  test(
    "a git that stands still is told from its client, and is ended at its bound as the platform's fault",
    {
      skip: process.platform === "linux" ? false : "no /proc",
    },
    async () => {
      await using world = await gitFaceWorld({
        idleMs: 4_000,
        pace: { ...paceLimits, patienceMs: 12_000, quietAfterMs: 300 },
      });
      const work = world.client.init("app", world.url("app"), large());
      await work.run("push", "origin", "main");
      const clone = world.client.clone(world.url("app"), "copy");
      // Not those before it, which only say which references there are: they may be over when the signal comes.
      const git = await eventually("git packs it", () => gits(world, /pack-objects/)[0]);
      process.kill(git, "SIGSTOP");
      // On a slow machine the push before it, or the client, stood still for a moment too.
      await eventually("that git stands still", () =>
        /git's process of the platform was being waited for/.test(told(world, "download")?.sentence ?? ""),
      );
      assert.notEqual((await clone).exitCode, 0);
      const ended = await endOf(world, "its end", "download");
      assert.equal(codeOf(ended), "transfer/failed platform proved");
      assert.match(ended.sentence, /nothing came or went for 4 s/);
    },
  );

  test(
    "a disk without room is the platform's, and the push is not taken",
    {
      ...ownDisk,
    },
    async () => {
      using disk = new SmallDisk(16 << 20);
      await using world = await gitFaceWorld({}, { within: disk.path });
      const work = world.client.init("app", world.url("app"), large());
      const push = await work.run("push", "origin", "main");
      assert.notEqual(push.exitCode, 0);
      const told = await toldOf(world, "the full disk");
      assert.equal(codeOf(told), "transfer/disk-full platform proved", told.sentence);
      assert.equal((await work.run("ls-remote", "origin")).says, "");
    },
  );
});
