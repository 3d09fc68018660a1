/** `waybill webhook add|list|show|set|rotate|remove|test|deliveries|redeliver`: where what happens is told. */
import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import type { WaybillClient } from "../../client/api.ts";
import type { ChangeWebhook, DeliveryView, NoticeType } from "../../contract/webhooks.ts";
import { parseNoticeTypes, parseWithin } from "../arguments.ts";
import { contextOf, type Context } from "../context.ts";
import { exit, type ExitCode } from "../exit.ts";
import type { Runner } from "../program.ts";
import type { CliWorld } from "../world.ts";

interface Whose {
  readonly account?: string;
  readonly platform?: boolean;
}

interface About {
  readonly type?: readonly NoticeType[];
  readonly description?: string;
}

/** A try is over in ten seconds, and so long others of the same webhook may be before it. */
const triedWithinMs = 60_000;
const lookEveryMs = 250;
const deliveriesMost = 200;

export function declare(program: Command, run: Runner): void {
  const webhook = program
    .command("webhook")
    .description(
      "addresses that are told what happens: add, list, show, set, rotate, remove, test, deliveries, redeliver",
    );
  const about = (command: Command): Command =>
    command
      .option(
        "--type <names>",
        "of what it is told, with commas; all where none is named: docs/webhooks.md",
        parseNoticeTypes,
      )
      .option("--description <text>", "what it is for");
  const whose = (command: Command): Command =>
    command
      .option("--account <name>", "an organisation's; your own where it is not said")
      .option("--platform", "the platform's; for operators");

  whose(about(webhook.command("add").description("tell an address what happens; its secret is shown only now")))
    .argument("<url>", "https://HOST/PATH")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const { type, ...options } = command.opts<Whose & About>();
        const [url = ""] = command.args;
        const client = await context.client();
        const answer = await client.webhooks.add(
          { url, ...options, ...(type && { types: type }) },
          { signal: world.signal },
        );
        context.answer(answer, context.quiet ? `${answer.id}\n` : `${answer.secret}\n`);
        context.note(`the secret of ${answer.id}, which signs what is sent; it is not shown again\n`);
        context.note(`try it: waybill webhook test ${answer.id}\n`);
      }),
    );
  whose(webhook.command("list").description("webhooks, whether they are on, and what waits for them")).action(
    run(async (world, command) => {
      const context = contextOf(world, command);
      const [client, { drawWebhooks }] = await Promise.all([context.client(), import("../draw/webhooks.ts")]);
      const answer = await client.webhooks.list({ ...command.opts<Whose>(), signal: world.signal });
      const ids = answer.items.map(({ id }) => `${id}\n`).join("");
      context.answer(answer, context.quiet ? ids : drawWebhooks(context.paper, answer.items));
    }),
  );
  webhook
    .command("show")
    .description("one webhook")
    .argument("<webhook>", "wh_…, as `webhook list` shows it")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawWebhook }] = await Promise.all([context.client(), import("../draw/webhooks.ts")]);
        const answer = await client.webhooks.show(command.args[0] as string, { signal: world.signal });
        context.answer(answer, drawWebhook(context.paper, answer));
      }),
    );
  about(webhook.command("set").description("change a webhook, or switch it on or off"))
    .argument("<webhook>", "wh_…")
    .option("--address <url>", "where it is from now on")
    .option("--on", "send to it again")
    .option("--off", "send nothing to it, and give up what waits")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const { on, off, address, type, description } = command.opts<
          About & { readonly on?: boolean; readonly off?: boolean; readonly address?: string }
        >();
        if (on && off) command.error("error: --on and --off are the opposite of each other: write one");
        const [client, { drawWebhook }] = await Promise.all([context.client(), import("../draw/webhooks.ts")]);
        const state: ChangeWebhook["state"] = on ? "on" : off ? "off" : undefined;
        const wish = { state, url: address, types: type, description };
        const answer = await client.webhooks.change(command.args[0] as string, wish, { signal: world.signal });
        context.answer(answer, drawWebhook(context.paper, answer));
      }),
    );
  webhook
    .command("rotate")
    .description("make another secret, shown only now; the one before signs too for a day")
    .argument("<webhook>", "wh_…")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const client = await context.client();
        const answer = await client.webhooks.rotate(command.args[0] as string, { signal: world.signal });
        context.answer(answer, `${answer.secret}\n`);
        context.note(`the secret of ${answer.id} from now on; the one before signs too for a day\n`);
      }),
    );
  webhook
    .command("remove")
    .description("send nothing more to it, and forget its log")
    .argument("<webhook>", "wh_…")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const client = await context.client();
        const answer = await client.webhooks.remove(command.args[0] as string, { signal: world.signal });
        context.answer(answer, `${answer.id} is removed\n`);
      }),
    );
  webhook
    .command("test")
    .description("send something to it, and say how that went")
    .argument("<webhook>", "wh_…")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const client = await context.client();
        const sent = await client.webhooks.test(command.args[0] as string, { signal: world.signal });
        return tell(context, await tried(client, sent, world));
      }),
    );
  webhook
    .command("deliveries")
    .description("what was sent to it, the newest first; with a delivery: each of its tries, and its body")
    .argument("<webhook>", "wh_…")
    .argument("[delivery]", "dl_…")
    .option("--page <next>", "the page that the one before named")
    .option("--limit <count>", "so many of a page", parseWithin(1, deliveriesMost))
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [id = "", delivery] = command.args;
        const [client, draw] = await Promise.all([context.client(), import("../draw/webhooks.ts")]);
        if (delivery !== undefined) {
          const one = await client.webhooks.delivery(id, delivery, { signal: world.signal });
          return context.answer(one, draw.drawDelivery(context.paper, one));
        }
        const options = command.opts<{ readonly page?: string; readonly limit?: number }>();
        const answer = await client.webhooks.deliveries(id, { ...options, signal: world.signal });
        const ids = answer.items.map((one) => `${one.id}\n`).join("");
        context.answer(answer, context.quiet ? ids : draw.drawDeliveries(context.paper, answer.items));
        if (answer.next) context.note(`more: waybill webhook deliveries ${id} --page ${answer.next}\n`);
      }),
    );
  webhook
    .command("redeliver")
    .description("send a delivery again, under its id, and say how that went")
    .argument("<webhook>", "wh_…")
    .argument("<delivery>", "dl_…, as `webhook deliveries` shows it")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [id = "", delivery = ""] = command.args;
        const client = await context.client();
        const again = await client.webhooks.redeliver(id, delivery, { signal: world.signal });
        return tell(context, await tried(client, again, world));
      }),
    );
}

/** The delivery with a later try than it had; as it is where that does not come. */
async function tried(
  client: WaybillClient,
  { webhook, id, attempts }: DeliveryView,
  { clock, signal }: CliWorld,
): Promise<DeliveryView> {
  const until = clock.monotonic() + triedWithinMs;
  for (;;) {
    const delivery = await client.webhooks.delivery(webhook, id, { signal });
    const isTried = delivery.attempts.at(-1)?.at !== attempts.at(-1)?.at || delivery.state !== "waiting";
    if (isTried || clock.monotonic() >= until) return delivery;
    await delay(lookEveryMs, undefined, { signal });
  }
}

/** Said also where it was not delivered: it is tried again later, and that is the exit code's to say. */
async function tell(context: Context, delivery: DeliveryView): Promise<ExitCode> {
  const { drawDelivery } = await import("../draw/webhooks.ts");
  context.answer(delivery, context.quiet ? `${delivery.id}\n` : drawDelivery(context.paper, delivery));
  if (delivery.state === "delivered") return exit.done;
  return delivery.attempts.length === 0 ? exit.timeout : exit.failed;
}
