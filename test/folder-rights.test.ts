/** A data folder that belongs to somebody else: one sentence with whose it is and what to do, before anything is written. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

/** `nobody`'s on Debian: what root has is closed to it. Without root it is our own folder without the right to write. */
const isRoot = process.getuid?.() === 0;
const other = isRoot ? { uid: 65_534, gid: 65_534 } : {};
const source = new URL("../src/cli/folder.ts", import.meta.url).href;
const reaches =
  spawnSync(process.execPath, ["--input-type=module", "-e", `await import("${source}")`], other).status === 0;
const needed = { skip: reaches ? false : "a user who is not root cannot read this clone" };

/** What another user is told; null where it may. */
function toldOf(folder: string, names: readonly string[]): { code: string; message: string; next: string } | null {
  const script = `
    import { requireWritable } from "${source}";
    try {
      requireWritable(${JSON.stringify(folder)}, new Set(${JSON.stringify(names)}));
      console.log("null");
    } catch ({ code, message, next }) { console.log(JSON.stringify({ code, message, next })); }
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    ...other,
    encoding: "utf8",
  });
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout) as ReturnType<typeof toldOf>;
}

describe("a data folder", needed, () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "wb-rights-"));
    chmodSync(folder, isRoot ? 0o777 : 0o700);
  });
  after(() => rmSync(folder, { recursive: true }));

  test("that cannot be made, or written, is refused with whose it is; nothing is made", () => {
    const closed = join(folder, "closed");
    mkdirSync(closed, { mode: isRoot ? 0o755 : 0o500 });
    for (const path of [closed, join(closed, "inside")]) {
      const told = toldOf(path, []) ?? assert.fail();
      assert.equal(told.code, "folder-not-writable");
      assert.match(
        told.message,
        isRoot ? /belongs to user 0, and this process is user 65534/ : /its rights do not let/,
      );
      assert.match(told.next, /chown -R \d+ .*closed/);
    }
    assert.deepEqual(readdirSync(closed), []);
  });

  test("with a file of the platform's that is closed is refused by that file's name; others' files are not its business", () => {
    const mixed = join(folder, "mixed");
    mkdirSync(mixed);
    if (isRoot) chmodSync(mixed, 0o777);
    writeFileSync(join(mixed, "journal.db"), "", { mode: isRoot ? 0o600 : 0o400 });
    assert.equal(toldOf(mixed, ["evidence.db"]), null);
    assert.match(
      toldOf(mixed, ["evidence.db", "journal.db"])?.message ?? "",
      /mixed\/journal\.db is closed to this process/,
    );
  });

  test("that is a file is no folder", () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    for (const path of [file, join(file, "inside")]) assert.match(toldOf(path, [])?.message ?? "", /is no folder/);
  });

  test("that is there, or that can be made, is taken", () => {
    assert.equal(toldOf(join(folder, "fresh"), ["journal.db"]), null);
    assert.equal(toldOf(join(folder, "fresh"), ["journal.db"]), null);
  });
});
