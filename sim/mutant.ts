/**
 * A process of the simulator with one bug planted: rewrites its source as it is loaded, and lives until an invariant breaks. The seed that
 * caught it last is lived first: most bugs are caught there again, and all that comes before it need not be lived.
 */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import { mutants } from "./mutants.ts";

const [name = "", seeds] = process.argv.slice(2);
const mutant = mutants.find((one) => one.name === name);
if (mutant === undefined) throw new Error(`no mutant is named ${name}`);
const { file, from, to } = mutant;
const url = pathToFileURL(join(import.meta.dirname, "..", "src", file)).href;
let planted = 0;
registerHooks({
  load(loading, context, nextLoad) {
    const loaded = nextLoad(loading, context);
    if (loading !== url) return loaded;
    const source =
      typeof loaded.source === "string" ? loaded.source : Buffer.from(loaded.source as Uint8Array).toString();
    planted = source.split(from).length - 1;
    return { ...loaded, source: source.replace(from, () => to) };
  },
});
/** Seeds by the planted bugs' names. */
type Caught = Readonly<Record<string, number | undefined>>;
const { runSeed } = await import("./run.ts");
const isPlanted = planted === 1;

const caughtIn = (JSON.parse(readFileSync(join(import.meta.dirname, "caught-in.json"), "utf8")) as Caught)[name];
const all = Array.from({ length: Number(seeds) }, (_, n) => n + 1);
const inOrder = [...all.filter((seed) => seed === caughtIn), ...all.filter((seed) => seed !== caughtIn)];
let seedsTried = 0;
let found: { readonly invariant: string; readonly says: string; readonly seed: number } | undefined;
for (const seed of inOrder) {
  if (!isPlanted || found !== undefined) break;
  seedsTried++;
  const { failure } = await runSeed(seed);
  // What merely throws was seen by nobody's rule.
  if (failure && /^L\d/.test(failure.invariant)) found = failure;
}
const { says } = mutant;
const notPlanted = `what is to be rewritten stands ${planted} times in src/${file}, not once: plant it anew`;
const because = isPlanted ? (found?.says ?? null) : notPlanted;
const where = { invariant: found?.invariant ?? null, seed: found?.seed ?? null };
console.log(JSON.stringify({ name, says, caught: found !== undefined, ...where, because, seedsTried }));
