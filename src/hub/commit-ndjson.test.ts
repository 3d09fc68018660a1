import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { CommitReader, parseCommit, type CommitParse } from "./commit-ndjson.ts";

type Line = readonly [key: string, value: unknown];
const body = (...lines: readonly Line[]): Buffer =>
  Buffer.from(lines.map(([key, value]) => JSON.stringify({ key, value })).join("\n"));
const header: Line = ["header", { summary: "one" }];
const file = (path: unknown, text = "x"): Line => [
  "file",
  { path, content: Buffer.from(text).toString("base64"), encoding: "base64" },
];

function problems(parse: CommitParse): readonly string[] {
  assert.ok(!parse.ok, "it was taken");
  return parse.problems.map(({ line, message }) => `${line}: ${message}`);
}

describe("parseCommit", () => {
  test("takes what the Hub's clients send, with or without a last newline", () => {
    const parent = "a".repeat(40);
    const lines = body(
      ["header", { summary: "s", description: "d", parentCommit: parent, replace: true }],
      file("a/b", "hi"),
      ["lfsFile", { path: "w.bin", algo: "sha256", oid: "0".repeat(64) }],
      ["deletedFile", { path: "c" }],
      ["deletedFolder", { path: "d/" }],
    );
    for (const bytes of [lines, Buffer.concat([lines, Buffer.from("\n")])]) {
      assert.deepEqual(parseCommit(bytes), {
        ok: true,
        commit: {
          summary: "s",
          description: "d",
          parent,
          replace: true,
          files: [{ path: "a/b", bytes: new Uint8Array([104, 105]) }],
          largeFiles: [{ path: "w.bin", oid: "0".repeat(64), size: null }],
          deletedFiles: ["c"],
          deletedFolders: ["d"],
        },
      });
    }
  });

  test("a path may be deleted and added in one commit", () => {
    assert.ok(parseCommit(body(header, ["deletedFile", { path: "a" }], file("a"))).ok);
  });

  test("says all problems at once, each with its line", () => {
    const bytes = Buffer.concat([
      body(["header", { summary: "", parentCommit: "x", replace: 1 }], file("../up"), file("a"), file("a"), [
        "lfsFile",
        { path: "w.bin", algo: "sha1", oid: "0", size: -1 },
      ]),
      Buffer.from("\n{nope\n[]\n"),
      body(
        ["file", { path: "b", content: "***", encoding: "base64" }],
        ["frob", {}],
        ["deletedFile", { path: 7 }],
        header,
      ),
    ]);
    assert.deepEqual(problems(parseCommit(bytes)), [
      "1: `summary` is not a text",
      "1: `parentCommit` is not a commit of 40 hexadecimal digits",
      "1: `replace` is not true or false",
      '2: "../up": a path holds the name ".."',
      '4: "a" is added twice',
      '5: "w.bin": `algo` is not sha256, and no other is known',
      '5: "w.bin": `oid` is no SHA-256',
      '5: "w.bin": `size` is no number of bytes',
      "6: the line is not JSON",
      "7: the line is not a JSON object",
      '8: "b": `content` is not base64',
      '9: unknown key "frob"; known are header, file, lfsFile, deletedFile, deletedFolder',
      "10: `path` is not a text",
      "11: a second header",
    ]);
  });

  test("a body without a header, and one that begins with another line, are refused", () => {
    assert.deepEqual(problems(parseCommit(Buffer.alloc(0))), ["0: there is no header line"]);
    assert.deepEqual(problems(parseCommit(body(file("a"), header))), ["1: the first line is not the header"]);
  });

  test("a path that is a file and a folder is refused", () => {
    assert.deepEqual(problems(parseCommit(body(header, file("a"), file("a/b")))), [
      "0: a is a file and a/b lies inside it",
    ]);
  });

  test("reads no further at a bound", () => {
    const limits = { lineMaxBytes: 100, totalMaxBytes: 250, operationsMax: 3 };
    for (const [chunk, says] of [
      ["x".repeat(101), "1: the line has more than 100 bytes"],
      ["x\n".repeat(126), "0: the body has more than 250 bytes"],
      ["{}\n".repeat(4), "4: more than 3 lines"],
    ] as const) {
      const reader = new CommitReader(limits);
      assert.equal(reader.push(Buffer.from(chunk)), false);
      const parse = reader.end();
      assert.ok(!parse.ok && parse.tooLarge);
      assert.equal(problems(parse).at(-1), says);
    }
  });

  test("however the body is cut into pieces, the answer is the same", () => {
    const bytes = body(header, file("ü", "ü".repeat(50)), file("b"));
    fc.assert(
      fc.property(fc.array(fc.nat(60)), (cuts) => {
        const reader = new CommitReader();
        let from = 0;
        for (const cut of cuts) reader.push(bytes.subarray(from, (from += cut)));
        reader.push(bytes.subarray(from));
        assert.deepEqual(reader.end(), parseCommit(bytes));
      }),
      { numRuns: 100 },
    );
  });

  test("any bytes give an answer", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => assert.equal(parseCommit(bytes).ok, false)),
      { numRuns: 200 },
    );
  });
});
