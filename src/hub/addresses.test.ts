/** Which addresses are repositories', and whose: by git, git-lfs and for files. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseGitPath } from "./git-access.ts";
import { parseFileAddress } from "./resolve-face.ts";

const git = (url: string): string | undefined => {
  const path = parseGitPath(url);
  return path && `${path.kind} ${path.id} ${path.rest}`;
};
const ofFile = (url: string): string | undefined => {
  const address = parseFileAddress(url);
  if (address === undefined || address === "bad-encoding") return address;
  const { repo, raw, revision, path } = address;
  return `${repo.kind} ${repo.id} ${raw ? "raw" : "file"} ${revision} ${path}`;
};

test("git's addresses are of models without a word in front, of datasets and Spaces with theirs, and with or without .git", () => {
  assert.equal(git("/alice/tiny.git/info/refs?service=git-upload-pack"), "models alice/tiny info/refs");
  assert.equal(git("/alice/tiny/git-receive-pack"), "models alice/tiny git-receive-pack");
  assert.equal(git("/datasets/alice/rows.git/info/lfs/objects/batch"), "datasets alice/rows info/lfs/objects/batch");
  assert.equal(git("/spaces/alice/app/git-upload-pack"), "spaces alice/app git-upload-pack");
});

test("files' addresses are decoded once, with all slashes of the path and those that a revision has as %2F", () => {
  assert.equal(ofFile("/alice/tiny/resolve/main/a/b.txt?download=true"), "models alice/tiny file main a/b.txt");
  assert.equal(ofFile("/datasets/alice/rows/raw/refs%2Fpr%2F1/a%20b"), "datasets alice/rows raw refs/pr/1 a b");
  assert.equal(ofFile("/spaces/alice/app/resolve/v1/100%2541"), "spaces alice/app file v1 100%41");
  assert.equal(ofFile("/alice/tiny/resolve/main/%zz"), "bad-encoding");
});

test("what begins with the platform's own words is no model, and a name that is none is no repository", () => {
  for (const url of ["/api/alice", "/spaces/alice", "/datasets/alice", "/models/alice"]) {
    assert.equal(git(`${url}/info/refs`), undefined, url);
    assert.equal(ofFile(`${url}/resolve/main/a`), undefined, url);
  }
  for (const id of [
    "alice/..",
    "../alice",
    "alice/a%2Fb",
    "ali ce/tiny",
    "-alice/tiny",
    "alice/x.git.git",
    `alice/${"x".repeat(200)}`,
    "alice",
  ]) {
    assert.equal(git(`/${id}/info/refs`), undefined, id);
    assert.equal(ofFile(`/${id}/resolve/main/a`), undefined, id);
  }
  for (const url of [
    "/alice/tiny",
    "/alice/tiny/blob/main/a",
    "/alice/tiny/resolve/main",
    "/alice/tiny/resolve/main/",
    "/",
  ])
    assert.equal(ofFile(url), undefined, url);
});
