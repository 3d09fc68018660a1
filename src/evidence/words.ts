/** Numbers and lists as the sentences of verdicts say them. The same in every language of the interface: plain English here. */
import type { Json } from "./entry.ts";

/** `3 s`, `0.4 s`, `12 ms`: short, never rounded up, so that nobody reads a larger charge than was made. */
export function spell(ms: number): string {
  if (ms === 0) return "0 s";
  if (ms < 100) return `${Math.floor(ms)} ms`;
  const tenths = Math.floor(ms / 100);
  return tenths % 10 === 0 ? `${tenths / 10} s` : `${Math.floor(tenths / 10)}.${tenths % 10} s`;
}

/** `18:04 UTC on 2026-11-22`; the text itself where it is no time. */
export function clockTime(at: string): string {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)/.exec(at);
  return match ? `${match[2]} UTC on ${match[1]}` : at;
}

/** `1st`, `2nd`, `3rd`, `11th`. */
export function ordinal(n: number): string {
  const teen = n % 100 >= 11 && n % 100 <= 13;
  const ending = teen ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${n}${ending}`;
}

/** `3 calls`, `1 call`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/** Ends a recorded text as a sentence ends; "" stays "". */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "") return "";
  const first = `${trimmed.charAt(0).toUpperCase()}${trimmed.slice(1)}`;
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** What keeps a call waiting, all of it: `all 4 slots are leased; 2 calls are ahead`. */
export function blockersSay(blockers: Json | undefined): string {
  if (!Array.isArray(blockers)) return "";
  return blockers
    .map(blockerSays)
    .filter((says) => says !== "")
    .join("; ");
}

function blockerSays(blocker: Json): string {
  if (typeof blocker !== "object" || blocker === null || Array.isArray(blocker)) return "";
  const fact = blocker as { readonly [key: string]: Json };
  const number = (name: string): number => (typeof fact[name] === "number" ? fact[name] : 0);
  switch (fact["kind"]) {
    case "slots": {
      const clearing = number("clearing");
      return `${number("leased")} of ${count(number("total"), "slot")} leased${clearing > 0 ? `, ${clearing} being cleared` : ""}`;
    }
    case "ahead":
      return `${count(number("calls"), "call")} ahead`;
    case "whole-card":
      return `${typeof fact["size"] === "string" ? fact["size"] : "it"} waits for all slots of one card`;
    case "kept":
      return "the free slots are kept for a call ahead";
    case "cards":
      return `${number("cards")} of ${count(number("of"), "card")} in trouble${typeof fact["says"] === "string" ? ` (${fact["says"]})` : ""}`;
    case "draining":
      return `${number("cards")} of ${count(number("of"), "card")} out of use${typeof fact["says"] === "string" ? ` (${fact["says"]})` : ""}`;
    default:
      return "";
  }
}

/** `0 bytes`, `512 bytes`, `1.4 kB`, `20.0 MB`. */
export function bytesSay(bytes: number | undefined): string {
  if (bytes === undefined) return "unknown bytes";
  if (bytes < 1000) return count(bytes, "byte");
  const units = ["kB", "MB", "GB", "TB"];
  const power = Math.min(units.length, Math.floor(Math.log10(bytes) / 3));
  return `${(Math.floor(bytes / 10 ** (power * 3 - 1)) / 10).toFixed(1)} ${units[power - 1]}`;
}
