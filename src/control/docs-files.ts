/** The documentation as it was built for browsers (tools/docs.ts). Their names are read once, when the server begins; a file when it is asked for. */
import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
};
/** Ours are a quarter of that: more is no build of the documentation. */
const filesMax = 1_000;
/** An upgrade changes what stands at an address. */
const keptSeconds = 60;

const headers: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  "x-content-type-options": "nosniff",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "same-origin",
  "cache-control": `public, max-age=${keptSeconds}`,
};

export class DocsFiles {
  readonly #folder: string;
  readonly #names: ReadonlySet<string>;

  private constructor(folder: string, names: ReadonlySet<string>) {
    this.#folder = folder;
    this.#names = names;
  }

  /** Undefined where nothing was built there. */
  static read(folder: string): DocsFiles | undefined {
    if (!existsSync(join(folder, "index.html"))) return undefined;
    const names = readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => Object.hasOwn(types, extname(name)))
      .slice(0, filesMax);
    return new DocsFiles(folder, new Set(names));
  }

  /** What stands at `/docs/PATH`; undefined where nothing does. Only names that were read at the start are ever opened. */
  async at(path: string): Promise<Response | undefined> {
    const name = [path, `${path}.html`].find((one) => this.#names.has(one));
    if (name === undefined) return undefined;
    try {
      const bytes = new Uint8Array(await readFile(join(this.#folder, name)));
      return new Response(bytes, { headers: { ...headers, "content-type": types[extname(name)] ?? "" } });
    } catch (error) {
      // An upgrade has put others in their place; the next start knows those.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }
}
