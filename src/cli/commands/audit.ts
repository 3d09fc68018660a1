/** `waybill audit`: who changed what, newest first. */
import type { Command } from "commander";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

interface Options {
  readonly account?: string;
  readonly action?: string;
  readonly target?: string;
  readonly space?: string;
  readonly request?: string;
  readonly since?: string;
  readonly until?: string;
  readonly page?: string;
}

export function declare(program: Command, run: Runner): void {
  program
    .command("audit")
    .description("who changed what, newest first; all of it for operators, else what is yours")
    .option("--account <name>", "changes that this account made")
    .option("--action <name>", "such as space.pause, or its first word")
    .option("--target <kind/name>", "such as pool/main or build/b_…")
    .option("--space <owner/name>", "the same as --target space/OWNER/NAME")
    .option("--request <id>", "the change of one request, q_…")
    .option("--since <time>", "not older than this, such as 2026-11-28T09:00:00Z")
    .option("--until <time>", "older than this")
    .option("--page <next>", "the page that the one before named")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const { space, target, ...asked } = command.opts<Options>();
        const [client, { drawAudit }] = await Promise.all([context.client(), import("../draw/audit.ts")]);
        const named = target ?? (space === undefined ? undefined : `space/${space}`);
        const answer = await client.audit({ ...asked, target: named, signal: world.signal });
        const ids = answer.items.map(({ id }) => `${id}\n`).join("");
        context.answer(answer, context.quiet ? ids : drawAudit(context.paper, answer.items));
        if (answer.next) context.note(`more: add --page ${answer.next}\n`);
      }),
    );
}
