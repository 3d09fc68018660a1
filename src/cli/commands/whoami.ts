/** `waybill whoami`: the account that the server takes you for, and by which credential. */
import type { Command } from "commander";
import { contextOf } from "../context.ts";
import type { Where } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("whoami")
    .description("the account that the server takes you for, and by which token")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, where, { drawWhoAmI }] = await Promise.all([
          context.client(),
          context.where(),
          import("../draw/views.ts"),
        ]);
        const answer = await client.whoami({ signal: world.signal });
        const credential = credentialOf(where, world.signInFile);
        const says = `from ${"file" in credential ? `the saved sign-in, ${credential.file}` : credential.from}; at ${where.url}`;
        context.answer({ ...answer, credential }, context.quiet ? `${answer.name}\n` : drawWhoAmI(answer, says));
      }),
    );
}

type Credential =
  | { readonly from: "WAYBILL_TOKEN"; readonly url: string }
  | { readonly from: "file"; readonly file: string; readonly url: string };

/** The server has answered who that is, so there is one. */
function credentialOf({ from, url }: Where, file: string): Credential {
  return from === "file" ? { from, file, url } : { from: "WAYBILL_TOKEN", url };
}
