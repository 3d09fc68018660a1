/** `waybill backup DIR`: a copy of the running platform, made by the server on its own machine. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { contextOf } from "../context.ts";
import { sizeOf } from "../draw/paper.ts";
import { Progress } from "../progress.ts";
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
        const wished = { folder: resolve(command.args[0] as string) };
        using progress = new Progress(context);
        let step = "";
        const answer = await client.backup(wished, {
          signal: world.signal,
          onProgress: (job) => {
            progress.say(job.step === step ? "" : `${job.step}\n`, `${job.step}, ${sizeOf(job.bytes)}`);
            step = job.step;
          },
        });
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
