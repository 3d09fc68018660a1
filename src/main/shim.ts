/**
 * The shim's process: `node shim.ts FOLDER`. Everything that it imports costs memory once for each replica: no packages. It begins what
 * programs of the system have to do for its app, and loads the rest of itself meanwhile.
 */
import { flushCompileCache } from "node:module";
import process from "node:process";
import { loadOnly } from "../runtime/compile-cache.ts";
import { readPlan } from "../runtime/folder.ts";
import { closeInheritedFiles } from "../runtime/inherited-files.ts";
import { beginPlace } from "../runtime/shim/place.ts";

async function main(): Promise<void> {
  // A terminal that closes is nothing to a replica.
  process.on("SIGHUP", () => undefined);
  process.title = "waybill-shim";
  closeInheritedFiles();
  const folder = process.argv[2];
  if (folder === undefined) throw new Error("usage: shim FOLDER");
  if (folder === loadOnly) {
    await import("./shim-run.ts");
    flushCompileCache();
  } else {
    const plan = readPlan(folder);
    if (!plan) throw new Error(`there is no plan in ${folder}`);
    const place = beginPlace(plan);
    const { runShim } = await import("./shim-run.ts");
    await runShim(plan, place);
  }
  process.exit(0);
}

void main();
