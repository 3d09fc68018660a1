/** `waybill receipt show ID` and `waybill receipt verify FILE`, the second without a server. */
import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import type { SignedReceipt } from "../../contract/api.ts";
import { contextOf } from "../context.ts";
import type { Context } from "../context.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";
import type { Runner } from "../program.ts";

interface VerifyOptions {
  readonly key?: string;
  readonly offline?: boolean;
}

interface TrustedKey {
  readonly x: string;
}

/** A receipt is about 2 kB; a larger file is not one. */
const receiptMaxBytes = 256 * 1024;
/** The platform's keys are asked for beside the check of the file; nobody waits long for a server that is not there. */
const keysWithinMs = 2_000;

export function declare(program: Command, run: Runner): void {
  const receipt = program.command("receipt").description("receipts of GPU calls: show, verify");
  receipt
    .command("show")
    .description("a receipt, by its id or its call's; with --json the signed document, to be kept")
    .argument("<id>", "r_… or c_…")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawReceipt }] = await Promise.all([context.client(), import("../draw/receipt.ts")]);
        const answer = await client.receipt(command.args[0] as string, { signal: world.signal });
        context.answer(answer, context.quiet ? `${answer.receipt.id}\n` : drawReceipt(context.paper, answer.receipt));
      }),
    );
  receipt
    .command("verify")
    .description("whether a receipt is genuine; exit code 0 only if it is")
    .argument("<file>", "the signed document, as `receipt show --json` prints it")
    .option(
      "--key <file>",
      "the platform's keys (a JWK, or { keys: [...] }); else the server's, where it can be reached",
    )
    .option("--offline", "ask no server")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        return await verify(context, command.args[0] as string, command.opts<VerifyOptions>());
      }),
    );
}

async function verify(context: Context, file: string, options: VerifyOptions): Promise<number> {
  const [{ verifyReceipt }, { drawChecks }, { secondsOf }] = await Promise.all([
    import("../../identity/receipt-signature.ts"),
    import("../draw/receipt.ts"),
    import("../draw/paper.ts"),
  ]);
  const document = await readJson(file, "receipt");
  const trusted = options.key
    ? keysOf(await readJson(options.key, "key"))
    : options.offline
      ? undefined
      : await serverKeys(context);
  const { ok, checks } = await verifyReceipt(document, trusted);
  const { receipt } = document as SignedReceipt;
  const last = ok
    ? `${trusted ? "genuine" : "unchanged since it was signed, by a key that only the file vouches for"}: ${receipt.account} was charged ${secondsOf(receipt.chargedMs)} for ${receipt.call}\n`
    : "not genuine: do not rely on this receipt\n";
  context.answer(
    { file, ok, against: trusted ? "platform" : "itself", checks },
    drawChecks(context.paper, checks) + last,
  );
  return ok ? exit.done : exit.failed;
}

async function readJson(file: string, what: string): Promise<unknown> {
  try {
    const text = await readFile(file, "utf8");
    if (text.length <= receiptMaxBytes) return JSON.parse(text);
  } catch (error) {
    throw new CliFailure(exit.usage, {
      code: `${what}-file`,
      says: `${file} cannot be read as a ${what}: ${(error as Error).message.replaceAll(/\s+/g, " ")}.`,
      next: "Name a JSON file, such as `waybill receipt show ID --json` prints.",
      cause: error,
    });
  }
  throw new CliFailure(exit.usage, {
    code: `${what}-file`,
    says: `${file} is larger than a ${what} can be.`,
    next: "Name another file.",
  });
}

function keysOf(document: unknown): readonly TrustedKey[] {
  const { keys, x } = (document ?? {}) as { keys?: unknown; x?: unknown };
  const all: readonly unknown[] = Array.isArray(keys) ? keys : [{ x }];
  return all.filter((key): key is TrustedKey => typeof (key as TrustedKey).x === "string");
}

/** The server's keys, or undefined with a word about it: a receipt is checked without them too. */
async function serverKeys(context: Context): Promise<readonly TrustedKey[] | undefined> {
  const client = await context.client();
  try {
    return (await client.keys({ signal: AbortSignal.any([context.world.signal, AbortSignal.timeout(keysWithinMs)]) }))
      .keys;
  } catch (error) {
    if (context.world.signal.aborted) throw error;
    context.note(`(${client.url} does not answer, so the key is compared with nothing but the file)\n`);
    return undefined;
  }
}
