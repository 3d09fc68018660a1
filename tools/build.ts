/** Compiles the parts into `dist/`, as the published package holds them: Node strips no types under node_modules. */
import { spawnSync } from "node:child_process";
import { cpSync, globSync, rmSync } from "node:fs";
import { join } from "node:path";
import { bundle } from "./bundle.ts";
import { buildConsole } from "./console.ts";

const root = join(import.meta.dirname, "..");
// The console is replaced when its next build is there: a platform of this clone may be starting meanwhile.
const old = globSync("*", { cwd: join(root, "dist"), exclude: ["console"] }).map((name) => join("dist", name));
for (const folder of [...old, join(".cache", "tsbuild")]) rmSync(join(root, folder), { recursive: true, force: true });
const done = spawnSync(join(root, "node_modules", ".bin", "tsc"), ["-b", "src/main"], {
  cwd: root,
  stdio: ["ignore", 2, 2],
});
/** What the compiler does not carry over. */
const beside = join("runtime", "probes", "inside", "system_calls.py");
cpSync(join(root, "src", beside), join(root, "dist", beside));
if (done.status !== 0) process.exit(done.status ?? 1);
const main = join(root, "dist", "main");
await bundle(join(main, "shim.js"), join(main, "shim.cjs"));
await buildConsole();
