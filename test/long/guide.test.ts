// The guide, typed: every command that its pages do not exempt, in the order of the pages, on one platform.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { freePort } from "../support/free-port.ts";
import { blocksOf, missingOf, type Block } from "../support/guide.ts";
import { needs } from "../support/needs.ts";
import { everyProcessOf, until } from "../support/platform.ts";
import { findPackages, findProbes } from "../support/run.ts";

/** `start.md` starts the platform, and the others go on with what is there; those that type nothing are not named. */
const pages = ["start.md", "author.md", "visitor.md", "operate.md"];
const guideNeeds = await needs("sandbox", "gradio", "npm");
const program = resolve(import.meta.dirname, "../../bin/waybill.js");
/** Stands before what each block prints. */
const mark = "\u001e";

describe("the guide", guideNeeds, () => {
  const folder = mkdtempSync(join(tmpdir(), "wb-guide-"));
  const data = join(folder, "data");
  let port: number;
  let platform: ChildProcess | undefined;
  let printed = "";
  /** A run that is ended in the middle leaves no platform behind. */
  const atExit = (): void => void platform?.kill("SIGKILL");

  before(async () => {
    process.on("exit", atExit);
    port = await freePort();
    mkdirSync(join(folder, "bin"));
    const command = join(folder, "bin", "waybill");
    writeFileSync(
      command,
      `#!/bin/sh\nexec '${process.execPath}' --disable-warning=ExperimentalWarning '${program}' "$@"\n`,
    );
    chmodSync(command, 0o755);
    findProbes(data);
    await findPackages({ data }, { name: "admin" });
  });
  after(async () => {
    platform?.kill("SIGTERM");
    await until("the platform has ended", () => platform === undefined || hasEnded(platform));
    assert.deepEqual(everyProcessOf(data), [], "it has ended all that it started");
    rmSync(folder, { recursive: true, force: true });
    process.off("exit", atExit);
  });

  /** In the folder in which a reader would type it. */
  function shell(script: string): ChildProcess {
    const home = join(folder, "home");
    return spawn("bash", ["-euo", "pipefail", "-c", script], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        ...{ HOME: home, XDG_CONFIG_HOME: join(home, ".config"), WAYBILL_DATA: data, WAYBILL_PORT: String(port) },
        // What is there of packages is not fetched again.
        XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
        PATH: `${join(folder, "bin")}:${process.env["PATH"]}`,
      },
    });
  }

  function here(text: string): string {
    return text.replaceAll("7070", String(port));
  }

  async function start(block: Block): Promise<void> {
    const child = shell(`exec ${here(block.text).trim()}`);
    platform = child;
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (bytes: Buffer) => (printed += bytes.toString()));
    await until(`${block.at} is ready`, () => printed.includes("next:") || hasEnded(child));
    assert.ok(!hasEnded(child), printed);
  }

  /** In one shell, as they are typed: what one sets, the next ones have. Gives what each printed. */
  async function type(blocks: readonly Block[]): Promise<ReadonlyMap<Block, string>> {
    const script = blocks.map(({ text }) => `printf '${mark}'\n${here(text)}`).join("\n");
    const child = shell(`exec 2>&1\n${script}`);
    let all = "";
    child.stdout?.on("data", (bytes: Buffer) => (all += bytes.toString()));
    const code = await new Promise<number | null>((done) => child.once("close", done));
    const parts = all.split(mark).slice(1);
    assert.equal(code, 0, `${blocks[parts.length - 1]?.at} ended with ${code}:\n${all.slice(-4_000)}`);
    return new Map(blocks.map((block, at) => [block, parts[at] ?? ""]));
  }

  for (const page of pages)
    test(`${page} does what it says`, async () => {
      const blocks = blocksOf(page);
      for (const { does, text } of blocks) {
        const file = /^file=(\S+)$/.exec(does)?.[1];
        if (file === undefined) continue;
        mkdirSync(dirname(join(folder, file)), { recursive: true });
        writeFileSync(join(folder, file), here(text));
      }
      for (const block of blocks) if (block.does === "start") await start(block);
      const said = await type(blocks.filter(({ does }) => does === "run"));
      for (const [at, sample] of blocks.entries()) {
        const before = blocks[at - 1];
        if (sample.does !== "prints" || before === undefined) continue;
        const text = before.does === "start" ? printed : (said.get(before) ?? "");
        assert.deepEqual(missingOf(sample.text, text), [], `${sample.at}, of what was printed:\n${text}`);
      }
    });
});

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
