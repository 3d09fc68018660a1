/**
 * Builds Gradio Spaces: an environment of their packages, and a look at the app before it runs.
 */
import { join } from "node:path";
import type { RuntimeFacts } from "../contract/release.ts";
import type { SpaceSettings } from "./front-matter.ts";
import type { Runnable } from "./node-builder.ts";
import { shown } from "./python/interpreters.ts";
import { versionIn } from "./python/lock.ts";
import { lookAtProgram } from "./python/look.ts";
import { buildEnvironment, startsIn } from "./python/packages.ts";
import { packagesIn } from "./python/torch.ts";
import { checkRuntime } from "./runtime-check.ts";
import { readSmall } from "./small-file.ts";
import type { Workshop } from "./workshop.ts";

/** The program of a Gradio Space, relative to its repository. */
export const appFileOf = ({ appFile }: SpaceSettings): string => appFile ?? "app.py";

export async function buildGradio(shop: Workshop, settings: SpaceSettings): Promise<Runnable> {
  const file = appFileOf(settings);
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
      ...(await checkRuntime(shop, { root: environment, folders, program, needsCard: true })),
    };
    shop.note(`starts with: python ${file}; gradio ${runtime.gradio ?? "?"}, spaces ${runtime.spaces ?? "?"}`);
    return { argv: [join(environment, "bin", "python"), file], staticFolder: ".", runtime, ...startsIn(made) };
  });
}
