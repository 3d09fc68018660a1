import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { CompactSign } from "jose";
import * as fc from "fast-check";
import type { SignedReceipt as PublishedSigned } from "../contract/receipts.ts";
import { canonicalBytes, makeReceipt } from "../evidence/receipt.ts";
import type { Receipt } from "../evidence/receipt.ts";
import { instant } from "../stdx/time.ts";
import { verifyReceipt } from "../receipts/document.ts";
import type { SignedReceipt } from "../receipts/document.ts";
import { ReceiptKeys } from "./receipt-key.ts";
import type { ReceiptKey } from "./receipt-key.ts";
import { signReceipt } from "./receipt-signature.ts";
import type { SecretSettings } from "./settings.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never;
const sameAsPublished: Same<SignedReceipt, PublishedSigned> = true;

function mapSettings(): SecretSettings & { readonly kept: Map<string, string> } {
  const kept = new Map<string, string>();
  return {
    kept,
    get: async (key) => kept.get(key) ?? null,
    set: async (key, value) => void kept.set(key, value),
    setOnce: async (key, value) => {
      if (!kept.has(key)) kept.set(key, value);
      return kept.get(key) ?? value;
    },
  };
}

async function loadReceiptKey(settings: SecretSettings): Promise<ReceiptKey> {
  return (await ReceiptKeys.open(settings, "waybill/log")).current;
}

const t0 = Date.UTC(2026, 10, 22, 12);
const receipt: Receipt = makeReceipt({
  call: "c_0123456789abcdef", request: null, account: "alice", billedBy: "token", space: "alice/demo", pool: "main",
  simulated: true, size: "large", factorPermille: 1000, declaredMs: 10_000, heldMs: 10_000, usedMs: 412, chargedMs: 412,
  releasedMs: 9_588, rule: "returned", cause: "returned", scheduledAt: instant(t0),
  grant: { node: "n1", gpu: "Simulated GPU", leaseMs: 10_000, at: instant(t0) }, attachedAt: instant(t0), endedAt: instant(t0 + 412), journalIndex: 9,
}); // prettier-ignore

let key: ReceiptKey;
let other: ReceiptKey;
let signed: SignedReceipt;
before(async () => {
  key = await loadReceiptKey(mapSettings());
  other = await loadReceiptKey(mapSettings());
  signed = await signReceipt(receipt, key);
});

const failed = async (document: unknown, trusted?: readonly { x: string }[]): Promise<string[]> => {
  const { ok, checks } = await verifyReceipt(document, { keys: trusted });
  const names = checks.filter((check) => !check.ok).map((check) => check.name);
  assert.equal(ok, names.length === 0);
  return names;
};
/** A document of the same receipt whose signature has another header. */
async function withHeader(header: object): Promise<SignedReceipt> {
  const jws = await new CompactSign(canonicalBytes(receipt))
    .setProtectedHeader(header as { alg: string })
    .sign(key.privateKey);
  return { ...signed, jws };
}

describe("ReceiptKeys", () => {
  test("makes a key once; whoever begins at the same time gets the same", async () => {
    const settings = mapSettings();
    const [a, b] = await Promise.all([loadReceiptKey(settings), loadReceiptKey(settings)]);
    assert.deepEqual(a.publicKey, b.publicKey);
    assert.deepEqual((await loadReceiptKey(settings)).publicKey, a.publicKey);
    assert.deepEqual([...settings.kept.keys()].sort(), ["receipt-log-origin", "receipt-signing-key"]);
  });

  test("shows only the public part", async () => {
    assert.deepEqual(Object.keys(key.publicKey), ["kty", "crv", "x", "kid"]);
    assert.ok(!JSON.stringify(signed).includes('"d"'));
  });
});

describe("verifyReceipt", () => {
  test("holds for what was signed, with or without the platform's keys, after a trip through JSON", async () => {
    assert.equal(sameAsPublished, true);
    const read: unknown = JSON.parse(JSON.stringify(signed, null, 2));
    assert.deepEqual(await failed(read), []);
    assert.deepEqual(await failed(read, [other.publicKey, key.publicKey]), []);
  });

  test("the same receipt is signed to the same bytes each time", async () => {
    assert.equal((await signReceipt(receipt, key)).jws, signed.jws);
  });

  test("a key that is not the platform's is told apart from a wrong signature", async () => {
    assert.deepEqual(await failed(signed, [other.publicKey]), ["trust"]);
    assert.deepEqual(await failed({ ...signed, key: other.publicKey }), ["key", "signature"]);
  });

  test("a changed amount is told as such", async () => {
    assert.deepEqual(await failed({ ...signed, receipt: { ...receipt, chargedMs: 1 } }), ["amounts", "content"]);
  });

  test("a member more is another content", async () => {
    assert.deepEqual(await failed({ ...signed, receipt: { ...receipt, note: "paid" } }), ["content"]);
  });

  test("only our header is accepted, though the key signed another", async () => {
    const { kid } = key.publicKey;
    assert.deepEqual(await failed(await withHeader({ alg: "EdDSA", kid, typ: "waybill-receipt+jws" })), []);
    assert.deepEqual(await failed(await withHeader({ alg: "EdDSA", kid, typ: "JWT" })), ["key"]);
    assert.deepEqual(await failed(await withHeader({ alg: "EdDSA", kid: "x", typ: "waybill-receipt+jws" })), ["key"]);
    assert.deepEqual(await failed(await withHeader({ alg: "EdDSA", kid, typ: "waybill-receipt+jws", jku: "x" })), [
      "key",
    ]);
  });

  test("a signature has one spelling", async () => {
    const last = signed.jws.at(-1) ?? "";
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (const spelled of alphabet.split("").filter((letter) => letter !== last)) {
      assert.deepEqual(await failed({ ...signed, jws: signed.jws.slice(0, -1) + spelled }), ["signature"], spelled);
    }
    assert.deepEqual(await failed({ ...signed, jws: `${signed.jws}=` }), ["signature"]);
  });

  for (const document of [
    null,
    7,
    "text",
    [],
    {},
    { receipt: {}, jws: "", key: {} },
    { receipt: [], jws: "a.b.c", key: { x: "x", kid: "k" } },
  ]) {
    test(`${JSON.stringify(document)} is no signed receipt`, async () =>
      assert.deepEqual(await failed(document), ["document"]));
  }

  test("half a character in a receipt is a failed check, not an error", async () => {
    assert.deepEqual(await failed({ ...signed, receipt: { ...receipt, account: "\ud800" } }), ["content"]);
  });

  test("L37: any changed byte of the document is caught", async () => {
    const bytes = Buffer.from(JSON.stringify(signed));
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (position, flip) => {
        const changed = Buffer.from(bytes);
        changed[position] = (changed[position] ?? 0) ^ flip;
        const document = parsed(changed.toString());
        if (document !== undefined) assert.notDeepEqual(await failed(document), [], changed.toString());
      }),
      { numRuns: 400 },
    );
  });
});

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no JSON: caught by whoever reads the file
  }
}
