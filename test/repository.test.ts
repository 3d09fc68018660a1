/** Repositories with the real git: compare-and-swap, what is refused, and what a checkout may write. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { systemGit } from "../src/hub/git.ts";
import {
  openRepositories,
  type CommitRequest,
  type CommitResult,
  type RepositoryStore,
} from "../src/hub/repository.ts";
import { clock, random, testWorkshop, type TestWorkshop } from "./support/commits.ts";
import { needs } from "./support/needs.ts";
import { until } from "./support/platform.ts";
import { SmallDisk } from "./support/small-disk.ts";

const ownDisk = await needs("own-disk");

const text = (content: string) => ({ bytes: Buffer.from(content) });

/** A repository with one file, and how to commit to it. */
async function begin(shop: TestWorkshop) {
  const { repository, commit } = await shop.commit({ "README.md": "one" });
  const write = (rest: Partial<CommitRequest>): Promise<CommitResult> =>
    shop.store.commitFiles({
      repository,
      branch: "main",
      files: [],
      author: { name: "bob", email: "bob@example.test" },
      summary: "next",
      ...rest,
    });
  return { repository, commit, write };
}

const git = (repository: string, ...args: readonly string[]): string =>
  execFileSync("git", [`--git-dir=${repository}`, ...args], { encoding: "utf8" });

/** What a `git fast-import` that failed has left, in the repository and among its packs. */
function leftOf(repository: string): readonly string[] {
  const names = [repository, join(repository, "objects", "pack")].flatMap((folder) => readdirSync(folder));
  return names.filter((name) => /^(?:fast_import_crash_|tmp_)/.test(name));
}

function done(result: CommitResult): Extract<CommitResult, { ok: true }> {
  assert.ok(result.ok, JSON.stringify(result));
  return result;
}

