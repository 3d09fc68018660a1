import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readPackages } from "./cuda/installed.ts";
import { parsePackagesFile } from "./debian.ts";
import { checkImagePackages } from "./docker/image-packages.ts";
import { readDockerfile } from "./docker/dockerfile.ts";
import { parseFrontMatter } from "./front-matter.ts";
import { namesFiles, withIndexes } from "./python/lock.ts";
import { coroutinesForGpu } from "./python/look.ts";
import { readProject } from "./python/pyproject.ts";
import { blamedLines, includedFiles, indexOptions, pinnedVersion, readRequirements } from "./python/requirements.ts";
import { packagesName } from "./package-manager.ts";
import { gpuDecorator } from "./runtime-check.ts";

const mebibyte = 1 << 20;
/** What grows with the square of a mebibyte takes minutes; processor time, so that a busy machine tells nothing. */
const withinMs = 5_000;

const of = (text: string, end = ""): string => text.repeat(mebibyte / text.length) + end;
const everywhere = ["\n", "a", "\r", "{", " ", "#"].map((text) => of(text));

async function readAllIn(files: Readonly<Record<string, string>>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "wb-long-"));
  const folder = join(root, "lib", "python3.11", "site-packages");
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  await readPackages(folder, root, AbortSignal.timeout(60_000));
  rmSync(root, { recursive: true });
}

function readAsRequirements(text: string): void {
  const requirements = readRequirements("requirements.txt", text);
  blamedLines([text], requirements);
  pinnedVersion(requirements, "gradio");
  includedFiles(text);
  indexOptions(text);
  namesFiles(text);
}

async function readAsCommand(text: string): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "wb-long-"));
  mkdirSync(join(root, "usr/lib/python3/dist-packages"), { recursive: true });
  const spec = { build: "b_1", space: "a/b", commit: "0", repository: "", limitMs: 1, cards: [] } as const;
  await checkImagePackages({ spec, note: () => undefined } as never, root, { argv: ["sh", text], workdir: "/" });
  rmSync(root, { recursive: true });
}

const manager = { name: "yarn", version: "4", lockfile: "yarn.lock", exactly: "--immutable" } as const;
const plain = { runsAtInstall: false, hasWorkspaces: false } as Parameters<typeof packagesName>[1];

/** Each with what its own grammar makes worst. */
const readers: readonly (readonly [name: string, read: (text: string) => unknown, worst: readonly string[]])[] = [
  ["the decorator", (text) => gpuDecorator.test(text), [of("@ ")]],
  ["coroutines", coroutinesForGpu, [of("@ ")]],
  [
    "requirements",
    readAsRequirements,
    [of("# ", "\rx"), of(" --a", "\rx"), `-r${of("=", "x y")}`, `./${of("a", " b")}`, of("you require ")],
  ],
  ["a resolver's pins", (text) => withIndexes("", text), [`./${of("a==")}`, of("a==1\n ")]],
  [
    "a project",
    readProject,
    [`[project]\ndependencies = [\n${of("# aaaaa\n")}`, `[project]\n${of("dependencies=[\n")}`],
  ],
  ["packages.txt", parsePackagesFile, [of("#", "\rx")]],
  [
    "a Dockerfile",
    (text) => readDockerfile(text, {}),
    [of("RUN a#"), of("# ", "\nFROM a"), `ARG A=${of("${a:-")}\nFROM $A`, `FROM ${of("${a:-")}`],
  ],
  ["settings", (text) => parseFrontMatter(text), [`---\nstartup_duration_timeout: "5${of(" ", "x")}"\n---\n`]],
  [
    "lockfiles",
    (text) => packagesName("{}", plain, { manager, files: new Map([["yarn.lock", text]]), platform: "x" }),
    [of("@patch:", "#builtin")],
  ],
  ["a command", readAsCommand, []],
  [
    "a package's record",
    (text) => readAllIn({ "a-1.dist-info/RECORD": text, "../../../conda-meta/a.json": text }),
    [of('"'), of("[")],
  ],
];

describe("a mebibyte of one thing is read in time in proportion to it:", () => {
  for (const [name, read, worst] of readers)
    test(name, async () => {
      for (const text of [...everywhere, ...worst]) {
        const before = process.cpuUsage();
        await read(text);
        const { user } = process.cpuUsage(before);
        assert.ok(user / 1_000 < withinMs, `${JSON.stringify(text.slice(0, 20))}: ${user / 1_000} ms`);
      }
    });
});

test("variables that hold each other do not grow without end, and a name that is too long is refused with its line", () => {
  const doubled = Array.from({ length: 40 }, (_, at) => `ARG A${at + 1}=$A${at}$A${at}`).join("\n");
  assert.deepEqual(readDockerfile(`ARG A0=aa\n${doubled}\nFROM $A40\n`, {}), {
    ok: false,
    problems: ["Dockerfile line 42: an image's name has at most 1024 characters"],
  });
  assert.ok(readDockerfile(`ARG UNUSED=${of("a")}\nFROM python:3.12\n`, {}).ok);
});

test("an environment is looked at no further once the time is over", async () => {
  const root = mkdtempSync(join(tmpdir(), "wb-long-"));
  mkdirSync(join(root, "lib/python3.11/site-packages/triton-3.0.0.dist-info"), { recursive: true });
  const folder = join(root, "lib/python3.11/site-packages");
  assert.equal((await readPackages(folder, root, AbortSignal.timeout(60_000))).packages.length, 1);
  assert.deepEqual(await readPackages(folder, root, AbortSignal.abort()), { packages: [], whole: false });
  rmSync(root, { recursive: true });
});
