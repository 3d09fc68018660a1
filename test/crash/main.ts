/**
 * `npm run crash`: kills a platform under load again and again, and looks for all that was acknowledged.
 *
 *   npm run crash                             50 kills, what is found on standard error
 *   npm run crash -- --kills N [--seed S]     the same instants again as far as this machine's speed allows
 *   npm run crash -- --kills N --json         and one JSON document on standard output
 *
 * Exit code 0 only if nothing was lost, nothing is there twice, nothing stays held, and each recovery gives the state that was left.
 */
import { parseArgs } from "node:util";
import { crash, isWhole } from "./crash.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    kills: { type: "string", default: "50" },
    seed: { type: "string" },
  },
});
const kills = Number(values.kills);
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
if (![kills, seed].every((one) => Number.isSafeInteger(one) && one >= 0) || kills === 0) {
  process.stderr.write("usage: npm run crash -- [--kills N] [--seed S] [--json], with whole numbers\n");
  process.exit(2);
}
// What it started ends with it.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
const document = await crash({ kills, seed, say: (line) => process.stderr.write(`${line}\n`) });
for (const finding of document.findings) process.stderr.write(`${finding}\n`);
const { findings, ...figures } = document;
if (values.json) process.stdout.write(`${JSON.stringify(document)}\n`);
process.stderr.write(
  `${isWhole(document) ? "whole" : "NOT WHOLE"}: ${JSON.stringify({ ...figures, findings: findings.length })}\n`,
);
process.exitCode = isWhole(document) ? 0 : 1;
