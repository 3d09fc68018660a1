/** A replica's folder belongs to its Space's user, and the agent that reads and writes there may be root. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { readStored, readText, removeFolder, writeStored } from "./folder.ts";

const folder = mkdtempSync(join(tmpdir(), "waybill-folder-"));
const other = join(folder, "of-somebody-else");
after(() => rmSync(folder, { recursive: true }));

describe("what lies in a replica's folder in place of a file of ours", () => {
  writeFileSync(other, '{"kept":true}');

  test("a link is not read, and what it names is not written", () => {
    symlinkSync(other, join(folder, "exit.json"));
    symlinkSync(other, join(folder, "exit.json.new"));
    assert.equal(readStored(folder, "exit.json"), undefined);
    writeStored(folder, "exit.json", { kept: false });
    assert.deepEqual(readStored(folder, "exit.json"), { kept: false });
    assert.equal(readFileSync(other, "utf8"), '{"kept":true}');
  });

  test("a pipe holds nobody up", () => {
    execFileSync("mkfifo", [join(folder, "shim.out")]);
    assert.equal(readText(folder, "shim.out"), undefined);
  });
});

test("a replica's folder is removed whatever its app made there: closed folders, and more below one another than a path can name", async () => {
  const own = join(folder, "p_1");
  const name = "x".repeat(200);
  const dig = `mkdir -p ${own}/closed && touch ${own}/closed/file && cd ${own} && for n in $(seq 40); do mkdir ${name} && cd -P ${name}; done; chmod 0 ${own}/closed`;
  execFileSync("sh", ["-c", dig]);
  await removeFolder(own);
  assert.equal(existsSync(own), false);
});
