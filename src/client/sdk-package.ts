/** The SDK as the package `waybill` in an app's node_modules: plain JavaScript, whether this program runs from a clone or compiled. */
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";

/** Writes the package into `folder` (`…/node_modules/waybill`), over what is there. `version` is the platform's. */
export async function writeSdkPackage(folder: string, version: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of await sdkPackageFiles(version)) await writeFile(join(folder, name), text);
}

/** The package's files by name. Node refuses to strip types under node_modules, so none of them is TypeScript. */
export async function sdkPackageFiles(version: string): Promise<ReadonlyMap<string, string>> {
  const source = new URL("./sdk/", import.meta.url);
  const files = new Map<string, string>();
  for (const name of await readdir(source)) {
    if (!/^[a-z-]+\.(ts|js)$/.test(name)) continue; // Declarations and tests stay behind.
    const text = await readFile(new URL(name, source), "utf8");
    files.set(name.replace(/\.ts$/, ".js"), name.endsWith(".ts") ? asJavaScript(text) : text);
  }
  const manifest = { name: "waybill", version, type: "module", exports: "./index.js", engines: { node: ">=22" } };
  files.set("package.json", `${JSON.stringify(manifest, null, 2)}\n`);
  return files;
}

function asJavaScript(text: string): string {
  return stripTypeScriptTypes(text).replaceAll(/(from|import) "(\.\/[a-z-]+)\.ts"/g, '$1 "$2.js"');
}
