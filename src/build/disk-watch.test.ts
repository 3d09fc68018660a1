import assert from "node:assert/strict";
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { bytesBelow } from "./disk-use.ts";
import { DiskWatch } from "./disk-watch.ts";

const mib = 1 << 20;

function folder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "wb-disk-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

describe("bytesBelow", () => {
  test("counts a file once, whatever names it has, and follows no link", async () => {
    using one = folder();
    mkdirSync(join(one.path, "a/b"), { recursive: true });
    writeFileSync(join(one.path, "a/b/file"), Buffer.alloc(mib));
    linkSync(join(one.path, "a/b/file"), join(one.path, "again"));
    symlinkSync("/usr", join(one.path, "usr"));
    const bytes = await bytesBelow([one.path]);
    assert.ok(bytes >= mib && bytes < mib + 100_000, `${bytes}`);
  });

  test("counts as many files as there are, some at a time", async () => {
    using one = folder();
    for (let n = 0; n < 300; n += 1) writeFileSync(join(one.path, `file ${n}`), Buffer.alloc(8_192));
    const bytes = await bytesBelow([one.path]);
    assert.ok(bytes >= 300 * 8_192 && bytes < 300 * 8_192 + 100_000, `${bytes}`);
  });

  test("counts only what was made since an instant, where that is asked", async () => {
    using one = folder();
    writeFileSync(join(one.path, "before"), Buffer.alloc(mib));
    assert.equal(await bytesBelow([one.path], Date.now() + 60_000), 0);
    assert.ok((await bytesBelow([one.path], Date.now() - 60_000)) >= mib);
  });
});

describe("DiskWatch", () => {
  test("tells once that a build has written more than it may, and not before", async () => {
    using one = folder();
    const told: number[] = [];
    using watch = new DiskWatch({
      folders: [one.path],
      since: Date.now() - 60_000,
      limitBytes: 4 * mib,
      onOver: (bytes) => told.push(bytes),
      onError: (error) => assert.fail(String(error)),
    });
    await watch.look();
    writeFileSync(join(one.path, "little"), Buffer.alloc(mib));
    await watch.look();
    assert.deepEqual(told, []);
    // The disk is everybody's: what others free meanwhile hides it, until the files are counted in any case.
    writeFileSync(join(one.path, "much"), Buffer.alloc(64 * mib));
    const hangs = performance.now() + 120_000;
    while (told.length === 0 && performance.now() < hangs) await watch.look();
    await watch.look();
    assert.equal(told.length, 1);
    assert.ok((told[0] ?? 0) > 60 * mib);
  });
});