describe("commitFiles", () => {
  test("a repository is made once", async () => {
    await using shop = await testWorkshop();
    assert.equal(await shop.store.createRepository("a/b"), true);
    assert.equal(await shop.store.createRepository("a/b"), false);
    assert.equal(await shop.store.head(shop.store.repositoryOf("a/b"), "main"), null);
    for (const bad of ["../x", "a/../b", "/x", "a/b.git", "a/.git", ""])
      assert.throws(() => shop.store.repositoryOf(bad), RangeError);
  });

  test("of two writers with the same parent one wins and the other is told where the branch is", async () => {
    await using shop = await testWorkshop();
    const { repository, commit, write } = await begin(shop);
    const results = await Promise.all(
      ["a", "b"].map((path) => write({ parent: commit, files: [{ path, content: text(path) }] })),
    );
    const won = results.find(({ ok }) => ok);
    const lost = results.find(({ ok }) => !ok);
    assert.ok(won?.ok && lost && !lost.ok && lost.refusal === "parent-moved");
    assert.deepEqual([lost.status, lost.head], [412, won.commit]);
    assert.equal(await shop.store.head(repository, "main"), won.commit);
    assert.equal(git(repository, "for-each-ref", "refs/waybill"), "");
  });

  test("a writer of another process, between our look and our swap, is not overwritten", async () => {
    await using shop = await testWorkshop();
    const { repository, commit, write } = await begin(shop);
    // A content that is read after the parent was: there the other process commits.
    const slow = join(shop.folder, "content");
    writeFileSync(slow, "mine");
    let other = "";
    const content = {
      get file() {
        if (other === "") {
          const tree = git(repository, "rev-parse", `${commit}^{tree}`).trim();
          other = git(
            repository,
            "-c",
            "user.name=o",
            "-c",
            "user.email=o@example.test",
            "commit-tree",
            tree,
            "-p",
            commit,
            "-m",
            "other",
          ).trim();
          git(repository, "update-ref", "refs/heads/main", other);
        }
        return slow;
      },
    };
    const result = await write({ parent: commit, files: [{ path: "a", content }] });
    assert.ok(!result.ok && result.refusal === "parent-moved");
    assert.equal(result.head, other);
    assert.equal(await shop.store.head(repository, "main"), other);
  });

  test("a commit that git fails at says at which file, and leaves nothing in the repository", async () => {
    await using shop = await testWorkshop();
    const { repository, commit, write } = await begin(shop);
    // So much in one file (of 512 bytes each), and no more.
    const store = storeWith(shop, "fast-import", 'trap "" XFSZ; ulimit -f 200; exec git "$@"');
    const files = [
      { path: "a.txt", content: text("a") },
      { path: "b/c.bin", content: { bytes: randomBytes(1 << 20) } },
    ];
    const asked = { repository, branch: "main", author: { name: "bob", email: "bob@example.test" }, summary: "next" };
    await assert.rejects(
      store.commitFiles({ ...asked, files }),
      /git fast-import .*File too large.*, at `M 100644 inline "b\/c\.bin"`$/s,
    );
    assert.equal(await shop.store.head(repository, "main"), commit);
    assert.deepEqual(leftOf(repository), []);
    done(await write({ files }));
  });

  test("on a disk that is full nothing of a commit is taken, and with room it is", ownDisk, async () => {
    using disk = new SmallDisk(24 << 20);
    await using shop = await testWorkshop(disk.path);
    const { repository, commit, write } = await begin(shop);
    const files = [{ path: "large.bin", content: { bytes: randomBytes(4 << 20) } }];
    disk.fill();
    await assert.rejects(write({ files }), { name: "GitFailure", code: "git-disk-full" });
    assert.equal(await shop.store.head(repository, "main"), commit);
    assert.deepEqual(leftOf(repository), []);
    disk.free();
    const { commit: next } = done(await write({ files }));
    assert.equal(await shop.store.head(repository, "main"), next);
    git(repository, "fsck", "--strict", "--no-dangling");
  });

  test("writers without a parent all get in, one on top of the other", async () => {
    await using shop = await testWorkshop();
    const { repository, write } = await begin(shop);
    const results = await Promise.all(["a", "b", "c"].map((path) => write({ files: [{ path, content: text(path) }] })));
    assert.ok(results.every(({ ok }) => ok));
    assert.equal(git(repository, "rev-list", "--count", "main").trim(), "4");
  });

  test("an unchanged tree makes no commit; a replay of a commit is harmless", async () => {
    await using shop = await testWorkshop();
    const { commit, write } = await begin(shop);
    assert.deepEqual(done(await write({ files: [{ path: "README.md", content: text("one") }] })), {
      ...done(await write({})),
      commit,
      changed: false,
    });
  });

  test("replaceAll leaves exactly the given files; deletions take files and whole folders", async () => {
    await using shop = await testWorkshop();
    const { repository, write } = await begin(shop);
    const paths = async (commit: string) => (await shop.store.listTree(repository, commit)).map(({ path }) => path);
    const two = done(
      await write({ files: ["a/b", "a/c", 'ü "q"', "z"].map((path) => ({ path, content: text("x") })) }),
    );
    assert.deepEqual(await paths(two.commit), ["README.md", "a/b", "a/c", "z", 'ü "q"']);
    const three = done(
      await write({ deletedFolders: ["a"], deletedFiles: ["z"], files: [{ path: "a/d", content: text("x") }] }),
    );
    assert.deepEqual(await paths(three.commit), ["README.md", "a/d", 'ü "q"']);
    const four = done(await write({ replaceAll: true, files: [{ path: "only", content: text("x") }] }));
    assert.deepEqual(await paths(four.commit), ["only"]);
  });

  test("keeps a program's mode, its author, its message, and nothing of a name that would break the record", async () => {
    await using shop = await testWorkshop();
    const { repository, commit, write } = await begin(shop);
    const blob = git(repository, "rev-parse", `${commit}:README.md`).trim();
    const tree = execFileSync("git", [`--git-dir=${repository}`, "mktree"], {
      input: `100755 blob ${blob}\trun.sh\n`,
      encoding: "utf8",
    }).trim();
    const program = git(
      repository,
      "-c",
      "user.name=o",
      "-c",
      "user.email=o@example.test",
      "commit-tree",
      tree,
      "-p",
      commit,
      "-m",
      "x",
    ).trim();
    git(repository, "update-ref", "refs/heads/main", program);
    const next = done(
      await write({
        files: [{ path: "run.sh", content: text("new") }],
        author: { name: "eve\n<x>", email: "e>" },
        summary: "S",
        description: "D\nE",
      }),
    );
    assert.deepEqual(
      (await shop.store.listTree(repository, next.commit)).map(({ mode }) => mode),
      ["100755"],
    );
    assert.equal(git(repository, "log", "-1", "--format=%an|%ae|%B", next.commit).trim(), "eve  x|e|S\n\nD\nE");
  });

  test("wrong paths, absent files and an empty first commit are refused, all problems at once", async () => {
    await using shop = await testWorkshop();
    const { write } = await begin(shop);
    const bad = await write({
      files: ["../x", ".git/hooks/post-receive", "a", "a/b", "d", "d"].map((path) => ({ path, content: text("x") })),
    });
    assert.ok(!bad.ok && bad.refusal === "bad-path");
    assert.equal(bad.problems.length, 4);
    const absent = await write({ deletedFiles: ["nope", "neither"] });
    assert.ok(!absent.ok && absent.refusal === "absent-file");
    assert.deepEqual([absent.status, absent.problems.length], [404, 2]);
    await shop.store.createRepository("alice/empty");
    const empty = await write({ repository: shop.store.repositoryOf("alice/empty") });
    assert.ok(!empty.ok && empty.refusal === "empty-commit");
  });

  test("a large file goes through from disk, and is read back within a bound", async () => {
    await using shop = await testWorkshop();
    const { repository, write } = await begin(shop);
    const file = join(shop.folder, "large");
    writeFileSync(file, Buffer.alloc(5 << 20, 7));
    const { commit } = done(await write({ files: [{ path: "large", content: { file } }] }));
    assert.deepEqual(await shop.store.readFile(repository, commit, "large"), readFileSync(file));
    await assert.rejects(shop.store.readFile(repository, commit, "large", 1_000), { code: "git-too-much" });
    assert.equal(await shop.store.readFile(repository, commit, "absent"), undefined);
    assert.equal(await shop.store.readFile(repository, commit, "../large"), undefined);
  });
});

