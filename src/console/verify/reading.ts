/** From a file that somebody has to what the check takes, and what the browser keeps as it is written. Pure. */
import type { SignedReceipt } from "../../receipts/document.ts";
import { isRemembered, keptOf, seenAs } from "../../receipts/remembered.ts";
import type { SeenLogs } from "../../receipts/remembered.ts";

/** A receipt is some 8 kB with its proof; a larger file is not one. */
export const receiptMaxBytes = 256 * 1024;

export type Read = { readonly document: unknown } | { readonly wrong: "empty" | "too-large" | "not-json" };

export function readJson(text: string): Read {
  if (text.trim() === "") return { wrong: "empty" };
  if (text.length > receiptMaxBytes) return { wrong: "too-large" };
  try {
    return { document: JSON.parse(text) as unknown };
  } catch {
    return { wrong: "not-json" };
  }
}

export type TrustedKeys = readonly { readonly x: string; readonly until?: number | null }[];

/** What `waybill receipt key list --json` prints, or one key; undefined where no key is in it. */
export function keysIn(document: unknown): TrustedKeys | undefined {
  const { keys, x } = (document ?? {}) as { readonly keys?: unknown; readonly x?: unknown };
  const all: readonly unknown[] = Array.isArray(keys) ? keys : [{ x }];
  const found = all.filter((key): key is TrustedKeys[number] => typeof (key as { x?: unknown } | null)?.x === "string");
  return found.length === 0 ? undefined : found;
}

/** What of a document can be shown; null where it is none. A check that failed says that it is a claim. */
export function shownOf(document: unknown): Pick<SignedReceipt, "receipt" | "log"> | null {
  const { receipt, log } = (document ?? {}) as Partial<SignedReceipt>;
  const isOne = typeof receipt === "object" && receipt !== null && typeof receipt.call === "string";
  return isOne ? { receipt, ...(typeof log === "object" && log !== null && { log }) } : null;
}

/** What was seen of logs, as the browser keeps it; what has another form was kept by nobody of ours, and is nothing. */
export function seenIn(text: string | null): SeenLogs {
  const read = text === null ? { wrong: "empty" as const } : readJson(text);
  const logs = "document" in read ? (read.document as { logs?: unknown } | null)?.logs : undefined;
  return Array.isArray(logs) ? seenAs(logs.filter(isRemembered)) : {};
}

export function seenText(seen: SeenLogs): string {
  return JSON.stringify(keptOf(seen));
}
