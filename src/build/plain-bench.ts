/** A bench without a sandbox: commands are processes of the builder's own user. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Benches } from "./bench.ts";
import { buildMarker, endFamily } from "./processes.ts";
import { runCommand } from "./step.ts";

/** `path`: folders of the commands' PATH. */
export function plainBenches({ path }: { readonly path: readonly string[] }): Benches {
  return {
    images: false,
    layers: false,
    async open({ build, app, work }) {
      const home = join(work, "home");
      const temporary = join(work, "tmp");
      for (const folder of [home, temporary]) await mkdir(folder, { recursive: true });
      const own = { HOME: home, TMPDIR: temporary, PATH: path.join(":") };
      return {
        limits: null,
        give: async (folder) => void (await mkdir(folder, { recursive: true })),
        run: (command) =>
          runCommand({ ...command, cwd: app, env: { ...command.env, ...own }, marker: buildMarker(build) }),
        lay: async () => "without a sandbox nothing can be laid over the machine's own",
        close: async () => undefined, // each command has ended with all that it started
      };
    },
    recover: async (build) => void (await endFamily({ group: null, marker: buildMarker(build) })),
  };
}
