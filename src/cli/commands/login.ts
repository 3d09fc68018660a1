/** `waybill login [URL]`: signs this machine in by a code that a person approves on the console, or by a token on standard input. */
import { hostname } from "node:os";
import type { Command } from "commander";
import type { DeviceCode } from "../../client/device.ts";
import type { WhoAmI } from "../../contract/api.ts";
import { parseScopes } from "../arguments.ts";
import { contextOf, serverUrl } from "../context.ts";
import type { Context } from "../context.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";
import type { Runner } from "../program.ts";
import { writeSignIn } from "../sign-in-file.ts";

interface LoginOptions {
  readonly tokenStdin?: boolean;
  readonly scope?: readonly string[];
}

/** What people do at a terminal; an operator asks for `admin` where it is wanted. */
const usualScopes = ["read", "write", "gpu"];

export function declare(program: Command, run: Runner): void {
  program
    .command("login")
    .description("sign this machine in, by a code that you approve on the console")
    .argument("[url]", "the console's address; else --url, WAYBILL_URL, or the saved sign-in's")
    .option("--token-stdin", "by a token on standard input; in CI set WAYBILL_TOKEN instead")
    .option("--scope <names>", "of read,write,gpu,admin, with commas; read,write,gpu where none is named", parseScopes)
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const { tokenStdin = false, scope } = command.opts<LoginOptions>();
        if (tokenStdin && scope !== undefined) throw usage("A token has its scopes already.", "Leave --scope out.");
        const [named] = command.args;
        const url = named === undefined ? (await context.where()).url : serverUrl(named);
        const token = tokenStdin ? await pasted(context) : await byDevice(context, url, scope ?? usualScopes);
        const who = await whoIs(context, { url, token });
        await writeSignIn(world.signInFile, { url, token });
        tell(context, { url, token, who });
      }),
    );
}

async function pasted({ world, note }: Context): Promise<string> {
  if (world.stdin.isTTY) note("Paste the token, then Enter and Ctrl-D.\n");
  const token = (await world.stdin.text()).trim();
  if (token !== "") return token;
  throw usage("There is no token on standard input.", "Give it one: waybill login --token-stdin < FILE.");
}

async function byDevice({ world, note, json }: Context, url: string, scopes: readonly string[]): Promise<string> {
  const { signInByDevice } = await import("../../client/device.ts");
  const outcome = await signInByDevice({
    ...{ url, machine: hostname(), scopes, signal: world.signal },
    // With --json the one document is the end's: whoever waits for it reads here where to go.
    onCode: (code) => (json ? void world.stderr.write(codeSays(code)) : note(codeSays(code))),
  });
  if ("token" in outcome) return outcome.token;
  const isDenied = outcome.error === "access_denied";
  throw new CliFailure(exit.signIn, {
    code: isDenied ? "login-denied" : "login-ended",
    says: isDenied ? "The sign-in was denied on the console." : `The sign-in was not approved: ${outcome.says}`,
    next: "Start it again: waybill login.",
  });
}

/** The server's words go to a terminal: only what may stand in an address does. */
function codeSays({ atWithCode, at, userCode, expiresInMs }: DeviceCode): string {
  const plain = (text: string): string => text.replace(/[^\x21-\x7e]+/g, "");
  return `Open ${plain(atWithCode)}
and approve the code ${plain(userCode)} (or type it at ${plain(at)}), within ${Math.round(expiresInMs / 60_000)} minutes.
`;
}

/** Nothing is saved that the server does not take. */
async function whoIs({ world }: Context, signIn: { url: string; token: string }): Promise<WhoAmI> {
  const { WaybillClient } = await import("../../client/api.ts");
  return await new WaybillClient(signIn).whoami({ signal: world.signal });
}

function tell(context: Context, { url, token, who }: { url: string; token: string; who: WhoAmI }): void {
  const { world, answer, note } = context;
  const file = world.signInFile;
  const environment = { HF_ENDPOINT: url.replace(/\/+$/, ""), HF_TOKEN: token };
  const lines = Object.entries(environment).map(([name, value]) => `export ${name}=${value}\n`);
  answer({ account: who.name, url, file, environment }, context.quiet ? `${who.name}\n` : lines.join(""));
  note(
    `Signed in as ${who.name}; saved in ${file}. The lines above are for \`hf\`; \`git\` asks for a password: the token.\n`,
  );
  if (world.env["WAYBILL_TOKEN"]) note("WAYBILL_TOKEN is set, and goes before what was saved.\n");
}

function usage(says: string, next: string): CliFailure {
  return new CliFailure(exit.usage, { code: "usage", says, next });
}
