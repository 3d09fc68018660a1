/**
 * What the platform signs for clients of the Xet protocol: tokens for a quarter of an hour, for one repository and one right, and
 * addresses of xorbs, for what a file has of them. The clients neither renew a token that is refused nor send one to an address. Pure but
 * for the hash.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Scope } from "./store.ts";

/** `propose`: to write what a pull request is to have, whose room is the account's own (`owner`). */
export type XetRight = "read" | "write" | "propose";

export interface XetToken extends Scope {
  readonly right: XetRight;
}

/** Clients ask for another when a minute of it is left. */
export const tokenSeconds = 15 * 60;
/** What began before its end may be a moment late: a refusal would end the transfer for good. */
const graceSeconds = 60;
/** From the end of a plan's token on: hf_xet asks for a new plan where an address is refused. */
export const addressSeconds = 3_600;

export function signToken(
  key: Uint8Array,
  { repository, owner, account, whole, right }: XetToken,
  now: number,
): { readonly token: string; readonly expires: number } {
  const expires = Math.floor(now / 1000) + tokenSeconds;
  const text = Buffer.from(JSON.stringify([1, repository, owner, account, whole, right, expires])).toString(
    "base64url",
  );
  return { token: `xet_${text}.${signature(key, "token", text)}`, expires };
}

/** Undefined where it allows nothing, or not any more. */
export function readToken(key: Uint8Array, token: string, now: number): XetToken | undefined {
  const [, text = "", signed = ""] = /^xet_([\w-]{1,2000})\.([\w-]{43})$/.exec(token) ?? [];
  if (!isSigned(key, "token", text, signed)) return undefined;
  const [version, repository, owner, account, whole, right, expires] = JSON.parse(
    Buffer.from(text, "base64url").toString(),
  ) as [number, string, string, string, boolean, XetToken["right"], number];
  if (version !== 1 || now >= (expires + graceSeconds) * 1000) return undefined;
  return { repository, owner, account, whole, right, ...(right === "propose" && { proposes: true }) };
}

/** Bytes of a xorb that a file has. */
export interface XorbAddress {
  readonly repository: string;
  /** The account that asked; empty: nobody's. */
  readonly account: string;
  readonly file: string;
  readonly xorb: string;
}

/** The query of the address. */
export function signAddress(key: Uint8Array, { repository, account, file, xorb }: XorbAddress, now: number): string {
  const until = String(Math.floor(now / 1000) + tokenSeconds + addressSeconds);
  const signed = signature(key, "xorb", [repository, account, file, xorb, until].join("\n"));
  return new URLSearchParams({ repository, by: account, file, until, signature: signed }).toString();
}

export function readAddress(
  key: Uint8Array,
  xorb: string,
  query: URLSearchParams,
  now: number,
): XorbAddress | undefined {
  const given = (name: string): string => query.get(name) ?? "";
  const [repository, account, file, until] = [given("repository"), given("by"), given("file"), given("until")];
  // No part of one has a line break that was not signed with it.
  const text = [repository, account, file, xorb, until].join("\n");
  if (!isSigned(key, "xorb", text, given("signature")) || now >= Number(until) * 1000) return undefined;
  return { repository, account, file, xorb };
}

function signature(key: Uint8Array, of: "token" | "xorb", text: string): string {
  return createHmac("sha256", key).update(`${of}\n${text}`).digest("base64url");
}

function isSigned(key: Uint8Array, of: "token" | "xorb", text: string, signed: string): boolean {
  const [ours, theirs] = [Buffer.from(signature(key, of, text)), Buffer.from(signed)];
  return ours.length === theirs.length && timingSafeEqual(ours, theirs);
}
