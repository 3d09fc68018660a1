/** The language of the page: what its reader chose, else the first of the browser's that we have. */
import { createContext, useContext, useEffect, useMemo, useState } from "react";
import type { ReactNode } from "react";
import { Format } from "../format.ts";
import { keep, kept } from "../kept.ts";
import { de } from "./de.ts";
import { en } from "./en.ts";
import type { Words } from "./en.ts";
import { languageOf } from "./language.ts";
import type { Language } from "./language.ts";

const all: Readonly<Record<Language, Words>> = { en, de };
const keptAs = "waybill-language";

interface Spoken {
  readonly words: Words;
  readonly format: Format;
  readonly language: Language;
  choose(language: Language): void;
}

const spoken = createContext<Spoken | undefined>(undefined);

export function Speaking({ children }: { readonly children: ReactNode }): ReactNode {
  const [language, setLanguage] = useState<Language>(() => languageOf([kept(keptAs) ?? "", ...navigator.languages]));
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const value = useMemo<Spoken>(() => {
    const choose = (wish: Language): void => {
      keep(keptAs, wish);
      setLanguage(wish);
    };
    return {
      words: all[language],
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
