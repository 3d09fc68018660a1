/** The Hub's verbs, as those of the API's description in `keyed-verbs.suite.ts`. */
import { commitBytes } from "./control.suite.ts";
import { builds, type Verb } from "./keyed-verbs.suite.ts";

export const hubVerbs: Readonly<Record<string, Verb>> = {
  "POST /api/{kind}/{owner}/{name}/commit/{rev}": { body: commitBytes({ "README.md": "2" }), shows: builds },
};
