/** `waybill key list|rotate`: the keys that sign visitors' tokens. For operators. */
import type { Command } from "commander";
import { contextOf } from "../context.ts";
import { exit } from "../exit.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  const key = program.command("key").description("the keys that sign visitors' tokens: list, rotate");
  key
    .command("list")
    .description("which key signs, which ones still hold, and until when")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawKeys }] = await Promise.all([context.client(), import("../draw/accounts.ts")]);
        const answer = await client.visitorKeys({ signal: world.signal });
        const ids = answer.keys.map(({ kid }) => `${kid}\n`).join("");
        context.answer(answer, context.quiet ? ids : drawKeys(context.paper, answer));
      }),
    );
  key
    .command("rotate")
    .description("sign with a new key from now on; what was signed before holds until it ends")
    .option("--drop-former", "refuse from now on what was signed before: for a key that others may have")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const { dropFormer } = command.opts<{ dropFormer?: boolean }>();
        const [client, { drawKeys }] = await Promise.all([context.client(), import("../draw/accounts.ts")]);
        const wish = dropFormer === true ? { dropFormer } : {};
        const answer = await client.rotateVisitorKeys(wish, { signal: world.signal });
        context.answer(answer, context.quiet ? `${answer.keys[0]?.kid}\n` : drawKeys(context.paper, answer));
        const behind = answer.behind ?? [];
        if (behind.length === 0) return exit.done;
        const still = dropFormer === true ? " and may take what the dropped ones have signed" : "";
        context.note(
          `Not everywhere yet: ${behind.join("; ")} did not answer${still}. End that process, or send SIGHUP to \`waybill edge\`.\n`,
        );
        return exit.failed;
      }),
    );
}
