/** `waybill backup DIR`: a copy of the running platform, made by the server on its own machine. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("backup")
    .description("copy the running platform's record, catalog and repositories; for administrators")
    .argument("<dir>", "a folder of the server's machine that is not there yet")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const client = await context.client();
        const answer = await client.backup({ folder: resolve(command.args[0] as string) }, { signal: world.signal });
        const { folder, files, bytes, journal, secretsKeyFile } = answer;
        context.answer(
          answer,
          context.quiet ? `${folder}\n` : `${folder}: ${files} files, ${bytes} bytes, to record ${journal.index}\n`,
        );
        context.note(
          `Not in it: ${secretsKeyFile}, which opens the Spaces' secrets (keep a copy elsewhere), and what apps keep in /data.\n`,
        );
      }),
    );
}
