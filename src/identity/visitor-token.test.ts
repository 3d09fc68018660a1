import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { instant } from "../stdx/time.ts";
import { mintVisitorToken, preparedKey, verifyVisitorToken, visitorTokenMaxLength } from "./visitor-token.ts";
import type { VisitorTokenTerms } from "./visitor-token.ts";

const t0 = Date.UTC(2026, 10, 22, 12);
const key = new Uint8Array(32).fill(7);
const older = new Uint8Array(32).fill(8);
const keys = new Map([["v_now", key], ["v_before", older]]); // prettier-ignore
const terms: VisitorTokenTerms = {
  key,
  kid: "v_now",
  space: "alice/demo",
  user: "bob",
  account: "bob",
  tier: "free",
  billedBy: "token",
  request: "q_0123456789abcdef",
  issuedAt: instant(t0 + 311),
  expiresAt: instant(t0 + 600_311),
};
const token = mintVisitorToken(terms);
const verify = (text: string, over: { space?: string; now?: number } = {}) =>
  verifyVisitorToken(text, { keys, space: over.space ?? "alice/demo", now: instant(over.now ?? t0 + 1000) });
const badSignature = { ok: false, code: "identity/bad-signature" };

const base64url = (text: string) => Buffer.from(text).toString("base64url");
const decoded = (part: number) => Buffer.from(token.split(".")[part] ?? "", "base64url").toString();
/** A token of our key over any header and payload text. */
function forge(header: string, payload: string): string {
  const signed = `${base64url(header)}.${base64url(payload)}`;
  return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
}

describe("mintVisitorToken", () => {
  test("is a JWT whose middle part clients can read", () => {
    assert.deepEqual(JSON.parse(decoded(0)), { alg: "HS256", typ: "waybill-visitor+jwt", kid: "v_now" });
    assert.deepEqual(JSON.parse(decoded(1)), {
      iss: "waybill",
      aud: "alice/demo",
      iat: t0 / 1000,
      exp: t0 / 1000 + 601,
      jti: "q_0123456789abcdef",
      sub: "bob",
      user: "bob",
      tier: "free",
      by: "token",
    });
  });

  test("is the same whatever was minted before it with its prepared key", () => {
    const few = <const Value>(...values: readonly Value[]) => fc.constantFrom(...values);
    const change = fc.record(
      {
        space: few("alice/demo", "bob/demo", `bob/${"o".repeat(visitorTokenMaxLength)}`),
        user: few("bob", "carla", null),
        account: few("bob", "carla", "address:192.0.2.7"),
        tier: few("free", "pro"),
        billedBy: few("token", "session"),
        request: few("q_0123456789abcdef", "q_abcdef0123456789"),
        forwarded: few({ root: "q_a", hops: 1 }, { root: "q_b", hops: 2 }, undefined),
        asksFor: few("/render", undefined),
        issuedAt: few(instant(t0 + 311), instant(t0 + 1_311)),
        expiresAt: few(instant(t0 + 600_311), instant(t0 + 601_311)),
      } as const,
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.array(change, { minLength: 2, maxLength: 12 }), (changes) => {
        const prepared = preparedKey(terms);
        for (const changed of changes) {
          const alone = { ...terms, ...changed };
          assert.equal(mintVisitorToken({ ...alone, ...prepared }), mintVisitorToken(alone));
        }
      }),
    );
  });

  test("that was passed on keeps the first request and the number of Spaces, and neither can be changed", () => {
    const forwarded = mintVisitorToken({ ...terms, forwarded: { root: "q_root", hops: 3 } });
    const verified = verify(forwarded);
    assert.ok(verified.ok);
    assert.deepEqual(verified.claims.forwarded, { root: "q_root", hops: 3 });
    const payload = Buffer.from(forwarded.split(".")[1] ?? "", "base64url").toString();
    for (const changed of [
      payload.replace('"hops":3', '"hops":"3"'),
      payload.replace(',"hops":3', ""),
      payload.replace('"root":"q_root",', ""),
    ])
      assert.deepEqual(verify(forge(decoded(0), changed)), badSignature);
  });

  test("of a visitor who is not signed in has no `user`", () => {
    const stranger = mintVisitorToken({
      ...terms,
      user: null,
      account: "address:192.0.2.7",
      tier: "anonymous",
      billedBy: "address",
    });
    assert.equal(
      "user" in (JSON.parse(Buffer.from(stranger.split(".")[1] ?? "", "base64url").toString()) as object),
      false,
    );
    const verified = verify(stranger);
    assert.ok(verified.ok);
    assert.deepEqual([verified.claims.user, verified.claims.account], [null, "address:192.0.2.7"]);
  });
});

