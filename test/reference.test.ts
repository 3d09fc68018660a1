// The reference as it stands is what the program goes by.
import assert from "node:assert/strict";
import { globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { referencePages, settings } from "../tools/reference-pages.ts";

const root = join(import.meta.dirname, "..");
const folder = join(root, "docs", "reference");

describe("the reference", () => {
  test("is as docs/reference has it: else run `npm run reference`", async () => {
    const pages = await referencePages();
    assert.deepEqual(readdirSync(folder).toSorted(), [...pages.keys()].toSorted());
    for (const [name, text] of pages) assert.equal(readFileSync(join(folder, name), "utf8"), text, name);
  });

  test("has every variable that the program reads", () => {
    const told = settings().flatMap(([names = ""]) =>
      [...names.matchAll(/`(WAYBILL_[A-Z_]+)/g)].map(([, name]) => name),
    );
    const read = globSync("src/{main,cli}/**/*.ts", { cwd: root })
      .filter((file) => !file.endsWith(".test.ts"))
      .flatMap((file) => [...readFileSync(join(root, file), "utf8").matchAll(/"(WAYBILL_[A-Z_]+)"/g)])
      .map(([, name]) => name);
    assert.ok(read.length > 50, `${read.length} are read`);
    assert.deepEqual(
      [...new Set(read)].filter((name) => !told.includes(name)),
      [],
    );
  });
});
