/**
 * Signing receipts, and checking one without asking anybody: a compact JWS, EdDSA, over the RFC 8785 bytes of the receipt.
 *
 *   L37. Any flipped byte is caught. Header, payload and signature are each compared with the one spelling that they have.
 */
import { CompactSign, compactVerify, importJWK } from "jose";
import { canonicalBytes } from "../evidence/receipt.ts";
import type { Receipt } from "../evidence/receipt.ts";
import { receiptPublicKey } from "./receipt-key.ts";
import type { ReceiptKey, ReceiptPublicKey } from "./receipt-key.ts";

/** The document that people keep; `contract/api.ts` has the same shape. */
export interface SignedReceipt {
  readonly receipt: Receipt;
  readonly jws: string;
  readonly key: ReceiptPublicKey;
}

/** One thing that was looked at. `says` is a sentence for a person, true whether or not it held. */
export interface ReceiptCheck {
  readonly name: "document" | "amounts" | "key" | "content" | "signature" | "trust";
  readonly ok: boolean;
  readonly says: string;
}

export interface ReceiptVerified {
  /** All checks held. */
  readonly ok: boolean;
  readonly checks: readonly ReceiptCheck[];
}

const algorithm = "EdDSA";
const type = "waybill-receipt+jws";

/** Signs a receipt; Ed25519 gives the same signature each time, so it may be made whenever somebody asks. */
export async function signReceipt(receipt: Receipt, key: ReceiptKey): Promise<SignedReceipt> {
  const jws = await new CompactSign(canonicalBytes(receipt))
    .setProtectedHeader(headerFor(key.publicKey.kid))
    .sign(key.privateKey);
  return { receipt, jws, key: key.publicKey };
}

/**
 * Checks a signed receipt as it was parsed from JSON. With `trusted` (the platform's own keys) the key must be among them; without
 * it the document vouches only for itself, and the check says so. Never throws on what a document holds.
 */
export async function verifyReceipt(
  document: unknown,
  trusted?: readonly Pick<ReceiptPublicKey, "x">[],
): Promise<ReceiptVerified> {
  const signed = parseSigned(document);
  if (!signed) {
    return verdict([check("document", false, "This is not a signed receipt: it needs `receipt`, `jws` and `key`.")]);
  }
  const { receipt, jws, key } = signed;
  const [header = "", payload = "", signature = ""] = jws.split(".");
  const known = await receiptPublicKey(key.x);
  return verdict([
    check("document", jws.split(".").length === 3, "A receipt, its signature and the key that made it."),
    amountsCheck(receipt),
    check(
      "key",
      known.kid === key.kid &&
        key.kty === known.kty &&
        key.crv === known.crv &&
        header === encode(headerFor(known.kid)),
      "The signature names this Ed25519 key, its algorithm and its purpose, and nothing else.",
    ),
    check("content", payload === encodedReceipt(receipt), "What was signed is this receipt, to the byte."),
    check(
      "signature",
      isSpelledOnce(signature) && (await isSigned(jws, key.x)),
      "The signature was made with the private part of this key.",
    ),
    trustCheck(key, trusted),
  ]);
}

function headerFor(kid: string): { alg: string; kid: string; typ: string } {
  return { alg: algorithm, kid, typ: type };
}

function verdict(checks: readonly ReceiptCheck[]): ReceiptVerified {
  return { ok: checks.every(({ ok }) => ok), checks };
}

function check(name: ReceiptCheck["name"], ok: boolean, says: string): ReceiptCheck {
  return { name, ok, says };
}

function amountsCheck({ heldMs, chargedMs, releasedMs }: Receipt): ReceiptCheck {
  const whole = [heldMs, chargedMs, releasedMs].every((amount) => Number.isSafeInteger(amount) && amount >= 0);
  const says = `Held ${heldMs} ms: charged ${chargedMs} ms and released ${releasedMs} ms, whole amounts that add up.`;
  return check("amounts", whole && chargedMs + releasedMs === heldMs, says);
}

function trustCheck(key: ReceiptPublicKey, trusted: readonly Pick<ReceiptPublicKey, "x">[] | undefined): ReceiptCheck {
  if (!trusted) {
    return check(
      "trust",
      true,
      `Key ${key.kid} came with the receipt. Compare it with the platform's own at /api/keys.`,
    );
  }
  return check(
    "trust",
    trusted.some(({ x }) => x === key.x),
    `Key ${key.kid} is one of the platform's own.`,
  );
}

async function isSigned(jws: string, x: string): Promise<boolean> {
  try {
    const key = await importJWK({ kty: "OKP", crv: "Ed25519", x }, algorithm);
    await compactVerify(jws, key, { algorithms: [algorithm] });
    return true;
  } catch {
    // Not silent: whatever a forged key or signature makes the library say, the answer is "not signed with this key".
    return false;
  }
}

/** Undefined where the receipt holds something that has no canonical form, such as half a character. */
function encodedReceipt(receipt: Receipt): string | undefined {
  try {
    return Buffer.from(canonicalBytes(receipt)).toString("base64url");
  } catch {
    return undefined;
  }
}

/** Whether base64url text is the one that its bytes give: no padding, no spare bits, no other letters. */
function isSpelledOnce(text: string): boolean {
  return text !== "" && Buffer.from(text, "base64url").toString("base64url") === text;
}

/** Whether base64url text is 32 bytes: anything else is no Ed25519 key. */
function isPoint(text: string): boolean {
  return text.length === 43 && isSpelledOnce(text);
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function parseSigned(document: unknown): SignedReceipt | undefined {
  if (!isObject(document)) return undefined;
  const { receipt, jws, key } = document as { receipt?: unknown; jws?: unknown; key?: unknown };
  if (!isObject(receipt) || typeof jws !== "string" || !isObject(key)) return undefined;
  const { x, kid } = key as { x?: unknown; kid?: unknown };
  if (typeof x !== "string" || !isPoint(x) || typeof kid !== "string") return undefined;
  return { receipt: receipt as Receipt, jws, key: key as ReceiptPublicKey };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
