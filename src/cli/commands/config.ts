/** `waybill config show`: what is in force for the command line, and where each value is from. */
import type { Command } from "commander";
import { contextOf, type GlobalOptions } from "../context.ts";
import type { Runner } from "../program.ts";
import type { CliWorld } from "../world.ts";

interface Value {
  readonly name: string;
  readonly value: string;
  readonly from: string;
}

export function declare(program: Command, run: Runner): void {
  const config = program.command("config").description("settings of the command line: show");
  config
    .command("show")
    .description("each value and where it is from; a token only by its end")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const options = command.optsWithGlobals<GlobalOptions>();
        const { url, token, from } = await context.where();
        const values: Value[] = [
          { name: "url", value: url, from: urlFrom(world, options, from) },
          { name: "token", value: token === null ? "none" : `…${token.slice(-4)}`, from: tokenFrom(world, from) },
          {
            name: "data",
            value: world.dataFolder(undefined),
            from: world.env["WAYBILL_DATA"] ? "WAYBILL_DATA" : "default",
          },
          { name: "color", value: context.paper.color ? "yes" : "no", from: colorFrom(world, options) },
          ...settings(world),
        ];
        const { drawTable } = await import("../draw/table.ts");
        const columns = [
          { head: "NAME", cell: ({ name }: Value) => name, drop: 0 },
          { head: "VALUE", cell: ({ value }: Value) => value, drop: 0 },
          { head: "FROM", cell: ({ from: source }: Value) => source, drop: 0 },
        ];
        context.answer({ values }, context.quiet ? "" : drawTable(context.paper, columns, values));
      }),
    );
}

function urlFrom(world: CliWorld, options: GlobalOptions, from: "environment" | "file" | null): string {
  if (options.url !== undefined) return "--url";
  if (world.env["WAYBILL_URL"] !== undefined) return "WAYBILL_URL";
  return from === "file" ? world.signInFile : "default";
}

function tokenFrom(world: CliWorld, from: "environment" | "file" | null): string {
  if (from === "environment") return "WAYBILL_TOKEN";
  return from === "file" ? world.signInFile : "nobody is signed in there";
}

function colorFrom(world: CliWorld, options: GlobalOptions): string {
  if (options.color === false) return "--no-color";
  if (world.env["NO_COLOR"]) return "NO_COLOR";
  if (world.env["TERM"] === "dumb") return "TERM";
  return world.stdout.isTTY === true ? "a terminal" : "no terminal";
}

/** What `up`, `server`, `agent` and `edge` would read of this shell; secrets by their names alone. */
function settings({ env }: CliWorld): readonly Value[] {
  const own = ["WAYBILL_URL", "WAYBILL_TOKEN", "WAYBILL_DATA"];
  return Object.keys(env)
    .filter((name) => name.startsWith("WAYBILL_") && !own.includes(name))
    .toSorted()
    .map((name) => ({ name, value: isSecret(name) ? "set" : (env[name] ?? ""), from: "environment" }));
}

function isSecret(name: string): boolean {
  return /TOKEN|SECRET|KEY|PASSWORD|JOURNAL/.test(name);
}
