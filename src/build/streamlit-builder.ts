/** Builds Streamlit Spaces: an environment of their packages, and the command that serves the script. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { RuntimeFacts } from "../contract/release.ts";
import type { SpaceSettings } from "./front-matter.ts";
import type { Runnable } from "./node-builder.ts";
import { shown } from "./python/interpreters.ts";
import { versionIn } from "./python/lock.ts";
import { lookAtProgram } from "./python/look.ts";
import { buildEnvironment, startsIn } from "./python/packages.ts";
import { packagesIn } from "./python/torch.ts";
import { checkRuntime, gpuDecorator } from "./runtime-check.ts";
import { readSmall } from "./small-file.ts";
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
  // Before commands run: they may leave a link in its place.
  const program = (await readSmall(shop.app, file)) ?? "";
  const made = await buildEnvironment(shop, settings);
  const { environment, lock, python } = made;
  return await shop.step("check", async () => {
    await lookAtProgram(shop, { environment, file, port: settings.appPort });
    const folders = await packagesIn(environment);
    const runtime: RuntimeFacts = {
      python: shown(python),
      gradio: versionIn(lock.text, "gradio"),
      spaces: versionIn(lock.text, "spaces"),
      ...(await checkRuntime(shop, { root: environment, folders, program, needsCard: gpuDecorator.test(program) })),
    };
    const version = versionIn(lock.text, "streamlit");
    shop.note(`starts with: streamlit run ${file}; streamlit ${version ?? "?"}, Python ${runtime.python}`);
    const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    const argv = [join(environment, "bin", "python"), "-m", "streamlit", "run", file, ...flags];
    return { argv, staticFolder: ".", runtime, ...startsIn(made) };
  });
}
