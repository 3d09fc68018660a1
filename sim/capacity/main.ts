/**
 * `npm run sim -- --capacity [--slots N] [--users N] [--seed S] [--json]`: fair share under a day's load. The whole size takes half an hour
 * and three gigabytes; a hundredth of it, 80 slots and 8,000 users, some seconds.
 */
import { parseArgs } from "node:util";
import { capacity } from "./capacity.ts";

const { values } = parseArgs({
  options: {
    capacity: { type: "boolean", default: false },
    slots: { type: "string", default: "10000" },
    users: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});
const options = { slots: Number(values.slots), users: Number(values.users), seed: Number(values.seed) };
const problems = [
  ...(Number.isInteger(options.slots / 8) && options.slots > 0
    ? []
    : ["--slots is a multiple of 8, as nodes have so many"]),
  ...(Number.isInteger(options.users) && options.users > 0 ? [] : ["--users is a whole number from 1 on"]),
  ...(Number.isInteger(options.seed) && options.seed >= 0 ? [] : ["--seed is a whole number"]),
];
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(2);
console.error(`capacity: ${options.users} users, ${options.slots} slots, seed ${options.seed}`);
const found = capacity(options, (text) => console.error(text));
if (values.json) console.log(JSON.stringify(found));
process.exitCode = found.held ? 0 : 1;
