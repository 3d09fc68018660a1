/** Signed addresses: whoever has one may move this one file this way until then; git-lfs sends no token with the bytes. Pure. */
import { createHmac, timingSafeEqual } from "node:crypto";
import { isLfsOid, type LfsPointer } from "./lfs-pointer.ts";

export interface LfsTicket extends LfsPointer {
  readonly operation: "upload" | "download";
  /** As `keyOf` writes it. */
  readonly repository: string;
  /** Who asked for the address; empty: one without a token. */
  readonly by: string;
}

/** Seconds. git-lfs asks for a hundred files at once and moves some at a time: the last may begin hours later. */
export const ticketSeconds = 6 * 3_600;

/** The query of the address. `now`: milliseconds since 1970. */
export function signTicket(key: Uint8Array, ticket: LfsTicket, now: number): string {
  const until = Math.floor(now / 1000) + ticketSeconds;
  const { operation, size, by } = ticket;
  return new URLSearchParams({
    operation,
    by,
    size: String(size),
    until: String(until),
    signature: signature(key, ticket, until).toString("base64url"),
  }).toString();
}

/** What the address allows now; undefined where it allows nothing. */
export function readTicket(
  key: Uint8Array,
  { repository, oid, query }: { readonly repository: string; readonly oid: string; readonly query: URLSearchParams },
  now: number,
): LfsTicket | undefined {
  const operation = query.get("operation");
  const [size, until] = [Number(query.get("size") ?? NaN), Number(query.get("until") ?? NaN)];
  if (!isLfsOid(oid) || (operation !== "upload" && operation !== "download")) return undefined;
  if (!Number.isSafeInteger(size) || !Number.isSafeInteger(until) || now >= until * 1000) return undefined;
  const ticket: LfsTicket = { operation, repository, oid, size, by: query.get("by") ?? "" };
  const [ours, theirs] = [signature(key, ticket, until), Buffer.from(query.get("signature") ?? "", "base64url")];
  return ours.length === theirs.length && timingSafeEqual(ours, theirs) ? ticket : undefined;
}

function signature(key: Uint8Array, { operation, repository, oid, size, by }: LfsTicket, until: number): Buffer {
  // An account's name holds no line break, so no two tickets have one text.
  return createHmac("sha256", key).update(["lfs", operation, repository, oid, size, until, by].join("\n")).digest();
}
