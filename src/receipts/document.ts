/**
 * The document that people keep of a receipt, and checking it without asking anybody: the receipt, its signature (a compact JWS, EdDSA,
 * over the RFC 8785 bytes), and the proof that it is a leaf of the log under a signed checkpoint.
 *
 *   L37. Any flipped byte is caught: each part has one spelling, no part is passed over, and none is unknown.
 */
import { canonicalBytes } from "../evidence/receipt.ts";
import type { Receipt } from "../evidence/receipt.ts";
import type { Bytes } from "./bytes.ts";
import { decoded, encoded, utf8 } from "./bytes.ts";
import { pointOf, thumbprint } from "./keys.ts";
import { isProof, placeOf } from "./log-proof.ts";
import type { Place, ReceiptProof, RememberedLog } from "./log-proof.ts";
import type { Verifying } from "./note.ts";
import { webCrypto } from "./web-crypto.ts";

/** The public part, as receipts and `GET /api/keys` show it. `kid` is its RFC 7638 thumbprint. */
export interface ReceiptPublicKey {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  readonly x: string;
  readonly kid: string;
}

/** `contract/receipts.ts` has the same shape. Without `log`: of a version that kept none. */
export interface SignedReceipt {
  readonly receipt: Receipt;
  readonly jws: string;
  readonly key: ReceiptPublicKey;
  readonly log?: ReceiptProof;
}

/** One thing that was looked at. `says` is a sentence for a person, true whether or not it held. */
export interface ReceiptCheck {
  readonly name:
    | "document"
    | "amounts"
    | "key"
    | "content"
    | "signature"
    | "trust"
    | "keys"
    | "checkpoint"
    | "leaf"
    | "log"
    | "extends";
  readonly ok: boolean;
  readonly says: string;
}

export interface ReceiptVerified {
  /** All checks held. */
  readonly ok: boolean;
  readonly checks: readonly ReceiptCheck[];
  /** Something of its log was seen before. */
  readonly isSeen: boolean;
  /** The log, where more of it is proved than was seen; null also where all does not hold. */
  readonly learned: Omit<RememberedLog, "at"> | null;
}

export interface Trusted {
  /** The platform's own keys: then the one that signed must be among them, and the log no larger than what it spoke for. */
  readonly keys?: readonly { readonly x: string; readonly until?: number | null }[] | undefined;
  /** What is known of the log from before, by its origin. */
  remembered?(origin: string): RememberedLog | undefined;
  /** Asks for the proof that the log of `later` leaves extends that of `earlier`; undefined where nobody answers who has that log. */
  extension?(origin: string, earlier: number, later: number): Promise<readonly string[] | undefined>;
}

const algorithm = "EdDSA";
const type = "waybill-receipt+jws";

/** What a receipt's signature says of itself, and nothing else. */
export function headerFor(kid: string): { alg: string; kid: string; typ: string } {
  return { alg: algorithm, kid, typ: type };
}

/** The public key whose point is `x`, with the `kid` that follows from it. */
export async function receiptPublicKey(x: string): Promise<ReceiptPublicKey> {
  return { kty: "OKP", crv: "Ed25519", x, kid: await thumbprint(webCrypto.digest, x) };
}

/**
 * Checks a document as it was parsed from JSON. Without the platform's keys, and without anything remembered of its log, it vouches only
 * for itself, and the check says so. Never throws on what a document holds.
 */
