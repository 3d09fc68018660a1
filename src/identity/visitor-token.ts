/**
 * The visitor's token, `X-IP-Token`: the edge mints one for each request to an app, and the app hands it back with a GPU call,
 * verbatim. So the call is billed to whoever made the request, and is linked to it exactly.
 *
 * It is a JWT in three parts because clients decode the middle one and look at `user`. HMAC-SHA256, since only the platform
 * verifies it; by `node:crypto` and not jose, whose signing is asynchronous and this is on the path of every request.
 *
 * What is accepted is what {@link mintVisitorToken} writes, byte for byte: the header is compared as text with the one that belongs to
 * the key, and the payload must be its own canonical text. So no other algorithm, no key by address, no member twice, no padding.
 */
import { createHmac } from "node:crypto";
import type { BilledBy, TierName } from "../core/model.ts";
import { tierDefaults } from "../core/policy.ts";
import { instant, seconds } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";
import { sameSecret } from "./secret-text.ts";
import { TextMac } from "./text-mac.ts";

/** Secrets by their id. */
export type VisitorSecrets = ReadonlyMap<string, Uint8Array>;

export interface VisitorClaims {
  /** owner/name: the only Space that may hand the token back. */
  readonly space: string;
  /** The signed-in account's name as apps may see it; null for a visitor who is not signed in. */
  readonly user: string | null;
  /** Who is billed: a name, or `address:…`. */
  readonly account: string;
  readonly tier: TierName;
  readonly billedBy: BilledBy;
  /** The request's id: the token names this one and no other. */
  readonly request: string;
  /** Where a Space passed on its visitor's token: the first request of all, and through how many Spaces it came. */
  readonly forwarded?: { readonly root: string; readonly hops: number } | undefined;
  /** The app's function that the request names: by its name, `/render`, or its number, `3`. */
  readonly asksFor?: string | undefined;
  readonly issuedAt: Instant;
  /** Valid before this instant, to the whole second above. */
  readonly expiresAt: Instant;
}

export interface VisitorKey {
  readonly kid: string;
  readonly key: Uint8Array;
  /** Where many tokens are minted with it. */
  readonly prepared?: PreparedKey | undefined;
}

/** What all tokens of a key share, room to write the rest of one in, and what the last one shares with many that follow it. */
export interface PreparedKey {
  readonly header: string;
  readonly room: Buffer;
  readonly payloads: Payloads;
  readonly mac: TextMac;
}

/** The key, ready to mint with: what is the same in all its tokens is made once. */
export function preparedKey({ kid, key }: Pick<VisitorKey, "kid" | "key">): VisitorKey {
  const room = Buffer.allocUnsafeSlow(visitorTokenMaxLength);
  const mac = new TextMac(key, visitorTokenMaxLength);
  return { kid, key, prepared: { header: headerOf(kid), room, payloads: new Payloads(), mac } };
}

export interface VisitorTokenTerms extends VisitorClaims, VisitorKey {}

export type VisitorTokenCode = "identity/bad-signature" | "identity/wrong-audience" | "identity/expired";

export type VisitorVerified =
  | { readonly ok: true; readonly claims: VisitorClaims }
  | { readonly ok: false; readonly code: VisitorTokenCode };

/** A longer text was never ours: names and ids are short. Keeps a forged one from costing anything. */
export const visitorTokenMaxLength = 2048;

/** A visitor's token outlasts the longest queue and the app's own; it names one request and carries caps. */
export const visitorTokenLasts = seconds(2 * 3600);

const issuer = "waybill";
const type = "waybill-visitor+jwt";
const billings: Readonly<Record<BilledBy, true>> = { token: true, session: true, address: true, owner: true };

/** The token of one request to one Space. Takes a few microseconds. */
export function mintVisitorToken(terms: VisitorTokenTerms): string {
  const { key, kid, prepared } = terms;
  if (prepared === undefined) return signedBy(key, `${headerOf(kid)}.${encode(payloadOf(terms))}`);
  const { header, payloads, room, mac } = prepared;
  const signed = `${header}.${encode(payloads.of(terms), room)}`;
  return signed.length > mac.textMaxLength ? signedBy(key, signed) : `${signed}.${mac.of(signed)}`;
}

function signedBy(key: Uint8Array, signed: string): string {
  return `${signed}.${macOf(key, signed)}`;
}

/**
 * What the token says, if this platform made it, for this Space, and it has not expired. In that order of refusal. `space` null:
 * for whichever Space, where nothing but the token itself can say who passes it on.
 */
export function verifyVisitorToken(
  token: string,
  { keys, space, now }: { readonly keys: VisitorSecrets; readonly space: string | null; readonly now: Instant },
): VisitorVerified {
  const payload = signedPayload(token, keys);
  const claims = payload === undefined ? undefined : parsePayload(payload);
  if (!claims) return { ok: false, code: "identity/bad-signature" };
  if (space !== null && claims.space !== space) return { ok: false, code: "identity/wrong-audience" };
  if (now >= claims.expiresAt) return { ok: false, code: "identity/expired" };
  return { ok: true, claims };
}

/** The payload's text, if the token is one of ours to the byte. */
function signedPayload(token: string, keys: VisitorSecrets): string | undefined {
  if (token.length > visitorTokenMaxLength) return undefined;
  const parts = token.split(".");
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined) return undefined;
  for (const [kid, key] of keys) {
    if (header !== headerOf(kid)) continue;
    // As texts, so that a signature has one spelling.
    if (!sameSecret(signature, macOf(key, `${header}.${payload}`))) return undefined;
    const text = Buffer.from(payload, "base64url").toString();
    return encode(text) === payload ? text : undefined;
  }
  return undefined;
}

