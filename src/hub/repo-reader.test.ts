import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemGit } from "./git.ts";
import { RepoReader } from "./repo-reader.ts";

const folder = mkdtempSync(join(tmpdir(), "wb-reader-"));
const repository = join(folder, "a.git");
const paths = Array.from({ length: 12 }, (_, n) => `${n}.txt`);

before(() => {
  execFileSync("git", ["init", "--quiet", "--bare", repository]);
  const commits = paths.map(
    (path, n) =>
      `commit refs/heads/main\ncommitter a <a@b.c> ${n} +0000\ndata ${path.length}\n${path}\nM 100644 inline ${path}\ndata 0\n\n`,
  );
  execFileSync("git", ["-C", repository, "fast-import", "--quiet"], { input: commits.join("") });
});

after(() => rmSync(folder, { recursive: true, force: true }));

test("the last commits of many pages' paths are looked for by four processes at once at most, for all of them together", async () => {
  // git, which notes when it begins and ends.
  const notes = join(folder, "notes");
  const program = join(folder, "noting-git");
  writeFileSync(program, `#!/bin/sh\necho begins >>${notes}\ngit "$@"\ncode=$?\necho ends >>${notes}\nexit $code\n`);
  chmodSync(program, 0o755);
  const reader = new RepoReader({ ...systemGit, program });
  const page = () => reader.lastCommits(repository, "main", paths);
  const pages = await Promise.all(Array.from({ length: 8 }, page));
  for (const found of pages)
    assert.deepEqual(
      paths.map((path) => [found.get(path)?.title, found.get(path)?.seconds]),
      paths.map((path, n) => [path, n]),
    );
  let [now, most] = [0, 0];
  for (const note of readFileSync(notes, "utf8").trim().split("\n")) {
    now += note === "begins" ? 1 : -1;
    most = Math.max(most, now);
  }
  assert.equal(now, 0);
  assert.ok(most <= 4, `${most} at once`);
});
