/** What may stand next on a command line: commands and options of commander's tree, and which kind of id an argument wants. */
import type { Argument, Command, Option } from "commander";

/** Whose names an argument takes; `files`: those of this machine. */
export type IdKind = "spaces" | "builds" | "calls" | "receipts" | "nodes" | "pools" | "accounts" | "files";

export interface Suggestion {
  readonly value: string;
  readonly says: string;
}

export interface Next {
  readonly suggestions: readonly Suggestion[];
  readonly ids: readonly IdKind[];
}

const byArgument: Readonly<Record<string, readonly IdKind[]>> = {
  "owner/name": ["spaces"],
  "owner/name or b_…": ["spaces", "builds"],
  node: ["nodes"],
  pool: ["pools"],
  account: ["accounts"],
  organisation: ["accounts"],
  file: ["files"],
  dir: ["files"],
  backup: ["files"],
};
/** Where an argument's name alone does not tell. */
const byCommand: Readonly<Record<string, readonly IdKind[]>> = {
  "account id": [],
  "builds id": ["builds"],
  cancel: ["calls"],
  explain: ["spaces", "calls", "builds", "nodes"],
  "receipt show": ["receipts", "calls"],
  "pool show": ["pools"],
  "pool set": ["pools"],
  "pool drain": ["pools"],
  "pool undrain": ["pools"],
  "account tier": ["accounts"],
  "account password": ["accounts"],
};

/** `words`: what stands after `waybill`, the last one as far as it is typed. */
export function whatComesNext(program: Command, words: readonly string[]): Next {
  const typed = words.at(-1) ?? "";
  const path = [program];
  let at = 0;
  let isOpen = true;
  let owed: Option | undefined;
  for (const word of words.slice(0, -1)) {
    if (owed) owed = undefined;
    else if (isOpen && word === "--") isOpen = false;
    else if (isOpen && word.startsWith("-")) owed = valueOwed(path, word);
    else {
      const below = at === 0 ? path.at(-1)?.commands.find((one) => one.name() === word) : undefined;
      if (below) path.push(below);
      else at += 1;
    }
  }
  const command = path.at(-1) as Command;
  if (owed) return { suggestions: [], ids: kindsOfOption(owed) };
  if (isOpen && typed.startsWith("-")) return { suggestions: matching(optionsOf(path), typed), ids: [] };
  const commands = at === 0 ? command.commands.filter(isShown).map(described) : [];
  return { suggestions: matching(commands, typed), ids: kindsOf(path, at) };
}

/** Only what begins as it is typed, and is nothing that a shell would read otherwise. */
export function matching(all: readonly Suggestion[], typed: string): readonly Suggestion[] {
  return all.filter(({ value }) => value.startsWith(typed) && /^[\w./@:#+-]+$/.test(value));
}

function valueOwed(path: readonly Command[], word: string): Option | undefined {
  const option = path.flatMap(({ options }) => options).find((one) => one.long === word || one.short === word);
  return option && (option.required || option.optional) ? option : undefined;
}

function kindsOfOption({ long, flags }: Option): readonly IdKind[] {
  if (/<(file|dir)>/.test(flags)) return ["files"];
  if (long === "--account") return ["accounts"];
  if (long === "--space") return ["spaces"];
  return [];
}

function kindsOf(path: readonly Command[], at: number): readonly IdKind[] {
  const command = path.at(-1) as Command;
  const all: readonly Argument[] = command.registeredArguments;
  const argument = all[at] ?? (all.at(-1)?.variadic ? all.at(-1) : undefined);
  if (!argument) return [];
  const names = path.slice(1).map((one) => one.name());
  const group = `${names[0] ?? ""} ${argument.name()}`;
  return byCommand[names.join(" ")] ?? byCommand[group] ?? byArgument[argument.name()] ?? [];
}

function isShown(command: Command): boolean {
  return !(command as Command & { readonly _hidden?: boolean })._hidden;
}

function described(command: Command): Suggestion {
  return { value: command.name(), says: command.description() };
}

function optionsOf(path: readonly Command[]): readonly Suggestion[] {
  const options = path.toReversed().flatMap((command) => command.options);
  const help = { value: "--help", says: "what the command takes" };
  return [...options.flatMap(({ long, description }) => (long ? [{ value: long, says: description }] : [])), help];
}
