/**
 * Builds the console for browsers: `src/console` with what it imports becomes `dist/console`, files named by their content's hash beside
 * what brotli and gzip make of them, and `index.html`; and the documentation (tools/docs.ts). Sources that were built already are not built
 * again.
 */
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";
import { buildDocs } from "./docs.ts";

const root = join(import.meta.dirname, "..");
const out = join(root, "dist", "console");
/** Tells of which sources the files are. */
const stamp = "sources.sha256";
/** What browsers of this year and the two before know; `light-dark()` is from 2024. */
const target = ["chrome123", "firefox120", "safari17.5"];

/** Returns how long it took; null where it was built already. */
export async function buildConsole(): Promise<number | null> {
  const started = Date.now();
  const sources = sourcesHash();
  if (
    existsSync(join(out, stamp)) &&
    existsSync(join(root, "dist", "docs")) &&
    readFileSync(join(out, stamp), "utf8") === sources
  )
    return null;
  const made = await build({
    absWorkingDir: root,
    entryPoints: { console: join("src", "console", "main.tsx") },
    bundle: true,
    splitting: true,
    format: "esm",
    target,
    minify: true,
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    outdir: out,
    write: false,
    logLevel: "warning",
  });
  // Beside it and then in its place: who asks meanwhile finds the one or the other whole.
  const fresh = `${out}.${process.pid}`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  const names = made.outputFiles.map(({ path }) => basename(path));
  for (const { path, contents } of made.outputFiles) keep(join(fresh, basename(path)), Buffer.from(contents));
  keep(join(fresh, "index.html"), Buffer.from(indexOf(names)));
  writeFileSync(join(fresh, stamp), sources);
  buildDocs();
  rmSync(out, { recursive: true, force: true });
  renameSync(fresh, out);
  return Date.now() - started;
}

function keep(file: string, bytes: Buffer): void {
  writeFileSync(file, bytes);
  writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11 };
  writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params }));
}

/** No script and no style of its own: the policy that it is sent with allows none. */
function indexOf(names: readonly string[]): string {
  const named = (ending: string): string =>
    names.find((name) => name.startsWith("console-") && name.endsWith(ending)) ?? "";
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>Waybill</title><link rel="stylesheet" href="/console/${named(".css")}"><script type="module" src="/console/${named(".js")}"></script></head>
<body><div id="root"></div><noscript><p>This page needs a script. <a href="?plain">Without one</a> it shows the same in fewer words.</p></noscript></body>
</html>
`;
}

/** Of all that a build depends on. */
function sourcesHash(): string {
  const sum = createHash("sha256");
  const files = [
    ...globSync("src/{console,contract,evidence,receipts,stdx}/**/*.{ts,tsx,css}", { cwd: root }),
    ...globSync("{*.md,docs/**/*.{md,png,svg},src/**/*.md}", { cwd: root }),
    ...globSync("tools/{console.ts,docs*}", { cwd: root }),
  ].toSorted();
  for (const file of [...files, "package-lock.json"]) {
    if (file.endsWith(".test.ts")) continue;
    sum
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update("\0");
  }
  return sum.digest("hex");
}

if (import.meta.main) {
  const tookMs = await buildConsole();
  console.error(tookMs === null ? "console  is built already" : `console  built in ${(tookMs / 1000).toFixed(1)} s`);
}
