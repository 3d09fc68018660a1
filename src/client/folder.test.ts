import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { commitBody } from "./deploy.ts";
import type { FolderRefused } from "./errors.ts";
import { isIgnored, listFolder, parseIgnore } from "./folder.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "waybill-folder-"));
});
afterEach(async () => await rm(folder, { recursive: true }));

async function put(files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

describe("listFolder", () => {
  test("leaves out .git, node_modules, ignored files and links, and keeps other dot files", async () => {
    await put({
      ".gitignore": "*.log\nsecret/\n/only-here\n!keep.log\n",
      ".git/HEAD": "",
      "node_modules/a/index.js": "",
      ".env.example": "",
      "README.md": "",
      ".hidden.log": "",
      "a.log": "",
      "keep.log": "",
      "only-here": "",
      "sub/only-here": "",
      "sub/secret/key": "",
      "sub/.gitignore": "local\n",
      "sub/local": "",
      local: "",
    });
    await symlink("/etc/hostname", join(folder, "link"));
    const paths = (await listFolder(folder)).map(({ path }) => path);
    assert.deepEqual(paths, [
      ".env.example",
      ".gitignore",
      "README.md",
      "keep.log",
      "local",
      "sub/.gitignore",
      "sub/only-here",
    ]);
  });

  test("refuses a folder that is too large and names the file that makes it so", async () => {
    await put({ "small.txt": "1", "big.bin": "x".repeat(3_000_000) });
    await assert.rejects(listFolder(folder, { files: 10, bytes: 2_000_000 }), (error: FolderRefused) => {
      assert.equal(error.code, "folder-too-large");
      assert.match(error.message, /big\.bin \(2\.9 MiB\)/);
      return true;
    });
  });

  test("refuses more files than a commit may hold, an empty folder, and what is no folder", async () => {
    await assert.rejects(listFolder(folder), { code: "folder-empty" });
    await put({ a: "", b: "", c: "" });
    await assert.rejects(listFolder(folder, { files: 2, bytes: 100 }), { code: "too-many-files" });
    await assert.rejects(listFolder(join(folder, "a")), { code: "not-a-folder" });
    await assert.rejects(listFolder(join(folder, "absent")), { code: "not-a-folder" });
  });
});

describe("parseIgnore", () => {
  const cases: readonly (readonly [pattern: string, path: string, isFolder: boolean, ignored: boolean])[] = [
    ["*.pyc", "a/b/c.pyc", false, true],
    ["build", "deep/build", true, true],
    ["build/", "build", false, false],
    ["/build", "deep/build", true, false],
    ["docs/*.html", "docs/a.html", false, true],
    ["docs/*.html", "x/docs/a.html", false, false],
    ["a/**/z", "a/b/c/z", false, true],
    ["# note", "# note", false, false],
    ["\\#note", "#note", false, true],
  ];
  for (const [pattern, path, isFolder, ignored] of cases) {
    test(`${pattern} ${ignored ? "leaves out" : "keeps"} ${path}${isFolder ? "/" : ""}`, () => {
      assert.equal(isIgnored(parseIgnore(pattern), path, isFolder), ignored);
    });
  }
});

describe("commitBody", () => {
  test("is the Hub's commit form: a header that replaces all, then a file a line in base64", async () => {
    await put({ "README.md": "é", "a/b.bin": "\u0000x" });
    const text = Buffer.from(await commitBody(folder, await listFolder(folder), "Deploy")).toString("utf8");
    assert(text.endsWith("\n"));
    assert.deepEqual(
      text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
      [
        { key: "header", value: { summary: "Deploy", description: "", replace: true } },
        { key: "file", value: { path: "README.md", content: "w6k=", encoding: "base64" } },
        { key: "file", value: { path: "a/b.bin", content: "AHg=", encoding: "base64" } },
      ],
    );
  });
});
