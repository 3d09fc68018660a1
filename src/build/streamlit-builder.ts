/** Builds Streamlit Spaces: an environment of their packages, and the command that serves the script. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { SpaceSettings } from "./front-matter.ts";
import type { Runnable } from "./node-builder.ts";
import { shown } from "./python/interpreters.ts";
import { versionIn } from "./python/lock.ts";
import { buildEnvironment, startsIn } from "./python/packages.ts";
import type { Workshop } from "./workshop.ts";

/** As Spaces and Streamlit's own templates name it, the first that is there. */
const usualFiles = ["app.py", "streamlit_app.py", "src/streamlit_app.py"] as const;
/**
 * Where it listens is in its variables, which win over the app's `.streamlit/config.toml` as these do. Its protection against other
 * sites stays on: the edge passes the host by which an app is visited, so Streamlit knows its own pages.
 */
const options = {
  "server.headless": "true",
  "server.fileWatcherType": "none",
  "browser.gatherUsageStats": "false",
} as const;

/** The script of a Streamlit Space, relative to its repository. */
export function streamlitFile(app: string, { appFile }: SpaceSettings): string {
  return appFile ?? usualFiles.find((file) => existsSync(join(app, file))) ?? usualFiles[0];
}

export async function buildStreamlit(shop: Workshop, settings: SpaceSettings): Promise<Runnable> {
  const file = streamlitFile(shop.app, settings);
  const made = await buildEnvironment(shop, settings);
  const python = join(made.environment, "bin", "python");
  return await shop.step("check", async () => {
    const compile = "import ast, sys; ast.parse(open(sys.argv[1], 'rb').read(), sys.argv[1])";
    await shop.run([python, "-I", "-c", compile, file], shop.limits.buildMs, { quiet: true });
    const version = versionIn(made.lock.text, "streamlit");
    shop.note(`starts with: streamlit run ${file}; streamlit ${version ?? "?"}, Python ${shown(made.python)}`);
    const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    const argv = [python, "-m", "streamlit", "run", file, ...flags];
    return { argv, staticFolder: ".", ...startsIn(made) };
  });
}
