import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { findProgram, readInside, resolveInside } from "./inside.ts";

describe("a file of an image", () => {
  const folder = mkdtempSync(join(tmpdir(), "wb-inside-"));
  const root = join(folder, "root");
  after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "outside"), "secret");
  for (const path of ["usr/bin", "etc", "app"]) mkdirSync(join(root, path), { recursive: true });
  const put = (path: string, text: string | Buffer, mode = 0o755): void => {
    writeFileSync(join(root, path), text);
    chmodSync(join(root, path), mode);
  };
  symlinkSync("usr/bin", join(root, "bin"));
  symlinkSync("../outside", join(root, "etc/up"));
  symlinkSync(join(folder, "outside"), join(root, "etc/absolute"));
  symlinkSync("loop", join(root, "etc/loop"));
  symlinkSync("/usr/bin/tool", join(root, "app/link"));
  put("usr/bin/tool", "#!/bin/tool\n");
  put("etc/passwd", "root:x:0", 0o600);
  const find = (program: string): Promise<unknown> =>
    findProgram(root, program, { path: "/usr/bin:/bin", workdir: "/app", arch: "amd64" });

  test("is found through links that lead within the image, and never outside", async () => {
    assert.equal(await resolveInside(root, "/bin/tool"), join(root, "usr/bin/tool"));
    assert.equal(await resolveInside(root, "/app/../app/link"), join(root, "usr/bin/tool"));
    assert.equal(await resolveInside(root, "/../../../etc/passwd"), join(root, "etc/passwd"));
    for (const path of ["/etc/up", "/etc/absolute", "/etc/loop", "/nothing", "/etc/passwd/x"])
      assert.equal(await resolveInside(root, path), undefined, path);
    assert.equal(await readInside(root, "/etc/up"), "");
    assert.equal(await readInside(root, "/etc/passwd"), "root:x:0");
  });

  test("is a program where it is executable, for this architecture, with its interpreter there", async () => {
    const elf = (machine: number): Buffer => {
      const head = Buffer.alloc(64);
      head.write("\x7fELF", "latin1");
      head.writeUInt16LE(machine, 18);
      return head;
    };
    put("usr/bin/mine", elf(62));
    put("usr/bin/other", elf(183));
    put("usr/bin/plain", "#!/bin/tool\n", 0o644);
    put("usr/bin/orphan", "#! /usr/bin/perl -w\n");
    assert.deepEqual(await find("mine"), { ok: true });
    assert.deepEqual(await find("./link"), { ok: true });
    const why = async (program: string): Promise<unknown> => ((await find(program)) as { why: string }).why;
    assert.equal(await why("other"), "wrong-arch");
    assert.equal(await why("plain"), "not-executable");
    assert.equal(await why("orphan"), "missing");
    assert.equal(await why("nothing"), "missing");
    assert.equal(await why("/etc/up"), "missing");
  });
});
