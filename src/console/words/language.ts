/** Languages that the console has. */

export const languages = ["en", "de"] as const;
export type Language = (typeof languages)[number];

/** The first of the wished ones that we have; `de-CH` is German. */
export function languageOf(wished: readonly string[]): Language {
  for (const wish of wished) {
    const found = languages.find((one) => wish.toLowerCase().split("-")[0] === one);
    if (found !== undefined) return found;
  }
  return "en";
}
