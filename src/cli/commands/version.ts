/** `waybill version`. */
import type { Command } from "commander";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("version")
    .description("this program's version")
    .action(
      run(async (world, command) => {
        contextOf(world, command).answer({ version: world.version }, `${world.version}\n`);
      }),
    );
}
