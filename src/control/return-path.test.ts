import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { returnPath } from "./return-path.ts";

const origin = "https://waybill.example.com";

describe("after a sign-in a browser goes", () => {
  for (const next of [
    "/",
    "/settings",
    "/spaces/alice/demo?tab=1&x=%2f%2f",
    "/w/q_1",
    "/oauth/authorize?redirect_uri=https%3A%2F%2Fa.example%2Fcb",
  ])
    test(`to ${next}`, () => assert.equal(returnPath(next, origin), next));

  for (const next of [
    undefined,
    "",
    "https://evil.example/",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/..//evil.example",
    "/.//evil.example",
    "/a/..//evil.example",
    "/%5cevil.example/..//evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "@evil.example",
    ":443/",
    "/x\u2028//evil.example",
    "/\u0000",
    "/é",
    "/x\r\nset-cookie: a=b",
    `/${"x".repeat(2_000)}`,
    "/login",
    "/login?next=/login",
    "/logout",
  ])
    test(`home, and not where ${JSON.stringify(next)?.slice(0, 60)} leads`, () => {
      const path = returnPath(next, origin);
      assert.equal(new URL(path, origin).origin, origin);
      assert.equal(path, "/");
    });
});
