import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { frontMatterTable } from "./front-matter-keys.ts";
import { parseFrontMatter, settingsRecord, type SpaceSettings } from "./front-matter.ts";

const readme = (...lines: readonly string[]): string => `---\n${lines.join("\n")}\n---\n\n# Text below\n`;

function settingsOf(...lines: readonly string[]): SpaceSettings {
  const result = parseFrontMatter(readme(...lines));
  assert.ok(result.ok, JSON.stringify(result));
  return result.settings;
}

/** `code` and each problem as `line: message`. */
function problemsOf(text: string | undefined): readonly string[] {
  const result = parseFrontMatter(text);
  assert.ok(!result.ok, "it was taken");
  return ["build/config-invalid", ...result.problems.map(({ line, message }) => `${line}: ${message}`)];
}

describe("parseFrontMatter", () => {
  test("takes the smallest settings and fills in the defaults", () => {
    assert.deepEqual(settingsOf("sdk: node"), {
      sdk: "node",
      sdkVersion: null,
      pythonVersion: null,
      title: "",
      emoji: null,
      colorFrom: null,
      colorTo: null,
      shortDescription: null,
      license: null,
      pinned: false,
      appPort: 7860,
      portGiven: false,
      appFile: null,
      appBuildCommand: null,
      staticFolder: ".",
      startupTimeoutMs: 1_800_000,
      suggestedHardware: null,
      headers: {},
      preload: [],
      signIn: null,
    });
  });

  test("versions are taken as they are written: 5.50 is not 5.5, and 3.10 is not 3.1", () => {
    const { sdkVersion, pythonVersion } = settingsOf("sdk: gradio\nsdk_version: 5.50\npython_version: 3.10");
    assert.deepEqual([sdkVersion, pythonVersion], ["5.50", "3.10"]);
    const wrong = parseFrontMatter(readme("sdk: gradio", "sdk_version: latest", "python_version: 2.7"));
    assert.equal(!wrong.ok && wrong.problems.length, 2);
  });

  test("takes every setting of its own, without a warning for those that only indexes read", () => {
    const result = parseFrontMatter(
      readme(
        "title: Mandelbrot",
        "emoji: 🌀",
        "colorFrom: blue",
        "colorTo: red",
        "sdk: static",
        "app_port: 8080",
        "app_file: ./dist/index.html",
        "app_build_command: npm run build",
        "static_folder: dist/",
        "short_description: draws",
        "pinned: true",
        "license: [mit, apache-2.0]",
        "tags: [a, b]",
        "models:\n  - x/y",
        "datasets: []",
        "startup_duration_timeout: 1h",
        "hf_oauth: false",
        "sdk_version: 5.1",
        "python_version: '3.12'",
      ),
    );
    assert.ok(result.ok);
    assert.deepEqual(result.warnings, []);
    assert.deepEqual(settingsRecord(result.settings), {
      sdk: "static",
      sdkVersion: "5.1",
      pythonVersion: "3.12",
      title: "Mandelbrot",
      emoji: "🌀",
      colorFrom: "blue",
      colorTo: "red",
      appPort: 8080,
      portGiven: true,
      appFile: "dist/index.html",
      appBuildCommand: "npm run build",
      staticFolder: "dist",
      shortDescription: "draws",
      pinned: true,
      license: "mit, apache-2.0",
      startupTimeoutMs: 3_600_000,
    });
  });

  for (const [text, ms] of [
    ["30m", 1_800_000],
    ["90s", 90_000],
    ["1h", 3_600_000],
    ["45", 45_000],
    ["1d", 86_400_000],
  ] as const) {
    test(`startup_duration_timeout ${text} is ${ms} ms`, () => {
      assert.equal(settingsOf("sdk: node", `startup_duration_timeout: ${text}`).startupTimeoutMs, ms);
    });
  }

  test("takes a file with a byte order mark and Windows line ends", () => {
    const result = parseFrontMatter("\uFEFF---\r\ntitle: Hi\r\nsdk: static\r\n---\r\n");
    assert.ok(result.ok);
    assert.equal(result.settings.title, "Hi");
  });

  test("begins below empty lines too, and its lines count from the page's first", () => {
    const result = parseFrontMatter(`\n  \r\n${readme("sdk: node", "app_port: 5000")}`);
    assert.ok(result.ok && result.settings.appPort === 5000);
    assert.match(problemsOf(`\n\n${readme("sdk: node", "app_port: none")}`).join(), /5: /);
    assert.match(problemsOf("\n---\nsdk: node\n").join(), /2: the front matter that begins in line 2 is not closed/);
    assert.match(problemsOf("\nwords\n---\nsdk: node\n---\n").join(), /1: README.md has no front matter/);
  });

  test("says all problems at once, each with its line", () => {
    assert.deepEqual(
      problemsOf(
        readme(
          "title: [a]",
          "sdk: nodejs",
          "app_port: 99999",
          "pinned: maybe",
          "static_folder: ../up",
          "startup_duration_timeout: soon",
        ),
      ),
      [
        "build/config-invalid",
        '2: title is ["a"]; write a text',
        '3: sdk is "nodejs"; write gradio, streamlit, docker, node or static',
        "4: app_port is 99999; write a whole number from 1 to 65535",
        '5: pinned is "maybe"; write true or false',
        '6: static_folder is "../up"; write a path inside the repository',
        '7: startup_duration_timeout is "soon"; write for example 90s, 30m or 1h, at most 24h',
      ],
    );
  });

  for (const [port, taken] of [
    ["0", false],
    ["1", true],
    ["65535", true],
    ["65536", false],
    ["80.5", false],
    ['"80"', false],
  ] as const) {
    test(`app_port ${port} is ${taken ? "taken" : "refused"}`, () => {
      assert.equal(parseFrontMatter(readme("sdk: node", `app_port: ${port}`)).ok, taken);
    });
  }

  test("warns of unknown keys with their line, and knows a slip of the finger", () => {
    const result = parseFrontMatter(readme("sdk: node", "frobnicate: 1", "app-port: 80", "tittle: x"));
    assert.deepEqual(result.warnings, [
      { line: 3, message: "frobnicate is not a setting that is known here" },
      { line: 4, message: "app-port is not a setting that is known here; did you mean app_port?" },
      { line: 5, message: "tittle is not a setting that is known here; did you mean title?" },
    ]);
  });

  test("says by its name what is not done here, with its line, unless it is switched off", () => {
    const result = parseFrontMatter(
      readme("sdk: node", "preload_from_hub: [a/b]", "base_path: /docs", "suggested_storage: small"),
    );
    assert.deepEqual(
      result.warnings.map(({ line, message }) => `${line}: ${message.split(":")[0]}`),
      [
        "3: preload_from_hub is not done here",
        "4: base_path is not done here",
        "5: suggested_storage is not done here",
      ],
    );
    assert.deepEqual(parseFrontMatter(readme("sdk: node", "suggested_storage: null", "base_path:")).warnings, []);
  });

  test("custom_headers are the three that Spaces takes, each with a value that browsers know", () => {
    const { headers } = settingsOf(
      "sdk: static\ndisable_embedding: true",
      "custom_headers:\n  Cross-Origin-Embedder-Policy: require-corp\n  cross-origin-opener-policy: same-origin",
    );
    assert.deepEqual(headers, {
      "cross-origin-embedder-policy": "require-corp",
      "cross-origin-opener-policy": "same-origin",
      "content-security-policy": "frame-ancestors 'self'",
    });
    const wrong = problemsOf(
      readme("sdk: static", "custom_headers:", "  set-cookie: a=b", "  cross-origin-opener-policy: everyone"),
    );
    assert.match(wrong[1] ?? "", /^3: custom_headers has "set-cookie"; here are cross-origin-embedder-policy, /);
    assert.match(wrong[2] ?? "", /^3: cross-origin-opener-policy is "everyone"; write unsafe-none, /);
  });

  test("preload_from_hub names repositories, files of them, and a commit", () => {
    const commit = "0123456789abcdef0123456789abcdef01234567";
    const { preload } = settingsOf(`sdk: gradio\npreload_from_hub: [a/b, 'c d.bin,e.json', 'a/b f.bin ${commit}']`);
    assert.deepEqual(preload, [
      { repository: "a/b", files: [], commit: null },
      { repository: "c", files: ["d.bin", "e.json"], commit: null },
      { repository: "a/b", files: ["f.bin"], commit },
    ]);
    assert.match(
      problemsOf(readme("sdk: gradio", "preload_from_hub: [../b]")).join(),
      /preload_from_hub has "\.\.\/b"/,
    );
  });

  test("docs/front-matter.md has the table of all keys, as it is here", () => {
    const text = readFileSync(join(import.meta.dirname, "../../docs/front-matter.md"), "utf8");
    assert.ok(text.includes(frontMatterTable()), frontMatterTable());
  });

  const example = "---\ntitle: My app\nsdk: node\n---";
  for (const [name, text, says] of [
    ["no README", undefined, `null: there is no README.md; write one that begins with:\n${example}`],
    ["a README without front matter", "# Hi\n", `1: README.md has no front matter; let it begin with:\n${example}`],
    [
      "front matter that is not closed",
      "---\nsdk: node\n",
      "1: the front matter that begins in line 1 is not closed by a line ---",
    ],
    ["an empty front matter", "---\n---\n", `2: settings are lines of \`key: value\`; write:\n${example}`],
    [
      "a missing sdk",
      readme("title: x"),
      "1: sdk is missing; write `sdk: gradio`, `sdk: streamlit`, `sdk: docker`, `sdk: node` or `sdk: static`",
    ],
  ] as const) {
    test(`${name} is said with what to write`, () => {
      assert.deepEqual(problemsOf(text), ["build/config-invalid", says]);
    });
  }

  test("what is not YAML names its line, in the file and not in the block", () => {
    const [code, ...problems] = problemsOf(readme("sdk: node", "title: 'open", "pinned: true"));
    assert.equal(code, "build/config-invalid");
    assert.match(problems[0] as string, /^[345]: not YAML: /);
  });

  test("a key twice is a problem, not a choice", () => {
    assert.match(problemsOf(readme("sdk: node", "sdk: static")).join("\n"), /3: not YAML: Map keys must be unique/);
  });

  test("an alias bomb is refused", () => {
    const bomb = [
      "a: &a [x,x,x,x,x,x,x,x,x]",
      "b: &b [*a,*a,*a,*a,*a,*a]",
      "c: &c [*b,*b,*b,*b,*b,*b]",
      "d: [*c,*c,*c,*c,*c]",
      "sdk: node",
    ];
    assert.match(problemsOf(readme(...bomb)).join("\n"), /not YAML that is taken here/);
  });

  test("any text gives an answer, and settings only where it begins with front matter", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        assert.equal(parseFrontMatter(text).ok, false);
        const result = parseFrontMatter(`---\nsdk: node\ntitle: ${JSON.stringify(text)}\n---\n`);
        assert.equal(result.ok && result.settings.title, text);
      }),
      { numRuns: 200 },
    );
  });
});
