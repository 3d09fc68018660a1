/** The language of the page: what its reader chose, else the first of the browser's that we have. */
import { createContext, useContext, useEffect, useMemo, useState } from "react";
import type { ReactNode } from "react";
import { Format } from "../format.ts";
import { keep, kept } from "../kept.ts";
import { de } from "./de.ts";
import { en } from "./en.ts";
import type { Words } from "./en.ts";
import { directionOf, languageOf, trials } from "./language.ts";
import type { Language, Trial } from "./language.ts";
import { wordsOf } from "./trial.ts";

const all: Readonly<Record<Language, Words>> = { en, de };
const keptAs = "waybill-language";

interface Spoken {
  readonly words: Words;
  readonly format: Format;
  readonly language: Language | Trial;
  choose(language: Language): void;
}

const spoken = createContext<Spoken | undefined>(undefined);

export function Speaking({ children }: { readonly children: ReactNode }): ReactNode {
  const [language, setLanguage] = useState<Language | Trial>(() =>
    languageOf([kept(keptAs) ?? "", ...navigator.languages]),
  );
  useEffect(() => {
    document.documentElement.lang = language;
    document.documentElement.dir = directionOf(language);
  }, [language]);
  const value = useMemo<Spoken>(() => {
    const choose = (wish: Language): void => {
      keep(keptAs, wish);
      setLanguage(wish);
    };
    const trial = trials.find((one) => one === language);
    return {
      words: trial === undefined ? all[language as Language] : wordsOf(trial),
      format: new Format(navigator.languages.find((one) => one.startsWith(language)) ?? language),
      language,
      choose,
    };
  }, [language]);
  return <spoken.Provider value={value}>{children}</spoken.Provider>;
}

export function useSpoken(): Spoken {
  const value = useContext(spoken);
  if (value === undefined) throw new Error("a page stands within <Speaking>");
  return value;
}
