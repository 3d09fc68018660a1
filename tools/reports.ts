/**
 * `npm run reports`: makes the pages of docs/reports/ of what the fault injector recorded.
 *
 *   npm run reports -- --check    writes nothing, and fails where a page is missing or has another verdict than today's rules give
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { checkReports, keptRecords, reportsFolder } from "./report-check.ts";
import { reportPages } from "./report-pages.ts";

const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });
if (values.check) {
  const wrong = checkReports();
  for (const says of wrong) process.stderr.write(`${says}\n`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} else {
  mkdirSync(reportsFolder, { recursive: true });
  for (const { file, text } of reportPages(keptRecords())) writeFileSync(join(reportsFolder, file), text);
}
