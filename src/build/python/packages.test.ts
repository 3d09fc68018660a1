import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { compiling } from "./packages.ts";

const python = "/usr/bin/python3";
const skip = existsSync(python) ? false : `no ${python}`;

test(
  "modules are compiled, and tests below the packages are not, also where the owner is called test",
  { skip },
  () => {
    const folder = mkdtempSync(join(tmpdir(), "wb-compile-"));
    const lib = join(folder, "test", "owners", "tests", "envs", "e+1", "lib");
    const packages = join(lib, "python3.11", "site-packages");
    for (const [path, code] of [
      ["app/a.py", "a = 1\n"],
      ["app/tests/b.py", "b = 1\n"],
      ["test/c.py", "c = 1\n"],
    ] as const) {
      mkdirSync(join(packages, path, ".."), { recursive: true });
      writeFileSync(join(packages, path), code);
    }
    execFileSync(python, ["-I", "-c", compiling, lib]);
    const compiled = readdirSync(packages, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".pyc"),
    );
    assert.deepEqual(
      compiled.map((name) => name.replace(/\.cpython-\d+/, "")),
      ["app/__pycache__/a.pyc"],
    );
    rmSync(folder, { recursive: true });
  },
);
