/** What stands around each page: where one is, who one is, the search, and what the keys do. */
import { useEffect, useRef, useState } from "react";
import type { FormEvent, ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { SignInLink } from "./asked.tsx";
import { OnceAway } from "./away.tsx";
import { Live } from "./live/live.tsx";
import { placeFound } from "./find.ts";
import { useMe } from "./me.ts";
import { KeysDialog, useKeys } from "./keys.tsx";
import { languages, trials } from "./words/language.ts";
import type { Language } from "./words/language.ts";
import { useSpoken } from "./words/words.tsx";
import { en } from "./words/en.ts";
import { de } from "./words/de.ts";
import ui from "./ui.module.css";
import styles from "./shell.module.css";

const names: Readonly<Record<Language, string>> = { en: en.language, de: de.language };

export function Shell({ children }: { readonly children: ReactNode }): ReactNode {
  const { words, language, choose } = useSpoken();
  const [place] = useLocation();
  const isTrial = trials.some((one) => one === language);
  const main = useRef<HTMLElement>(null);
  const search = useRef<HTMLInputElement>(null);
  const [isListed, setListed] = useState(false);
  const keys = useKeys({ slash: () => lookFor(search.current), question: () => setListed(true) });
  useFocusOn(place, main);
  return (
    <>
      <a className={styles["skip"]} href="#content">
        {words.skip}
      </a>
      <header className={styles["top"]}>
        <div className={styles["bar"]}>
          <Link className={styles["brand"] ?? ""} href="/">
            Waybill
          </Link>
          <nav className={styles["nav"]}>
            <Place href="/" isHere={place === "/" || place.startsWith("/spaces/")}>
              {words.spaces}
            </Place>
            <Place href="/gpu">{words.gpu}</Place>
            <Place href="/me">{words.me}</Place>
            <Place href="/status">{words.status}</Place>
          </nav>
          <Search input={search} />
          <Who />
        </div>
      </header>
      <Live />
      <main className={styles["main"]} id="content" ref={main} tabIndex={-1}>
        <OnceAway>{children}</OnceAway>
      </main>
      <footer className={styles["foot"]}>
        <button type="button" className={ui["button"]} onClick={() => setListed(true)}>
          {words.keys}
        </button>
        <label className={ui["row"]}>
          {words.languageLabel}
          <select className={ui["input"]} value={language} onChange={({ target }) => choose(target.value as Language)}>
            {languages.map((one) => (
              <option key={one} value={one} lang={one}>
                {names[one]}
              </option>
            ))}
            {isTrial && <option value={language}>{language}</option>}
          </select>
        </label>
        <Link href="/verify">{words.verify}</Link>
        <Link href="/admin">{words.admin}</Link>
        <a href="/docs" hrefLang="en">
          {words.docs}
        </a>
        <a href="/?plain">{words.plain}</a>
      </footer>
      <KeysDialog isOpen={isListed} onClose={() => setListed(false)} keys={keys} />
    </>
  );
}

/** What was looked for before is written over by what is typed. */
function lookFor(search: HTMLInputElement | null): void {
  search?.focus();
  search?.select();
}

function Place({
  href,
  isHere,
  children,
}: {
  readonly href: string;
  readonly isHere?: boolean;
  readonly children: ReactNode;
}): ReactNode {
  const [place] = useLocation();
  return (
    <Link href={href} {...((isHere ?? place === href) && { "aria-current": "page" as const })}>
      {children}
    </Link>
  );
}

/** A page that was gone to is where the keyboard goes on, and its heading is what is read. */
function useFocusOn(place: string, main: { readonly current: HTMLElement | null }): void {
  const before = useRef(place);
  useEffect(() => {
    // Only a change of the place moves it.
    if (place !== before.current) main.current?.focus();
    before.current = place;
  }, [place, main]);
}

function Search({ input }: { readonly input: { current: HTMLInputElement | null } }): ReactNode {
  const { words } = useSpoken();
  const [, go] = useLocation();
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault();
    go(placeFound(input.current?.value ?? ""));
  };
  return (
    <form className={styles["find"]} role="search" onSubmit={onSubmit}>
      <input
        className={ui["input"]}
        ref={input}
        type="search"
        aria-label={words.findLabel}
        placeholder={words.findHint}
        maxLength={200}
        autoComplete="off"
      />
      <button type="submit" className={ui["button"]}>
        {words.find}
      </button>
    </form>
  );
}

function Who(): ReactNode {
  const { words } = useSpoken();
  const { data: me } = useMe();
  if (me === undefined) return <p className={styles["who"]} />;
  if (me === null)
    return (
      <p className={styles["who"]}>
        <SignInLink>{words.signIn}</SignInLink>
      </p>
    );
  return (
    <p className={styles["who"]}>
      {words.signedInAs} <a href="/settings">{me.name}</a>
    </p>
  );
}
