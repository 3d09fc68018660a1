/**
 * What the main commands print, whole, on 60 and on 100 columns, without a terminal: against a real server over a ledger of this process.
 * `WAYBILL_GOLDEN=write npm test -- test/cli-golden.test.ts` writes it anew; then it is read before it is committed.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { getRequestListener } from "@hono/node-server";
import { runCli } from "../src/cli/program.ts";
import { createChecked } from "../src/control/described/checked.suite.ts";
import { ControlWorld, replica } from "../src/control/control.suite.ts";
import { terms } from "../src/core/ledger.suite.ts";
import { cliWorld } from "./support/cli-world.ts";

const folder = join(import.meta.dirname, "golden");
const isWriting = process.env["WAYBILL_GOLDEN"] === "write";
const widths = [60, 100] as const;
const commands = [
  "space list",
  "space list -q",
  "space show alice/demo",
  "space events alice/demo",
  "releases alice/demo",
  "builds alice/demo",
  "calls --account alice",
  "calls --account alice -q",
  "quota",
  "quote alice/demo --declare 20s",
  "quote alice/demo --endpoint /run",
  "gpu queue main",
  "gpu board",
  "pool show main",
  "node list",
  "tier list",
  "account list",
  "variable list alice/demo",
  "domain list alice/demo",
  "space show alice/none",
  "quota --account nobody",
  "quote alice/demo",
  "space set alice/demo on-leave",
  "deploi",
] as const;

let world: ControlWorld;
let url: string;
let token: string;
const server = createServer((request, response) => void listener(request, response));
let listener: ReturnType<typeof getRequestListener>;

before(async () => {
  world = await ControlWorld.open();
  await world.space();
  await world.release("rel_1", 1);
  await world.node([replica("p_1", "ready")]);
  for (const call of ["c_1", "c_2", "c_3"]) await world.engine.submit({ type: "schedule", terms: terms(call) });
  await world.server.calls.follow();
  token = await world.token("admin", ["read", "write", "gpu", "admin"]);
  listener = getRequestListener(createChecked(world.server).fetch);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await world[Symbol.asyncDispose]();
});

interface Terminal {
  readonly columns: number;
  readonly isTTY?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

async function run(command: string, { columns, isTTY, env }: Terminal): Promise<string> {
  const said = { out: "", err: "" };
  const stream = (name: "out" | "err") => ({
    write: (text: string) => (said[name] += text),
    columns,
    ...(isTTY && { isTTY }),
  });
  const { world: cli } = cliWorld({
    env: { WAYBILL_URL: url, WAYBILL_TOKEN: token, ...env },
    stdout: stream("out"),
    stderr: stream("err"),
  });
  const code = await runCli(command.split(" "), cli);
  const shown = [said.out, ...said.err.split(/(?<=\n)/).map((line) => (line === "" ? "" : `! ${line}`))].join("");
  return `$ waybill ${command}\n${shown}exit ${code}\n\n`;
}

/** What is another in each run. */
function masked(text: string): string {
  return text
    .replaceAll(url, "http://SERVER")
    .replaceAll(/\b(b|q)_[0-9a-z]{10,}\b/g, "$1_…")
    .replaceAll(/^\[.*\]\n/gm, "");
}

async function all(terminal: Terminal): Promise<string> {
  let text = "";
  for (const command of commands) text += await run(command, terminal);
  return masked(text);
}

describe("what the command line prints", () => {
  for (const columns of widths)
    test(`is as it is kept, on ${columns} columns`, async () => {
      const text = await all({ columns });
      const file = join(folder, `cli-${columns}.txt`);
      if (isWriting) {
        mkdirSync(folder, { recursive: true });
        writeFileSync(file, text);
      }
      assert.equal(text, readFileSync(file, "utf8"));
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
