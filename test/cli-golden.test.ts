/**
 * What the main commands print, whole, on 60 and on 100 columns, without a terminal: against a real server over a ledger of this process.
 * `WAYBILL_GOLDEN=write npm test -- test/cli-golden.test.ts` writes it anew; then it is read before it is committed.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import type { Command } from "commander";
import { getRequestListener } from "@hono/node-server";
import { buildProgram } from "../src/cli/program.ts";
import { createChecked } from "../src/control/described/checked.suite.ts";
import { ControlWorld, replica } from "../src/control/control.suite.ts";
import { terms } from "../src/core/ledger.suite.ts";
import { cliWorld } from "./support/cli-world.ts";
import { isAsKept, shown, widths, type Terminal } from "./support/golden.ts";

/** In this order, in a world of their own: what one of them makes the next ones show. `{b}`: the last id of that kind that was printed. */
const commands = [
  ...["space list", "space list -q", "space show alice/demo", "space events alice/demo", "releases alice/demo"],
  ...["builds alice/demo"],
  ...["builds queue", "calls --account alice", "calls --account alice -q", "quota"],
  ...["quote alice/demo --declare 20s", "quote alice/demo --endpoint /run"],
  ...["gpu queue main", "gpu board", "pool show main", "pool list", "node list", "tier list", "account list"],
  ...["space set alice/demo on-leave=stop reach=api.example.com", "space set alice/demo reach=api.example.com:22"],
  ...["variable set alice/demo COLOUR=blue", "variable list alice/demo", "variable unset alice/demo COLOUR"],
  ...["secret set alice/demo KEY", "secret list alice/demo", "secret unset alice/demo KEY"],
  ...["domain add alice/demo app.example.org", "domain list alice/demo", "domain remove alice/demo app.example.org"],
  ...["domain list alice/demo", "pause alice/demo --reason tidying", "resume alice/demo", "restart alice/demo"],
  ...["rollback alice/demo", "explain c_1", "explain c_1 --hops"],
  ...["explain --from 2026-11-22T12:00:00Z --to 2026-11-22T12:05:00Z", "cancel c_3", "calls --account alice"],
  ...["receipt list --account alice", "receipt statement --month 2026-11 --account alice", "receipt show r_1"],
  ...["receipt key list", "receipt key rotate", "receipt export --account alice --month 2026-11"],
  ...["tier try free --runs 1 --from 24h", "pool try main --queue-limit 1s --from 24h", "tier try free --from 24h"],
  ...["key list", "quota grant alice --credits 10m --reason thanks", "quota --account alice"],
  ...["quota lift alice window --reason thanks --for 1h", "quota revoke alice al_1 --reason over"],
  ...["space budget alice/demo", "space pools alice/demo", "tier set free --runs 4", "pool add spare"],
  ...["pool set spare --queue-limit 3s", "pool rule alice spare", "pool rules", "space pools alice/demo spare"],
  ...["pool drain spare --reason cables", "pool list", "pool undrain spare", "node give n1 spare"],
  ...["node drain n1 --reason driver", "node list", "node undrain n1", "node check n1", "node token n2"],
  ...["account create carol", "account create acme --organisation --admin alice", "member list acme"],
  ...["member add acme carol --role read", "member role acme carol write", "member remove acme carol"],
  ...["account links alice", "token create --scope read", "token list", "token revoke t_1", "session list"],
  ...[
    "session end s_1",
    "hub limit alice 1000",
    "access list models/a/b",
    "status",
    "incident list",
    "incident show i_1",
  ],
  ...["webhook add https://hooks.example.com/x", "webhook list", "webhook set {wh} --off", "webhook show {wh}"],
  ...["webhook set {wh} --on", "webhook test {wh}", "webhook deliveries {wh}", "webhook redeliver {wh} {dl}"],
  ...["webhook rotate {wh}", "webhook remove {wh}", "help", "whoami", "version", "audit"],
  ...["space show alice/none", "quota --account nobody", "quote alice/demo", "space set alice/demo on-leave", "deploi"],
] as const;

