import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { lockFolder } from "../journal/index.ts";
import { uninstall } from "./uninstall.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "wb-uninstall-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("uninstall", () => {
  test("removes nothing of a folder that is no data folder", async () => {
    writeFileSync(join(folder, "thesis.txt"), "years of work");
    for (const name of ["git", "node"]) mkdirSync(join(folder, name));
    await assert.rejects(uninstall({ data: folder, keepData: false, apply: true }, []), /no data folder of Waybill's/);
    assert.deepEqual(readdirSync(folder).toSorted(), ["git", "node", "thesis.txt"]);
  });

  test("leaves what is somebody's in a data folder, and names it", async () => {
    for (const name of ["journal.db", "journal.db-wal", "secrets.key", "notes.txt"])
      writeFileSync(join(folder, name), "");
    mkdirSync(join(folder, "repositories"));
    const { left } = await uninstall({ data: folder, keepData: false, apply: true }, []);
    assert.deepEqual(readdirSync(folder), ["notes.txt"]);
    assert.match(left[0]?.why ?? "", /^notes\.txt in it is not Waybill's/);
  });

  test("removes nothing while a platform has the folder", async () => {
    using _ = lockFolder(folder);
    await assert.rejects(
      uninstall({ data: folder, keepData: false, apply: true }, []),
      /a platform or an agent runs on/,
    );
    assert.ok(existsSync(join(folder, "journal.lock")));
  });

  test("changes nothing where it is only asked, and says what would go", async () => {
    writeFileSync(join(folder, "journal.db"), "");
    const asked = await uninstall({ data: folder, keepData: false, apply: false }, [join(folder, "nowhere")]);
    assert.deepEqual([asked.removed, readdirSync(folder)], [[folder], ["journal.db"]]);
    const kept = await uninstall({ data: folder, keepData: true, apply: true }, []);
    assert.deepEqual([kept.removed, readdirSync(folder)], [[], ["journal.db"]]);
  });
});
