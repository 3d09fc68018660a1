/** `waybill access ask|show|withdraw REPOSITORY` for who wants a gated repository's files; `list|accept|reject|cancel|grant` for who decides. */
import { InvalidArgumentError, type Command } from "commander";
import type { WaybillClient } from "../../client/api.ts";
import type { AccessRequestView, AccessStanding, OwnAccess } from "../../contract/access.ts";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

const statuses: readonly AccessStanding[] = ["pending", "accepted", "rejected"];
const repository = "OWNER/NAME of a model, datasets/OWNER/NAME of a dataset";

/** As the API's path has it: `models/alice/tiny`. */
function parseRepository(text: string): string {
  const [, kind = "models", id = ""] =
    /^(?:(models|datasets)\/)?((?!(?:models|datasets|spaces)\/)[^/\s]+\/[^/\s]+)$/.exec(text) ?? [];
  if (id === "") throw new InvalidArgumentError(`write ${repository}.`);
  return `${kind}/${id}`;
}

/** `Company=Example & Co` after those that were given before; what has no `=` is agreed to. */
function parseField(
  text: string,
  before: Readonly<Record<string, string | boolean>> = {},
): Readonly<Record<string, string | boolean>> {
  const at = text.indexOf("=");
  const [name, value] = at === -1 ? [text, true] : [text.slice(0, at), text.slice(at + 1)];
  if (name === "") throw new InvalidArgumentError("write NAME=ANSWER, or the NAME of what you agree to.");
  return Object.fromEntries([...Object.entries(before), [name, value]]);
}

export function declare(program: Command, run: Runner): void {
  const access = program
    .command("access")
    .description("gated models and datasets: ask for their files (ask, show, withdraw), and decide (list, accept, …)");

  const own = (
    act: (client: WaybillClient, repo: string, command: Command) => Promise<OwnAccess>,
  ): ReturnType<Runner> =>
    run(async (world, command) => {
      const context = contextOf(world, command);
      const [client, { drawOwnAccess }] = await Promise.all([context.client(), import("../draw/access.ts")]);
      const [repo] = command.processedArgs as [string];
      const answer = await act(client, repo, command);
      context.answer(answer, context.quiet ? `${answer.status}\n` : drawOwnAccess(repo, answer));
    });
  access
    .command("show")
    .description("whether you have access, and what is asked of you")
    .argument("<repository>", repository, parseRepository)
    .action(own((client, repo) => client.access.own(repo)));
  access
    .command("ask")
    .description("ask for its files; your account's name and what you fill in are shown to those who decide")
    .argument("<repository>", repository, parseRepository)
    .option("--field <name=answer>", "what is asked, once for each; a NAME alone is agreed to", parseField)
    .action(
      own((client, repo, command) =>
        client.access.ask(repo, command.opts<{ field?: Readonly<Record<string, string | boolean>> }>().field ?? {}),
      ),
    );
  access
    .command("withdraw")
    .description("ask no more, or give up the access that you have")
    .argument("<repository>", repository, parseRepository)
    .action(own((client, repo) => client.access.withdraw(repo)));

  access
    .command("list")
    .description("who has asked, and what was decided")
    .argument("<repository>", repository, parseRepository)
    .option("--status <status>", "pending, accepted or rejected", parseStatus, "pending")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawAccessRequests }] = await Promise.all([context.client(), import("../draw/access.ts")]);
        const [repo] = command.processedArgs as [string];
        const { status } = command.opts<{ status: AccessStanding }>();
        const answer = await client.access.requests(repo, status);
        const names = answer.map(({ user }) => `${user.user}\n`).join("");
        context.answer(answer, context.quiet ? names : drawAccessRequests(context.paper, answer, status));
      }),
    );
  const decides = (
    name: string,
    says: string,
    act: (client: WaybillClient, repo: string, user: string, command: Command) => Promise<AccessRequestView>,
  ): Command =>
    access
      .command(name)
      .description(says)
      .argument("<repository>", repository, parseRepository)
      .argument("<account>")
      .action(
        run(async (world, command) => {
          const context = contextOf(world, command);
          const [repo, user] = command.processedArgs as [string, string];
          const answer = await act(await context.client(), repo, user, command);
          context.answer(answer, `${answer.user.user}: ${answer.status}\n`);
        }),
      );
  decides("accept", "give what was asked for", (client, repo, user) =>
    client.access.handle(repo, { user, status: "accepted" }),
  );
  decides("reject", "turn it down, or take it back for good", (client, repo, user, command) => {
    const { reason } = command.opts<{ reason?: string }>();
    return client.access.handle(repo, {
      user,
      status: "rejected",
      ...(reason !== undefined && { rejectionReason: reason }),
    });
  }).option("--reason <text>", "what the person is told, at most 200 letters");
  decides("cancel", "take it back, and let the request wait again", (client, repo, user) =>
    client.access.handle(repo, { user, status: "pending" }),
  );
  decides("grant", "give access to somebody who has not asked", (client, repo, user) =>
    client.access.grant(repo, user),
  );
}

function parseStatus(text: string): AccessStanding {
  const status = statuses.find((each) => each === text);
  if (status === undefined) throw new InvalidArgumentError(`write ${statuses.join(", ")}.`);
  return status;
}
