/** What a machine may lack: a test that needs it is skipped out loud, with the reason. */
import { existsSync } from "node:fs";
import { sandboxHere } from "../../src/runtime/sandbox/prepare.ts";

export type Need = "sandbox" | "python3";

/** Options for `test`: `skip` holds the reason where something is missing. */
export async function needs(...what: readonly Need[]): Promise<{ readonly skip: string | false }> {
  const missing = (await Promise.all(what.map(lacking))).flatMap((why) => why ?? []);
  return { skip: missing.length === 0 ? false : missing.join("; ") };
}

async function lacking(what: Need): Promise<string | undefined> {
  if (what === "python3") return existsSync("/usr/bin/python3") ? undefined : "no /usr/bin/python3";
  const { problems } = await sandboxHere();
  return problems.length === 0 ? undefined : problems.join("; ");
}
