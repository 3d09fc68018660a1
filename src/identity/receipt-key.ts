/**
 * The keys that sign receipts and the checkpoints of their log: Ed25519, the first made at the first use. One signs at a time; when
 * another takes its place both sign that, and the private part of the one before is forgotten.
 */
import { exportJWK, generateKeyPair, importJWK } from "jose";
import type { CryptoKey } from "jose";
import type { ReceiptKeysView } from "../contract/receipts.ts";
import { decoded, utf8 } from "../receipts/bytes.ts";
import { receiptPublicKey } from "../receipts/document.ts";
import type { ReceiptPublicKey } from "../receipts/document.ts";
import { successionText, successionsMax, keysOf } from "../receipts/keys.ts";
import { keyIdOf, noteText, verifierKey } from "../receipts/note.ts";
import type { NoteKey } from "../receipts/note.ts";
import { webCrypto } from "../receipts/web-crypto.ts";
import { assert } from "../stdx/assert.ts";
import type { SecretSettings } from "./settings.ts";

export interface ReceiptKey {
  readonly publicKey: ReceiptPublicKey;
  readonly privateKey: CryptoKey;
}

/** More changes than a log will have. */
export class TooManyKeys extends Error {
  override readonly name = "TooManyKeys";
}

const settingKey = "receipt-signing-key";
const originKey = "receipt-log-origin";

/** In the settings: the key that signs, private part and all, and how it came to be the one. */
interface StoredKey {
  readonly x: string;
  readonly d: string;
  readonly successions?: readonly string[];
}

export class ReceiptKeys {
  readonly #settings: SecretSettings;
  /** The log's name, for life. */
  readonly origin: string;
  #stored: StoredKey;
  #current: ReceiptKey;

  private constructor(settings: SecretSettings, origin: string, stored: StoredKey, current: ReceiptKey) {
    this.#settings = settings;
    this.origin = origin;
    this.#stored = stored;
    this.#current = current;
  }

  /** Two that begin at once get the same key. `name`: what a log is called that has no name yet. */
  static async open(settings: SecretSettings, name: string): Promise<ReceiptKeys> {
    const text =
      (await settings.get(settingKey)) ?? (await settings.setOnce(settingKey, JSON.stringify(await fresh())));
    const origin = (await settings.get(originKey)) ?? (await settings.setOnce(originKey, name));
    const stored = JSON.parse(text) as StoredKey;
    return new ReceiptKeys(settings, origin, stored, await keyOf(stored));
  }

  /** The one that signs. */
  get current(): ReceiptKey {
    return this.#current;
  }

  /** How the keys followed one another, the first one first. */
  get successions(): readonly string[] {
    return this.#stored.successions ?? [];
  }

  /** All that the log has had, the first one first. */
  async published(): Promise<ReceiptKeysView["keys"]> {
    const { origin, successions } = this;
    const keys = await keysOf(webCrypto, { origin, successions, last: this.#current.publicKey.x });
    assert(keys, "what was kept of the log's keys leads to the one that signs");
    return Promise.all(
      keys.map(async ({ x, key, from, until }) => {
        const verifier = await verifierKey(webCrypto.digest, { name: origin, key });
        return { ...(await receiptPublicKey(x)), from, until, verifier };
      }),
    );
  }

  /** The text as a signed note. */
  async sign(text: string): Promise<string> {
    return signed(text, await this.#signer(this.#current));
  }

  /**
   * Another key takes the place of the one that signs, for all checkpoints beyond `size` leaves. `text`: the checkpoint of that size, which
   * both sign. Durable before it resolves. Throws `TooManyKeys`.
   */
  async rotate(size: number, text: string): Promise<string> {
    if (this.successions.length >= successionsMax) throw new TooManyKeys(`the log has had ${successionsMax + 1} keys`);
    const made = await fresh();
    const next = await keyOf(made);
    const [before, after] = [await this.#signer(this.#current), await this.#signer(next)];
    const [from, to] = [await verifierKey(webCrypto.digest, before), await verifierKey(webCrypto.digest, after)];
    const succession = await signed(successionText({ origin: this.origin, size, from, to }), before, after);
    const checkpoint = await signed(text, before, after);
    const stored = { ...made, successions: [...this.successions, succession] };
    await this.#settings.set(settingKey, JSON.stringify(stored), { asked: true });
    [this.#stored, this.#current] = [stored, next];
    return checkpoint;
  }

  async #signer({ publicKey, privateKey }: ReceiptKey): Promise<Signer> {
    const key = decoded(publicKey.x, "base64url");
    assert(key, "a key's point is base64url");
    return { name: this.origin, key, privateKey };
  }
}

interface Signer extends NoteKey {
  readonly privateKey: CryptoKey;
}

async function signed(text: string, ...signers: readonly Signer[]): Promise<string> {
  const signatures = signers.map(async ({ name, key, privateKey }) => ({
    name,
    id: await keyIdOf(webCrypto.digest, { name, key }),
    signature: new Uint8Array(await crypto.subtle.sign("Ed25519", privateKey, utf8(text))),
  }));
  return noteText({ text, signatures: await Promise.all(signatures) });
}

async function keyOf({ x, d }: StoredKey): Promise<ReceiptKey> {
  const privateKey = await importJWK({ kty: "OKP", crv: "Ed25519", x, d }, "EdDSA");
  assert(!(privateKey instanceof Uint8Array), "an Ed25519 key is no shared secret");
  return { privateKey, publicKey: await receiptPublicKey(x) };
}

async function fresh(): Promise<StoredKey> {
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const { x, d } = await exportJWK(privateKey);
  assert(x !== undefined && d !== undefined, "a fresh key has both parts");
  return { x, d };
}
