/** Whether the native code of BLAKE3 is installed here: the threads alone load it, and the first of them with the first file. */
import { createRequire } from "node:module";

const library = "@napi-rs/blake-hash";

/** Why no thread will start; undefined where one will. `from`: the module that would load it. */
export function whyNoBlake3(from = import.meta.url): string | undefined {
  const own = createRequire(createRequire(from).resolve(library));
  const { optionalDependencies } = own("./package.json") as {
    readonly optionalDependencies: Readonly<Record<string, string>>;
  };
  // One for each system; npm installs the one that is for this.
  if (Object.keys(optionalDependencies).some((name) => isThere(own, name))) return undefined;
  return `${library} has nothing installed for ${process.platform} on ${process.arch}, so no large file is taken by Xet: install waybill again without --omit=optional`;
}

function isThere(own: NodeJS.Require, name: string): boolean {
  try {
    own.resolve(name);
    return true;
  } catch {
    return false; // As said.
  }
}