describe("copyRepository", () => {
  test("takes along what was brought for pull requests, whole; and nothing that is on its way", async () => {
    await using shop = await testWorkshop();
    await shop.store.createRepository("a/b");
    const of = (name: string, path: string): string => join(shop.store.repositoryOf(name), "lfs", path);
    const oid = "ab".repeat(32);
    const whole = `proposed/bob/lfs/objects/ab/ab/${oid}`;
    const files = [whole, "proposed/bob/lfs/incoming/i_1", "proposed/carol/lfs/incoming/i_2"];
    for (const path of files) {
      mkdirSync(dirname(of("a/b", path)), { recursive: true });
      writeFileSync(of("a/b", path), "bytes");
    }
    assert.equal(await shop.store.copyRepository("a/b", "a/c"), true);
    assert.deepEqual(
      files.filter((path) => existsSync(of("a/c", path))),
      [whole],
    );
  });
});

describe("checkout", () => {
  test("writes the commit's files, nothing of git, and says what it left out", async () => {
    await using shop = await testWorkshop();
    const { repository, commit } = await shop.commit({ "README.md": "hi", "a/b/c.txt": "deep" });
    const into = join(shop.folder, "out", "app");
    assert.deepEqual(await shop.store.checkout(repository, commit, into), { ok: true, files: 2, notes: [] });
    assert.equal(readFileSync(join(into, "a/b/c.txt"), "utf8"), "deep");
    assert.deepEqual(readdirSync(join(shop.folder, "out")), ["app"]);
    assert.ok(!existsSync(join(into, ".git")));
  });

  test("an unknown commit is refused", async () => {
    await using shop = await testWorkshop();
    const { repository } = await shop.commit({ "README.md": "hi" });
    for (const commit of ["0".repeat(40), "main", "--help"]) {
      const result = await shop.store.checkout(repository, commit, join(shop.folder, "out"));
      assert.ok(!result.ok && result.refusal === "unknown-commit");
    }
  });

  test("links inside are made; links that leave are refused before anything is written", async () => {
    await using shop = await testWorkshop();
    const { repository, commit } = await shop.commit({ "README.md": "hi" });
    const linked = (rows: Readonly<Record<string, string>>): string => {
      const entries = Object.entries(rows).map(([path, target]) => {
        const blob = execFileSync("git", [`--git-dir=${repository}`, "hash-object", "-w", "--stdin"], {
          input: target,
          encoding: "utf8",
        }).trim();
        return `120000 blob ${blob}\t${path}\n`;
      });
      const tree = execFileSync("git", [`--git-dir=${repository}`, "mktree"], {
        input: entries.join(""),
        encoding: "utf8",
      }).trim();
      return git(
        repository,
        "-c",
        "user.name=o",
        "-c",
        "user.email=o@example.test",
        "commit-tree",
        tree,
        "-p",
        commit,
        "-m",
        "x",
      ).trim();
    };
    const into = join(shop.folder, "out");
    const bad = await shop.store.checkout(repository, linked({ a: "/etc/passwd", b: "../x", c: "README.md" }), into);
    assert.ok(!bad.ok && bad.refusal === "bad-link");
    assert.deepEqual(bad.problems, [
      "a is a link to the absolute path /etc/passwd",
      "b is a link that leaves the repository: ../x",
    ]);
    assert.ok(!existsSync(into));
    assert.ok((await shop.store.checkout(repository, linked({ c: "README.md" }), into)).ok);
    assert.ok(lstatSync(join(into, "c")).isSymbolicLink());
    assert.ok(statSync(into).isDirectory());
  });
});

