import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findInterpreters } from "./interpreters.ts";

test("pyenv's scripts are not run: the interpreters that they lead to are asked themselves", async () => {
  const root = mkdtempSync(join(tmpdir(), "wb-pyenv-"));
  const script = (folder: string, text: string): void => {
    mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, folder, "python3"), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  };
  try {
    const wasRun = join(root, "was-run");
    script("shims", `touch ${wasRun}; exec ${join(root, "versions/3.12.1/bin/python3")} "$@"`);
    script("versions/3.12.1/bin", `echo ${root}; echo 3.12.1; echo "$0"`);
    const found = await findInterpreters([join(root, "shims")], [join(root, "versions")]);
    assert.deepEqual(
      found.map(({ version }) => version),
      [[3, 12, 1]],
    );
    assert.equal(existsSync(wasRun), false);
    const alone = await findInterpreters([join(root, "shims")], []);
    assert.deepEqual(
      [alone.length, existsSync(wasRun)],
      [1, true],
      "a folder on the PATH that is not pyenv's is asked",
    );
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
