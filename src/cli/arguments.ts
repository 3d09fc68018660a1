/** Parsers of what a person types: lengths of time, counts, a Space's name. Each says what it wants. */
import { noticeTypes } from "../contract/webhooks.ts";
import type { NoticeType } from "../contract/webhooks.ts";
import { isPrice } from "../receipts/focus.ts";
import { InvalidArgumentError } from "commander";

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, min: 60_000, h: 3_600_000 };

/** `3s`, `500ms`, `2m`, `1h`, `90` (seconds) → whole milliseconds. */
export function parseLength(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|min|h)?$/.exec(text.trim());
  if (!match) throw new InvalidArgumentError("Write a length such as 3s, 500ms, 2m or 1h.");
  return Math.round(Number(match[1]) * (units[match[2] ?? "s"] as number));
}

/** `90d`, or a shorter unit → whole milliseconds. */
export function parseAge(text: string): number {
  const days = /^(\d{1,6})\s*d$/.exec(text.trim());
  return days ? Number(days[1]) * 24 * (units["h"] as number) : parseLength(text);
}

/** `10m` before now, or an instant → RFC 3339, once it is known when now is. */
export function parseSince(text: string): (now: number) => string {
  if (/^\d+(\.\d+)?(ms|s|m|min|h)$/.test(text)) {
    const ms = parseLength(text);
    return (now) => new Date(now - ms).toISOString();
  }
  const at = Date.parse(text);
  if (Number.isNaN(at))
    throw new InvalidArgumentError("Write a length such as 10m, or an instant such as 2026-11-22T12:00:00Z.");
  return () => new Date(at).toISOString();
}

/**
 * `12:00` of today, or of yesterday where that is still to come, by the machine's own zone; else as {@link parseSince}. `after`: the first
 * such time after that instant.
 */
export function parseClock(text: string): (now: number, after?: string) => string {
  const [, hours, minutes, seconds] = /^([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$/.exec(text) ?? [];
  if (hours === undefined) return parseSince(text);
  return (now, after) => {
    const at = new Date(after ?? now);
    at.setHours(Number(hours), Number(minutes), Number(seconds ?? 0), 0);
    if (after === undefined && at.getTime() > now) at.setDate(at.getDate() - 1);
    if (after !== undefined && at.getTime() <= Date.parse(after)) at.setDate(at.getDate() + 1);
    return at.toISOString();
  };
}

/** An instant, as RFC 3339 writes one. */
export function parseMoment(text: string): string {
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new InvalidArgumentError("Write an instant such as 2026-11-22T12:00:00Z.");
  return new Date(at).toISOString();
}

const policies = ["window", "runs", "calls", "duration"] as const;

export function parsePolicy(text: string): (typeof policies)[number] {
  const policy = policies.find((one) => one === text);
  if (!policy) throw new InvalidArgumentError(`It is one of ${policies.join(", ")}.`);
  return policy;
}

export function parseWhenOut(text: string): "visitor" | "refuse" {
  if (text !== "visitor" && text !== "refuse") throw new InvalidArgumentError("It is visitor or refuse.");
  return text;
}

export function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("Write a whole number.");
  return Number(text);
}

export function parseWithin(least: number, most: number): (text: string) => number {
  return (text) => {
    const count = parseCount(text);
    if (count < least || count > most) throw new InvalidArgumentError(`Write a number from ${least} to ${most}.`);
    return count;
  };
}

/** Who carries the requests. */
export function parseEdge(text: string): "own" | "apart" {
  if (text !== "own" && text !== "apart") throw new InvalidArgumentError("It is own or apart.");
  return text;
}

export function parsePort(text: string): number {
  const port = parseCount(text);
  if (port > 65_535) throw new InvalidArgumentError("A port is 0 to 65535; 0 takes a free one.");
  return port;
}

/** `2x2` → two cards of two slots each. */
export function parseSimulated(text: string): { devices: number; slots: number } {
  const match = /^(\d{1,2})x(\d{1,2})$/.exec(text);
  const [devices, slots] = [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)];
  if (devices < 1 || slots < 1) throw new InvalidArgumentError("Write cards x slots of each, such as 2x2.");
  return { devices, slots };
}

