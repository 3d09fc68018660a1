/** The way into a shim's namespaces, by the programs that make it: what its user finds there of folders that only root may enter. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { hostCommand } from "../src/runtime/sandbox/stage.ts";
import { needs } from "./support/needs.ts";
import { isRoot } from "./support/sandboxes.ts";

const { skip } = await needs("sandbox");
const uid = 2_000_000_001;

describe("a Space's own user", { skip: skip !== false ? skip : isRoot ? false : "only root has other users" }, () => {
  const root = mkdtempSync(join(tmpdir(), "wb-stage-"));
  after(() => rmSync(root, { recursive: true, force: true }));

  const folder = (name: string, owner = 0): string => {
    const path = join(root, name);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, "file"), name);
    chownSync(path, owner, owner);
    return path;
  };
  /** What a shell prints that came there. */
  const run = (options: { needs: readonly string[]; frozen?: readonly string[] }, command: string): string => {
    const stage = { hostUid: uid, cgroup: null, frozen: [], ...options };
    const [program, ...rest] = hostCommand(stage, ["/bin/sh", "-c", command]);
    const { stdout, stderr } = spawnSync(program, rest, { cwd: "/", encoding: "utf8" });
    return `${stdout}${stderr}`.trim();
  };

  test("finds what it needs at its own path, a file too, whatever its name, and nothing beside it", () => {
    const odd = folder("data/we ird'\\#\tname", uid);
    const file = join(folder("data/other"), "file");
    chmodSync(join(root, "data"), 0o700);
    assert.equal(
      run({ needs: [odd, file] }, `cd ${root}/data && cat */file; ls other`),
      "data/otherdata/we ird'\\#\tnamefile",
    );
    assert.match(run({ needs: [odd] }, `ls ${root}/data`), /^we ird[^\n]*$/);
  });

  test("writes what is its own, but not what is frozen, covered or not", () => {
    const [own, frozen, open] = [folder("closed/own", uid), folder("closed/release", uid), folder("open", uid)];
    chmodSync(join(root, "closed"), 0o700);
    const tries = `for f in ${own} ${frozen} ${open}; do touch $f/new 2>&1; done`;
    const said = run({ needs: [own, frozen, open], frozen: [frozen, open] }, tries).split("\n");
    assert.deepEqual(
      said.map((line) => /'(.+)\/new': Read-only/.exec(line)?.[1]),
      [frozen, open],
    );
  });

  test("a closed folder within what came back shows only what is needed of it", () => {
    const [outer, inner] = [folder("home/package"), folder("home/package/data/p_1", uid)];
    folder("home/package/data/p_2", uid);
    for (const closed of ["home", "home/package/data"]) chmodSync(join(root, closed), 0o700);
    assert.equal(
      run({ needs: [outer, inner] }, `cat ${outer}/file; ls ${outer}/data; cat ${inner}/file`),
      "home/packagep_1\nhome/package/data/p_1",
    );
  });
});
