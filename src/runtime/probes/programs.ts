/** The programs that run inside, as they lie beside this module: TypeScript in a clone, JavaScript where it was compiled. */
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";

export interface Program {
  readonly name: string;
  readonly text: Buffer;
}

const folder = join(import.meta.dirname, "inside");
const kinds = [".ts", ".js", ".py"];

export function probePrograms(): readonly Program[] {
  return readdirSync(folder)
    .filter((name) => kinds.includes(extname(name)) && !name.endsWith(".d.ts"))
    .toSorted()
    .map((name) => ({ name, text: readFileSync(join(folder, name)) }));
}
