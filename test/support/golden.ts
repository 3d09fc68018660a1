/** What a command prints, as it is kept in `test/golden/`: what stands there is compared, or with `WAYBILL_GOLDEN=write` written anew. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCli } from "../../src/cli/program.ts";
import type { CliWorld } from "../../src/cli/world.ts";
import { cliWorld } from "./cli-world.ts";

const folder = join(import.meta.dirname, "..", "golden");
const isWriting = process.env["WAYBILL_GOLDEN"] === "write";
/** Columns. */
export const widths = [60, 100] as const;

export interface Terminal {
  readonly columns: number;
  readonly isTTY?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** The command, what it printed, each line of standard error after a `!`, and its exit code. */
export async function shown(
  command: string,
  { columns, isTTY, env }: Terminal,
  over: Partial<CliWorld> = {},
): Promise<string> {
  const said = { out: "", err: "" };
  const stream = (name: "out" | "err") => ({
    write: (text: string) => (said[name] += text),
    columns,
    ...(isTTY && { isTTY }),
  });
  const { world } = cliWorld({ stdout: stream("out"), stderr: stream("err"), ...over, env: { ...over.env, ...env } });
  const code = await runCli(command.split(" "), world);
  const printed = [said.out, ...said.err.split(/(?<=\n)/).map((line) => (line === "" ? "" : `! ${line}`))].join("");
  return `$ waybill ${command}\n${printed}exit ${code}\n\n`;
}

export function isAsKept(name: string, text: string): void {
  const file = join(folder, name);
  if (isWriting) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, text);
  }
  assert.equal(text, readFileSync(file, "utf8"));
}
