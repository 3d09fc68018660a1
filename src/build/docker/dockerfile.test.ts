import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  declared,
  hereDocument,
  lineOfStep,
  platformArguments,
  readDockerfile,
  stepIn,
  type Dockerfile,
} from "./dockerfile.ts";

type Read = Extract<Dockerfile, { ok: true }>;

function read(text: string, variables: Readonly<Record<string, string>> = {}): Read {
  const found = readDockerfile(text, variables);
  assert.ok(found.ok, JSON.stringify(found));
  return found;
}

const problems = (text: string): readonly string[] => {
  const found = readDockerfile(text, {});
  assert.ok(!found.ok);
  return found.problems;
};

describe("a Dockerfile", () => {
  const two =
    '# syntax=x\nARG BASE=a:1\nFROM $BASE AS one\n\nRUN make \\\n  # why\n  all\nFROM one\nCOPY --from=one /a /b\nRUN <<EOF\nls\nEOF\nCMD ["x"]\n';

  test("is read with the line of each instruction, continued lines, comments and here-documents counted", () => {
    assert.deepEqual(
      read(two).instructions.map(({ line, keyword, stage }) => [line, keyword, stage]),
      [
        [2, "ARG", -1],
        [3, "FROM", 0],
        [5, "RUN", 0],
        [8, "FROM", 1],
        [9, "COPY", 1],
        [10, "RUN", 1],
        [13, "CMD", 1],
      ],
    );
  });

  test("names the images that it needs, with build arguments put in; stages of its own and scratch are none", () => {
    assert.deepEqual(read(two).bases, [{ line: 3, name: "a:1" }]);
    assert.deepEqual(read(two, { BASE: "localhost/b" }).bases, [{ line: 3, name: "localhost/b" }]);
    const text =
      "ARG T\nFROM x:${T:-3} AS a\nFROM scratch\nCOPY --from=a / /\nCOPY --from=y:2 / /\nCOPY --from=0 / /\nFROM x:3\n";
    assert.deepEqual(read(text).bases, [
      { line: 2, name: "x:3" },
      { line: 5, name: "y:2" },
    ]);
  });

  test("has build arguments of one another's, several on a line, and each form of replacement", () => {
    const bases = (text: string): readonly string[] => read(text).bases.map(({ name }) => name);
    assert.deepEqual(bases("ARG A=x\nARG B=reg/$A C='y z'\nFROM $B\n"), ["reg/x"]);
    assert.deepEqual(bases('ARG A="x" B=y C\nFROM $A/$B$C\n'), ["x/y"]);
    assert.deepEqual(bases("ARG A= C=1\nFROM a${A:+-x}${A-y}${B-z}${C+-l}\n"), ["az-l"]);
  });

  test("names the platform of its base by a declared ARG, and is refused with the line where there is none", () => {
    const text = "ARG TARGETARCH\nFROM base-${TARGETARCH}\n";
    assert.deepEqual(read(text, platformArguments("arm64")).bases, [{ line: 2, name: "base-arm64" }]);
    assert.deepEqual(problems("FROM base-${TARGETARCH}\n"), [
      "Dockerfile line 1: FROM names TARGETARCH: write ARG TARGETARCH before the first FROM",
    ]);
    assert.deepEqual(read("FROM --platform=$BUILDPLATFORM x\n").bases, [{ line: 1, name: "x" }]);
  });

  test("declares the names of each ARG, also where several share a line", () => {
    const [arg] = read('ARG A B=1 \\\n  C="two = words"\nFROM x\n').instructions;
    assert.deepEqual(arg && declared(arg), [
      ["A", undefined],
      ["B", "1"],
      ["C", "two = words"],
    ]);
  });

  test("that names its escape character below its first line is refused, since engines would pass it over", () => {
    assert.deepEqual(problems("# syntax=x\n# escape=`\nFROM a\n"), [
      "Dockerfile line 2: # escape= is read on the first line alone: move it there",
    ]);
    for (const fine of ["# escape=`\n# syntax=x\nFROM a\n", "# hello\n# escape=`\nFROM a\n"])
      assert.equal(read(fine).bases.length, 1);
  });

  test("with a here-document is known by the instruction that has it", () => {
    const lineOf = (text: string): number | undefined => hereDocument(read(text).instructions)?.line;
    assert.equal(lineOf("FROM a\nRUN ls\nRUN <<EOF\nls\nEOF\n"), 3);
    assert.equal(lineOf("FROM a\nCOPY <<-'END' /x\nx\nEND\n"), 2);
    assert.equal(lineOf("FROM a\nRUN echo $((1 << 3)) # <<\nCMD cat <<EOF\n"), undefined);
  });

  test("with an instruction that does not exist is refused with its line, and all of them at once", () => {
    assert.deepEqual(problems("FROM a\nRUM x\nCOPPY a b\n"), [
      "Dockerfile line 2: there is no instruction RUM",
      "Dockerfile line 3: there is no instruction COPPY",
    ]);
  });

  test("that has no FROM, or begins with something else, is refused", () => {
    assert.deepEqual(problems("# nothing\n"), ["Dockerfile: it has no FROM, with which an image begins"]);
    assert.deepEqual(problems("RUN x\nFROM a\n"), ["Dockerfile line 1: an image begins with FROM, not with RUN"]);
  });
});

describe("an announced step", () => {
  const { instructions } = read("ARG A\nFROM a AS one\nRUN one\nFROM one\nENV A=b\nRUN two\n");
  const line = (text: string): number | null => {
    const step = stepIn(text);
    return step ? lineOfStep(instructions, step) : null;
  };

  test("has the line of its instruction, by the numbers of its stage and in it", () => {
    assert.equal(line("[1/2] STEP 2/2: RUN one"), 3);
    assert.equal(line("[2/2] STEP 3/3: RUN two"), 6);
  });

  test("without a stage is of the first; one that does not fit, or other output, has none", () => {
    assert.equal(line("STEP 1/2: FROM a AS one"), 2);
    assert.equal(line("STEP 2/2: COPY x y"), null);
    assert.equal(line("--> Using cache 12ab"), null);
    assert.equal(line("STEP 9/9: RUN x"), null);
  });
});
