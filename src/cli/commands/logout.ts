/** `waybill logout`: the saved token holds no longer anywhere, and is forgotten here. */
import type { Command } from "commander";
import type { ApiError } from "../../client/errors.ts";
import { contextOf } from "../context.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";
import type { Runner } from "../program.ts";
import { forgetSignIn, readSignIn } from "../sign-in-file.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("logout")
    .description("revoke the saved sign-in's token and forget it")
    .option("--forget", "only forget it here: for a server that is gone for good")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const { forget = false } = command.opts<{ forget?: boolean }>();
        const saved = await readSignIn(world.signInFile);
        if (saved === undefined)
          throw new CliFailure(exit.signIn, {
            code: "not-signed-in",
            says: `No sign-in is saved in ${world.signInFile}.`,
            next: world.env["WAYBILL_TOKEN"]
              ? "WAYBILL_TOKEN is set: unset it, and revoke its token with `waybill token revoke ID`."
              : "Sign in with `waybill login`.",
          });
        const revoked = forget ? null : await revoke(saved, world.signal);
        await forgetSignIn(world.signInFile);
        const became = forget ? "still holds" : revoked === null ? "held no longer" : `${revoked} is revoked`;
        context.answer(
          { url: saved.url, token: revoked, revoked: revoked !== null, file: world.signInFile },
          `Signed out of ${saved.url}: its token ${became}, and is forgotten here\n`,
        );
        if (world.env["WAYBILL_TOKEN"]) context.note("WAYBILL_TOKEN is set, and goes on to be used.\n");
      }),
    );
}

/** The token's id; null where the server takes it no more. One that is not reached keeps the sign-in: nothing else would know the token. */
async function revoke(saved: { url: string; token: string }, signal: AbortSignal): Promise<string | null> {
  const { WaybillClient } = await import("../../client/api.ts");
  try {
    return (await new WaybillClient(saved).revokeOwnToken({ signal })).id;
  } catch (error) {
    if ((error as Error).name === "ApiError" && (error as ApiError).problem.status === 401) return null;
    throw error;
  }
}