function headerOf(kid: string): string {
  return encode(JSON.stringify({ alg: "HS256", typ: type, kid }));
}

/** As `JSON.stringify` would write it; by hand, since each request waits for it. */
function payloadOf(claims: VisitorClaims): string {
  const { space, issuedAt, expiresAt, request } = claims;
  return `${frontOf(space, wholeSeconds(issuedAt, expiresAt))}${quoted(request)}${restOf(claims)}`;
}

interface WholeSeconds {
  readonly iat: number;
  readonly exp: number;
}

function wholeSeconds(issuedAt: Instant, expiresAt: Instant): WholeSeconds {
  return { iat: Math.floor(issuedAt / 1000), exp: Math.ceil(expiresAt / 1000) };
}

/** Up to the request's id. */
function frontOf(space: string, { iat, exp }: WholeSeconds): string {
  return `{"iss":"${issuer}","aud":${quoted(space)},"iat":${iat},"exp":${exp},"jti":`;
}

/** After it: who makes the request. */
function restOf({ account, user, tier, billedBy, forwarded, asksFor }: VisitorClaims): string {
  const sub = quoted(account);
  const who = user === null ? "" : `,"user":${user === account ? sub : quoted(user)}`;
  const chain = forwarded === undefined ? "" : `,"root":${quoted(forwarded.root)},"hops":${forwarded.hops}`;
  const named = asksFor === undefined ? "" : `,"fn":${quoted(asksFor)}`;
  return `,"sub":${sub}${who},"tier":"${tier}","by":"${billedBy}"${chain}${named}}`;
}

/** One payload after the other: a visitor's requests come several at a time, and those of one second differ by their ids alone. */
class Payloads {
  #space: string | undefined;
  #iat = 0;
  #exp = 0;
  #front = "";
  #of: VisitorClaims | undefined;
  #rest = "";

  of(claims: VisitorClaims): string {
    const { space, issuedAt, expiresAt, request } = claims;
    const seconds = wholeSeconds(issuedAt, expiresAt);
    const { iat, exp } = seconds;
    if (space !== this.#space || iat !== this.#iat || exp !== this.#exp) {
      this.#front = frontOf(space, seconds);
      this.#space = space;
      this.#iat = iat;
      this.#exp = exp;
    }
    if (this.#of === undefined || !isOfOne(claims, this.#of)) {
      this.#rest = restOf(claims);
      this.#of = claims;
    }
    return `${this.#front}${quoted(request)}${this.#rest}`;
  }
}

function isOfOne(one: VisitorClaims, other: VisitorClaims): boolean {
  return (
    one.account === other.account &&
    one.user === other.user &&
    one.tier === other.tier &&
    one.billedBy === other.billedBy &&
    one.forwarded === other.forwarded &&
    one.asksFor === other.asksFor
  );
}

/** Texts that JSON writes as they are. */
const plain = /^[\w.:/-]*$/;

function quoted(text: string): string {
  return plain.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** Undefined where a payload with a right signature is still not one that we write. */
function parsePayload(text: string): VisitorClaims | undefined {
  const body = parseObject(text);
  if (!body) return undefined;
  const { iss, aud, iat, exp, jti, sub, user = null, tier, by, root, hops, fn } = body;
  if (iss !== issuer || !isText(aud) || !isText(jti) || !isText(sub)) return undefined;
  if (!isText(tier) || !Object.hasOwn(tierDefaults, tier) || !isText(by) || !Object.hasOwn(billings, by))
    return undefined;
  if (!Number.isSafeInteger(iat) || !Number.isSafeInteger(exp)) return undefined;
  if (user !== null && !isText(user)) return undefined;
  if (root !== undefined && (!isText(root) || !Number.isSafeInteger(hops))) return undefined;
  if (fn !== undefined && !isText(fn)) return undefined;
  const claims: VisitorClaims = {
    space: aud,
    user,
    account: sub,
    tier: tier as TierName,
    billedBy: by as BilledBy,
    request: jti,
    issuedAt: instant((iat as number) * 1000),
    expiresAt: instant((exp as number) * 1000),
    ...(root !== undefined && { forwarded: { root, hops: hops as number } }),
    ...(fn !== undefined && { asksFor: fn }),
  };
  // A member twice, or one that we do not write, or another order: another text than ours.
  return payloadOf(claims) === text ? claims : undefined;
}

/** The members of a payload before they are checked. */
interface Payload {
  readonly iss?: unknown;
  readonly aud?: unknown;
  readonly iat?: unknown;
  readonly exp?: unknown;
  readonly jti?: unknown;
  readonly sub?: unknown;
  readonly user?: unknown;
  readonly tier?: unknown;
  readonly by?: unknown;
  readonly root?: unknown;
  readonly hops?: unknown;
  readonly fn?: unknown;
}

function parseObject(text: string): Payload | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

/** `room`: where its bytes are put, if they fit there. */
function encode(text: string, room?: Buffer): string {
  // No character of a text has more than three bytes in UTF-8.
  if (room === undefined || room.length < text.length * 3) return Buffer.from(text).toString("base64url");
  return room.toString("base64url", 0, room.write(text));
}

function macOf(key: Uint8Array, text: string): string {
  return createHmac("sha256", key).update(text).digest("base64url");
}