const nameOf = (shop: TestWorkshop, repository: string): string =>
  repository.slice(join(shop.folder, "repositories").length + 1, -".git".length);

/** As many loose objects as some hundred commits leave, by git's own plumbing. */
function scatter(repository: string): void {
  const blobs = Array.from({ length: 1_200 }, (_, n) => `blob\ndata ${String(n).length}\n${n}\n`).join("");
  const unpacked = ["-c", "fastimport.unpackLimit=100000", "fast-import", "--quiet", "--done"];
  execFileSync("git", [`--git-dir=${repository}`, ...unpacked], { input: `${blobs}done\n` });
}

const looseOf = (repository: string): number =>
  Number(/^count: (\d+)$/m.exec(git(repository, "count-objects", "-v"))?.[1]);

/** The shop's repositories with a git of which one command does something else: shell, with its arguments and the folder `$at`. */
function storeWith(shop: TestWorkshop, command: string, instead: string): RepositoryStore {
  const program = join(shop.folder, "git");
  const script = `#!/bin/sh\nat='${shop.folder}'\ncase " $* " in *" ${command} "*) ${instead} ;; *) exec git "$@" ;; esac\n`;
  writeFileSync(program, script, { mode: 0o755 });
  return openRepositories({
    folder: join(shop.folder, "repositories"),
    clock,
    random,
    git: { ...systemGit, program },
  });
}

/** Waits with a child of its own that holds its output open, as `git repack` is of `git gc`. */
const stuck = 'sleep 30 & echo $! >"$at/helper"; wait';

async function helperOf(shop: TestWorkshop): Promise<number> {
  const file = join(shop.folder, "helper");
  await until("the helper runs", () => existsSync(file) && readFileSync(file, "utf8").endsWith("\n"));
  return Number(readFileSync(file, "utf8"));
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}