/** Whose output is not here, by why. */
const elsewhere: Readonly<Record<string, readonly string[]>> = {
  "they are about this machine or many processes; the tests of each have what they print": [
    ...["up", "server", "agent", "edge", "stop", "uninstall", "backup", "restore", "doctor", "open", "login", "logout"],
    ...["ca create", "ca show", "journal verify", "journal export", "journal compact", "journal move", "config show"],
    ...["completion bash", "completion zsh", "completion fish", "completion suggest"],
  ],
  "they go on while a call does": ["call"],
  "what they show is told by a scripted console, in test/cli-golden-told.test.ts": [
    ...["deploy", "logs", "requests", "receipt verify", "hub usage", "hub verify", "hub gc", "incident note"],
    ...["incident close", "access show", "access ask", "access withdraw", "access accept", "access grant"],
  ],
  "what others print: `access accept`, and builds of src/cli/draw/builds.test.ts": [
    ...["access reject", "access cancel", "builds show", "builds cancel", "builds retry", "builds priority"],
  ],
  "a line that says that it is done": [...["account password", "account link", "account unlink", "key rotate"]],
};

/** A server over a ledger of this process. */
async function opened() {
  const world = await ControlWorld.open();
  await world.space();
  await world.release("rel_1", 1);
  await world.node([replica("p_1", "ready")]);
  for (const call of ["c_1", "c_2", "c_3"]) await world.engine.submit({ type: "schedule", terms: terms(call) });
  await world.server.calls.follow();
  const token = await world.token("admin", ["read", "write", "gpu", "admin"]);
  const listener = getRequestListener(createChecked(world.server).fetch);
  const server = createServer((request, response) => void listener(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await world[Symbol.asyncDispose]();
  };
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, token, clock: world.clock, [Symbol.asyncDispose]: close };
}

type Server = Awaited<ReturnType<typeof opened>>;

/** What is another in each run. */
function masked(text: string, { url, token }: Server): string {
  return text
    .replaceAll(url, "http://SERVER")
    .replaceAll(token, "TOKEN")
    .replaceAll(/(?<=[^\w-]|\u001b\[\d+m)[\w-]{43}(?![\w-])/g, "KEY")
    .replaceAll(/(?<=\b|\u001b\[\d+m)([a-z]{1,5})_[0-9A-Za-z+/=]{8,}(?:_[0-9a-z]{16})?/g, "$1_…")
    .replaceAll(/waybill=[0-9a-z]{20,}/g, "waybill=…")
    .replaceAll(/^\[.*\]\n/gm, "");
}

async function all(terminal: Terminal): Promise<string> {
  await using server = await opened();
  const { url, token, clock } = server;
  const env = { WAYBILL_URL: url, WAYBILL_TOKEN: token };
  const over = { clock, stdin: { text: async () => "a value\n" } };
  let text = "";
  for (const command of commands) {
    const named = command.replaceAll(/\{(\w+)\}/g, (_, kind: string) => lastOf(text, kind));
    text += await shown(named, { ...terminal, env: { ...env, ...terminal.env } }, over);
  }
  return masked(text, server);
}

function lastOf(text: string, kind: string): string {
  return text.match(new RegExp(`\\b${kind}_[0-9A-Za-z]+`, "g"))?.at(-1) ?? `${kind}_none`;
}

describe("what the command line prints", () => {
  test("is kept of every command, or it is said why not", async () => {
    const { program } = await buildProgram(cliWorld().world);
    const leaves = (command: Command, path: readonly string[]): readonly string[] => {
      const own = path.length > 0 && (command.registeredArguments.length > 0 || command.commands.length === 0);
      return [
        ...(own ? [path.join(" ")] : []),
        ...command.commands.flatMap((one) => leaves(one, [...path, one.name()])),
      ];
    };
    const excused = Object.values(elsewhere).flat();
    const isKept = (path: string): boolean => commands.some((one) => one === path || one.startsWith(`${path} `));
    const all = leaves(program, []).filter((path) => path !== "help");
    assert.deepEqual(
      all.filter((path) => !isKept(path) && !excused.includes(path)),
      [],
    );
    assert.deepEqual(
      excused.filter((path) => !all.includes(path)),
      [],
    );
  });

  for (const columns of widths)
    test(`is as it is kept, on ${columns} columns`, async () => {
      isAsKept(`cli-${columns}.txt`, await all({ columns }));
    });

  test("has colour at a terminal alone, and the same words without it: by NO_COLOR, TERM=dumb, or where there is no terminal", async () => {
    const [columns, isTTY] = [100, true];
    const plain = await all({ columns });
    const colours = await all({ columns, isTTY });
    assert.match(colours, /\u001b\[/);
    assert.equal(colours.replaceAll(/\u001b\[\d+m/g, ""), plain);
    assert.equal(await all({ columns, isTTY, env: { NO_COLOR: "1" } }), plain);
    assert.equal(await all({ columns, isTTY, env: { TERM: "dumb" } }), plain);
  });
});
