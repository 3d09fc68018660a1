/** What is tried on JWTs, tried on receipts, which are anybody's to check: nothing but what the platform's key has signed verifies, and nothing throws. */
import assert from "node:assert/strict";
import { createHmac, createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { exportJWK, generateKeyPair } from "jose";
import { makeReceipt } from "../evidence/receipt.ts";
import { instant } from "../stdx/time.ts";
import { receiptPublicKey, verifyReceipt } from "../receipts/document.ts";
import type { SignedReceipt } from "../receipts/document.ts";
import { ReceiptKeys } from "./receipt-key.ts";
import type { ReceiptKey } from "./receipt-key.ts";
import { signReceipt } from "./receipt-signature.ts";

const t0 = Date.UTC(2026, 10, 29, 12);
const receipt = makeReceipt({
  call: "c_0123456789abcdef", request: null, account: "alice", billedBy: "token", space: "alice/demo", pool: "main",
  simulated: true, size: "large", factorPermille: 1000, declaredMs: 10_000, heldMs: 10_000, usedMs: 412, chargedMs: 412,
  releasedMs: 9_588, rule: "returned", cause: "returned", scheduledAt: instant(t0),
  grant: { node: "n1", gpu: "Simulated GPU", leaseMs: 10_000, at: instant(t0) }, attachedAt: instant(t0), endedAt: instant(t0 + 412), journalIndex: 9,
}); // prettier-ignore
/** The order of Ed25519's group, RFC 8032 §5.1. */
const order = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;

let key: ReceiptKey;
let secret: { readonly x: string; readonly d: string };
let signed: SignedReceipt;
let parts: readonly [string, string, string];
before(async () => {
  const made = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  secret = (await exportJWK(made.privateKey)) as typeof secret;
  const kept = JSON.stringify(secret);
  const settings = { get: async () => kept, set: async () => undefined, setOnce: async () => kept };
  key = (await ReceiptKeys.open(settings, "waybill/log")).current;
  signed = await signReceipt(receipt, key);
  parts = signed.jws.split(".") as [string, string, string];
});

const b64 = (text: string | Uint8Array): string => Buffer.from(text as string).toString("base64url");
/** Signed by the platform's own key, with a header of the forger's choice. */
const ownSigned = (head: string): string => {
  const own = createPrivateKey({ key: { kty: "OKP", crv: "Ed25519", ...secret }, format: "jwk" });
  return `${head}.${parts[1]}.${sign(null, Buffer.from(`${head}.${parts[1]}`), own).toString("base64url")}`;
};
const isRefused = async (jws: string, more: Partial<SignedReceipt> = {}): Promise<boolean> =>
  !(await verifyReceipt({ ...signed, jws, ...more }, { keys: [key.publicKey] })).ok;
const refuses = async (all: Readonly<Record<string, string>>): Promise<void> => {
  for (const [what, jws] of Object.entries(all)) assert.ok(await isRefused(jws), what);
};
const header = (change: Record<string, unknown>): string =>
  b64(JSON.stringify({ alg: "EdDSA", kid: key.publicKey.kid, typ: "waybill-receipt+jws", ...change }));

describe("a receipt's signature", () => {
  test("what is tried below begins with one that verifies, and with a way to sign by the platform's own key", async () => {
    assert.equal(await isRefused(signed.jws), false);
    assert.equal(ownSigned(parts[0]), signed.jws);
  });

  test("the algorithm is the key's own: none, an HMAC by the public key, or another curve's is refused", async () => {
    const [, payload] = parts;
    const hs = header({ alg: "HS256" });
    const x = Buffer.from(key.publicKey.x, "base64url");
    await refuses({
      none: `${header({ alg: "none" })}.${payload}.`,
      "none, signed": ownSigned(header({ alg: "none" })),
      nOnE: ownSigned(header({ alg: "nOnE" })),
      "HMAC by the point": `${hs}.${payload}.${createHmac("sha256", x).update(`${hs}.${payload}`).digest("base64url")}`,
      "HMAC by its text": `${hs}.${payload}.${createHmac("sha256", key.publicKey.x).update(`${hs}.${payload}`).digest("base64url")}`,
      Ed25519: ownSigned(header({ alg: "Ed25519" })),
      Ed448: ownSigned(header({ alg: "Ed448" })),
    });
    const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const es = header({ alg: "ES256" });
    const by = sign("sha256", Buffer.from(`${es}.${payload}`), { key: ec.privateKey, dsaEncoding: "ieee-p1363" });
    await refuses({ ES256: `${es}.${payload}.${by.toString("base64url")}` });
  });

  test("the header names the key and the kind, and nothing else, however rightly it is signed", async () => {
    for (const change of [
      { kid: "../../dev/null" },
      { kid: "' OR 1=1" },
      { kid: "http://127.0.0.1:1/" },
      { kid: "x".repeat(10_000) },
      { jku: "http://127.0.0.1:1/" },
      { x5u: "http://127.0.0.1:1/" },
      { jwk: { kty: "OKP", crv: "Ed25519", x: "A".repeat(43) } },
      { crit: ["exp"] },
      { b64: false, crit: ["b64"] },
      { typ: "JWT" },
      { typ: "waybill-visitor+jwt" },
      { zip: "DEF" },
    ])
      await refuses({ [JSON.stringify(change)]: ownSigned(header(change)) });
    const text = Buffer.from(parts[0], "base64url").toString();
    await refuses({
      "a member twice": ownSigned(b64(text.replace("{", '{"alg":"none",'))),
      "another order": ownSigned(
        b64(JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(text) as object).toReversed()))),
      ),
      spaces: ownSigned(b64(text.replace(",", ", "))),
    });
  });

  test("it has one spelling, and one value: adding the group's order to it makes no second one", async () => {
    const bytes = Buffer.from(parts[2], "base64url");
    const little = (from: Buffer): bigint => BigInt(`0x${Buffer.from(from).reverse().toString("hex")}`);
    const scalar = little(bytes.subarray(32)) + order;
    const more = Buffer.from(scalar.toString(16).padStart(64, "0"), "hex").reverse();
    const [head, payload, signature] = parts;
    await refuses({
      "S + L": `${head}.${payload}.${b64(Buffer.concat([bytes.subarray(0, 32), more]))}`,
      "R alone": `${head}.${payload}.${b64(bytes.subarray(0, 32))}`,
      "all zeros": `${head}.${payload}.${b64(Buffer.alloc(64))}`,
      "the neutral point and zero": `${head}.${payload}.${b64(Buffer.concat([Buffer.from([1]), Buffer.alloc(63)]))}`,
      longer: `${head}.${payload}.${b64(Buffer.concat([bytes, Buffer.alloc(1)]))}`,
      padded: `${head}.${payload}.${signature}==`,
      "a space": `${head}.${payload}. ${signature}`,
      "the other alphabet": `${head}.${payload}.${bytes.toString("base64")}`,
      empty: `${head}.${payload}.`,
      "two parts": `${head}.${payload}`,
      "four parts": `${signed.jws}.`,
      detached: `${head}..${signature}`,
    });
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const last = alphabet.indexOf(signature.at(-1) ?? "");
    for (let bits = 1; bits < 16; bits++)
      await refuses({ [`spare bits ${bits}`]: `${signed.jws.slice(0, -1)}${alphabet[last ^ bits]}` });
  });

  test("keys for which anything verifies, and such as are no key, are not the platform's", async () => {
    const points = [
      Buffer.from([1, ...Array<number>(31).fill(0)]),
      Buffer.alloc(32),
      Buffer.alloc(32, 0xff),
      Buffer.from([0xec, ...Array<number>(30).fill(0xff), 0x7f]),
    ];
    for (const point of points) {
      const weak = await receiptPublicKey(b64(point));
      const head = b64(JSON.stringify({ alg: "EdDSA", kid: weak.kid, typ: "waybill-receipt+jws" }));
      const jws = `${head}.${parts[1]}.${b64(Buffer.concat([Buffer.from([1]), Buffer.alloc(63)]))}`;
      const { checks } = await verifyReceipt({ ...signed, jws, key: weak }, { keys: [key.publicKey] });
      assert.equal(checks.find(({ name }) => name === "trust")?.ok, false);
    }
  });

  test("every character of it changed to another is refused", async () => {
    let refused = 0;
    for (let at = 0; at < signed.jws.length; at++) {
      const other = signed.jws[at] === "A" ? "B" : "A";
      if (await isRefused(`${signed.jws.slice(0, at)}${other}${signed.jws.slice(at + 1)}`)) refused += 1;
    }
    assert.equal(refused, signed.jws.length);
  });

  test("a document of megabytes, or of another shape, is refused without a throw", async () => {
    await refuses({ "8 MB": "A".repeat(8 << 20), "8 MB of dots": ".".repeat(8 << 20) });
    for (const document of [
      null,
      1,
      "x",
      [],
      {},
      { receipt: [], jws: "", key: {} },
      { ...signed, key: null },
      { ...signed, jws: 1 },
    ])
      assert.equal((await verifyReceipt(document, { keys: [key.publicKey] })).ok, false);
  });

  test("none of Project Wycheproof's vectors is a receipt", async () => {
    const file = join(import.meta.dirname, "../../test/vectors/wycheproof-jws.json");
    const { tests } = JSON.parse(readFileSync(file, "utf8")) as {
      readonly tests: readonly { readonly jws: unknown }[];
    };
    for (const { jws } of tests) assert.ok(await isRefused(typeof jws === "string" ? jws : JSON.stringify(jws)));
  });
});
