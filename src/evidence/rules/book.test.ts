import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { explain } from "../explain.ts";
import { chapters, ruleBook } from "./book.suite.ts";
import { buildRules } from "./builds.ts";
import { callRules } from "./calls.ts";
import { inferences } from "./inferences.ts";
import { symptomRules } from "./symptoms.ts";

const examples = chapters.flatMap(([, some]) => some);

/** Of a node and of a Space, which are explained by more than a work's record: `explain-node.test.ts` and `explain-space.test.ts` have them. */
const ofOthers = ["ledger-state", "newest-replica-untold"];

describe("the rule book", () => {
  test("is as docs/rules.md has it: else run `npm run rule-book`", () => {
    assert.equal(readFileSync(join(import.meta.dirname, "../../../docs/rules.md"), "utf8"), ruleBook());
  });

  test("has an example for every inference that a verdict may rest on", () => {
    const seen = new Set(
      examples.flatMap(({ record }) => explain(record).verdict?.inferred ?? []).map(({ rule }) => rule),
    );
    const unseen = Object.keys(inferences).filter((rule) => !(seen as ReadonlySet<string>).has(rule));
    assert.deepEqual(unseen, ofOthers);
  });

  test("has an example for every code of a table, and the verdict that it says", () => {
    const told = new Set(examples.map(({ code }) => code));
    const tables = [...Object.keys(callRules), ...Object.keys(buildRules), ...Object.keys(symptomRules)];
    assert.deepEqual(
      tables.filter((code) => !told.has(code)),
      [],
    );
    for (const { record, code, certainty = "proved", sentence } of examples) {
      const { verdict } = explain(record);
      assert.equal(`${verdict?.boundary}/${verdict?.code} ${verdict?.certainty}`, `${code} ${certainty}`);
      assert.match(verdict?.sentence ?? "", sentence);
    }
  });
});
