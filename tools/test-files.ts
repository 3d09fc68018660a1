/**
 * Runs test files in the order in which they are named, a process each, so many at once: `node --test` sorts them, and the longest has
 * to begin first. While processors idle there may be more, up to `--at-once-max`. With `--together` in one process.
 */
import { run } from "node:test";
import { resolve } from "node:path";
import { PassThrough } from "node:stream";
import { parseArgs } from "node:util";
import { processorTimes } from "./processor-times.ts";
import "./property-seed.ts";
import reporter, { type TestEvent } from "./reporter.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    together: { type: "boolean", default: false },
    "at-once": { type: "string", default: "1" },
    "at-once-max": { type: "string", default: "1" },
    "timeout-ms": { type: "string" },
  },
});
const atOnce = Number(values["at-once"]);
const atOnceMax = Math.max(atOnce, Number(values["at-once-max"]));
/** A file that began has shown by then what it needs. */
const lookEveryMs = 5_000;
/** Of all processors: less is what files leave that wait in turns. */
const idleLeast = 0.4;

/** Each process of tests has them; those that share one ask the API without `fetch`. */
const preloaded = ["property-seed.ts", "../test/support/check-answers.ts"];
const files = positionals.map((file) => resolve(file));
const shown = new PassThrough({ objectMode: true });
if (values.together) begin(files, () => shown.end());
else someAtOnce();
for await (const text of reporter(shown as AsyncIterable<TestEvent>)) process.stdout.write(text);

function begin(some: readonly string[], ended: () => void): void {
  const events = run({
    files: some,
    execArgv: preloaded.flatMap((file) => ["--import", resolve(import.meta.dirname, file)]),
    isolation: values.together ? "none" : "process",
    concurrency: 1,
    timeout: Number(values["timeout-ms"]),
  });
  events.on("test:fail", () => (process.exitCode = 1));
  events.on("end", ended);
  events.on("data", (event: TestEvent) => shown.write(values.together ? event : told(event, some[0])));
}

/** As told by the file whose process it is: a suite that files share is elsewhere, and has nothing to run alone. */
function told(event: TestEvent, file = ""): TestEvent {
  return { ...event, data: { ...event.data, file } };
}

function someAtOnce(): void {
  const left = [...files];
  let running = 0;
  const next = (): void => {
    const file = left.shift();
    if (file === undefined) return;
    running += 1;
    begin([file], () => {
      running -= 1;
      if (running < atOnce) next();
      if (running > 0) return;
      clearInterval(looking);
      shown.end();
    });
  };
  let before = processorTimes();
  const looking = setInterval(() => {
    const now = processorTimes();
    const idle = (now.idle - before.idle) / (now.all - before.all);
    before = now;
    if (running < atOnceMax && idle >= idleLeast) next();
  }, lookEveryMs);
  for (let n = 0; n < atOnce; n++) next();
}
