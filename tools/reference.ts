/** `npm run reference`: writes `docs/reference/` from the program's own tables. `-- --check`: says whether it is current, as `npm run check` does. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { referencePages } from "./reference-pages.ts";

const folder = join(import.meta.dirname, "..", "docs", "reference");
mkdirSync(folder, { recursive: true });
for (const [name, text] of await referencePages()) {
  const file = join(folder, name);
  if (!process.argv.includes("--check")) writeFileSync(file, text);
  else if (!existsSync(file) || readFileSync(file, "utf8") !== text) {
    console.error(`docs/reference/${name} is not current: npm run reference`);
    process.exitCode = 1;
  }
}
