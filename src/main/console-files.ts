/** Where the console for browsers and the documentation lie: built into `dist/console` and `dist/docs`, beside the compiled parts of the package as well as beside a clone's sources. */
import { join } from "node:path";
import { ConsoleFiles } from "../control/console-files.ts";
import { DocsFiles } from "../control/docs-files.ts";

const built = join(import.meta.dirname, "..", "..", "dist");
const folder = join(built, "console");

export function readConsole(log: { warn(facts: object, says: string): void }): ConsoleFiles | undefined {
  const files = ConsoleFiles.read(folder);
  if (files === undefined)
    log.warn(
      { folder },
      "the console for browsers is not built, plain pages take its place: npm run console builds it",
    );
  return files;
}

/** They are built with the console, so that one line of the log is enough. */
export function readDocs(): DocsFiles | undefined {
  return DocsFiles.read(join(built, "docs"));
}
