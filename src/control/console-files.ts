/**
 * The console as it was built for browsers (tools/console.ts): its one page, and the files behind it, whose names tell their content. They
 * are read once, when the server begins, and are some hundred kilobytes.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";

const indexName = "index.html";
const types: Readonly<Record<string, string>> = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
};
/** Ours are a tenth of that: more is no build of the console. */
const filesMax = 200;
/** In the order in which they are preferred. */
const encodings = [
  ["br", ".br"],
  ["gzip", ".gz"],
] as const;

interface ConsoleFile {
  readonly type: string;
  /** By encoding; `identity` is always there. */
  readonly bytes: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

export class ConsoleFiles {
  readonly #files: ReadonlyMap<string, ConsoleFile>;
  readonly #index: ConsoleFile;

  private constructor(files: ReadonlyMap<string, ConsoleFile>, index: ConsoleFile) {
    this.#files = files;
    this.#index = index;
  }

  /** Undefined where nothing was built there. */
  static read(folder: string): ConsoleFiles | undefined {
    if (!existsSync(join(folder, indexName))) return undefined;
    const names = readdirSync(folder)
      .filter((name) => Object.hasOwn(types, extname(name)))
      .slice(0, filesMax);
    const files = new Map(names.map((name) => [name, readFile(folder, name, types[extname(name)] ?? "")]));
    return new ConsoleFiles(files, readFile(folder, indexName, "text/html; charset=utf-8"));
  }

  /** The one page; what it shows, its script reads from the address. `frames`: where apps may be shown within it. */
  page(
    accepted: string | undefined,
    { status, frames }: { readonly status: number; readonly frames: string },
  ): Response {
    return answer(this.#index, accepted, status, {
      "content-security-policy": `default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-src ${frames}; frame-ancestors 'none'; base-uri 'none'; form-action 'self'`,
      "cross-origin-opener-policy": "same-origin",
      "referrer-policy": "same-origin",
      "cache-control": "no-store",
    });
  }

  /** A file by its name; undefined where there is none. Its name changes with its content, so a browser need never ask again. */
  file(name: string, accepted: string | undefined): Response | undefined {
    const file = this.#files.get(name);
    return file && answer(file, accepted, 200, { "cache-control": "public, max-age=31536000, immutable" });
  }
}

function readFile(folder: string, name: string, type: string): ConsoleFile {
  const bytes = new Map([["identity", new Uint8Array(readFileSync(join(folder, name)))]]);
  for (const [encoding, ending] of encodings) {
    const path = join(folder, name + ending);
    if (existsSync(path)) bytes.set(encoding, new Uint8Array(readFileSync(path)));
  }
  return { type, bytes };
}

function answer(
  { type, bytes }: ConsoleFile,
  accepted: string | undefined,
  status: number,
  headers: Readonly<Record<string, string>>,
): Response {
  const wished = encodingsOf(accepted);
  const [encoding] = encodings.find(([name]) => wished.has(name) && bytes.has(name)) ?? ["identity"];
  return new Response(bytes.get(encoding), {
    status,
    headers: {
      "content-type": type,
      ...(encoding !== "identity" && { "content-encoding": encoding }),
      vary: "accept-encoding",
      "x-content-type-options": "nosniff",
      "cross-origin-resource-policy": "same-origin",
      ...headers,
    },
  });
}

/** RFC 9110 §12.5.3, as far as browsers use it: the names that are not refused. */
function encodingsOf(accepted = ""): ReadonlySet<string> {
  const named = accepted
    .toLowerCase()
    .split(",")
    .map((one) => one.trim().split(/\s*;\s*q=/));
  return new Set(named.flatMap(([name = "", weight = "1"]) => (Number(weight) > 0 ? [name] : [])));
}
