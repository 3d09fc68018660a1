import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { BlobBatches } from "./blob-batch.ts";
import { GitFailure, systemGit } from "./git.ts";

describe("blobs by a process that stays", () => {
  let folder: string;
  before(() => void (folder = mkdtempSync(join(tmpdir(), "wb-blobs-"))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  const repository = (name: string): string => {
    const path = join(folder, name);
    execFileSync("git", ["init", "--quiet", "--bare", path]);
    return path;
  };
  const write = (path: string, bytes: Uint8Array): string =>
    execFileSync("git", ["--git-dir", path, "hash-object", "-w", "--stdin"], { input: bytes }).toString().trim();

  test("many who ask at once have each their own bytes, in any size and with any bytes in them", async () => {
    const path = repository("many");
    const blobs = [0, 1, 5, 70_000, 200_000].flatMap((size) => [randomBytes(size), Buffer.alloc(size, "\n")]);
    const batches = new BlobBatches(systemGit);
    const oids = blobs.map((bytes) => write(path, bytes));
    const asked = [...oids, "0".repeat(40), ...oids];
    const found = await Promise.all(asked.map((oid) => batches.read(path, oid)));
    const digest = (bytes: Uint8Array | undefined): string | undefined =>
      bytes && createHash("sha256").update(bytes).digest("hex");
    assert.deepEqual(found.map(digest), [...blobs, undefined, ...blobs].map(digest));
  });

  test("a blob that was written, or packed away, after it began is found", async () => {
    const path = repository("later");
    const batches = new BlobBatches(systemGit);
    const [first, second] = [write(path, Buffer.from("1")), Buffer.from("2")];
    assert.equal(String(await batches.read(path, first)), "1");
    const later = write(path, second);
    execFileSync("git", ["--git-dir", path, "-c", "gc.pruneExpire=never", "repack", "-A", "-d", "--quiet"]);
    assert.deepEqual([String(await batches.read(path, later)), String(await batches.read(path, first))], ["2", "1"]);
  });

  test("more repositories than processes are all read; one that is not there is a failure, and the next is read again", async () => {
    const batches = new BlobBatches(systemGit);
    const paths = Array.from({ length: 12 }, (_none, at) => repository(`r${at}`));
    const oids = paths.map((path, at) => write(path, Buffer.from(String(at))));
    const read = () => Promise.all(paths.map(async (path, at) => String(await batches.read(path, oids[at] ?? ""))));
    const all = paths.map((_, at) => String(at));
    assert.deepEqual([await read(), await read()], [all, all]);
    await assert.rejects(batches.read(join(folder, "none"), oids[0] ?? ""), GitFailure);
    assert.deepEqual(await read(), all);
  });
});
