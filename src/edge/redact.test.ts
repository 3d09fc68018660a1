import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";

import { pathFactMaxLength, queryFactMaxLength } from "./limits.ts";
import { targetFacts } from "./redact.ts";

const jwt = "eyJhbGciOiJFZERTQSJ9.eyJyZXEiOiJxXzEifQ.c2lnbmF0dXJl";
const token = "hf_wb0123456789abcdefghjkmnpqrstvwxyz";

describe("what is written down of a request's target", () => {
  test("an ordinary query stays as it was sent", () => {
    const query = "page=2&sort=-name&q=caf%C3%A9&design=modern&monkey=1&decoded=1&flag";
    assert.deepEqual(targetFacts(`/list?${query}`), { path: "/list", query });
    assert.deepEqual(targetFacts("/"), { path: "/", query: undefined });
  });

  const secretNames = [
    ..."token access_token accessToken id_token refresh-token key api_key apikey apiKey KEY __sign sig signature".split(
      " ",
    ),
    ..."X-Amz-Signature X-Amz-Security-Token password passwd user[password] secret client_secret code state".split(" "),
    ..."auth Authorization session_hash sid otp nonce ticket jwt to%6ben user%5Bpassword%5D %2561pi_key".split(" "),
  ];
  for (const name of secretNames)
    test(`the value of ${name} is hidden, and the parameters beside it are not`, () => {
      assert.equal(targetFacts(`/x?a=1&${name}=V4lue%20of-it&b=2`).query, `a=1&${name}=***&b=2`);
    });

  const shapes = [
    token,
    jwt,
    "sk-abcdefghijklmnop",
    "ghp_abcdefghijklmnop",
    "https://me:pass@host/",
    "AKIAABCDEFGHIJKLMNOP",
  ];
  for (const secret of shapes)
    test(`${secret.slice(0, 12)}… is hidden by its shape: as a value, as a name, alone, encoded, in the path`, () => {
      const encoded = encodeURIComponent(secret);
      for (const query of [
        `u=${encoded}`,
        `${encoded}=1`,
        encoded,
        `u=${encodeURIComponent(encoded)}`,
        `u=${secret.startsWith("sk-") ? "x:" : "x"}${encoded}`,
      ])
        assert.ok(!JSON.stringify(targetFacts(`/x?${query}`)).includes(secret.slice(4, 12)), query);
      assert.ok(!targetFacts(`/files/${encoded}/raw`).path.includes(secret.slice(4, 12)));
    });

  test("of a value that is split by what separates parameters, each part is looked at", () => {
    assert.equal(targetFacts("/x?a=1;token=abc;b=2").query, "a=1;token=***;b=2");
  });

  test("what is longer than its bound is cut, and a secret across the bound is not shown by its first half", () => {
    const facts = targetFacts(
      `/${"a".repeat(pathFactMaxLength - 8)}/${token}?x=${"b".repeat(queryFactMaxLength - 9)}&y=${token}`,
    );
    assert.ok(facts.path.length <= pathFactMaxLength + 1 && !facts.path.includes("hf_"));
    assert.ok((facts.query?.length ?? 0) <= queryFactMaxLength + 1 && !facts.query?.includes("hf_"));
  });

  test("a query without anything encoded is written as it is with something encoded behind it", () => {
    const word = fc.constantFrom(
      "a",
      "api",
      "Key",
      "_",
      "-",
      "token",
      "sk_",
      "0123456789abcdef",
      "//",
      ":",
      "@",
      "hf_",
    );
    const text = fc.array(word, { maxLength: 6 }).map((words) => words.join(""));
    const parameter = fc.tuple(text, fc.constantFrom("=", ""), text).map((parts) => parts.join(""));
    const all = fc.array(parameter, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("&"));
    fc.assert(
      fc.property(all, (query) => {
        assert.equal(targetFacts(`/x?${query}&%41`).query, `${targetFacts(`/x?${query}`).query}&%41`);
      }),
      { numRuns: 1_000 },
    );
  });

  test("whatever stands around it, the value of a token is never in what is written", () => {
    fc.assert(
      fc.property(fc.webQueryParameters(), fc.webQueryParameters(), (before, after) => {
        const { query } = targetFacts(`/x?${before}&token=S3cretV4lue&${after}&z=${token}`);
        return query?.includes("S3cretV4lue") !== true && query?.includes(token) !== true;
      }),
    );
  });
});
