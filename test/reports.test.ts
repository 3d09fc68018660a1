// The pages of docs/reports/: what they show is what the rules say of the records that real processes made.
import assert from "node:assert/strict";
import { test } from "node:test";
import { splitCode } from "../src/evidence/codes.ts";
import { explain } from "../src/evidence/explain.ts";
import { checkReports, keptRecords } from "../tools/report-check.ts";
import { reportRows } from "../tools/report-rows.ts";

test("each report has its page, and each of its examples the verdict that the rules give today", () => {
  assert.deepEqual(checkReports(), []);
});

test("an example of a fault names that fault, and one where nothing is broken blames nothing of the platform's", () => {
  const records = new Map(keptRecords().map((recorded) => [recorded.name, recorded]));
  for (const name of reportRows.flatMap(({ cases }) => cases)) {
    const recorded = records.get(name);
    assert.ok(recorded, name);
    const { verdict } = explain(recorded.record);
    if (recorded.code === null) assert.notEqual(verdict?.owner, "platform", name);
    else assert.deepEqual([verdict?.boundary, verdict?.code], splitCode(recorded.code), name);
  }
});
