/** The program: reads the environment, builds the world, and runs the command line in it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { exit } from "../cli/exit.ts";
import { CliFailure } from "../cli/failures.ts";
import { runCli } from "../cli/program.ts";
import type { CliWorld } from "../cli/world.ts";
import { systemClock } from "./clock.ts";
import { dataFolder, ownFolders, signInFile } from "./config.ts";

/** More than any value that can be set. */
const inputMaxChars = 1 << 20;
const startedAt = performance.now();
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort(signal));
// Whoever reads may leave (`| head`): what is still to come is for nobody.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => stop.abort("SIGTERM"));

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "..", "..", "package.json"), "utf8")) as {
  version: string;
};
const world: CliWorld = {
  version,
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: {
    isTTY: process.stdin.isTTY,
    text: () => boundedText(process.stdin, inputMaxChars),
    hidden: process.stdin.isTTY
      ? async (prompt) => (await import("./hidden-line.ts")).hiddenLine(prompt, stop.signal)
      : undefined,
  },
  clock: systemClock,
  signal: stop.signal,
  signInFile: signInFile(process.env),
  browse: async (url) => (await import("./browse.ts")).browse(url, process.env),
  up: async (options) => {
    // Loaded here, so that every other command starts without the platform.
    const { up } = await import("./up.ts");
    return up(options, { env: process.env, version, startedAt, signal: stop.signal });
  },
  agent: async (options) => {
    const { agent } = await import("./agent.ts");
    return agent(options, { env: process.env, version, startedAt, signal: stop.signal });
  },
  edge: async (options) => {
    const { edge } = await import("./edge.ts");
    return edge(options, { env: process.env, version, startedAt, signal: stop.signal });
  },
  dataFolder: (named) => dataFolder(process.env, named),
  authority: async (named, how) => {
    const { authority } = await import("./authority.ts");
    return authority(dataFolder(process.env, named), how, systemClock);
  },
  restore: async (backup, folder) => {
    const { restore } = await import("./restore.ts");
    return restore(backup, folder, systemClock);
  },
  compact: async ({ data, journal, keepMs }) => {
    const { compact } = await import("./compact.ts");
    return compact({ data, journal: journal ?? process.env["WAYBILL_JOURNAL"] ?? null, keepMs }, systemClock);
  },
  move: async (options) => {
    const { move } = await import("./move.ts");
    return move(options, systemClock);
  },
  stopAll: async (data) => {
    const { stopAll } = await import("./stop-all.ts");
    return stopAll(dataFolder(process.env, data));
  },
  doctor: async (options) => {
    const { doctor } = await import("./doctor.ts");
    return doctor(options, { env: process.env, version });
  },
  doctorBundle: async (wanted) => {
    const { bundle } = await import("./doctor-bundle.ts");
    return bundle(wanted, { env: process.env, version });
  },
  uninstall: async ({ data, keepData, apply }) => {
    const { uninstall } = await import("./uninstall.ts");
    return uninstall({ data: dataFolder(process.env, data), keepData, apply }, ownFolders(process.env));
  },
};
process.exitCode = await runCli(process.argv.slice(2), world);
// What is still open (a kept connection) must not hold the command; what was written is flushed first.
await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
process.exit();

async function boundedText(stream: NodeJS.ReadStream, most: number): Promise<string> {
  stream.setEncoding("utf8");
  let text = "";
  for await (const chunk of stream) {
    text += chunk;
    if (text.length > most)
      throw new CliFailure(exit.usage, {
        code: "input-too-large",
        says: `Standard input has more than ${most} characters.`,
        next: "Give less.",
      });
  }
  return text;
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((done) => stream.write("", () => done()));
}
