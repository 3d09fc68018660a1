/** Signing receipts: a compact JWS, EdDSA, over the RFC 8785 bytes of the receipt. Who checks one: `receipts/document.ts`. */
import { CompactSign } from "jose";
import { canonicalBytes } from "../evidence/receipt.ts";
import type { Receipt } from "../evidence/receipt.ts";
import { headerFor } from "../receipts/document.ts";
import type { SignedReceipt } from "../receipts/document.ts";
import type { ReceiptKey } from "./receipt-key.ts";

/** Signs a receipt; Ed25519 gives the same signature each time, so it may be made whenever somebody asks. */
export async function signReceipt(receipt: Receipt, key: ReceiptKey): Promise<SignedReceipt> {
  const jws = await new CompactSign(canonicalBytes(receipt))
    .setProtectedHeader(headerFor(key.publicKey.kid))
    .sign(key.privateKey);
  return { receipt, jws, key: key.publicKey };
}
