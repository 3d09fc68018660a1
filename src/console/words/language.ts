/** Languages that the console has. */

export const languages = ["en", "de"] as const;
export type Language = (typeof languages)[number];

/** Made from English by rule, for trying the pages: one that is longer, one that is written from right to left. Nobody is offered them. */
export const trials = ["en-XA", "ar-XB"] as const;
export type Trial = (typeof trials)[number];

/** Written from right to left (CLDR): whoever adds one of them adds words alone. */
const fromTheRight: ReadonlySet<string> = new Set(["ar", "fa", "he", "ur"]);

/** The first of the wished ones that we have; `de-CH` is German. A trial is had by its whole name. */
export function languageOf(wished: readonly string[]): Language | Trial {
  for (const wish of wished) {
    const trial = trials.find((one) => one === wish);
    if (trial !== undefined) return trial;
    const found = languages.find((one) => wish.toLowerCase().split("-")[0] === one);
    if (found !== undefined) return found;
  }
  return "en";
}

/** Of a language by its tag. */
export function directionOf(language: string): "ltr" | "rtl" {
  return fromTheRight.has(language.split("-")[0] ?? "") ? "rtl" : "ltr";
}
