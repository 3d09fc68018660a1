/** The pages of `docs/reference/`, from what the program itself goes by: its commands, its list of codes, its settings, its metrics. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command, Option } from "commander";
import { buildProgram } from "../src/cli/program.ts";
import { metrics } from "../src/control/metrics.ts";
import { codes, type Code, type CodeRow } from "../src/evidence/codes.ts";
import { chapters } from "../src/evidence/rules/book.suite.ts";
import { explain } from "../src/evidence/explain.ts";
import { readConfig } from "../src/main/config.ts";
import { cliWorld } from "../test/support/cli-world.ts";

const made = "Made by `npm run reference` from the program itself; `npm run check` says when it is not current.";

/** File name → text. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ["commands.md", await commandsPage()],
    ["settings.md", settingsPage()],
    ["codes.md", codesPage()],
    ["metrics.md", metricsPage()],
  ]);
}

async function commandsPage(): Promise<string> {
  const { program } = await buildProgram(cliWorld().world);
  const commands = program.commands.filter((one) => one.name() !== "help");
  return page(
    "Commands",
    `${made} \`waybill help COMMAND\` prints the same.`,
    "Of every command:",
    optionsTable(program.options),
    "Exit codes: 0 done, 1 the work failed, 2 usage, 3 not found, 4 sign-in, 5 refused by a limit, 6 server unreachable, 7 `--timeout` over, 70 our bug, 130 interrupted.",
    ...commands.map((one) => `## waybill ${one.name()}\n\n${commandText(one, "waybill")}`),
  );
}

/** A command, and the commands under it. */
function commandText(command: Command, above: string): string {
  const name = `${above} ${command.name()}`;
  const under = command.commands.filter((one) => one.name() !== "help");
  const usage = command.usage().replace("[command]", "").trim();
  const parts = [
    sentence(command.description()),
    ...(under.length > 0 && command.registeredArguments.length === 0 && command.options.length === 0
      ? []
      : [`\`${name} ${usage}\``.replace(" `", "`")]),
    argumentsTable(command),
    optionsTable(command.options),
    ...under.map((one) => `### ${name} ${one.name()}\n\n${commandText(one, name)}`),
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function argumentsTable(command: Command): string {
  return table(
    ["Argument", ""],
    command.registeredArguments.map((one) => [`\`${one.name()}\``, one.description]),
  );
}

function optionsTable(options: readonly Option[]): string {
  return table(
    ["Option", ""],
    options.filter(({ hidden }) => !hidden).map(({ flags, description }) => [`\`${flags}\``, description]),
  );
}

/** Those of README, each with what the program says of a wrong value. */
function settingsPage(): string {
  return page(
    "Settings",
    `${made} Variables of the environment of \`waybill up\`, \`server\`, \`edge\` and \`agent\`; an option goes before its variable. All problems are told at once, at the start.`,
    table(["Variable", "Meaning", "Default", "Values"], settings().map(settingRow)),
  );
}

/** The rows of README's table of settings: names, meaning, default. */
export function settings(): readonly (readonly string[])[] {
  const readme = readFileSync(join(import.meta.dirname, "..", "README.md"), "utf8");
  const [, section = ""] = /^### Settings\n(.*?)^#/ms.exec(readme) ?? [];
  const rows = section.split("\n").filter((line) => line.startsWith("| "));
  // The first is the table's head; README's links lead from where it is.
  return rows.slice(1).map((row) =>
    row
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((text) => text.trim().replaceAll("](docs/", "](../").replaceAll("](#", "](../../README.md#")),
  );
}

function settingRow([names = "", meaning = "", otherwise = ""]: readonly string[]): readonly string[] {
  const values = [...names.matchAll(/`(WAYBILL_[A-Z_]+)`/g)].flatMap(([, name = ""]) => valuesOf(name) ?? []);
  return [names, meaning, otherwise, [...new Set(values)].join("; ")];
}

/** What is to be written there, by what is said of a value that cannot be one. */
function valuesOf(name: string): string | undefined {
  const none = undefined;
  const found = readConfig(
    { HOME: "/nowhere", [name]: "?" },
    {
      ...{ role: "all", data: none, port: none, network: {}, simulateGpus: none, sandbox: none, journal: none },
      ...{ standBy: false, service: false, json: false },
    },
  );
  const says = found.ok ? undefined : found.problems.find((problem) => problem.startsWith(name));
  return /; write (.*)$/.exec(says ?? "")?.[1];
}

function codesPage(): string {
  const examples = sentences();
  const boundaries = [...new Set(all().map(([code]) => boundaryOf(code)))];
  const rows = ([code, row]: readonly [Code, CodeRow]): readonly string[] => [
    `\`${code}\``,
    row.says + suchAs(row.says, examples.get(code)),
    row.owner,
    String(row.status),
    row.retry,
    row.next,
  ];
  return page(
    "Codes",
    `${made} Every way in which work can stop. \`waybill explain ID\` says with it what was seen, by whom, and how certain that is.`,
    "*Fault of*: whose it is. *Status*: of an HTTP answer that carries the code. *Again*: whether the same again is worth a try; *later* comes with a time where one is known. What stands behind *Such as* is what `explain` says of one example ([rules](../rules.md)).",
    ...boundaries.map((boundary) =>
      [
        `## ${boundary}`,
        "",
        table(
          ["Code", "What happened", "Fault of", "Status", "Again", "What to do"],
          all()
            .filter(([code]) => boundaryOf(code) === boundary)
            .map(rows),
        ),
      ].join("\n"),
    ),
  );
}

function all(): readonly (readonly [Code, CodeRow])[] {
  return Object.entries(codes) as [Code, CodeRow][];
}

function boundaryOf(code: Code): string {
  return code.split("/")[0] ?? "";
}

/** What an example says beyond what is said of the code anyway. */
function suchAs(says: string, example = says): string {
  const more = example.startsWith(says) ? example.slice(says.length).trim() : example;
  return more === "" ? "" : ` *Such as:* ${more}`;
}

/** Of each code the sentence of the first example that came to it, certainly. */
function sentences(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { record, code } of chapters.flatMap(([, examples]) => examples)) {
    const { verdict } = explain(record);
    if (verdict?.certainty === "proved" && !found.has(code)) found.set(code, verdict.sentence);
  }
  return found;
}

function metricsPage(): string {
  return page(
    "Metrics",
    `${made} Where they are told, and to whom: [status](../status.md#metrics).`,
    table(
      ["Metric", "Type", "What it says"],
      Object.entries(metrics).map(([name, { type, help }]) => [`\`${name}\``, type, help]),
    ),
  );
}

function page(title: string, ...parts: readonly string[]): string {
  return `${[`# ${title}`, ...parts].join("\n\n")}\n`;
}

/** Empty where it would have no row. */
function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "";
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}

function cell(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ").replaceAll(/(?<!\\)\|/g, "\\|");
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
