/** What RFC 8725 and its update warn of, tried on the visitor's token, rule by rule: nothing but what the platform has minted is taken. */
import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { after, instant, seconds } from "../stdx/time.ts";
import type { VisitorSecrets, VisitorTokenTerms } from "./visitor-token.ts";
import { mintVisitorToken, verifyVisitorToken, visitorTokenMaxLength } from "./visitor-token.ts";

const now = instant(Date.UTC(2026, 10, 29, 12));
const key = new Uint8Array(32).map((_, at) => at * 7);
const keys: VisitorSecrets = new Map([["v_1", key]]);
const terms: VisitorTokenTerms = {
  ...{ key, kid: "v_1", space: "alice/demo", user: "bob", account: "bob", tier: "pro", billedBy: "token" },
  ...{ request: "q_1", issuedAt: now, expiresAt: after(now, seconds(60)) },
};
const token = mintVisitorToken(terms);
const [header = "", payload = "", signature = ""] = token.split(".");

type Forged = Record<string, unknown>;
const b64 = (text: string | Uint8Array): string => Buffer.from(text as string).toString("base64url");
const parsed = (part: string): Forged => JSON.parse(Buffer.from(part, "base64url").toString()) as Forged;
const hmac = (text: string, secret: Uint8Array | string = key, hash = "sha256"): string =>
  createHmac(hash, secret).update(text).digest("base64url");
/** Rightly signed by our key, over texts of the forger's choice: stronger than any forger is. */
const signed = (head: string, body: string): string => `${head}.${body}.${hmac(`${head}.${body}`)}`;
const withHeader = (change: Forged): string => signed(b64(JSON.stringify({ ...parsed(header), ...change })), payload);
const withPayload = (change: Forged): string => signed(header, b64(JSON.stringify({ ...parsed(payload), ...change })));

const codeOf = (text: string, space: string | null = "alice/demo", at: number = now): string => {
  const verified = verifyVisitorToken(text, { keys, space, now: instant(at) });
  return verified.ok ? "taken" : verified.code;
};
const refuses = (all: Readonly<Record<string, string>>): void => {
  const taken = Object.entries(all).filter(([, text]) => codeOf(text) !== "identity/bad-signature");
  assert.deepEqual(
    taken.map(([what, text]) => [what, codeOf(text)]),
    [],
  );
};

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const pem = rsa.publicKey.export({ type: "spki", format: "pem" }).toString();

test("what is tried below begins with a token that is taken", () => assert.equal(codeOf(token), "taken"));

