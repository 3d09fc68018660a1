import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { prng } from "../stdx/prng.ts";
import { accessTokenHash, isAccessToken, newAccessToken } from "./access-token.ts";

describe("newAccessToken", () => {
  test("begins as clients of the Hub insist, with 160 random bits after it", () => {
    const asked: number[] = [];
    const token = newAccessToken((count) => (asked.push(count), prng(1).bytes(count)));
    assert.deepEqual(asked, [20]);
    assert.match(token, /^hf_wb[0-9a-z]{32}$/);
    assert.ok(isAccessToken(token));
  });

  test("isAccessToken knows ours from what only looks like it", () => {
    for (const text of [
      "",
      "hf_wb",
      `hf_${"a".repeat(34)}`,
      `hf_wb${"a".repeat(33)}`,
      `hf_wb${"u".repeat(32)}`,
      `hf_wb${"a".repeat(32)}\n`,
    ]) {
      assert.equal(isAccessToken(text), false, JSON.stringify(text));
    }
  });

  test("accessTokenHash is SHA-256", () => {
    assert.equal(accessTokenHash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  });
});
