/** The GPU functions that this process has declared, by the module that declared them and their name. */
import { fileURLToPath, pathToFileURL } from "node:url";
import { getCallSites } from "node:util";
import type { Work } from "./types.ts";

export interface Declared {
  readonly module: string;
  readonly name: string;
  readonly work: Work<never, unknown>;
}

/** Frames that `gpu()` looks through for its caller: itself, its helpers, and a wrapper or two of the app's own. */
const framesRead = 8;
const declared = new Map<string, Declared>();

/** Remembers a function. Throws when another one of the same module has its name: a worker could not tell them apart. */
export function declare(entry: Declared): void {
  const key = keyOf(entry);
  const before = declared.get(key);
  if (before && before.work !== entry.work) {
    throw new TypeError(`gpu(): two functions of ${entry.module} are called "${entry.name}"; give one { name: "…" }`);
  }
  declared.set(key, entry);
}

/** The function that a module declared under a name, in this process; undefined where it did not. */
export function find(entry: Pick<Declared, "module" | "name">): Declared | undefined {
  return declared.get(keyOf(entry));
}

export function keyOf({ module, name }: Pick<Declared, "module" | "name">): string {
  return `${module}#${name}`;
}

/** The URL of the module that called `gpu()`, found on the stack: the first frame outside this folder. */
export function callerModule(): string {
  const here = new URL(".", import.meta.url).href;
  for (const site of getCallSites(framesRead, { sourceMap: false })) {
    const module = asUrl(site.scriptName);
    if (module && !module.startsWith(here)) return module;
  }
  throw new TypeError("gpu(): the module that called it is not a file; give { module: import.meta.url }");
}

function asUrl(script: string): string | undefined {
  if (script.startsWith("file:")) return script;
  return script.startsWith("/") || /^[A-Za-z]:[\\/]/.test(script) ? pathToFileURL(script).href : undefined;
}

/** `file:///app/render.js?v=1` → `render.js`, for sentences. */
export function shortName(module: string): string {
  return (
    fileURLToPath(module.split(/[?#]/, 1)[0] as string)
      .split(/[\\/]/)
      .at(-1) ?? module
  );
}