describe("collecting", () => {
  test("packs what many commits left, and forgets one that was cut off; every commit is still there", async () => {
    await using shop = await testWorkshop();
    const { write, repository } = await begin(shop);
    const first = done(await write({ files: [{ path: "a", content: text("first") }] })).commit;
    scatter(repository);
    git(repository, "update-ref", "refs/waybill/import/i_cut", first);
    const name = nameOf(shop, repository);
    await shop.store.collect(name);
    const second = done(await write({ files: [{ path: "b", content: text("second") }] })).commit;
    const loose = looseOf(repository);
    assert.ok(loose < 20, `${loose} loose objects are left`); // those of the second commit
    assert.equal(git(repository, "for-each-ref", "refs/waybill"), "");
    assert.equal(git(repository, "rev-list", "--count", second).trim(), "3");
    assert.equal(git(repository, "fsck", "--connectivity-only", "--no-dangling"), "");
    await shop.store.collect(name);
    await shop.store.collect("alice/nothing-was-pushed");
  });

  test("an old object that no reference leads to stays while a commit that names it is made", async () => {
    await using shop = await testWorkshop();
    const { repository, commit } = await begin(shop);
    const old = "x".repeat(1_000);
    const blob = execFileSync("git", [`--git-dir=${repository}`, "hash-object", "-w", "--stdin"], {
      input: old,
      encoding: "utf8",
    });
    const packs = join(repository, "objects", "pack");
    execFileSync("git", [`--git-dir=${repository}`, "pack-objects", "--quiet", join(packs, "pack")], { input: blob });
    git(repository, "prune-packed", "--quiet");
    const month = Date.now() / 1000 - 30 * 86_400;
    for (const file of readdirSync(packs)) utimesSync(join(packs, file), month, month);
    scatter(repository);
    // git has seen the old content, and gets the rest when the test says so.
    execFileSync("mkfifo", [join(shop.folder, "go")]);
    const instead = `{ dd bs=1 count=3000 2>/dev/null; touch "$at/begun"; read -r _ < "$at/go"; cat; } | git "$@"`;
    const store = storeWith(shop, "fast-import", instead);
    const files = [
      { path: "a", content: text(old) },
      { path: "b", content: text("y".repeat(10_000)) },
    ];
    const author = { name: "bob", email: "bob@example.test" };
    const committed = store.commitFiles({ repository, branch: "main", files, parent: commit, author, summary: "s" });
    await until("the commit has begun", () => existsSync(join(shop.folder, "begun")));
    await store.collect(nameOf(shop, repository));
    writeFileSync(join(shop.folder, "go"), "go\n");
    const { commit: next } = done(await committed);
    assert.equal(git(repository, "cat-file", "blob", `${next}:a`), old);
    assert.equal(git(repository, "fsck", "--connectivity-only", "--no-dangling"), "");
    await store.collect(nameOf(shop, repository));
    assert.ok(looseOf(repository) < 20);
  });

  test("gives way to who wants to write, with all that git had started", async () => {
    await using shop = await testWorkshop();
    const { repository } = await begin(shop);
    scatter(repository);
    const store = storeWith(shop, "gc", stuck);
    const collected = store.collect(nameOf(shop, repository));
    const helper = await helperOf(shop);
    using _writing = await store.hold(repository);
    await until("the helper is gone", () => !isAlive(helper));
    await collected;
  });

  test("ends with the platform, with all that git had started", async () => {
    await using shop = await testWorkshop();
    const { repository } = await begin(shop);
    scatter(repository);
    const stop = new AbortController();
    const collected = storeWith(shop, "gc", stuck).collect(nameOf(shop, repository), stop.signal);
    const helper = await helperOf(shop);
    stop.abort();
    await collected;
    // Killed, it is there until whoever it was left to has taken note.
    await until("the helper is gone", () => !isAlive(helper));
  });

  test("locks of references that a killed git left are removed before the first write after a start, and later where they are old", async () => {
    await using shop = await testWorkshop();
    const { repository } = await begin(shop);
    git(repository, "pack-refs", "--all");
    const locks = ["packed-refs.lock", "refs/heads/main.lock"].map((name) => join(repository, name));
    const leave = (): void => locks.forEach((file) => writeFileSync(file, ""));
    leave();
    await shop.store.collect(nameOf(shop, repository));
    assert.ok(locks.every((file) => existsSync(file)));
    const hour = Date.now() / 1000 - 3_600;
    for (const file of locks) utimesSync(file, hour, hour);
    await shop.store.collect(nameOf(shop, repository));
    assert.ok(!locks.some((file) => existsSync(file)));
    leave();
    const started = openRepositories({ folder: join(shop.folder, "repositories"), clock, random });
    await started.recover();
    const files = [{ path: "a", content: text("a") }];
    const author = { name: "bob", email: "bob@example.test" };
    done(await started.commitFiles({ repository, branch: "main", files, author, summary: "s" }));
  });

  test("removes at a start what was left of a repository that was being made, and no other", async () => {
    await using shop = await testWorkshop();
    const { repository } = await begin(shop);
    const half = join(shop.folder, "repositories", ".new-abc");
    mkdirSync(half);
    await shop.store.recover();
    assert.deepEqual([existsSync(half), existsSync(repository)], [false, true]);
  });

  test("removes what a killed push left a day ago, and nothing of one that goes on", async () => {
    await using shop = await testWorkshop();
    const { repository } = await begin(shop);
    const name = nameOf(shop, repository);
    const objects = join(repository, "objects");
    for (const one of ["tmp_objdir-incoming-old", "tmp_objdir-incoming-new"]) mkdirSync(join(objects, one));
    const large = join(repository, "lfs", "incoming", "i_half");
    mkdirSync(dirname(large), { recursive: true });
    writeFileSync(large, "half of a large file");
    const packs = ["pack-half.pack", ".tmp-1-pack-half.idx"].map((one) => join(objects, "pack", one));
    mkdirSync(join(objects, "pack"), { recursive: true });
    for (const one of packs) writeFileSync(one, "half");
    const days = Date.now() / 1000 - 2 * 86_400;
    for (const one of [join(objects, "tmp_objdir-incoming-old"), large, ...packs]) utimesSync(one, days, days);
    await shop.store.collect(name);
    for (const one of [large, ...packs]) assert.ok(!existsSync(one), one);
    assert.deepEqual(
      readdirSync(objects).filter((one) => one.startsWith("tmp_")),
      ["tmp_objdir-incoming-new"],
    );
  });
});