describe("RFC 8725", () => {
  test("3.1, 3.2: the algorithm is the key's own; none, in any spelling, with and without a signature, is none", () => {
    refuses(
      Object.fromEntries(
        ["none", "None", "NONE", "nOnE", "", "HS384", "HS512", "hs256", "HS256 ", "RS256", "ES256", "EdDSA", "PS256"]
          .map((alg) => b64(JSON.stringify({ ...parsed(header), alg })))
          .flatMap((head) => [
            [`${head} signed`, signed(head, payload)],
            [`${head} with the old signature`, `${head}.${payload}.${signature}`],
            [`${head} without a signature`, `${head}.${payload}.`],
          ]),
      ),
    );
    refuses({ "no alg": signed(b64(JSON.stringify({ typ: "waybill-visitor+jwt", kid: "v_1" })), payload) });
    for (const alg of [null, 1, ["HS256"], { toString: "HS256" }])
      refuses({ [JSON.stringify(alg)]: withHeader({ alg }) });
  });

  test("2.1: a public key is never taken for a shared secret, nor a signature of another kind for an HMAC", () => {
    const head = b64(JSON.stringify({ alg: "RS256", typ: "waybill-visitor+jwt", kid: "v_1" }));
    const text = `${head}.${payload}`;
    refuses({
      "RS256, rightly signed by somebody": `${text}.${sign("sha256", Buffer.from(text), rsa.privateKey).toString("base64url")}`,
      "HMAC by a PEM": `${header}.${payload}.${hmac(`${header}.${payload}`, pem)}`,
      "HMAC by the key's name": `${header}.${payload}.${hmac(`${header}.${payload}`, "v_1")}`,
      "HMAC by nothing": `${header}.${payload}.${hmac(`${header}.${payload}`, "")}`,
      "HMAC by the key as text": `${header}.${payload}.${hmac(`${header}.${payload}`, b64(key))}`,
      "HMAC-SHA512 by the key": `${header}.${payload}.${hmac(`${header}.${payload}`, key, "sha512")}`,
    });
  });

  test("3.3: a signature that is cut, empty, longer or another token's is none", () => {
    const other = mintVisitorToken({ ...terms, request: "q_2" }).split(".")[2] ?? "";
    refuses({
      ...Object.fromEntries(
        [...signature].map((_, n) => [`${n} characters`, `${header}.${payload}.${signature.slice(0, n)}`]),
      ),
      longer: `${token}AA`,
      another: `${header}.${payload}.${other}`,
      zeros: `${header}.${payload}.${"A".repeat(43)}`,
    });
  });

  test("3.7: what is not UTF-8, or begins with a mark of its order, is no payload", () => {
    const bytes = Buffer.from(payload, "base64url");
    refuses({
      "a lone continuation": signed(
        header,
        b64(Buffer.concat([bytes.subarray(0, -2), Buffer.from([0x80]), bytes.subarray(-2)])),
      ),
      "an overlong quote": signed(
        header,
        b64(Buffer.concat([bytes.subarray(0, -2), Buffer.from([0xc0, 0xa2]), bytes.subarray(-2)])),
      ),
      "a byte order mark": signed(header, b64(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]))),
      "UTF-16": signed(header, b64(Buffer.from(bytes.toString(), "utf16le"))),
      "half a character": signed(
        header,
        b64(Buffer.concat([bytes.subarray(0, -2), Buffer.from([0xed, 0xa0, 0x80]), bytes.subarray(-2)])),
      ),
    });
  });

  test("3.8: the issuer is us, and who pays is a text", () => {
    for (const iss of ["", "Waybill", "waybill ", "https://waybill", null, 1, ["waybill"]])
      refuses({ [`iss ${JSON.stringify(iss)}`]: withPayload({ iss }) });
    for (const sub of [null, 1, ["bob"], {}]) refuses({ [`sub ${JSON.stringify(sub)}`]: withPayload({ sub }) });
  });

  test("3.9: it holds for the one Space that it names", () => {
    for (const space of ["alice/other", "alice/demo ", "Alice/demo", "alice", "", "alice/demo/"])
      assert.equal(codeOf(token, space), "identity/wrong-audience", space);
    for (const aud of [["alice/demo"], ["alice/demo", "alice/other"], null, "*", undefined])
      assert.notEqual(codeOf(withPayload({ aud })), "taken", JSON.stringify(aud));
  });

  test("3.10: a kid is the name of a key that we hold, and nothing that is opened, asked or run", () => {
    const kids = [
      "../../../../dev/null", "/dev/null", "file:///dev/null", "http://127.0.0.1:1/key", "v_1' OR '1'='1", "v_1\u0000", "v_1 ",
      "V_1", "v_2", "", "__proto__", "constructor", "toString", "hasOwnProperty", "|/usr/bin/id", "$(id)", "x".repeat(1_000), null, 1, {}, ["v_1"],
    ]; // prettier-ignore
    for (const kid of kids) {
      const head = b64(JSON.stringify({ ...parsed(header), kid }));
      refuses({
        [`${JSON.stringify(kid)}, by our key`]: signed(head, payload),
        [`${JSON.stringify(kid)}, by an empty one`]: `${head}.${payload}.${hmac(`${head}.${payload}`, "")}`,
      });
    }
  });

  test("3.10: no key is had from where the token says, and no extension is understood", () => {
    const jwk = { kty: "oct", k: b64("mine") };
    for (const change of [
      { jku: "http://127.0.0.1:1/jwks" },
      { x5u: "http://127.0.0.1:1/cert" },
      { jwk },
      { x5c: ["AAAA"] },
      { x5t: "AAAA" },
      { crit: ["exp"] },
      { b64: false, crit: ["b64"] },
      { zip: "DEF" },
      { cty: "JWT" },
      { enc: "A256GCM", alg: "dir" },
      { p2c: 2 ** 31, p2s: "AAAA", alg: "PBES2-HS256+A128KW" },
      { iss: "waybill" },
    ])
      refuses({ [JSON.stringify(change)]: withHeader(change) });
    const head = b64(JSON.stringify({ ...parsed(header), jwk }));
    refuses({ "by the key that it brings": `${head}.${payload}.${hmac(`${head}.${payload}`, "mine")}` });
  });

  test("3.11, 3.12: a token of another kind is none, also by the same key", () => {
    for (const typ of ["JWT", "jwt", "at+jwt", "waybill-receipt+jws", "WAYBILL-VISITOR+JWT", "application/waybill-visitor+jwt", "", null])
      refuses({ [`typ ${JSON.stringify(typ)}`]: withHeader({ typ }) }); // prettier-ignore
    refuses({ "no typ": signed(b64(JSON.stringify({ alg: "HS256", kid: "v_1" })), payload) });
  });
});

