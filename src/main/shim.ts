/**
 * The shim's process: `node shim.ts FOLDER`, or `--spare PORTS` where it is told its folder later. Everything that it imports costs memory
 * once for each replica: no packages. It begins what programs of the system have to do for its app, and loads the rest of itself meanwhile.
 */
import { flushCompileCache } from "node:module";
import process from "node:process";
import { loadOnly } from "../runtime/compile-cache.ts";
import { readPlan } from "../runtime/folder.ts";
import { closeInheritedFiles } from "../runtime/inherited-files.ts";
import { spareArgument, spareFds } from "../runtime/sandbox/spare-fds.ts";
import { beginPlace } from "../runtime/shim/place.ts";

async function main(): Promise<void> {
  // A terminal that closes is nothing to a replica.
  process.on("SIGHUP", () => undefined);
  process.title = "waybill-shim";
  const [, , folder, ports] = process.argv;
  closeInheritedFiles(folder === spareArgument ? [spareFds.told] : []);
  if (folder === undefined) throw new Error("usage: shim FOLDER");
  if (folder === loadOnly) {
    await import("./shim-run.ts");
    flushCompileCache();
  } else if (folder === spareArgument) {
    const { runSpare } = await import("./shim-run.ts");
    await runSpare(JSON.parse(ports ?? "[]") as readonly number[]);
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
