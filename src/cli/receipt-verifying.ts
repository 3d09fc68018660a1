/** `waybill receipt verify FILE`: whether a kept receipt is genuine, in its log, and the log the one that was seen before. */
import { readFile } from "node:fs/promises";
import type { Outcome, SignedReceipt, Trusted } from "../receipts/document.ts";
import { outcomeOf, verifyReceipt } from "../receipts/document.ts";
import { seenOf } from "../receipts/remembered.ts";
import { iso } from "../stdx/time.ts";
import type { Context } from "./context.ts";
import { drawChecks } from "./draw/receipt.ts";
import { dayTimeOf, secondsOf } from "./draw/paper.ts";
import { exit } from "./exit.ts";
import { CliFailure } from "./failures.ts";
import { memoryFile, readSeen, writeSeen } from "./receipt-memory.ts";

export interface VerifyOptions {
  readonly key?: string;
  readonly offline?: boolean;
  readonly anew?: boolean;
}

type TrustedKeys = NonNullable<Trusted["keys"]>;

/** A receipt is some 8 kB with its proof; a larger file is not one. */
const receiptMaxBytes = 256 * 1024;
/** The platform is asked beside the check of the file; nobody waits long for a server that is not there. */
const askedWithinMs = 2_000;

export async function verify(context: Context, file: string, options: VerifyOptions): Promise<number> {
  const document = await readJson(file, "receipt");
  const asking = options.offline === true ? undefined : await askingOf(context);
  const keys = options.key === undefined ? asking?.keys : keysOf(await readJson(options.key, "key"));
  const memory = memoryFile(context.world.signInFile);
  const seen = await readSeen(memory);
  const verified = await verifyReceipt(document, {
    keys,
    remembered: (origin) => {
      const log = options.anew === true ? undefined : seenOf(seen, origin);
      return log && { ...log, at: dayTimeOf(context.paper, log.at) };
    },
    ...(asking && { extension: asking.extension }),
  });
  const { ok, checks, learned } = verified;
  const by = keys ? "platform" : verified.isSeen ? "seen" : "itself";
  context.answer(
    { file, ok, against: by, checks },
    drawChecks(context.paper, checks) + lastLine(outcomeOf(verified, keys !== undefined), document),
  );
  if (learned) {
    const at = iso(context.world.clock.wall());
    await writeSeen(memory, { ...seen, [learned.origin]: { ...learned, at } });
  }
  return ok ? exit.done : exit.failed;
}

function lastLine(outcome: Outcome, document: unknown): string {
  if (outcome === "rewritten")
    return "the log of receipts was rewritten since you saw it: ask who runs the platform, and keep this file and the one before\n";
  if (outcome === "not-genuine") return "not genuine: do not rely on this receipt\n";
  const { receipt } = document as SignedReceipt;
  const is =
    outcome === "vouched" ? "unchanged since it was signed, by a key that only the file vouches for" : "genuine";
  return `${is}: ${receipt.account} was charged ${secondsOf(receipt.chargedMs)} for ${receipt.call}\n`;
}

async function askingOf(context: Context): Promise<Asking> {
  const client = await context.client();
  const asked = async <T>(ask: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> => {
    try {
      return await ask(AbortSignal.any([context.world.signal, AbortSignal.timeout(askedWithinMs)]));
    } catch (error) {
      if (context.world.signal.aborted) throw error;
      context.note(`(${client.url} does not answer, so the file is compared with nothing of the platform's)\n`);
      return undefined;
    }
  };
  const known = await asked((signal) => client.receipts.keys({ signal }));
  return {
    keys: known?.keys,
    extension: async (origin, from, to) => {
      if (known?.origin !== origin) return undefined;
      return (await asked((signal) => client.receipts.consistency(from, to, { signal })))?.proof;
    },
  };
}

interface Asking {
  readonly keys: TrustedKeys | undefined;
  extension(origin: string, from: number, to: number): Promise<readonly string[] | undefined>;
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

function keysOf(document: unknown): TrustedKeys {
  const { keys, x } = (document ?? {}) as { keys?: unknown; x?: unknown };
  const all: readonly unknown[] = Array.isArray(keys) ? keys : [{ x }];
  return all.filter((key): key is TrustedKeys[number] => typeof (key as { x?: unknown } | null)?.x === "string");
}
