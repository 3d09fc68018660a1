/** What somebody who tries access tokens learns: that one is right, or that it is not. Not how nearly, and not by the time that it takes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { prng } from "../stdx/prng.ts";
import { instant } from "../stdx/time.ts";
import { accessTokenHash, newAccessToken } from "./access-token.ts";
import { TokenResolver } from "./token-resolver.ts";
import type { Identity } from "./token-resolver.ts";

const t0 = instant(Date.UTC(2026, 10, 29, 12));
const token = newAccessToken((count) => prng(7).bytes(count));

/** A directory that has the one token, and tells by what it was asked. */
function world() {
  const asked: string[] = [];
  const resolver = new TokenResolver({
    directory: {
      find: async (hash) => {
        asked.push(hash);
        const held = { spaces: [], name: "t", createdAt: t0, expiresAt: null, revokedAt: null };
        const found = { id: "t_1", account: "alice", scopes: ["read"] as const, ...held };
        return hash === accessTokenHash(token) ? { token: found, tier: "free", role: "user" } : undefined;
      },
      touch: async () => undefined,
    },
    clock: { wall: () => t0, monotonic: () => 0 },
    onTouchFailed: (error) => assert.fail(String(error)),
  });
  const resolve = (text: string) =>
    resolver.resolve({ authorization: `Bearer ${text}`, hfAuthorization: undefined, address: undefined });
  return { asked, resolve };
}

const codeOf = (answer: Identity): string => (answer.ok ? "taken" : answer.code);
/** The token with its character at `at` changed to another of the alphabet. */
const near = (at: number): string => `${token.slice(0, at)}${token[at] === "0" ? "1" : "0"}${token.slice(at + 1)}`;

describe("the look-up of an access token", () => {
  test("is by its hash alone: of one that is nearly right nothing is compared with what is kept", async () => {
    const { asked, resolve } = world();
    const tried = [token, ...Array.from({ length: 32 }, (_, at) => near(5 + at))];
    for (const text of tried) await resolve(text);
    assert.deepEqual(asked, tried.map(accessTokenHash));
    const [right = "", ...others] = asked;
    // Chance alone: 1 in 65,536 for each to have four digits of the right one's, however much of the token is right.
    const alike = others.map((hash) => [...hash].findIndex((digit, at) => digit !== right[at]));
    assert.ok(Math.max(...alike) < 4, alike.join(" "));
  });

  test("takes the same way for one that is known, unknown, or nearly right, and answers the same for all that are not", async () => {
    const { asked, resolve } = world();
    const answers = await Promise.all(
      [near(36), near(5), newAccessToken((count) => prng(8).bytes(count))].map(resolve),
    );
    assert.deepEqual(
      answers,
      Array.from({ length: 3 }, () => ({
        ...{ ok: false, code: "identity/bad-token" },
        says: "This access token is not known here.",
      })),
    );
    assert.equal(asked.length, 3);
  });

  test("is not made for what has not the form of a token, however long: the form is no secret", async () => {
    const { asked, resolve } = world();
    const forms = [
      token.toUpperCase(),
      `${token} `,
      `${token}0`,
      token.slice(0, -1),
      ` ${token}`,
      `${token}\0`,
      `hf_${token}`,
    ];
    for (const text of [...forms, "A".repeat(8 << 20), "hf_wb' OR '1'='1", "hf_wb../../etc/passwd", "hf_wb\u{1d7d8}"])
      await resolve(text);
    assert.ok(
      asked.every((hash) => hash === accessTokenHash(token)),
      "spaces around a field are nobody's",
    );
    const answers = await Promise.all(["A".repeat(8 << 20), token.toUpperCase()].map(resolve));
    assert.deepEqual([...new Set(answers.map(codeOf))], ["identity/bad-token"]);
  });

  test("every character of a token changed to every other of the alphabet is refused", async () => {
    const { resolve } = world();
    let refused = 0;
    for (let at = 0; at < token.length; at++) {
      for (const letter of "0123456789abcdefghijklmnopqrstuvwxyz_") {
        if (letter === token[at]) continue;
        const answer = await resolve(`${token.slice(0, at)}${letter}${token.slice(at + 1)}`);
        if (!answer.ok && answer.code === "identity/bad-token") refused += 1;
      }
    }
    assert.equal(refused, token.length * 36);
  });
});
