/** Every command of the tree: it takes --json, and one that asks a server says in one document that none is there, with exit code 6. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Argument, Command, Option } from "commander";
import { buildProgram, runCli } from "../src/cli/program.ts";
import { cliWorld } from "./support/cli-world.ts";

const folder = mkdtempSync(join(tmpdir(), "wb-json-"));
const file = join(folder, "README.md");
before(() => writeFileSync(file, "---\nsdk: static\n---\n"));
after(() => rmSync(folder, { recursive: true }));

/** They ask no server, or more than one: what each prints with --json has its own test. */
const local: ReadonlySet<string> = new Set([
  ...["up", "server", "agent", "edge", "stop", "uninstall", "restore", "ca create", "ca show", "doctor"],
  ...["journal verify", "journal export", "journal compact", "journal move", "receipt verify"],
  ...["login", "logout", "version", "config show", "open", "completion bash", "completion zsh", "completion fish"],
  "completion suggest",
]);

/** An argument as it may be typed. */
const typed: Readonly<Record<string, string>> = {
  ...{ "owner/name": "alice/demo", repository: "models/alice/tiny", host: "app.example.com", policy: "window" },
  ...{ role: "read", number: "1", bytes: "1000", dir: folder, file, backup: folder, "key=value...": "on-leave=stop" },
  ...{ function: "/render", url: "http://127.0.0.1:9" },
};
/** The value of an option that has to be there. */
const given: Readonly<Record<string, string>> = {
  ...{ "--declare": "20s", "--reason": "a test", "--credits": "10m", "--space": "alice/demo", "--account": "alice" },
  ...{ "--month": "2026-11", "--from": "2026-11-22T12:00:00Z", "--to": "2026-11-22T12:05:00Z", "--for": "1h" },
  ...{ "--admin": "alice", "--move-after": "20s", "--until": "2026-11-23T12:00:00Z", "--role": "read" },
};

/** What a command wants beside what its declaration says. */
const more: Readonly<Record<string, readonly string[]>> = {
  "quota grant": ["--credits", "10m"],
  explain: ["c_1"],
  quote: ["--declare", "20s"],
  "tier set": ["--runs", "1"],
  "pool set": ["--queue-limit", "3s"],
  "tier try": ["--runs", "1"],
  "pool try": ["--queue-limit", "3s"],
  "node give": ["main"],
};

interface Leaf {
  readonly path: string;
  readonly command: Command;
}

async function leaves(): Promise<readonly Leaf[]> {
  const { program } = await buildProgram(cliWorld().world);
  const below = (command: Command, path: readonly string[]): readonly Leaf[] => {
    const own = command.registeredArguments.length > 0 || command.commands.length === 0;
    const nested = command.commands.flatMap((one) => below(one, [...path, one.name()]));
    return own && path.length > 0 ? [{ path: path.join(" "), command }, ...nested] : nested;
  };
  return below(program, []);
}

function argvOf({ path, command }: Leaf): readonly string[] {
  const wanted = command.registeredArguments.filter((one: Argument) => one.required);
  const options = command.options.filter((one: Option) => one.mandatory);
  return [
    ...path.split(" "),
    ...wanted.map((one) => typed[one.name()] ?? (one.variadic ? (typed[`${one.name()}...`] ?? "KEY=value") : "x_1")),
    ...options.flatMap((one) => [one.long ?? "", given[one.long ?? ""] ?? "1"]),
    ...(more[path] ?? []),
    "--json",
  ];
}

describe("every command", async () => {
  for (const leaf of await leaves()) {
    if (local.has(leaf.path)) continue;
    test(`waybill ${leaf.path} --json: one problem document and exit code 6 where no server is there`, async () => {
      const env = { WAYBILL_URL: "http://127.0.0.1:9", WAYBILL_TOKEN: "hf_wbtest" };
      const stdin = { text: async () => "value\n" };
      const { world, said } = cliWorld({ env, stdin, dataFolder: () => folder });
      const code = await runCli(argvOf(leaf), world);
      assert.equal(said.err, "");
      const problem = JSON.parse(said.out) as Record<string, unknown>;
      assert.deepEqual([code, problem["code"]], [6, "server-unreachable"], said.out);
      for (const member of ["type", "title", "status", "detail", "owner", "retry", "next"])
        assert.ok(problem[member] !== undefined, member);
    });
  }

  test("wrong usage and help are one document too", async () => {
    for (const [argv, exit] of [
      [["builds", "show", "--json"], 2],
      [["deploi", "--json"], 2],
      [["help", "--json"], 0],
    ] as const) {
      const { world, said } = cliWorld();
      assert.deepEqual([await runCli(argv, world), said.err], [exit, ""]);
      assert.equal(typeof JSON.parse(said.out), "object");
    }
  });
});
