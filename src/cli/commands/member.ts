/** `waybill member add|list|remove|role ORGANISATION …`: who belongs to an organisation. For its administrators and operators. */
import { InvalidArgumentError } from "commander";
import type { Command } from "commander";
import type { WaybillClient } from "../../client/api.ts";
import type { MemberRole, MemberView } from "../../contract/identity.ts";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

const roles: readonly MemberRole[] = ["read", "contributor", "write", "admin"];

export function declare(program: Command, run: Runner): void {
  const member = program.command("member").description("an organisation's members: list, add, role, remove");
  const does = (
    act: (client: WaybillClient, named: readonly string[], command: Command) => Promise<readonly MemberView[]>,
  ): ReturnType<Runner> =>
    run(async (world, command) => {
      const context = contextOf(world, command);
      const [client, { drawMembers }] = await Promise.all([context.client(), import("../draw/accounts.ts")]);
      const answer = await act(client, command.args, command);
      const names = answer.map(({ user }) => `${user}\n`).join("");
      context.answer(answer, context.quiet ? names : drawMembers(context.paper, answer));
    });
  member
    .command("list")
    .description("who is in it, and as what")
    .argument("<organisation>")
    .action(does((client, [organisation = ""]) => client.members(organisation)));
  member
    .command("add")
    .description("add an account")
    .argument("<organisation>")
    .argument("<account>")
    .requiredOption("--role <role>", "read, contributor (and write to the Spaces it makes), write, admin", parseRole)
    .action(
      does((client, [organisation = "", account = ""], command) =>
        client.addMember(organisation, { account, role: command.opts<{ role: MemberRole }>().role }),
      ),
    );
  member
    .command("role")
    .description("give a member another role")
    .argument("<organisation>")
    .argument("<account>")
    .argument("<role>", "read, contributor, write, admin", parseRole)
    .action(
      does((client, [organisation = "", account = "", role]) =>
        client.changeMember(organisation, { account, role: role as MemberRole }),
      ),
    );
  member
    .command("remove")
    .description("take an account out; also yourself")
    .argument("<organisation>")
    .argument("<account>")
    .action(does((client, [organisation = "", account = ""]) => client.removeMember(organisation, account)));
}

function parseRole(text: string): MemberRole {
  const role = roles.find((each) => each === text);
  if (role === undefined) throw new InvalidArgumentError(`write ${roles.join(", ")}.`);
  return role;
}