export async function verifyReceipt(
  document: unknown,
  trusted: Trusted = {},
  verifying: Verifying = webCrypto,
): Promise<ReceiptVerified> {
  const signed = parseSigned(document);
  if (!signed) {
    const says =
      "This is not a signed receipt: it needs `receipt`, `jws` and `key`, and may have a `log`, and no more.";
    return { ok: false, checks: [check("document", false, says)], isSeen: false, learned: null };
  }
  const { receipt, jws, key, log } = signed;
  const [header = "", payload = "", signature = ""] = jws.split(".");
  const known = await receiptPublicKey(key.x);
  const content = contentOf(receipt);
  const place = log && (await placeOf(verifying, { content, last: key.x, log, trusted }));
  const checks = [
    check("document", jws.split(".").length === 3, "A receipt, its signature and the key that made it."),
    amountsCheck(receipt),
    check(
      "key",
      known.kid === key.kid && key.kty === known.kty && key.crv === known.crv && header === headerText(known.kid),
      "The signature names this Ed25519 key, its algorithm and its purpose, and nothing else.",
    ),
    check(
      "content",
      content !== undefined && payload === encoded(content, "base64url"),
      "What was signed is this receipt, to the byte.",
    ),
    check(
      "signature",
      await isSigned(verifying, key.x, `${header}.${payload}`, signature),
      "The signature was made with the private part of this key.",
    ),
    trustCheck(key, trusted.keys, place),
    ...(place?.checks ?? [
      check("log", true, "It has no proof of its place in the platform's log: show it again to have one."),
    ]),
  ];
  const ok = checks.every((one) => one.ok);
  return { ok, checks, isSeen: place?.isKnown === true, learned: (ok && place?.learned) || null };
}

/** What a check comes to. `vouched`: unchanged since it was signed, by a key that only the document vouches for. */
export type Outcome = "genuine" | "vouched" | "rewritten" | "not-genuine";

/** `rewritten`: all holds but that the log is the one which was seen. */
export function outcomeOf({ ok, checks, isSeen }: ReceiptVerified, hasKeys: boolean): Outcome {
  if (ok) return hasKeys || isSeen ? "genuine" : "vouched";
  return isSeen && checks.every((one) => one.ok || one.name === "extends") ? "rewritten" : "not-genuine";
}

function check(name: ReceiptCheck["name"], ok: boolean, says: string): ReceiptCheck {
  return { name, ok, says };
}

function amountsCheck({ heldMs, chargedMs, releasedMs }: Receipt): ReceiptCheck {
  const whole = [heldMs, chargedMs, releasedMs].every((amount) => Number.isSafeInteger(amount) && amount >= 0);
  const says = `Held ${heldMs} ms: charged ${chargedMs} ms and released ${releasedMs} ms, whole amounts that add up.`;
  return check("amounts", whole && chargedMs + releasedMs === heldMs, says);
}

function trustCheck(key: ReceiptPublicKey, trusted: Trusted["keys"], place: Place | undefined): ReceiptCheck {
  if (trusted) {
    const own = trusted.find(({ x }) => x === key.x);
    const size = place?.size ?? 0;
    return check(
      "trust",
      own !== undefined && size <= (own.until ?? size),
      `Key ${key.kid} is one of the platform's own.`,
    );
  }
  return place?.isKnown
    ? check("trust", place.areKeysKnown, `Key ${key.kid} is the log's, by the keys that you have seen of it.`)
    : check("trust", true, `Key ${key.kid} came with the receipt. Compare it with the platform's own at /api/keys.`);
}

async function isSigned(verifying: Verifying, x: string, message: string, signature: string): Promise<boolean> {
  const [key, bytes] = [pointOf(x), decoded(signature, "base64url")];
  return key !== undefined && bytes?.length === 64 && (await verifying.verify(key, bytes, utf8(message)));
}

function headerText(kid: string): string {
  return encoded(utf8(JSON.stringify(headerFor(kid))), "base64url");
}

/** Undefined where the receipt holds something that has no canonical form, such as half a character. */
function contentOf(receipt: Receipt): Bytes | undefined {
  try {
    return canonicalBytes(receipt);
  } catch {
    return undefined; // Not silent: then the content is not what was signed, and that check says so.
  }
}

function parseSigned(document: unknown): SignedReceipt | undefined {
  if (!isObject(document)) return undefined;
  const { receipt, jws, key, log, ...more } = document;
  if (!isObject(receipt) || typeof jws !== "string" || !isObject(key) || Object.keys(more).length > 0) return undefined;
  const { x, kid, kty, crv, ...moreOfKey } = key;
  if (typeof x !== "string" || !pointOf(x) || typeof kid !== "string" || kty === undefined || crv === undefined)
    return undefined;
  if (Object.keys(moreOfKey).length > 0 || (log !== undefined && !isProof(log))) return undefined;
  return document as unknown as SignedReceipt;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
