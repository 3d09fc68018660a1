/** `npm run api-reference`: writes `share/openapi.json` and `docs/api.md` from the routes' descriptions and the types of what they answer. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { apiPages } from "./api-pages.ts";

const root = join(import.meta.dirname, "..");
for (const [path, text] of Object.entries(apiPages())) writeFileSync(join(root, path), text);
