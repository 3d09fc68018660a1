/** `waybill uninstall`: takes away what this machine has of Waybill, but the package itself. */
import type { Command } from "commander";
import { contextOf, type GlobalOptions } from "../context.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";
import type { Runner } from "../program.ts";

interface Options extends GlobalOptions {
  readonly data?: string;
  readonly keepData?: true;
  readonly yes?: true;
}

export function declare(program: Command, run: Runner): void {
  program
    .command("uninstall")
    .description("end the apps of a stopped platform and remove its data folder, caches and sign-in; docs/install.md")
    .option("--data <dir>", "data folder")
    .option("--keep-data", "the data folder stays, and its apps run on")
    .option("--yes", "do it; without this it only says what would go")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const { data, keepData, yes } = command.optsWithGlobals<Options>();
        const apply = yes === true;
        const answer = await world.uninstall({ data, keepData: keepData === true, apply });
        if (!apply)
          throw new CliFailure(exit.usage, {
            code: "needs-yes",
            says: `this would remove ${answer.removed.join(", ") || "nothing"}, and nothing was changed.`,
            next: "Make a backup first where it matters (`waybill backup DIR`), then add --yes.",
          });
        const lines = [
          ...answer.stopped.map((replica) => `ended    ${replica}\n`),
          ...answer.removed.map((path) => `removed  ${path}\n`),
          ...answer.left.map(({ path, why }) => `left     ${path}: ${why}\n`),
        ];
        context.answer(answer, context.quiet ? "" : lines.join(""));
        context.note("next: npm uninstall --global waybill\n");
        return answer.left.length === 0 ? exit.done : exit.failed;
      }),
    );
}
