import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { addressSeconds, readAddress, readToken, signAddress, signToken, tokenSeconds } from "./tickets.ts";

const key = new Uint8Array(32).fill(7);
const now = Date.UTC(2026, 10, 22, 12);
const wish = { repository: "spaces/alice/app", owner: "alice", account: "bob", whole: false, right: "read" } as const;
const address = { repository: "spaces/alice/app", account: "bob", file: "a".repeat(64), xorb: "b".repeat(64) };

describe("a token", () => {
  const { token, expires } = signToken(key, wish, now);

  test("says what it was given for, until a minute after its end and not a moment longer", () => {
    assert.equal(expires, now / 1000 + tokenSeconds);
    assert.deepEqual(readToken(key, token, now), wish);
    const end = (expires + 60) * 1000;
    assert.deepEqual(readToken(key, token, end - 1), wish);
    assert.equal(readToken(key, token, end), undefined);
  });

  test("that is another in one character, or of another key, is none", () => {
    fc.assert(
      fc.property(fc.nat({ max: token.length - 1 }), fc.constantFrom("A", "b", "9", "-", "."), (at, sign) => {
        const other = token.slice(0, at) + sign + token.slice(at + 1);
        // The last character of the signature has two bits that say nothing.
        if (other !== token && at < token.length - 1) assert.equal(readToken(key, other, now), undefined);
      }),
    );
    assert.equal(readToken(new Uint8Array(32), token, now), undefined);
    assert.equal(readToken(key, "xet_e30.x", now), undefined);
  });
});

describe("an address", () => {
  const query = signAddress(key, address, now);
  const read = (xorb: string, change: Record<string, string> = {}, at = now) =>
    readAddress(key, xorb, new URLSearchParams({ ...Object.fromEntries(new URLSearchParams(query)), ...change }), at);

  test("is for one xorb of one file in one repository, and one account", () => {
    assert.deepEqual(read(address.xorb), address);
    assert.equal(read("c".repeat(64)), undefined);
    for (const change of [
      { repository: "spaces/bob/app" },
      { by: "alice" },
      { file: "d".repeat(64) },
      { until: "9999999999" },
    ])
      assert.equal(read(address.xorb, change), undefined, JSON.stringify(change));
  });

  test("ends, and a token is none", () => {
    const end = now + (tokenSeconds + addressSeconds) * 1000;
    assert.deepEqual(read(address.xorb, {}, end - 1), address);
    assert.equal(read(address.xorb, {}, end), undefined);
    assert.equal(read(address.xorb, { signature: signToken(key, wish, now).token.split(".")[1] ?? "" }), undefined);
  });
});
