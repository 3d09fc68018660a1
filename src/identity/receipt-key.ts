/** The key that signs receipts: Ed25519, made at the first use. The private part is in the settings and nowhere else. */
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK } from "jose";
import type { CryptoKey } from "jose";
import { assert } from "../stdx/assert.ts";
import type { SecretSettings } from "./settings.ts";

/** The public part, as receipts and `GET /api/keys` show it. `kid` is its RFC 7638 thumbprint. */
export interface ReceiptPublicKey {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  readonly x: string;
  readonly kid: string;
}

export interface ReceiptKey {
  readonly publicKey: ReceiptPublicKey;
  readonly privateKey: CryptoKey;
}

const settingKey = "receipt-signing-key";

/** The platform's key for receipts. Two that begin at once get the same one. */
export async function loadReceiptKey(settings: SecretSettings): Promise<ReceiptKey> {
  const stored = (await settings.get(settingKey)) ?? (await settings.setOnce(settingKey, await freshKey()));
  const jwk = JSON.parse(stored) as { readonly x: string; readonly d: string };
  const privateKey = await importJWK({ kty: "OKP", crv: "Ed25519", x: jwk.x, d: jwk.d }, "EdDSA");
  assert(!(privateKey instanceof Uint8Array), "an Ed25519 key is no shared secret");
  return { privateKey, publicKey: await receiptPublicKey(jwk.x) };
}

/** The public key whose point is `x`, with the `kid` that follows from it. */
export async function receiptPublicKey(x: string): Promise<ReceiptPublicKey> {
  const kid = await calculateJwkThumbprint({ kty: "OKP", crv: "Ed25519", x });
  return { kty: "OKP", crv: "Ed25519", x, kid };
}

async function freshKey(): Promise<string> {
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  return JSON.stringify(await exportJWK(privateKey));
}
