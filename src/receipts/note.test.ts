import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { decoded, encoded, textOf, utf8 } from "./bytes.ts";
import { checkpointText, parseCheckpoint } from "./checkpoint.ts";
import { keyIdOf, noteText, parseNote, signersOf, verifierKey } from "./note.ts";
import type { NoteKey } from "./note.ts";
import { webCrypto } from "./web-crypto.ts";

interface Signer extends NoteKey {
  readonly secret: KeyObject;
}

function signerNamed(name: string): Signer {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  return {
    name,
    key: Uint8Array.from(Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url")),
    secret: privateKey,
  };
}

async function signed(text: string, ...signers: readonly Signer[]): Promise<string> {
  const signatures = signers.map(async (signer) => ({
    name: signer.name,
    id: await keyIdOf(webCrypto.digest, signer),
    signature: Uint8Array.from(sign(null, utf8(text), signer.secret)),
  }));
  return noteText({ text, signatures: await Promise.all(signatures) });
}

const by = async (whole: string, keys: readonly NoteKey[]): Promise<readonly NoteKey[] | undefined> => {
  const note = parseNote(whole);
  return note && signersOf(webCrypto, note, keys);
};

/** What the first implementation of the format shows as its example. */
const published =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n" +
  "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const publishedKey: NoteKey = {
  name: "PeterNeumann",
  key: (decoded("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "base64") as Uint8Array<ArrayBuffer>).slice(1),
};

describe("a signed note", () => {
  test("of other people verifies by their key, which has the text that their tools take", async () => {
    assert.deepEqual(await by(published, [publishedKey]), [publishedKey]);
    assert.equal(
      await verifierKey(webCrypto.digest, publishedKey),
      "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    );
  });

  test("is told by whom it is signed: strangers are passed over, and one bad line of a known key spoils it", async () => {
    const [a, b, stranger] = [signerNamed("log/a"), signerNamed("log/a"), signerNamed("witness")];
    const whole = await signed("a text\n\nwith a gap\n", a, stranger, b);
    assert.deepEqual(await by(whole, [a, b]), [a, b]);
    assert.deepEqual(await by(whole, [b]), [b]);
    assert.deepEqual(await by(whole, [signerNamed("log/a")]), []);
    assert.equal(await by(whole.replace("a gap", "a gab"), [a]), undefined);
    assert.deepEqual(await by(whole.replace("a gap", "a gab"), [signerNamed("x")]), []);
  });

  test("has one form, and each other one is none", async () => {
    const whole = await signed("a text\n", signerNamed("log"));
    assert.equal(noteText(parseNote(whole) as NonNullable<ReturnType<typeof parseNote>>), whole);
    for (const other of [
      "",
      "a text\n",
      whole.slice(0, -1),
      `${whole}\n`,
      whole.replace("— ", "- "),
      whole.replace("\n\n", "\n"),
      whole.replace("a text", "a\ttext"),
      whole.replace("— log", "— lo+g"),
      `${whole}${"x".repeat(20_000)}\n`,
    ])
      assert.equal(parseNote(other), undefined, JSON.stringify(other.slice(0, 80)));
  });

  test("L37: any changed byte of it is caught", async () => {
    const signer = signerNamed("waybill/log");
    const bytes = Buffer.from(await signed("waybill/log\n7\nAAAA\n", signer));
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = Buffer.from(bytes);
        changed[at]! ^= flip;
        const text = textOf(changed);
        if (text !== undefined) assert.notDeepEqual(await by(text, [signer]), [signer]);
      }),
      { numRuns: 200 },
    );
  });

  test("a key that is no key has signed nothing", async () => {
    const whole = await signed("a text\n", signerNamed("log"));
    for (const key of [new Uint8Array(32), new Uint8Array(32).fill(255), new Uint8Array(31)]) {
      const { digest } = webCrypto;
      const id = await keyIdOf(digest, { name: "log", key });
      const note = { text: "a text\n", signatures: [{ name: "log", id, signature: new Uint8Array(64) }] };
      assert.notDeepEqual(await signersOf(webCrypto, note, [{ name: "log", key }]), [{ name: "log", key }]);
      assert.deepEqual(await by(whole, [{ name: "log", key }]), []);
    }
  });
});

describe("a checkpoint", () => {
  const checkpoint = { origin: "waybill/log", size: 50_112, root: new Uint8Array(32).fill(7) };

  test("is three lines, and is read back from them", () => {
    const text = checkpointText(checkpoint);
    assert.equal(text, "waybill/log\n50112\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n");
    assert.deepEqual(parseCheckpoint(text), checkpoint);
  });

  test("other texts are none: a size with another spelling, a root of another length, a line more", () => {
    const text = checkpointText(checkpoint);
    for (const other of [
      text.replace("50112", "050112"),
      text.replace("50112", "-1"),
      text.replace("50112", "99999999999999999"),
      text.replace("50112", "5e4"),
      text.replace("BwcH", ""),
      text.replace("wc=", "wd="),
      `${text}more\n`,
      text.slice(0, -1),
      text.replace("waybill/log", ""),
      "",
    ])
      // prettier-ignore
      assert.equal(parseCheckpoint(other), undefined, other);
  });
});

describe("bytes and their spellings", () => {
  test("are those of Node, both alphabets, and a second spelling is none", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        for (const alphabet of ["base64", "base64url"] as const) {
          const text = encoded(bytes, alphabet);
          assert.equal(text, Buffer.from(bytes).toString(alphabet));
          assert.deepEqual(decoded(text, alphabet), Uint8Array.from(bytes));
        }
      }),
    );
    for (const text of ["A", "AB", "AB=", "AA===", "AA==A", "A A=", "AB==", "A-==", "AAA=\n"])
      assert.equal(decoded(text, "base64"), undefined, text);
    for (const text of ["A", "AB", "AA==", "A+A", "AAB"]) assert.equal(decoded(text, "base64url"), undefined, text);
  });
});
