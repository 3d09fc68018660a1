/**
 * The process of a build's bench: `node bench.ts`, started by an agent that holds the other end of its line. What it imports is what
 * every build waits for: no packages.
 */
import { flushCompileCache } from "node:module";
import { Socket } from "node:net";
import process from "node:process";
import { serveBench } from "../runtime/bench/bench.ts";
import { lineFd } from "../runtime/bench/messages.ts";
import { loadOnly } from "../runtime/compile-cache.ts";
import { closeInheritedFiles } from "../runtime/inherited-files.ts";
import { linuxProcesses } from "../runtime/processes.ts";

process.on("SIGHUP", () => undefined);
process.title = "waybill-bench";
// What a build makes is read by another user, who runs it.
process.umask(0o022);
if (process.argv[2] === loadOnly) flushCompileCache();
else {
  closeInheritedFiles([lineFd]);
  await serveBench(new Socket({ fd: lineFd }), linuxProcesses());
}
process.exit(0);
