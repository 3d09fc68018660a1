/** `waybill restore BACKUP`: makes a data folder of a backup. */
import type { Command } from "commander";
import { contextOf } from "../context.ts";
import type { GlobalOptions } from "../context.ts";
import { passedOverSays } from "../words.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("restore")
    .description("make a data folder of what `waybill backup` copied; the folder has to be empty")
    .argument("<backup>", "the backup's folder")
    .option("--data <dir>", "data folder")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const folder = world.dataFolder(command.optsWithGlobals<GlobalOptions & { readonly data?: string }>().data);
        const answer = await world.restore(command.args[0] as string, folder);
        const { journal, madeAt } = answer;
        context.answer(answer, context.quiet ? `${folder}\n` : `${folder}: as of ${madeAt}, record ${journal.index}\n`);
        if (answer.passedOver.length > 0) context.note(passedOverSays(answer.passedOver));
        context.note(`Put secrets.key into it, then: waybill up --data ${folder}\n`);
      }),
    );
}
