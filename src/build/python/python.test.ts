import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { chooseInterpreter, type Interpreter } from "./interpreters.ts";
import {
  asOfDay,
  environmentName,
  namesFiles,
  pinsIn,
  platformRequirements,
  requirementsHash,
  uploadTime,
  versionIn,
  withIndexes,
} from "./lock.ts";
import { readRequirements } from "./requirements.ts";

const python = (major: number, minor: number, patch: number): Interpreter => ({
  path: `/p/${minor}.${patch}`,
  prefix: "/p",
  version: [major, minor, patch],
});
const here = [
  python(3, 13, 0),
  python(3, 11, 7),
  python(3, 11, 2),
  python(3, 10, 13),
  python(3, 7, 1),
  python(2, 7, 18),
];
const chosen = (wanted: string | null, list = here): string => {
  const choice = chooseInterpreter(list, wanted);
  return choice.ok ? choice.interpreter.version.join(".") : choice.says;
};

describe("which Python", () => {
  test("the newest patch of the version that is asked for", () => {
    assert.equal(chosen("3.11"), "3.11.7");
    assert.equal(chosen("3.11.2"), "3.11.2");
    assert.equal(chosen("3.11.4"), "3.11.7");
  });
  test("3.10 where none is asked for, else the nearest newer one", () => {
    assert.equal(chosen(null), "3.10.13");
    assert.equal(
      chosen(
        null,
        here.filter(({ version }) => version[1] !== 10),
      ),
      "3.11.7",
    );
  });
  test("one that is not here is refused with those that are", () => {
    assert.equal(chosen("3.12"), "python_version 3.12 is not on this node; here: 3.13.0, 3.11.7, 3.11.2, 3.10.13");
    assert.match(chosen("3.7"), /not on this node/);
    assert.match(chosen(null, []), /here: none that is new enough/);
  });
});

describe("what is resolved, and as of when", () => {
  test("gradio and spaces come without being named, unless the app names them", () => {
    const beside = (text: string, sdkVersion: string | null) =>
      platformRequirements(readRequirements("requirements.txt", text), "gradio", sdkVersion);
    assert.deepEqual(beside("numpy\n", "6.31.0"), ["gradio==6.31.0", "spaces"]);
    assert.deepEqual(beside("numpy\nSpaces>=0.30\n", null), ["gradio"]);
    assert.deepEqual(beside("gradio[oauth]==5.0\n", null), ["spaces"]);
    assert.deepEqual(beside("# gradio\n-r other.txt\n", null), ["gradio", "spaces"]);
  });
  test("requirements that name other files are told from those that are whole", () => {
    for (const text of ["-r base.txt", "numpy\n --constraint c.txt", "./wheels/x.whl", "-e ."])
      assert.equal(namesFiles(text), true, text);
    for (const text of ["", "numpy\n# -r none\nx-r==1", "--extra-index-url https://example.org/simple"])
      assert.equal(namesFiles(text), false, text);
  });
  test("a version of more than a year ago gets the packages of its time", () => {
    const now = Date.parse("2026-11-23T00:00:00Z");
    assert.equal(asOfDay(Date.parse("2024-09-30T17:52:33Z"), now), "2024-11-01");
    assert.equal(asOfDay(Date.parse("2026-06-01T00:00:00Z"), now), null);
    assert.equal(
      uploadTime("wheels = [{ upload-time = 2024-09-30T17:52:33Z, size = 1 }]"),
      Date.parse("2024-09-30T17:52:33Z"),
    );
    assert.equal(uploadTime("nothing"), undefined);
  });
  test("a lock says from which index a package is, where one has it", () => {
    const lock = [
      'lock-version = "1.0"\n\n',
      '[[packages]]\nname = "six"\nversion = "1.17.0"\nwheels = [{ url = "x" }]\n\n',
      '[[packages]]\nname = "own"\nversion = "1"\nvcs = { type = "git" }\n\n',
      '[[packages]]\nname = "near"\ndirectory = { path = "near" }\n',
    ];
    assert.deepEqual(pinsIn(lock.join("")), ["six==1.17.0"]);
    const named = withIndexes(lock.join(""), "six==1.17.0\n    # from https://example.org/simple\n");
    assert.equal(named, lock.join("").replace('"1.17.0"\n', '"1.17.0"\nindex = "https://example.org/simple"\n'));
  });
  test("the same requirements have the same lock, the same lock the same environment, wherever it was made", () => {
    const parts = { requirements: "numpy", sdkVersion: "6.31.0", python: "3.10.13", platform: "linux-x64" };
    assert.equal(requirementsHash(parts), requirementsHash({ ...parts }));
    assert.notEqual(requirementsHash(parts), requirementsHash({ ...parts, requirements: "numpy<3" }));
    const lock = 'lock-version = "1.0"\n\n[[packages]]\nname = "gradio"\nversion = "6.31.0"\n';
    assert.equal(
      environmentName(`# made at /a\n${lock}`, "3.10.13", "x", "a/b@1"),
      environmentName(`# made at /b\n${lock}`, "3.10.13", "x", "a/b@1"),
    );
    assert.notEqual(environmentName(lock, "3.10.13", "x", "a/b@1"), environmentName(lock, "3.11.7", "x", "a/b@1"));
    assert.equal(environmentName(lock, "3.10.13", "x", "a/b@1"), environmentName(lock, "3.10.13", "x", "a/c@2"));
    const near = `${lock}\n[[packages]]\nname = "near"\ndirectory = { path = "near" }\n`;
    assert.notEqual(environmentName(near, "3.10.13", "x", "a/b@1"), environmentName(near, "3.10.13", "x", "a/b@2"));
    assert.deepEqual([versionIn(lock, "gradio"), versionIn(lock, "spaces")], ["6.31.0", null]);
  });
});
