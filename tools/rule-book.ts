/** `npm run rule-book`: writes `docs/rules.md` from the tables and examples of `src/evidence`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ruleBook } from "../src/evidence/rules/book.suite.ts";

writeFileSync(join(import.meta.dirname, "..", "docs", "rules.md"), ruleBook());
