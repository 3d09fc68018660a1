/** The providers by which people may sign in: the operator's file, and the secrets that it does not hold. All problems are told at once. */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { readProviders } from "../identity/provider-settings.ts";
import type { ProviderSettings } from "../identity/provider-settings.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const variable = "WAYBILL_SIGN_IN";

export function signInProviders(env: Environment, problems: string[]): readonly ProviderSettings[] {
  const file = env[variable];
  if (!file) return [];
  const text = read(file);
  if (typeof text !== "string") {
    problems.push(
      `${variable} is "${file}", which cannot be read (${text.wrong}); write the path of a JSON file, as docs/sign-in.md has it`,
    );
    return [];
  }
  const found = readProviders(text, (name, of) => secretOf(env, name, of && resolve(dirname(file), of)));
  if ("providers" in found) return found.providers;
  problems.push(...found.problems.map((problem) => `${variable}, ${file}: ${problem}`));
  return [];
}

/** From the file that the provider's entry names, or from the environment; null: it has none, and is asked as a public client. */
function secretOf(
  env: Environment,
  name: string,
  file: string | undefined,
): string | null | { readonly wrong: string } {
  const own = `${variable}_SECRET_${name.toUpperCase().replaceAll("-", "_")}`;
  const inEnvironment = env[own];
  if (file === undefined) return inEnvironment || null;
  if (inEnvironment) return { wrong: `${own} is set, and secret-file is named: leave one out` };
  const text = read(file);
  if (typeof text !== "string") return { wrong: `secret-file "${file}" cannot be read (${text.wrong})` };
  const secret = text.trim();
  return secret === "" ? { wrong: `secret-file "${file}" is empty` } : secret;
}

function read(file: string): string | { readonly wrong: string } {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    return { wrong: (error as NodeJS.ErrnoException).code ?? String(error) };
  }
}
