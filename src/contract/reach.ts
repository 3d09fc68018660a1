/**
 * Rules of names and ports, and the setting `reach` that is made of them: what of the outside a Space's app keeps to, by its owner, within
 * what the operator allows. Pure.
 */
import type { OutboundRules } from "./egress.ts";

/** `api.example.com`, `*.example.com` (and not example.com itself), `*`; with a port, only that one. */
export interface NameRule {
  readonly pattern: string;
  readonly port: number | null;
}

/** As much as the operator allows, and nothing at all. */
export const reachWords = { all: "all", none: "none" } as const;
/** An app that talks to more than these is one that its owner does not narrow; each is looked through for each connection. */
const reachMost = 50;
const reachMaxChars = 2_000;

/** `name` or `name:port`; undefined where it is no rule. */
export function parseNameRule(text: string): NameRule | undefined {
  const match = /^(\*|(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?)(?::(\d{1,5}))?$/i.exec(text.trim());
  if (!match) return undefined;
  const port = match[2] === undefined ? null : Number(match[2]);
  if (port !== null && (port < 1 || port > 65_535)) return undefined;
  return { pattern: (match[1] as string).toLowerCase(), port };
}

export function ruleSays({ pattern, port }: NameRule): string {
  return port === null ? pattern : `${pattern}:${port}`;
}

export function matchesName(pattern: string, name: string): boolean {
  if (pattern === "*" || pattern === name) return true;
  return pattern.startsWith("*.") && name.endsWith(pattern.slice(1)) && name.length > pattern.length - 1;
}

/** The rules that a setting means, null for all that the operator allows; or a sentence where it is none. */
export function parseReach(text: string): readonly NameRule[] | null | string {
  if (text.length > reachMaxChars) return `write at most ${reachMaxChars} characters; these are ${text.length}`;
  const words = text.split(/[\s,]+/).filter((word) => word !== "");
  if (words.length === 1 && words[0] === reachWords.all) return null;
  if (words.length === 1 && words[0] === reachWords.none) return [];
  if (words.length === 0)
    return "write all for what the operator allows, none for nothing, or names such as api.example.com, *.example.com or api.example.com:443, with commas between";
  if (words.length > reachMost) return `write at most ${reachMost} names; these are ${words.length}`;
  const rules: NameRule[] = [];
  for (const word of words) {
    const rule = parseNameRule(word);
    if (rule === undefined)
      return `"${word}" is no name that can be reached; write names such as api.example.com, *.example.com or api.example.com:443, with commas between`;
    rules.push(rule);
  }
  return rules;
}

/** As it is kept: one way to write it. */
export function reachSays(rules: readonly NameRule[] | null): string {
  if (rules === null) return reachWords.all;
  return rules.length === 0 ? reachWords.none : [...new Set(rules.map(ruleSays))].join(", ");
}

/** By which of the operator's rules it is not allowed, in words; undefined where it is. Of a pattern single names may be denied all the same. */
export function whyNotAllowed(rules: OutboundRules, { pattern, port }: NameRule): string | undefined {
  const parsed = (list: readonly string[]): NameRule[] => list.flatMap((text) => parseNameRule(text) ?? []);
  const [allow, deny] = [parsed(rules.allow), parsed(rules.deny)];
  const denied = deny.filter((rule) => covers(rule.pattern, pattern));
  const isDenied = (at: number): boolean => denied.some((rule) => rule.port === null || rule.port === at);
  const allowing = allow.filter((rule) => covers(rule.pattern, pattern));
  if (allowing.length === 0) return `"allow only ${rules.allow.join(", ") || "nothing"}"`;
  const allowed = [...new Set(allowing.flatMap((rule) => rule.port ?? rules.ports))];
  const wished = port === null ? allowed : allowed.filter((at) => at === port);
  if (wished.length === 0) return `"allow only ${allowed.length === 1 ? "port" : "ports"} ${allowed.join(", ")}"`;
  return wished.every(isDenied) ? `"deny ${denied.map(ruleSays).join(", ")}"` : undefined;
}

/** Whether each name of the second is one of the first. */
function covers(pattern: string, other: string): boolean {
  if (pattern === "*" || pattern === other) return true;
  return pattern.startsWith("*.") && other.endsWith(pattern.slice(1)) && other !== "*";
}
