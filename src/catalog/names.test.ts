import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { loopbackFor, nameRefusals, refuseAccountName, refuseSpaceName, subdomainFor } from "./names.ts";

const nameChars = "abcdefghijklmnopqrstuvwxyz0123456789-._".split("");
const names = fc
  .string({ unit: fc.constantFrom(...nameChars), minLength: 1, maxLength: 64 })
  .filter((name) => refuseSpaceName(name) === null);

describe("refuseAccountName", () => {
  for (const name of ["alice", "a", "demo-2", "big.corp", "a_b", "0x", "admin", "a".repeat(64)]) {
    test(`accepts ${name.slice(0, 12)} (${name.length})`, () => assert.equal(refuseAccountName(name), null));
  }
  const bad = [
    "",
    "Alice",
    "-a",
    "a-",
    ".a",
    "a.",
    "a--b",
    "a..b",
    "a/b",
    "a b",
    "address:1.2.3.4",
    "ä",
    "a\n",
    "a".repeat(65),
  ];
  for (const name of bad) {
    test(`refuses ${JSON.stringify(name).slice(0, 20)}`, () => assert.equal(refuseAccountName(name), "name-invalid"));
  }
  test("refuses the platform's own words, in a sentence", () => {
    for (const name of ["api", "console", "o"]) assert.equal(refuseAccountName(name), "name-reserved");
    assert.match(nameRefusals["name-reserved"], /\.$/);
  });
});

describe("refuseSpaceName", () => {
  test("accepts what an account may not be called, but not the end of a repository's address", () => {
    assert.equal(refuseSpaceName("api"), null);
    assert.equal(refuseSpaceName("demo.git"), "name-reserved");
  });
});

describe("subdomainFor", () => {
  test("is owner and name where that fits", () => {
    assert.equal(subdomainFor("alice", "my.demo_2", 0), "alice-my-demo-2");
  });

  test("tells a-b/c from a/b-c at the second try", () => {
    assert.equal(subdomainFor("a-b", "c", 0), subdomainFor("a", "b-c", 0));
    assert.notEqual(subdomainFor("a-b", "c", 1), subdomainFor("a", "b-c", 1));
  });

  test("is always one DNS label", () => {
    fc.assert(
      fc.property(names, names, fc.nat(40), (owner, name, attempt) => {
        const label = subdomainFor(owner, name, attempt);
        assert.match(label, /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/);
        assert.ok(!label.includes("--"), "no label looks like an internationalised one");
      }),
      { numRuns: 300 },
    );
  });
});

describe("loopbackFor", () => {
  test("is stable, in 127.0.0.0/8, never in 127.0.0.0/16 and never ends in 0 or 255", () => {
    fc.assert(
      fc.property(names, names, fc.nat(40), (owner, name, attempt) => {
        const address = loopbackFor(owner, name, attempt);
        assert.equal(address, loopbackFor(owner, name, attempt));
        const [a, b, c, d] = address.split(".").map(Number) as [number, number, number, number];
        assert.ok(a === 127 && b >= 1 && b <= 254 && c >= 0 && c <= 255 && d >= 1 && d <= 254, address);
      }),
      { numRuns: 300 },
    );
  });
});
