/** A probe: something that an app must not be able to do, and how it is tried. */
import type { Outcome } from "./facts.ts";

export interface Probe {
  readonly name: string;
  readonly tries: string;
  readonly closed: readonly string[];
  /** Known to be open and meant to be. */
  readonly byDesign?: true;
  /** Returns a word for what came of it, or nothing where it could; may reject with a system error. */
  try(): unknown;
}

/** Tries one and says what came of it. Never rejects. */
export async function tried({ name, tries, closed, byDesign, try: act }: Probe): Promise<Outcome> {
  const outcome = await attempt(act);
  return { probe: name, tries, closed, byDesign: byDesign ?? false, outcome };
}

async function attempt(act: () => unknown): Promise<string> {
  try {
    const said = await act();
    return typeof said === "string" ? said : "open";
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code ?? `failed: ${message}`;
  }
}
