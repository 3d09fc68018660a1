/** How a process ended, asked by one who is not its parent after its parent has reaped it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, test } from "node:test";
import { howEnded } from "../src/runtime/processes.ts";
import { needs } from "./support/needs.ts";

const { skip } = await needs("exits");
/** Starts `sh -c COMMAND`, watches it, and prints its wait status when its parent has reaped it. */
const watcher = `
  import { spawn } from "node:child_process";
  import { openExits } from "${new URL("../src/runtime/exits.ts", import.meta.url).href}";
  import { linuxProcesses } from "${new URL("../src/runtime/processes.ts", import.meta.url).href}";
  const processes = linuxProcesses();
  const parent = spawn("sh", ["-c", "sh -c 'read line; " + process.argv[1] + "' <&3 & echo $!; wait $!"], { stdio: ["ignore", "pipe", "ignore", "pipe"] });
  parent.stdout.once("data", (line) => {
    const pid = Number(line);
    const watch = openExits(processes).watch({ pid, start: processes.stat(pid).start });
    const before = watch?.waitStatus() ?? null;
    parent.stdio[3].write("\\n");
    parent.once("exit", () => console.log(JSON.stringify({ before, after: watch?.waitStatus() ?? null })));
  });
`;

async function endOf(command: string): Promise<{ readonly before: number | null; readonly after: number | null }> {
  const flags = ["--experimental-ffi", "--disable-warning=ExperimentalWarning", "--input-type=module"];
  const child = spawn(process.execPath, [...flags, "--eval", watcher, command], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.on("data", (bytes: Buffer) => (out += bytes.toString()));
  await once(child, "close");
  return JSON.parse(out) as { before: number | null; after: number | null };
}

describe("a process that another one has reaped", { skip }, () => {
  for (const [what, command, expected] of [
    ["its exit code", "exit 3", { exitCode: 3, signal: null }],
    ["the signal that it sent itself", "kill -SEGV $$", { exitCode: null, signal: 11 }],
    ["a SIGKILL", "kill -KILL $$", { exitCode: null, signal: 9 }],
  ] as const) {
    test(`tells ${what}, and nothing before`, async () => {
      const { before, after } = await endOf(command);
      assert.equal(before, null);
      assert.deepEqual(howEnded(after ?? -1), expected);
    });
  }
});
