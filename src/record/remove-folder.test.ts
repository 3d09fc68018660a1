import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { removeFolder } from "./remove-folder.ts";

const folder = mkdtempSync(join(tmpdir(), "waybill-remove-"));
after(() => rmSync(folder, { recursive: true }));

test("a folder is removed whatever an app made there: closed folders, and more below one another than a path can name", async () => {
  const own = join(folder, "p_1");
  const name = "x".repeat(200);
  const dig = `mkdir -p ${own}/closed && touch ${own}/closed/file && cd ${own} && for n in $(seq 40); do mkdir ${name} && cd -P ${name}; done; mkdir -p deep/in && chmod 0 deep ${own}/closed`;
  execFileSync("sh", ["-c", dig]);
  await removeFolder(own);
  assert.equal(existsSync(own), false);
});
