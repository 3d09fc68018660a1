/** A replica's folder belongs to its Space's user, and the agent that reads and writes there may be root. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { readStored, readText, writeStored } from "./folder.ts";

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
