import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { describe, test } from "node:test";
import { environmentIn, Environments, markFileOf } from "./environments.ts";

const gib = 2 ** 30;
const never = new AbortController().signal;

/** Environments `e0`, `e1`…, last used in that order, a day apart; of 1 GiB each, as their marks say. */
async function builder(environments: number, inUse: readonly number[] = [], bounds = { ageMs: 1e12, bytes: 3 * gib }) {
  const folder = await mkdtemp(join(tmpdir(), "wb-envs-"));
  const envs = join(folder, "owners", "alice", "envs");
  await mkdir(envs, { recursive: true });
  for (let i = 0; i < environments; i++) {
    await mkdir(join(envs, `e${i}`, "bin"), { recursive: true });
    const mark = markFileOf(join(envs, `e${i}`));
    await mkdir(dirname(mark), { recursive: true });
    await writeFile(mark, String(gib));
    await utimes(mark, i * 86_400, i * 86_400);
  }
  const release = join(folder, "releases", "rel_abcdefghjkmnpqrs");
  await mkdir(release, { recursive: true });
  await writeFile(join(release, "release.json"), JSON.stringify({ needs: inUse.map((i) => join(envs, `e${i}`)) }));
  const all = new Environments(bounds);
  return {
    envs,
    all,
    at: (name: string) => join(envs, name),
    sweep: (nowDays = environments) => all.sweep(envs, folder, nowDays * 86_400_000),
    left: async () => (await readdir(envs)).sort(),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

describe("sweeping", () => {
  test("what no release names goes where it is past the bytes, the oldest first; what a release or a build has stays", async () => {
    await using one = await builder(8, [0, 3]);
    using _held = one.all.hold(one.at("e1"));
    assert.deepEqual((await one.sweep()).toSorted(), ["e2", "e4"]);
    assert.deepEqual(await one.left(), ["e0", "e1", "e3", "e5", "e6", "e7"]);
  });

  test("what nobody has asked for in time goes, however small", async () => {
    await using one = await builder(4, [], { ageMs: 2 * 86_400_000, bytes: 100 * gib });
    assert.deepEqual((await one.sweep(5)).toSorted(), ["e0", "e1", "e2"]);
  });

  test("to ask for one is to use it", async () => {
    await using one = await builder(5);
    assert.equal(await one.all.provide(one.at("e0"), () => assert.fail("it is there"), never), false);
    assert.deepEqual((await one.sweep()).toSorted(), ["e1", "e2"]);
  });

  test("nothing is removed behind a link that a command left in place of the folder", async () => {
    await using one = await builder(2);
    const other = join(one.envs, "..", "..", "..", "agent");
    await mkdir(join(other, "journal"), { recursive: true });
    await rm(one.envs, { recursive: true });
    await symlink(other, one.envs);
    assert.deepEqual(await one.sweep(10 ** 6), []);
    assert.deepEqual(await readdir(other), ["journal"]);
  });

  test("one that was cut off goes first", async () => {
    await using one = await builder(4);
    await mkdir(one.at("cut"));
    await one.sweep();
    assert.ok(!existsSync(one.at("e0")) && existsSync(one.at("e1")));
  });
});

test("one of an earlier version, without a mark, stays while a release needs it, is none that a build makes, and then goes", async () => {
  await using one = await builder(1, [0]);
  await rm(markFileOf(one.at("e0")));
  const asked = environmentIn(one.envs, "e0");
  assert.equal(await one.all.provide(asked, async () => await mkdir(asked), never), true);
  const today = Date.now() / 86_400_000;
  await one.sweep(today);
  assert.ok(existsSync(one.at("e0/bin")), "a release needs it");
  await rm(join(one.envs, "../../../releases/rel_abcdefghjkmnpqrs"), { recursive: true });
  await one.sweep(today);
  assert.deepEqual(await one.left(), [basename(asked)]);
});

describe("making", () => {
  test("is believed by no mark that a command could write: none is where commands see it", async () => {
    await using one = await builder(1);
    assert.ok(!markFileOf(one.at("e0")).startsWith(dirname(one.envs)), "the owner's folder is what commands see");
    await mkdir(one.at("forged"));
    await writeFile(`${one.at("forged")}.complete`, "1");
    assert.equal(await one.all.provide(one.at("forged"), async () => await mkdir(one.at("forged")), never), true);
  });

  test("is done again where a command has put a link in an environment's place, which then leads nowhere else", async () => {
    await using one = await builder(1);
    await rm(one.at("e0"), { recursive: true });
    await symlink("/etc", one.at("e0"));
    assert.equal(await one.all.provide(one.at("e0"), async () => await mkdir(one.at("e0")), never), true);
    assert.deepEqual(await readdir(one.at("e0")), []);
    await assert.rejects(
      one.all.provide(one.at("link"), () => symlink("/etc", one.at("link")), never),
      /is no folder: a command has replaced it/,
    );
    assert.ok(!existsSync(markFileOf(one.at("link"))));
  });

  test("is done once, whoever asks meanwhile waits for it", async () => {
    await using one = await builder(0);
    let makes = 0;
    const make = async (): Promise<void> => {
      makes += 1;
      await mkdir(one.at("a"));
    };
    const made = await Promise.all([1, 2, 3].map(() => one.all.provide(one.at("a"), make, never)));
    assert.deepEqual([made.filter(Boolean).length, makes], [1, 1]);
  });

  test("that fails is done again by who waited, from an empty folder", async () => {
    await using one = await builder(0);
    const first = one.all.provide(
      one.at("a"),
      async () => {
        await mkdir(one.at("a"));
        await writeFile(join(one.at("a"), "half"), "");
        throw new Error("killed");
      },
      never,
    );
    const second = one.all.provide(one.at("a"), async () => await mkdir(one.at("a")), never);
    await assert.rejects(first, /killed/);
    assert.equal(await second, true);
    assert.deepEqual(await readdir(one.at("a")), []);
  });

  test("is waited for no longer than the build lives", async () => {
    await using one = await builder(0);
    const release = Promise.withResolvers<void>();
    const make = async (): Promise<void> => {
      await release.promise;
      await mkdir(one.at("a"));
    };
    const first = one.all.provide(one.at("a"), make, never);
    const stop = new AbortController();
    const second = one.all.provide(one.at("a"), () => Promise.resolve(), stop.signal);
    stop.abort(new Error("cancelled"));
    await assert.rejects(second, /cancelled/);
    release.resolve();
    await first;
  });
});