export function parseSpace(text: string): string {
  if (!/^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/.test(text)) throw new InvalidArgumentError("Write OWNER/NAME.");
  return text;
}

export function parseAdmission(text: string): "clip" | "strict" {
  if (text !== "clip" && text !== "strict") throw new InvalidArgumentError("It is clip or strict.");
  return text;
}

/** A limit as it is typed: commander keeps no null. */
export type Limit = number | "none";

/** A length, or `none` for no limit. */
export function parseLengthLimit(text: string): Limit {
  return text === "none" ? "none" : parseLength(text);
}

/** A count, or `none` for no limit. */
export function parseCountLimit(text: string): Limit {
  return text === "none" ? "none" : parseCount(text);
}

/** Bytes, or `none`. */
export function parseBytesLimit(text: string): Limit {
  if (text === "none") return "none";
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text)))
    throw new InvalidArgumentError("Write a whole number of bytes, such as 50000000000, or none.");
  return Number(text);
}

/** As the API has it: null is no limit. */
export function limitOf(limit: Limit): number | null {
  return limit === "none" ? null : limit;
}

const tiers = ["free", "pro", "enterprise", "unlimited"] as const;

export function parseTier(text: string): (typeof tiers)[number] {
  const tier = tiers.find((one) => one === text);
  if (!tier) throw new InvalidArgumentError(`It is one of ${tiers.join(", ")}.`);
  return tier;
}

/** Addresses of servers, with commas between them. What a node hears has secrets in it: unencrypted only on this machine. */
export function parseServers(text: string): readonly string[] {
  return text.split(",").map((part) => {
    const url = URL.parse(part.trim());
    const isLocal = url !== null && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
    if (url?.protocol === "https:" || (url?.protocol === "http:" && isLocal)) return url.origin;
    throw new InvalidArgumentError("Write https://HOST, or http://127.0.0.1:PORT for a server of this machine.");
  });
}

/** `5xx` → 5. */
export function parseStatusClass(text: string): number {
  if (!/^[0-5]xx$/i.test(text))
    throw new InvalidArgumentError("Write 2xx, 3xx, 4xx, 5xx, or 0xx for what nobody answered.");
  return Number(text[0]);
}

export function parseAnswerer(text: string): "app" | "edge" | "nobody" {
  if (text !== "app" && text !== "edge" && text !== "nobody")
    throw new InvalidArgumentError("It is app, edge or nobody.");
  return text;
}

const scopes = ["read", "write", "gpu", "admin"] as const;

export function parseScopes(text: string): readonly (typeof scopes)[number][] {
  const named = text.split(",").map((name) => scopes.find((scope) => scope === name.trim()));
  if (named.includes(undefined)) throw new InvalidArgumentError(`write some of ${scopes.join(",")}.`);
  return named as (typeof scopes)[number][];
}

export function parseNoticeTypes(text: string): readonly NoticeType[] {
  const known = Object.keys(noticeTypes) as readonly NoticeType[];
  const named = text.split(",").map((name) => known.find((type) => type === name.trim()));
  if (named.includes(undefined)) throw new InvalidArgumentError(`write some of ${known.join(",")}.`);
  return named as NoticeType[];
}

export function parseFormat(text: string): "jsonl" | "focus" {
  if (text === "jsonl" || text === "focus") return text;
  throw new InvalidArgumentError("It is jsonl or focus.");
}

export function parsePrice(text: string): string {
  if (isPrice(text)) return text;
  throw new InvalidArgumentError(
    "It is a decimal number, as 0.0005, with at most 9 digits before the point and 12 after it.",
  );
}

export function parseCurrency(text: string): string {
  if (/^[A-Z]{3}$/.test(text)) return text;
  throw new InvalidArgumentError("It is a code of ISO 4217, as EUR.");
}
