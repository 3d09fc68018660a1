/** What people write for others to read: a line that is shown as it is, in terminals too. */
import { z } from "zod";

/** At most so many characters. */
export function plainText(maxLength: number) {
  return z.string().trim().min(1, "say why").max(maxLength).refine(isPlain, "write it in one line of plain text");
}

/** No control characters, and no half of a character. */
export function isPlain(text: string): boolean {
  return text.isWellFormed() && !/\p{Cc}/u.test(text);
}