describe("verifyVisitorToken", () => {
  test("takes back whatever was minted, and its text is the one that JSON has for it", () => {
    const text = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.constantFrom("bob", "address:2001:db8::/64", '"', "\\", "\n", "\u2028", "é"),
    );
    fc.assert(
      fc.property(
        text,
        text,
        fc.option(text),
        fc.option(text),
        fc.option(text),
        (account, request, user, root, asksFor) => {
          const chain = root === null ? {} : { forwarded: { root, hops: 3 } };
          const named = asksFor === null ? {} : { asksFor };
          const minted = mintVisitorToken({ ...terms, account, request, user, ...chain, ...named });
          if (minted.length > visitorTokenMaxLength) return;
          const verified = verify(minted);
          assert.ok(verified.ok);
          const { claims } = verified;
          assert.deepEqual(
            [claims.account, claims.request, claims.user, claims.forwarded?.root ?? null, claims.asksFor ?? null],
            [account, request, user, root, asksFor],
          );
          const body = Buffer.from(minted.split(".")[1] ?? "", "base64url").toString();
          assert.equal(body, JSON.stringify(JSON.parse(body)));
        },
      ),
    );
  });

  test("gives back what was minted, times to the whole second", () => {
    const { key: _key, kid: _kid, ...claims } = terms;
    assert.deepEqual(verify(token), {
      ok: true,
      claims: { ...claims, issuedAt: instant(t0), expiresAt: instant(t0 + 601_000) },
    });
  });

  test("accepts the key before the current one, and no other", () => {
    assert.ok(verify(mintVisitorToken({ ...terms, key: older, kid: "v_before" })).ok);
    assert.deepEqual(verify(mintVisitorToken({ ...terms, kid: "v_gone" })), badSignature);
    assert.deepEqual(verify(mintVisitorToken({ ...terms, key: older })), badSignature);
  });

  test("is refused by another Space", () => {
    assert.deepEqual(verify(token, { space: "alice/other" }), { ok: false, code: "identity/wrong-audience" });
  });

  test("holds before its expiry and not at it", () => {
    assert.ok(verify(token, { now: t0 + 600_999 }).ok);
    assert.deepEqual(verify(token, { now: t0 + 601_000 }), { ok: false, code: "identity/expired" });
  });

  test("every changed byte of a valid token is refused", () => {
    const bytes = Buffer.from(token, "latin1");
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (position, flip) => {
        const changed = Buffer.from(bytes);
        changed[position] = (changed[position] ?? 0) ^ flip;
        assert.deepEqual(verify(changed.toString("latin1")), badSignature);
      }),
      { numRuns: 3000 },
    );
  });

  test("every single flipped bit of a valid token is refused", () => {
    const bytes = Buffer.from(token, "latin1");
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.deepEqual(verify(changed.toString("latin1")), badSignature, `bit ${bit}`);
    }
  });

  const header = decoded(0);
  const payload = decoded(1);
  const member = (over: object) => JSON.stringify({ ...(JSON.parse(payload) as object), ...over });
  for (const [what, forged] of [
    ["no algorithm", `${base64url(header.replace("HS256", "none"))}.${token.split(".")[1]}.`],
    ["another algorithm, rightly signed", forge(header.replace("HS256", "HS512"), payload)],
    ["another type, rightly signed", forge(header.replace("waybill-visitor+jwt", "JWT"), payload)],
    ["a key by address, rightly signed", forge(header.replace("}", ',"jku":"http://127.0.0.1/"}'), payload)],
    ["a member twice, rightly signed", forge(header, payload.replace("{", '{"sub":"eve",'))],
    ["a member that we do not write, rightly signed", forge(header, member({ error: "x" }))],
    ["another issuer, rightly signed", forge(header, member({ iss: "elsewhere" }))],
    ["a tier that is none, rightly signed", forge(header, member({ tier: "toString" }))],
    ["an expiry that is no number, rightly signed", forge(header, member({ exp: "9999999999" }))],
    ["a payload that is no object, rightly signed", forge(header, "null")],
    ["a payload that is no JSON, rightly signed", forge(header, "{")],
    ["padding", `${token}=`],
    ["a fourth part", `${token}.`],
    ["two parts", token.split(".").slice(0, 2).join(".")],
    ["nothing", ""],
    ["more than a token can be", `${token}${"A".repeat(visitorTokenMaxLength)}`],
  ] as const) {
    test(`a token with ${what} is refused`, () => assert.deepEqual(verify(forged), badSignature));
  }

  test("any text at all is refused without an error", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("a", "A", "0", "-", "_", ".", "=", "%", " ", "é", "\0"), maxLength: 100 }),
        (text) => assert.deepEqual(verify(text), badSignature),
      ),
    );
  });
});
