/** Writes the documentation as pages for browsers into `dist/docs`, which the console serves at `/docs`. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { docsPages, docsPictures } from "./docs-pages.ts";

const root = join(import.meta.dirname, "..");
const out = join(root, "dist", "docs");
const style = "docs.css";

export function buildDocs(): void {
  // Beside it and then in its place, as the console's.
  const fresh = `${out}.${process.pid}`;
  rmSync(fresh, { recursive: true, force: true });
  const write = (path: string, content: string | Buffer): void => {
    mkdirSync(dirname(join(fresh, path)), { recursive: true });
    writeFileSync(join(fresh, path), content);
  };
  for (const { address, html } of docsPages(`/docs/${style}`)) write(`${inFolder(address) || "index"}.html`, html);
  for (const [file, address] of docsPictures()) write(inFolder(address), readFileSync(join(root, file)));
  write(style, `${consoleTokens()}\n${readFileSync(join(import.meta.dirname, style), "utf8")}`);
  rmSync(out, { recursive: true, force: true });
  renameSync(fresh, out);
}

/** The block of the console's style sheet that names its colours, in both themes. */
function consoleTokens(): string {
  const found = /^:root \{[^}]*\}/m.exec(readFileSync(join(root, "src", "console", "base.css"), "utf8"));
  if (found === null) throw new Error("src/console/base.css names no colours in :root");
  return found[0];
}

function inFolder(address: string): string {
  return address.replace(/^\/docs\/?/, "");
}
