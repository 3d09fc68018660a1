/**
 * The way in for every `npm run` of a clone: installs what is missing, finds the Node that the project runs on, and runs one file with it.
 * Plain JavaScript for Node 20; everything behind it may use what Node 26 knows.
 *
 *   node tools/run.mjs FILE [arguments]
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const wantedMajor = 26;
const say = (text) => process.stderr.write(`${text}\n`);

const [file, ...rest] = process.argv.slice(2);
if (!file) {
  say("use: node tools/run.mjs FILE [arguments]");
  process.exit(2);
}
await installIfStale();
// As the platform has it: what tests and benchmarks make of it is read by users of its own, which no umask of 077 may keep away.
process.umask(0o022);
const node = findNode();
const bin = join(root, "node_modules", ".bin");
const child = spawn(node, ["--disable-warning=ExperimentalWarning", resolve(root, file), ...rest], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, PATH: `${bin}:${process.env.PATH ?? ""}` },
});
// The terminal sends Ctrl-C to the whole group, so SIGINT only has to be survived here; SIGTERM comes to this process alone.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  say(`could not start ${node}: ${error.message}`);
  process.exit(70);
});
child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 143)));

/** Runs `npm ci` when the lockfile is not the one that was installed last. One line at its start, one a few seconds, one at its end. */
async function installIfStale() {
  const lock = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  const stamp = join(root, "node_modules", ".waybill-installed");
  if (existsSync(stamp) && readFileSync(stamp, "utf8").trim() === lock) return;
  const started = Date.now();
  const seconds = () => `${((Date.now() - started) / 1000).toFixed(1)} s`;
  say("install  dependencies and Node 26 (npm ci) …");
  const progress = setInterval(() => say(`install  … ${seconds()}`), 2_000);
  const failure = await npmCi();
  clearInterval(progress);
  if (failure !== undefined) {
    say(`install  failed: ${failure}. Is the package registry reachable? Try \`npm ci\` by hand.`);
    process.exit(1);
  }
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, `${lock}\n`);
  say(`install  done in ${seconds()}`);
}

/** Resolves with what went wrong, or undefined. */
function npmCi() {
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const options = ["ci", "--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"];
  return new Promise((resolve) => {
    const child = spawn(npm, options, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
    child.on("error", (error) => resolve(error.message));
    child.on("exit", (code, signal) => resolve(code === 0 ? undefined : `npm ci ended with ${signal ?? code}`));
  });
}

/** The shipped Node, else this one if it is new enough; otherwise one sentence says what is missing. */
function findNode() {
  const shipped = join(root, "node_modules", ".bin", "node");
  if (existsSync(shipped)) return shipped;
  if (Number(process.versions.node.split(".")[0]) >= wantedMajor) return process.execPath;
  say(`Waybill runs on Node ${wantedMajor}; this is ${process.versions.node} and the shipped one was not installed.`);
  say("Install again without --omit=optional, or install Node 26 by hand.");
  process.exit(2);
}
