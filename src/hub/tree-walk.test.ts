import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runGit, systemGit } from "./git.ts";
import type { RunIn } from "./git-objects.ts";
import { pointerText } from "./lfs-pointer.ts";
import { readTreeIndex, type RepoTree, type TreeItem } from "./tree-index.ts";
import { TreeWalk } from "./tree-walk.ts";

const folder = mkdtempSync(join(tmpdir(), "wb-walk-"));
const repository = join(folder, "many.git");
const pointer = { oid: createHash("sha256").update("large").digest("hex"), size: 5 };
/** git's order is by bytes, with a slash behind a folder's name: `a.txt` is before the folder `a`, and `a0` behind it. */
const paths = [
  ...["a.txt", "a/b/c/d.txt", "a/b.txt", "a/z", "a0", "b/é/ü.txt", 'b/quote"d', "deep/" + "x/".repeat(12) + "end", "z"],
  ...Array.from({ length: 40 }, (_, n) => `many/${n % 7}/${n}.txt`),
];
const run: RunIn = (args, rest) => runGit(systemGit, { args, repository, ...rest });
let trees: { readonly kept: RepoTree; readonly walked: RepoTree };

before(async () => {
  execFileSync("git", ["init", "--quiet", "--bare", repository]);
  const file = (path: string, text: string): string =>
    `M 100644 inline "${path.replaceAll('"', '\\"')}"\ndata ${Buffer.byteLength(text)}\n${text}\n`;
  const stream = [
    "commit refs/heads/main\ncommitter a <a@b.c> 1700000000 +0000\ndata 0\n\n",
    ...paths.map((path, n) => file(path, "x".repeat(n % 40))),
    file("large.bin", pointerText(pointer)),
    `M 160000 ${"1".repeat(40)} "another"\n`,
  ];
  execFileSync("git", ["-C", repository, "fast-import", "--quiet"], { input: stream.join("") });
  const tree = (await run(["rev-parse", "main^{tree}"])).output.toString().trim();
  trees = { kept: await readTreeIndex(run, tree), walked: new TreeWalk({ git: systemGit, repository, tree, run }) };
});

after(() => rmSync(folder, { recursive: true, force: true }));

/** All pages of a folder, and how many they were. */
async function all(tree: RepoTree, under: string, recursive: boolean, limit: number) {
  const items: TreeItem[] = [];
  let [cursor, pages] = ["" as string | undefined, 0];
  for (; cursor !== undefined; pages += 1) {
    const page = await tree.page(under, { recursive, cursor, limit });
    assert(page && page.items.length <= limit);
    items.push(...page.items);
    cursor = page.next;
  }
  return { items, pages };
}

describe("a tree that is read page by page", () => {
  test("has what one that is kept has, in the same order, however long its pages are", async () => {
    for (const [under, recursive] of [
      ["", true],
      ["", false],
      ["a", true],
      ["many", true],
      ["many/3", false],
      ["deep", true],
    ] as const) {
      const kept = await all(trees.kept, under, recursive, 10_000);
      // Each page is some processes of git.
      for (const limit of [1, 2, 7, 30, 10_000]) {
        const walked = await all(trees.walked, under, recursive, limit);
        assert.deepEqual(walked.items, kept.items, `${under} by ${limit}`);
        assert.equal(walked.pages, Math.max(1, Math.ceil(kept.items.length / limit)));
      }
    }
  });

  test("knows the folder that is not there, and the file that is none", async () => {
    for (const tree of Object.values(trees))
      for (const folder of ["nothing", "a.txt", "a/b/nothing"])
        assert.equal(await tree.page(folder, { recursive: true, cursor: "", limit: 10 }), undefined);
  });

  test("finds entries by their paths, large files among them, and leaves out what is not there", async () => {
    const wanted = [
      "a",
      "a/b",
      "a/b.txt",
      "large.bin",
      "many/3/3.txt",
      "nothing",
      "a.txt/x",
      'b/quote"d',
      "another",
      "",
      // git would end with an error, or could not be started.
      "../a",
      "/a.txt",
      "a/../a.txt",
      "a//b.txt",
      "a.txt\0",
      "x".repeat(200_000),
    ];
    const [kept, walked] = [await trees.kept.find(wanted), await trees.walked.find(wanted)];
    assert.deepEqual(new Set(walked.values()), new Set(kept.values()));
    assert.deepEqual(walked.get("large.bin")?.lfs, pointer);
    assert.equal(walked.size, 6);
  });

  test("a page's end that is of another tree is an end", async () => {
    const page = await trees.walked.page("", { recursive: true, cursor: "after:nothing/like/it", limit: 10 });
    assert.deepEqual(page, { items: [], next: undefined });
  });
});
