/** What a compaction leaves of the records that it removed, as it is stored: a document with a digest of its own. */
import { hash } from "node:crypto";
import { JournalDamaged } from "./failures.ts";
import type { RolledUp } from "./port.ts";

/** Under this name it is kept beside the format. */
export const rolledUpKey = "rolled-up";

export function encodeRolledUp(rolledUp: RolledUp): string {
  const text = JSON.stringify(rolledUp);
  return JSON.stringify({ digest: hash("sha256", text, "hex"), text });
}

/** Throws `JournalDamaged` where it was changed. */
export function decodeRolledUp(stored: string, file: string): RolledUp {
  try {
    const { digest, text } = JSON.parse(stored) as { readonly digest: string; readonly text: string };
    if (hash("sha256", text, "hex") === digest) return JSON.parse(text) as RolledUp;
  } catch (cause) {
    throw damaged(file, cause);
  }
  throw damaged(file);
}

function damaged(file: string, cause?: unknown): JournalDamaged {
  return new JournalDamaged(
    { file, index: null, found: "what was kept of the records that were removed was changed" },
    { cause },
  );
}
