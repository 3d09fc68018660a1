import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  blamedLines,
  includedFiles,
  decodeRequirements,
  keepHashes,
  pinnedVersion,
  readRequirements,
  requiredIn,
} from "./requirements.ts";

const read = (text: string) => readRequirements("requirements.txt", text);
const [good, other] = ["a".repeat(64), "b".repeat(64)];

describe("a requirements file", () => {
  test("is read line by line: names, comments, options, paths and continued lines", () => {
    const text = [
      "# the model",
      "Torch_Vision==1.0 ; python_version < '4' # pinned",
      "--extra-index-url https://example.org/simple",
      "-r more.txt",
      "",
      "six==1.17.0 \\",
      `    --hash=sha256:${good} \\`,
      `    --hash=sha256:${other}`,
      "./wheels/x.whl",
      "git+https://example.org/y.git#egg=y",
      "z[extra] @ https://example.org/z.whl",
    ].join("\r\n");
    assert.deepEqual(
      read(text).map(({ line, name }) => [line, name]),
      [
        [2, "torch-vision"],
        [6, "six"],
        [9, null],
        [10, null],
        [11, "z"],
      ],
    );
    assert.deepEqual(read(text)[0]?.text, "Torch_Vision==1.0 ; python_version < '4'");
    assert.deepEqual(read(text)[1]?.hashes, [`sha256:${good}`, `sha256:${other}`]);
    assert.equal(read(text)[1]?.text, "six==1.17.0");
  });

  test("is decoded by its byte order mark", () => {
    for (const [encoding, mark] of [
      ["utf8", "efbbbf"],
      ["utf16le", "fffe"],
      ["utf8", ""],
    ] as const) {
      const bytes = Buffer.concat([Buffer.from(mark, "hex"), Buffer.from("numpy\n", encoding)]);
      assert.deepEqual(
        read(decodeRequirements(bytes)).map(({ name }) => name),
        ["numpy"],
        `${encoding} ${mark}`,
      );
    }
  });

  test("pins a version only where it says which", () => {
    assert.equal(pinnedVersion(read("gradio[oauth]==4.44.1 ; python_version > '3'"), "gradio"), "4.44.1");
    assert.equal(pinnedVersion(read("gradio>=4"), "gradio"), null);
    assert.equal(pinnedVersion(read("gradio==4.*"), "gradio"), null);
    assert.equal(pinnedVersion(read("numpy==1"), "gradio"), null);
  });
});

describe("what a failed resolution is about", () => {
  const requirements = read("numpy==1.26.4\n# old\nTyping_Extensions==99.1\nnumpy>=2\npandas\nfoo bar baz\n");

  test("is found in the resolver's own sentences", () => {
    const said = [
      "error: No solution found when resolving dependencies",
      "cause: Because you require numpy==1.26.4 and numpy>=2, we can conclude that your requirements are unsatisfiable.",
    ];
    assert.deepEqual(blamedLines(said, requirements), [
      "requirements.txt line 1: numpy==1.26.4",
      "requirements.txt line 4: numpy>=2",
    ]);
    assert.deepEqual(
      requiredIn([
        "cause: Because gradio>=6.31.0 depends on pydantic>=2.0 and you require pydantic==1.10.0, we can conclude that your requirements and gradio>=6.31.0 are incompatible.",
        "And because you require gradio==6.31.0, we can conclude that your requirements are unsatisfiable.",
      ]).map(({ text }) => text),
      ["pydantic==1.10.0", "gradio==6.31.0"],
    );
  });

  test("knows a name in its other spelling, with a marker, and a line that is quoted whole", () => {
    const marked =
      "Because there is no version of typing-extensions{sys_platform == 'linux'}==99.1 and you require typing-extensions{sys_platform == 'linux'}==99.1, we can conclude that";
    assert.deepEqual(blamedLines([marked], requirements), ["requirements.txt line 3: Typing_Extensions==99.1"]);
    assert.deepEqual(blamedLines(["foo bar baz", "^"], requirements), ["requirements.txt line 6: foo bar baz"]);
    assert.deepEqual(blamedLines(["cause: dns error"], requirements), []);
  });
});

describe("hashes in a requirements file", () => {
  const file = (name: string, hash: string): string =>
    `{ url = "https://example.org/${name}", size = 1, hashes = { sha256 = "${hash}" } }`;
  const lock = [
    'lock-version = "1.0"',
    "",
    "[[packages]]",
    'name = "six"',
    'version = "1.17.0"',
    `sdist = ${file("six.tar.gz", other)}`,
    `wheels = [${file("six-1.whl", good)}, ${file("six-2.whl", other)}]`,
    "",
    "[[packages]]",
    'name = "sixer"',
    'version = "2"',
    `wheels = [${file("sixer.whl", other)}]`,
    "",
  ].join("\n");

  test("leave only the files that their author accepts in the lock", () => {
    const kept = keepHashes(lock, read(`six==1.17.0 --hash=sha256:${good}`));
    assert.deepEqual(kept.missing, []);
    assert.deepEqual(
      [...kept.lock.matchAll(/example\.org\/([\w.-]+)/g)].map(([, name]) => name),
      ["six-1.whl", "sixer.whl"],
    );
    assert.match(
      kept.lock,
      /^\[\[packages\]\]\nname = "six"\nversion = "1.17.0"\nwheels = \[\{[^\n]*\}\]\n\n\[\[packages\]\]\nname = "sixer"/m,
    );
  });

  test("that fit no file of the index are told", () => {
    const { missing } = keepHashes(lock, read(`six==1.17.0 --hash=sha256:${"c".repeat(64)}`));
    assert.deepEqual(
      missing.map(({ text }) => text),
      ["six==1.17.0"],
    );
    assert.equal(keepHashes(lock, read("six==1.17.0")).lock, lock);
  });
});

test("a requirement by its address or path is blamed where the resolver names that, and an included file has its line", () => {
  const text = "six\ngit+https://git.invalid/a/b.git@v1#egg=b\n./none.whl\n-r base/more.txt\n--requirement=dev.txt\n";
  const requirements = readRequirements("requirements.txt", text);
  const said = ["cause: `git fetch 'https://git.invalid/a/b.git' HEAD` failed"];
  assert.deepEqual(blamedLines(said, requirements), [
    "requirements.txt line 2: git+https://git.invalid/a/b.git@v1#egg=b",
  ]);
  assert.deepEqual(blamedLines(["The wheel filename `none.whl` is invalid"], requirements), [
    "requirements.txt line 3: ./none.whl",
  ]);
  assert.deepEqual(includedFiles(text), [
    { line: 4, path: "base/more.txt" },
    { line: 5, path: "dev.txt" },
  ]);
});
