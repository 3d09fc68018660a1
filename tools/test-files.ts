/**
 * Runs test files in the order in which they are named, a process each, so many at once: `node --test` sorts them, and the longest has
 * to begin first. With `--together` in one process.
 */
import { run } from "node:test";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import "./property-seed.ts";
import reporter from "./reporter.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    together: { type: "boolean", default: false },
    "at-once": { type: "string", default: "1" },
    "timeout-ms": { type: "string" },
  },
});
const events = run({
  files: positionals.map((file) => resolve(file)),
  execArgv: ["--import", resolve(import.meta.dirname, "property-seed.ts")],
  isolation: values.together ? "none" : "process",
  concurrency: Number(values["at-once"]),
  timeout: Number(values["timeout-ms"]),
});
events.on("test:fail", () => (process.exitCode = 1));
for await (const text of reporter(events)) process.stdout.write(text);
