/** Whether the pages of docs/reports/ say what today's rules say of the same records. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Recorded } from "../test/faults/looking.ts";
import { reportPages, reportVerdicts } from "./report-pages.ts";

const root = join(import.meta.dirname, "..");
export const reportsFolder = join(root, "docs", "reports");

/** What real processes recorded of each case, one a line. */
export function keptRecords(): readonly Recorded[] {
  return readFileSync(join(root, "test", "faults", "recorded", "waybills.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Recorded);
}

/** What is wrong, a sentence each. Ids and times may be those of an earlier recording. */
export function checkReports(): readonly string[] {
  const recorded = keptRecords();
  const verdicts = reportVerdicts(recorded);
  return reportPages(recorded).flatMap(({ file }): readonly string[] => {
    const path = join(reportsFolder, file);
    if (!existsSync(path)) return [`docs/reports/${file} is missing: npm run reports`];
    const examples = readFileSync(path, "utf8").split("\n## ").slice(1);
    const told = verdicts.get(file) ?? [];
    if (examples.length !== told.length)
      return [`docs/reports/${file} has ${examples.length} examples, and its row ${told.length}: npm run reports`];
    return told.flatMap(({ name, line }, at) =>
      examples[at]?.includes(line)
        ? []
        : [`docs/reports/${file} says something else than "${line.trim()}" of "${name}": npm run reports`],
    );
  });
}