describe("the update of RFC 8725, and what else has two readings", () => {
  test("time is told to the second, and judged without leeway: before its end it holds, at it it does not", () => {
    const end = now + 60_000;
    assert.deepEqual(
      [codeOf(token, "alice/demo", end - 1), codeOf(token, "alice/demo", end)],
      ["taken", "identity/expired"],
    );
    for (const change of [{ exp: -1 }, { exp: 1.5 }, { exp: "9999999999" }, { exp: null }, { iat: null }, { iat: 1e20 }, { nbf: 1 }])
      assert.notEqual(codeOf(withPayload(change)), "taken", JSON.stringify(change)); // prettier-ignore
    for (const lacking of ["iss", "aud", "iat", "exp", "jti", "sub", "tier", "by"])
      refuses({ [`no ${lacking}`]: withPayload({ [lacking]: undefined }) });
  });

  test("an edge whose clock is up to an hour ahead or behind refuses nothing that the server has made, and keeps nothing for ever", () => {
    const minted = mintVisitorToken({ ...terms, issuedAt: now, expiresAt: after(now, seconds(7_200)) });
    for (const skew of [-3_600_000, -5_000, 5_000, 3_600_000])
      assert.equal(codeOf(minted, "alice/demo", now + skew), "taken", String(skew));
    assert.equal(codeOf(minted, "alice/demo", now + 7_200_000), "identity/expired");
  });

  test("a member twice, in another order, with spaces, or one that we do not write: another text than ours", () => {
    const text = Buffer.from(payload, "base64url").toString();
    const head = Buffer.from(header, "base64url").toString();
    refuses({
      "sub twice": signed(header, b64(text.replace("{", '{"sub":"eve",'))),
      "the same sub twice": signed(header, b64(text.replace("{", '{"sub":"bob",'))),
      "alg twice": signed(b64(head.replace("{", '{"alg":"none",')), payload),
      "another order": signed(
        header,
        b64(JSON.stringify(Object.fromEntries(Object.entries(parsed(payload)).toReversed()))),
      ),
      "spaces in the payload": signed(header, b64(text.replace(",", ", "))),
      "spaces in the header": signed(b64(head.replace(",", ", ")), payload),
      "an escape": signed(header, b64(text.replace('"bob"', String.raw`"\u0062ob"`))),
      "a number in another spelling": signed(header, b64(text.replace(/"exp":(\d+)/, '"exp":$1.0'))),
      "a number beyond all": signed(header, b64(text.replace(/"exp":\d+/, '"exp":1e309'))),
      "a trailing line end": signed(header, b64(`${text}\n`)),
      __proto__: signed(header, b64(text.replace("{", '{"__proto__":{"tier":"unlimited"},'))),
      "a deeper object": withPayload({ tier: { name: "pro" } }),
    });
  });

  test("each part has one spelling: no padding, no spare bits, no other alphabet, nothing between", () => {
    const parts = [header, payload, signature];
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const tried: Record<string, string> = {};
    const put = (what: string, at: number, part: string): void => {
      const all = parts.with(at, part);
      tried[`${what} of part ${at}`] = all.join(".");
      // Whoever has the key, and signs what was spelled otherwise.
      if (at < 2) tried[`${what} of part ${at}, signed`] = signed(all[0] ?? "", all[1] ?? "");
    };
    for (const [at, part] of parts.entries()) {
      for (const more of ["=", "==", "A", " ", "\n", "\t", "%3D", "\u0000", "?", "é", "\u{1f600}"]) {
        put(JSON.stringify(`behind ${more}`), at, `${part}${more}`);
        put(JSON.stringify(`before ${more}`), at, `${more}${part}`);
        put(JSON.stringify(`within ${more}`), at, `${part.slice(0, 5)}${more}${part.slice(5)}`);
      }
      const last = alphabet.indexOf(part.at(-1) ?? "");
      const spare = part.length % 4 === 3 ? 3 : part.length % 4 === 2 ? 15 : 0;
      for (let bits = 1; bits <= spare; bits++)
        put(`spare bits ${bits}`, at, `${part.slice(0, -1)}${alphabet[last ^ bits]}`);
      put("the other alphabet", at, `${Buffer.from(part, "base64url").toString("base64").replaceAll("=", "")}+/`);
      put("nothing", at, "");
      put("wide letters", at, part.replaceAll("e", "\uff45"));
    }
    refuses(tried);
    assert.ok(Object.keys(tried).length > 150);
  });

  test("two, four and five parts, and the JSON forms of a JWS, are none", () => {
    refuses({
      "two parts": `${header}.${payload}`,
      "four parts": `${token}.${signature}`,
      "five parts, as a JWE has": `${header}.${payload}.${signature}.AAAA.AAAA`,
      dots: "..",
      "many dots": ".".repeat(visitorTokenMaxLength),
      flattened: JSON.stringify({ protected: header, payload, signature }),
      general: JSON.stringify({ payload, signatures: [{ protected: header, signature }] }),
      "as a Bearer": `Bearer ${token}`,
      "two in one": `${token},${token}`,
      quoted: `"${token}"`,
    });
  });

  test("what is long is refused before anything is computed of it", () => {
    const huge = 8 << 20;
    const text = signed(header, b64(JSON.stringify({ ...parsed(payload), user: "x".repeat(4_000) })));
    refuses({
      "a long one, rightly signed": text,
      "8 MB": `${header}.${"A".repeat(huge)}.${signature}`,
      "8 MB of dots": ".".repeat(huge),
    });
    refuses({ nested: signed(header, b64("[".repeat(700) + "]".repeat(700))) });
  });

  test("every byte of a token changed to every other is refused", () => {
    const bytes = Buffer.from(token, "latin1");
    let refused = 0;
    for (let at = 0; at < bytes.length; at++) {
      for (let byte = 0; byte < 256; byte++) {
        if (byte === bytes[at]) continue;
        const changed = Buffer.from(bytes);
        changed[at] = byte;
        if (codeOf(changed.toString("latin1")) === "identity/bad-signature") refused += 1;
      }
    }
    assert.equal(refused, bytes.length * 255);
  });
});

describe("the vectors of Project Wycheproof", () => {
  interface Vector {
    readonly tcId: number;
    readonly comment: string;
    readonly k: string | null;
    readonly kid: string | null;
    readonly jws: unknown;
  }
  const file = join(import.meta.dirname, "../../test/vectors/wycheproof-jws.json");
  const { tests } = JSON.parse(readFileSync(file, "utf8")) as { readonly tests: readonly Vector[] };

  test("none is taken, by the key that the vector names, with its kid or ours: right ones are not of our kind, the others are not right", () => {
    assert.equal(tests.length, 45);
    for (const { tcId, comment, k, kid, jws } of tests) {
      const secret = k === null ? key : new Uint8Array(Buffer.from(k, "base64url"));
      const text = typeof jws === "string" ? jws : JSON.stringify(jws);
      for (const name of [kid ?? "v_1", "v_1"]) {
        const verified = verifyVisitorToken(text, { keys: new Map([[name, secret]]), space: null, now });
        assert.deepEqual(verified, { ok: false, code: "identity/bad-signature" }, `${tcId} ${comment}`);
      }
    }
  });
});
