/**
 * The shim as the published package holds it: one file, which Node loads in less than half of the time that its modules take. It is no ES
 * module: one that imports a built-in module reads all that it exports, and so loads parts of Node that a shim never uses.
 */
import { build } from "esbuild";

/** Writes the module `entry` with all that it imports, but Node's own, to `outfile`, whose name ends in `.cjs`. */
export async function bundle(entry: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node26",
    logLevel: "warning",
  });
}
