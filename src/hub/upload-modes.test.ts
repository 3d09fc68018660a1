import assert from "node:assert/strict";
import { test } from "node:test";
import { uploadModes } from "./upload-modes.ts";

const text = Buffer.from("some text");
const rules = {
  attributes: "*.bin filter=lfs diff=lfs merge=lfs -text\n/top filter=lfs\n",
  ignore: "*.log\nout/\n/tmp\n",
};
const modes = async (files: Readonly<Record<string, readonly [sample: Uint8Array, size: number]>>, ofRules = rules) => {
  const wishes = Object.entries(files).map(([path, [sample, size]]) => ({ path, sample, size }));
  const found = await uploadModes(wishes, ofRules);
  return Object.fromEntries(wishes.map(({ path }, at) => [path, found[at]?.uploadMode]));
};

test("a file that .gitattributes give to git-lfs is a large one, in any folder; so is what has more than 10 MiB", async () => {
  assert.deepEqual(
    await modes({
      "a.bin": [text, 3],
      "deep/er/b.bin": [text, 3],
      top: [text, 3],
      "deep/top": [text, 3],
      "a.txt": [text, 10 << 20],
      "b.txt": [text, (10 << 20) + 1],
    }),
    { "a.bin": "lfs", "deep/er/b.bin": "lfs", top: "lfs", "deep/top": "regular", "a.txt": "regular", "b.txt": "lfs" },
  );
});

test("bytes that are no text are a large file from a megabyte on", async () => {
  const binary = Buffer.from([1, 0, 2]);
  const cut = Buffer.from("12ü").subarray(0, 3);
  const found = await modes({
    ...{ a: [binary, (1 << 20) - 1], b: [binary, 1 << 20], c: [text, 1 << 20] },
    ...{ d: [Buffer.from([0xff, 0xfe, 1]), 1 << 20], e: [cut, 1 << 20] },
  });
  assert.deepEqual(found, { a: "regular", b: "lfs", c: "regular", d: "lfs", e: "regular" });
});

test("what .gitignore names is to be left out, and nothing else", async () => {
  const paths = ["a.log", "deep/b.log", "out/c.txt", "tmp", "log", "kept.txt", "deep/tmp"];
  const found = await uploadModes(
    paths.map((path) => ({ path, sample: text, size: 9 })),
    rules,
  );
  assert.deepEqual(
    paths.filter((_, at) => found[at]?.shouldIgnore),
    ["a.log", "deep/b.log", "out/c.txt", "tmp"],
  );
});

test("names that look like patterns or options are names", async () => {
  assert.deepEqual(
    await modes({
      "--all": [text, 1],
      "*.bin": [text, 1],
      "[a].txt": [text, 1],
      ":(glob)x": [text, 1],
      "ü b.bin": [text, 1],
    }),
    {
      ...{ "--all": "regular", "*.bin": "lfs", "[a].txt": "regular", ":(glob)x": "regular", "ü b.bin": "lfs" },
    },
  );
});
