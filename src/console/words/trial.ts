/**
 * Languages made from English by rule, for trying the pages (their names are CLDR's for such): `en-XA` has seven letters where English has
 * five, and `ar-XB` the same in Arabic letters. What a message is given (ids, amounts, names) stays as it is. Pure.
 */
import { en } from "./en.ts";
import type { Words } from "./en.ts";
import type { Trial } from "./language.ts";

/** How much longer: German, French and Arabic are that much longer than English where it is short. */
const growth = 1.4;

const accents: Readonly<Record<string, string>> = { a: "å", e: "é", i: "î", o: "ø", u: "û", y: "ý" };
/** A letter of Arabic for each of ours: not the sounds, but the direction and the joins. */
const arabic = Array.from("ابتثجحخدذرزسشصضطظعغفقكلمنه");

export function wordsOf(trial: Trial): Words {
  const written = trial === "en-XA" ? longer : (text: string): string => inArabic(longer(text));
  return changed(en, written) as Words;
}

/** Each message of a list of them, and of the lists within it. */
function changed(messages: unknown, written: (text: string) => string): unknown {
  if (typeof messages === "string") return written(messages);
  if (typeof messages === "function") {
    const say = messages as (...values: readonly unknown[]) => string;
    return (...values: readonly unknown[]) => around(say(...values), textsIn(values), written);
  }
  return Object.fromEntries(
    Object.entries(messages as object).map(([name, message]) => [name, changed(message, written)]),
  );
}

/** What stands around what the message was given. */
function around(text: string, given: readonly string[], written: (text: string) => string): string {
  const first = given.find((one) => text.includes(one));
  if (first === undefined) return written(text);
  const at = text.indexOf(first);
  return around(text.slice(0, at), given, written) + first + around(text.slice(at + first.length), given, written);
}

/** Longest first, so that a short one is not found within a long one. */
function textsIn(values: readonly unknown[]): readonly string[] {
  const texts = values.flatMap((value): readonly string[] => {
    if (typeof value === "object" && value !== null) return textsIn(Object.values(value));
    return typeof value === "string" || typeof value === "number" ? [String(value)] : [];
  });
  return texts.filter((text) => text !== "").toSorted((a, b) => b.length - a.length);
}

/** Vowels are said twice until it is long enough, so that each word grows where it stands; one that has none gets marks. */
function longer(text: string): string {
  const letters = text.match(/[a-z]/gi)?.length ?? 0;
  let lacking = Math.ceil(letters * (growth - 1));
  const said = text.replaceAll(/[aeiouy]/g, (vowel) => {
    const accent = accents[vowel] ?? vowel;
    if (lacking === 0) return accent;
    lacking -= 1;
    return accent + accent;
  });
  return said + "~".repeat(lacking);
}

function inArabic(text: string): string {
  const plain = text.normalize("NFD").replaceAll(/\p{M}/gu, "").replaceAll("ø", "o");
  return plain.replaceAll(/[a-z]/gi, (letter) => arabic[letter.toLowerCase().charCodeAt(0) - 97] ?? letter);
}
