import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { blobsSuite } from "./blobs.suite.ts";
import { FolderBlobs } from "./folder.ts";

const folder = mkdtempSync(join(tmpdir(), "wb-blobs-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const random = (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count));
let folders = 0;
const fresh = (): string => join(folder, String(++folders));

blobsSuite("blobs in a folder", async () => new FolderBlobs(fresh(), random));

test("what an earlier process left half is thrown away at the start", async () => {
  const own = fresh();
  mkdirSync(join(own, "incoming"), { recursive: true });
  writeFileSync(join(own, "incoming", "i_left"), "half");
  await new FolderBlobs(own, random).recover();
  assert.ok(existsSync(join(own, "incoming")));
  assert.deepEqual(readdirSync(join(own, "incoming")), []);
});

test("a file that lies elsewhere is a blob of it too, once, and stays when that is removed", async () => {
  const blobs = new FolderBlobs(fresh(), random, folder);
  const name = { kind: "objects", digest: "a".repeat(64) };
  const file = join(folder, "elsewhere");
  writeFileSync(file, "hello");
  assert.deepEqual([await blobs.adopt(name, file), await blobs.adopt(name, file)], [true, false]);
  rmSync(file);
  assert.equal((await blobs.read(name, { from: 0, to: 9 })).toString(), "hello");
  await assert.rejects(blobs.adopt({ ...name, digest: "b".repeat(64) }, file), { code: "ENOENT" });
});
