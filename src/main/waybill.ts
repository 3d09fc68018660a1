/** The program: reads the environment, builds the world, and runs the command line in it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runCli } from "../cli/program.ts";
import type { CliWorld } from "../cli/world.ts";
import { systemClock } from "./clock.ts";
import { signInFile } from "./config.ts";

const startedAt = performance.now();
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort(signal));

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "..", "..", "package.json"), "utf8")) as {
  version: string;
};
const world: CliWorld = {
  version,
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  clock: systemClock,
  signal: stop.signal,
  signInFile: signInFile(process.env),
  up: async (options) => {
    // Loaded here, so that every other command starts without the platform.
    const { up } = await import("./up.ts");
    return up(options, { env: process.env, version, startedAt, signal: stop.signal });
  },
};
process.exitCode = await runCli(process.argv.slice(2), world);
// What is still open (a kept connection) must not hold the command; what was written is flushed first.
await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
process.exit();

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((done) => stream.write("", () => done()));
}
