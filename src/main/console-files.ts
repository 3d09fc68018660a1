/** Where the console for browsers lies: built into `dist/console`, beside the compiled parts of the package as well as beside a clone's sources. */
import { join } from "node:path";
import { ConsoleFiles } from "../control/console-files.ts";

const folder = join(import.meta.dirname, "..", "..", "dist", "console");

export function readConsole(log: { warn(facts: object, says: string): void }): ConsoleFiles | undefined {
  const files = ConsoleFiles.read(folder);
  if (files === undefined)
    log.warn(
      { folder },
      "the console for browsers is not built, plain pages take its place: npm run console builds it",
    );
  return files;
}
