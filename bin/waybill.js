#!/usr/bin/env node
// Starts Waybill on a Node that is new enough: this one, or the one that was installed with the package.
// Node 20 parses and runs this file, so nothing newer may stand in it.
import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import module, { createRequire } from "node:module";
import { constants, homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";

const nodeMajorLeast = 26;
const tunables = ["arena_max=2", "mmap_threshold=131072", "trim_threshold=131072"]
  .map((one) => `glibc.malloc.${one}`)
  .join(":");
const root = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))));
const program = findProgram();

if (Number(process.versions.node.split(".")[0]) >= nodeMajorLeast) {
  boundMemory();
  process.argv[1] = program;
  withoutExperimentalWarnings();
  // What a start has filled is given back also when nothing happens in the half minute after it (src/main/idle-memory.ts). Set before
  // anything is compiled: V8 keeps what it compiled with other flags apart.
  setFlagsFromString("--gc-memory-reducer-start-delay-ms=0");
  keepCompiled();
  await import(pathToFileURL(program).href);
} else {
  const node = findNode();
  if (node === undefined) {
    console.error(
      `waybill needs Node ${nodeMajorLeast} and this is ${process.versions.node}: ` +
        `install it, or install waybill again without --omit=optional, which brings it along.`,
    );
    process.exit(2);
  }
  run(node);
}

/**
 * A server begins once more, in the same process, with a young space of 16 MB in the place of 64: large files that pass fill as much as
 * there is, and the ledger is as quick with less. Its threads share one place to allocate from beside the main thread's, and what is
 * larger than a piece of a file goes back to the system at once (docs/decisions/0075-blake3-and-memory-of-transfers.md). V8 and the C
 * library take these bounds at the start alone; where they were given already, they stay. A starter's channel would be lost by it.
 */
function boundMemory() {
  const flag = "--max-semi-space-size";
  const isServer = process.argv.includes("up") || process.argv.includes("server");
  const isBounded = [...process.execArgv, process.env.NODE_OPTIONS ?? ""].some((one) => one.includes(flag));
  if (!isServer || isBounded || process.channel !== undefined || process.execve === undefined) return;
  withoutExperimentalWarnings();
  const env = { GLIBC_TUNABLES: tunables, ...process.env };
  process.execve(process.execPath, [process.execPath, `${flag}=8`, ...process.execArgv, ...process.argv.slice(1)], env);
}

/** Compiled in a package; in a clone the sources run as they are (Node strips no types under node_modules). */
function findProgram() {
  const source = join(root, "src", "main", "waybill.ts");
  const isInstalled = root.split(/[\\/]/).includes("node_modules");
  return !isInstalled && existsSync(source) ? source : join(root, "dist", "main", "waybill.js");
}

/** The Node of this package's optional dependencies, wherever the package manager put it. */
function findNode() {
  const linked = join(root, "node_modules", ".bin", "node");
  if (existsSync(linked)) return linked;
  const require = createRequire(join(root, "package.json"));
  for (const name of [`node-${process.platform}-${process.arch}`, `node-bin-${process.platform}-${process.arch}`]) {
    try {
      const path = join(dirname(require.resolve(`${name}/package.json`)), "bin", "node");
      if (existsSync(path)) return path;
    } catch {
      // Not installed under this name; the next one may be.
    }
  }
  return undefined;
}

/**
 * What Node compiles is kept for the next start, which takes half the time; in a clone the compiler for types is then not loaded at
 * all, a third of the platform's memory. Where nothing can be kept, Node goes on without.
 */
function keepCompiled() {
  // What is being taken away must not come back when this process ends.
  if (process.argv.includes("uninstall")) return;
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  // In the environment too, where worker threads look.
  process.env.NODE_COMPILE_CACHE ??= join(cache, "waybill", "compiled");
  module.enableCompileCache(process.env.NODE_COMPILE_CACHE);
}

/** A clone runs on Node's own type stripping; its warning tells the one who runs Waybill nothing. */
function withoutExperimentalWarnings() {
  const emit = process.emitWarning;
  process.emitWarning = (warning, ...rest) => {
    if (rest[0] !== "ExperimentalWarning" && rest[0]?.type !== "ExperimentalWarning")
      emit.call(process, warning, ...rest);
  };
}

/** Runs the program in the other Node as if it were this process: same terminal, signals passed on, same end. */
function run(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: "inherit" });
  // A terminal sends SIGINT to both processes; sent by a program, only this one has it.
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  for (const signal of ["SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`waybill could not start ${node}: ${error.message}`);
    process.exit(2);
  });
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}
