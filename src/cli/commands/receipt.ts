/** `waybill receipt show ID`, `receipt verify FILE`, the second also without a server; lists and statements; `receipt key list|rotate`. */
import type { Command } from "commander";
import type { ReceiptKeysView } from "../../contract/receipts.ts";
import { iso } from "../../stdx/time.ts";
import { parseCurrency, parseFormat, parsePrice } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Context } from "../context.ts";
import type { Runner } from "../program.ts";
import type { ExportOptions } from "../receipt-export.ts";
import type { VerifyOptions } from "../receipt-verifying.ts";

export function declare(program: Command, run: Runner): void {
  const receipt = program
    .command("receipt")
    .description("receipts of GPU calls: show, verify, list, statement, export; the keys of their log");
  receipt
    .command("show")
    .description("a receipt, by its id or its call's; with --json the signed document, to be kept")
    .argument("<id>", "r_… or c_…")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawReceipt }, { seenSize }] = await Promise.all([
          context.client(),
          import("../draw/receipt.ts"),
          import("../receipt-memory.ts"),
        ]);
        const { signal } = world;
        // Who only looks is not made to wait for a proof of what it saw before.
        const since = context.json
          ? await seenSize(world.signInFile, (await client.receipts.keys({ signal })).origin)
          : undefined;
        const answer = await client.receipt(command.args[0] as string, {
          signal,
          ...(since !== undefined && { since }),
        });
        context.answer(answer, context.quiet ? `${answer.receipt.id}\n` : drawReceipt(context.paper, answer));
      }),
    );
  receipt
    .command("verify")
    .description("whether a receipt is genuine, and its log the one that was seen before; exit code 0 only if it is")
    .argument("<file>", "the signed document, as `receipt show --json` prints it")
    .option(
      "--key <file>",
      "the platform's keys (a JWK, or { keys: [...] }); else the server's, where it can be reached",
    )
    .option("--offline", "ask no server")
    .option("--anew", "forget what was seen of its log: for one that its operator has restored from a backup")
    .action(
      run(async (world, command) => {
        const [context, { verify }] = [contextOf(world, command), await import("../receipt-verifying.ts")];
        return await verify(context, command.args[0] as string, command.opts<VerifyOptions>());
      }),
    );
  declareLists(receipt, run);
  const key = receipt.command("key").description("the keys that sign receipts and their log: list, rotate");
  key
    .command("list")
    .description(
      "which keys have signed, and for which checkpoints each speaks; with --json for `receipt verify --key`",
    )
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        await answerKeys(context, await (await context.client()).receipts.keys({ signal: world.signal }));
      }),
    );
  key
    .command("rotate")
    .description(
      "sign with a new key from now on; both keys sign that, and what was signed before holds. For operators",
    )
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        await answerKeys(context, await (await context.client()).receipts.rotateKey({ signal: world.signal }));
      }),
    );
}

interface ListOptions {
  readonly account?: string;
  readonly month?: string;
  readonly page?: string;
}

function declareLists(receipt: Command, run: Runner): void {
  const account = ["--account <name>", "who pays; you where it is not said"] as const;
  receipt
    .command("list")
    .description("what an account pays for GPU calls, newest first")
    .option(...account)
    .option("--month <month>", "of one month in UTC, as 2026-11")
    .option("--page <next>", "the page that the one before named")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const options = command.opts<ListOptions>();
        const [client, { drawReceipts }] = await Promise.all([context.client(), import("../draw/receipt.ts")]);
        const answer = await client.receipts.list({ ...options, signal: world.signal });
        const ids = answer.items.map(({ id }) => `${id}\n`).join("");
        context.answer(answer, context.quiet ? ids : drawReceipts(context.paper, answer.items));
        if (answer.next !== null) context.note(`more: the same with --page ${answer.next}\n`);
      }),
    );
  receipt
    .command("statement")
    .description("what an account paid for GPU calls in a month, by Space, pool and size")
    .option(...account)
    .option("--month <month>", "in UTC, as 2026-11; the current one where it is not said")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const { account: name, month = iso(world.clock.wall()).slice(0, 7) } = command.opts<ListOptions>();
        const [client, { drawStatement }] = await Promise.all([context.client(), import("../draw/receipt.ts")]);
        const answer = await client.receipts.statement(month, { account: name, signal: world.signal });
        context.answer(answer, context.quiet ? `${answer.chargedMs}\n` : drawStatement(context.paper, answer));
      }),
    );
  receipt
    .command("export")
    .description(
      "all receipts of a month: JSON Lines, or CSV with the columns of FOCUS 1.2; their sums are the statement's",
    )
    .option(...account)
    .requiredOption("--month <month>", "in UTC, as 2026-11")
    .option("--format <format>", "jsonl or focus", parseFormat, "jsonl")
    .option("--price <decimal>", "for focus: of a GPU second", parsePrice, "0")
    .option("--currency <code>", "for focus: of the price, by ISO 4217", parseCurrency, "XXX")
    .option("--provider <name>", "for focus: who sends the bill", "Waybill")
    .action(
      run(async (world, command) => {
        const [context, { exportReceipts }] = [contextOf(world, command), await import("../receipt-export.ts")];
        return await exportReceipts(context, command.opts<ExportOptions>());
      }),
    );
}

async function answerKeys(context: Context, answer: ReceiptKeysView): Promise<void> {
  const { drawReceiptKeys } = await import("../draw/receipt.ts");
  const ids = answer.keys.map(({ kid }) => `${kid}\n`).join("");
  context.answer(answer, context.quiet ? ids : drawReceiptKeys(context.paper, answer));
}
