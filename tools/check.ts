/** `npm run check`: types and part boundaries, lint with the purity rules, format, dead code, our own rules, and whether the API's description and the reference are current. All of them run; each failure is shown. */
import { spawn } from "node:child_process";
import { join } from "node:path";

const bin = join(import.meta.dirname, "..", "node_modules", ".bin");
const fix = process.argv.includes("--fix");
const checks: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  [
    "format",
    join(bin, "oxfmt"),
    ...(fix ? [] : ["--check"]),
    "src",
    "test",
    "tools",
    "bench",
    "sim",
    "bin",
    "examples",
  ],
  ["types", join(bin, "tsc"), "-b"],
  ["lint", join(bin, "oxlint"), "--type-aware", "--deny-warnings", ...(fix ? ["--fix"] : [])],
  ["dead code", join(bin, "knip")],
  ["our rules", process.execPath, join(import.meta.dirname, "rules.ts")],
  ["api", process.execPath, join(import.meta.dirname, "api-reference.ts"), ...(fix ? [] : ["--check"])],
  ["reference", process.execPath, join(import.meta.dirname, "reference.ts"), ...(fix ? [] : ["--check"])],
];

let failed = 0;
for (const [name, command, ...args] of checks) {
  const started = Date.now();
  const { code, output } = await run(command, args);
  const took = `${((Date.now() - started) / 1000).toFixed(1)} s`;
  console.error(`${code === 0 ? "ok    " : "FAILED"} ${name.padEnd(10)} ${took}`);
  if (code !== 0) {
    failed += 1;
    console.error(output.trimEnd());
  }
}
process.exitCode = failed === 0 ? 0 : 1;

function run(command: string, args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.on("error", reject);
    child.on("exit", (code) => resolve({ code: code ?? 1, output }));
  });
}
