import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { findObject, findOwn, LfsStore, makeProposalFolder, type LfsLimits } from "./lfs-store.ts";

const folder = mkdtempSync(join(tmpdir(), "wb-lfs-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const random = (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count));
let repositories = 0;
function fresh(limits: Partial<LfsLimits> = {}) {
  const repository = join(folder, `r${++repositories}.git`);
  mkdirSync(repository);
  return { repository, store: new LfsStore(random, { freeMinBytes: 0, ...limits }) };
}
const pointer = (text: string) => ({ oid: createHash("sha256").update(text).digest("hex"), size: text.length });
async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}
const waiting = (repository: string): readonly string[] => readdirSync(join(repository, "lfs", "incoming"));

describe("LfsStore", () => {
  test("keeps what is what it was said to be, under its hash", async () => {
    const { repository, store } = fresh();
    assert.deepEqual(await store.put(repository, pointer("hello"), pieces("he", "llo"), "alice"), { ok: true });
    const found = await findObject(repository, pointer("hello"));
    assert.equal(readFileSync(found?.by === "lfs" ? found.file : "", "utf8"), "hello");
    assert.equal(await findObject(repository, { ...pointer("hello"), size: 6 }), undefined);
    assert.deepEqual(waiting(repository), []);
  });

  test("what was brought for a pull request is read, counted apart, and the repository's own once it is taken, which can be done again", async () => {
    const { repository, store } = fresh();
    const place = await makeProposalFolder(repository, "bob");
    assert.equal(await makeProposalFolder(repository, "bob"), place);
    assert.deepEqual(await store.put(place, pointer("hello"), pieces("hello"), "bob"), { ok: true });
    await store.put(place, pointer("other"), pieces("other"), "bob");
    const read = async (text: string): Promise<string | undefined> => {
      const found = await findObject(repository, pointer(text));
      return found?.by === "lfs" ? readFileSync(found.file, "utf8") : undefined;
    };
    assert.equal(await read("hello"), "hello");
    assert.equal(await findOwn(repository, pointer("hello").oid), undefined);
    // Nobody has asked how much there is: another process had brought it.
    const later = new LfsStore(random, { freeMinBytes: 0 });
    for (let time = 0; time < 2; time++) await later.take(repository, pointer("hello").oid);
    assert.deepEqual([await later.usedBy(repository), await later.usedBy(place)], [5, 5]);
    assert.deepEqual([await read("hello"), await read("other")], ["hello", "other"]);
    assert.ok((await findOwn(repository, pointer("hello").oid)) !== undefined);
    later.forget(repository);
    assert.deepEqual([await later.usedBy(repository), await later.usedBy(place)], [5, 5]);
  });

  test("finds nothing by a name that is no hash, wherever it leads", async () => {
    const { repository } = fresh();
    writeFileSync(join(folder, "secret"), "hello");
    assert.equal(await findObject(repository, { oid: "../../../../../../secret", size: 5 }), undefined);
    assert.equal(
      await findObject(repository, { oid: `${"../".repeat(30)}${folder.slice(1)}/secret`, size: 5 }),
      undefined,
    );
  });

  for (const [what, sent] of [
    ["another content", "hellO"],
    ["less", "hell"],
    ["more", "hello!"],
  ] as const) {
    test(`keeps nothing where ${what} is sent`, async () => {
      const { repository, store } = fresh();
      const stored = await store.put(repository, pointer("hello"), pieces(sent), "alice");
      assert.ok(!stored.ok && stored.refusal === "wrong-content");
      assert.equal(await findObject(repository, pointer("hello")), undefined);
      assert.deepEqual(waiting(repository), []);
    });
  }

  test("keeps nothing of a sender that breaks off, nor what an earlier process left half", async () => {
    const { repository, store } = fresh();
    const gone = (async function* () {
      yield Buffer.from("he");
      throw new Error("gone");
    })();
    await assert.rejects(store.put(repository, pointer("hello"), gone, "alice"), /gone/);
    assert.deepEqual(waiting(repository), []);
    writeFileSync(join(repository, "lfs", "incoming", "i_old"), "half");
    await new LfsStore(random, { freeMinBytes: 0 }).refuse(repository, 1);
    assert.deepEqual(waiting(repository), []);
  });

  test("holds to its limits, also for those that come at the same time, and gives back what was not kept", async () => {
    const { repository, store } = fresh({ fileMaxBytes: 6, repositoryMaxBytes: 8 });
    assert.equal((await store.refuse(repository, 7))?.refusal, "too-large");
    const both = await Promise.all(
      ["hello", "world"].map((text) => store.put(repository, pointer(text), pieces(text), "alice")),
    );
    assert.equal(both.filter((one) => one.ok).length, 1);
    assert.ok(!(await store.put(repository, pointer("abc"), pieces("xyz"), "alice")).ok);
    assert.deepEqual(await store.put(repository, pointer("abc"), pieces("abc"), "alice"), { ok: true });
    // Another process counts what is on the disk.
    const again = new LfsStore(random, { freeMinBytes: 0, repositoryMaxBytes: 8 });
    assert.equal((await again.refuse(repository, 1))?.refusal, "no-room");
  });

  test("takes nothing that would fill the disk", async () => {
    const { repository, store } = fresh({ freeMinBytes: 2 ** 60 });
    assert.equal((await store.put(repository, pointer("hello"), pieces("hello"), "alice")).ok, false);
    assert.equal(existsSync(join(repository, "lfs", "objects")), false);
  });

  test("counts bytes that are on their way to another repository, which the disk needs room for", async () => {
    const { bavail, bsize } = statfsSync(folder);
    const half = Math.floor((bavail * bsize) / 2);
    const { repository, store } = fresh({ fileMaxBytes: Infinity, repositoryMaxBytes: Infinity, freeMinBytes: half });
    const other = fresh().repository;
    const size = Math.floor(half * 0.7);
    assert.equal(await store.refuse(other, size), undefined);
    const [came, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const slowly = (async function* () {
      yield Buffer.from("x");
      came.resolve();
      await end.promise;
    })();
    const stored = store.put(repository, { ...pointer("large"), size }, slowly, "alice");
    await came.promise;
    assert.equal((await store.refuse(other, size))?.refusal, "disk-full");
    end.resolve();
    assert.equal((await stored).ok, false);
    assert.equal(await store.refuse(other, size), undefined);
  });

  test("what one account announces beside a file that still comes leaves half of the room to others", async () => {
    const { bavail, bsize } = statfsSync(folder);
    const half = Math.floor((bavail * bsize) / 2);
    const { repository, store } = fresh({ fileMaxBytes: Infinity, repositoryMaxBytes: Infinity, freeMinBytes: half });
    const size = Math.floor(half * 0.4);
    const [came, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const slowly = (async function* () {
      yield Buffer.from("x");
      came.resolve();
      await end.promise;
    })();
    const first = store.put(repository, { ...pointer("large"), size }, slowly, "alice");
    await came.promise;
    const next = await store.put(fresh().repository, { ...pointer("other"), size }, pieces("x"), "alice");
    assert.ok(!next.ok && next.refusal === "too-much-at-once", JSON.stringify(next));
    const others = await store.put(fresh().repository, { ...pointer("other"), size }, pieces("x"), "bob");
    assert.ok(!others.ok && others.refusal === "wrong-content"); // It was let in; its bytes are not what it said.
    assert.deepEqual(await store.put(repository, pointer("small"), pieces("small"), "alice"), { ok: true });
    end.resolve();
    await first;
    const again = await store.put(repository, { ...pointer("other"), size }, pieces("x"), "alice");
    assert.ok(!again.ok && again.refusal === "wrong-content");
  });
});
