/**
 * `npm run properties`: the search for what the fixed start of `npm test` misses. Runs every unit test file that has properties from so
 * many random starts (`--times`, 100), or only the files that are named; what fails says its seed, and the counterexample at its smallest.
 */
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { times: { type: "string", default: "100" } },
});
const times = Number(values.times);
const files = positionals.length > 0 ? positionals : globSync("src/**/*.test.ts").filter(hasProperties);
/** All of them once; more is a hang. */
const runTimeoutMs = 600_000;
let failures = 0;
for (let time = 1; time <= times; time += 1) {
  const seed = String(randomInt(2 ** 31));
  const args = [
    "--disable-warning=ExperimentalWarning",
    join(import.meta.dirname, "test-files.ts"),
    "--together",
    `--timeout-ms=${runTimeoutMs}`,
    ...files,
  ];
  const env = { ...process.env, WAYBILL_PROPERTY_SEED: seed };
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit", env });
  if (status !== 0) failures += 1;
  console.log(`${time} of ${times}: ${status === 0 ? "held" : "FAILED"}, WAYBILL_PROPERTY_SEED=${seed}`);
}
process.exitCode = failures > 0 || !(times > 0) ? 1 : 0;

function hasProperties(file: string): boolean {
  return readFileSync(file, "utf8").includes('from "fast-check"');
}
