import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decideAddress, decidePort, openPolicy, parseNameRule, type EgressPolicy } from "./policy.ts";
import { deniedBecause, parseRange } from "./ranges.ts";

const rule = (text: string) => parseNameRule(text) ?? assert.fail(text);
const policy = (some: Partial<EgressPolicy>): EgressPolicy => ({ ...openPolicy, ...some });

describe("the policy", () => {
  test("lets every name be reached on 80 and 443, and no other port, where nothing else is said", () => {
    assert.equal(decidePort(openPolicy, "example.com", 443).ok, true);
    const denied = decidePort(openPolicy, "example.com", 25);
    assert.equal(!denied.ok && denied.code, "egress/port-denied");
  });

  test("reaches only the names of a list, by name or by suffix", () => {
    const some = policy({ allow: [rule("api.example.com"), rule("*.example.org")] });
    assert.equal(decidePort(some, "api.example.com", 443).ok, true);
    assert.equal(decidePort(some, "a.b.example.org", 443).ok, true);
    for (const name of ["example.org", "badexample.org", "example.com"]) {
      const denied = decidePort(some, name, 443);
      assert.equal(!denied.ok && denied.code, "egress/name-denied", name);
    }
  });

  test("a denied name wins over an allowed one, and a rule's own port over the list of ports", () => {
    const some = policy({
      allow: [rule("*"), rule("db.example.com:5432")],
      deny: [rule("*.example.net"), rule("example.com:80")],
    });
    assert.equal(decidePort(some, "db.example.com", 5432).ok, true);
    assert.equal(decidePort(some, "x.example.net", 443).ok, false);
    assert.equal(decidePort(some, "example.com", 443).ok, true);
    assert.equal(decidePort(some, "example.com", 80).ok, false);
  });

  test("a name that resolves to a private address is refused with the range; an operator's range is an exception", () => {
    const denied = decideAddress(openPolicy, "db.internal", "10.1.2.3");
    assert.match(denied.ok ? "" : denied.says, /db\.internal resolves to 10\.1\.2\.3.*private, 10\.0\.0\.0\/8/);
    const range = parseRange("10.1.0.0/16") ?? assert.fail("a range");
    assert.equal(decideAddress(policy({ addresses: [range] }), "db.internal", "10.1.2.3").ok, true);
    assert.equal(decideAddress(policy({ addresses: [range] }), "db.internal", "10.2.2.3").ok, false);
  });

  test("rules that are none are not taken", () => {
    for (const text of ["", "a b", "*.", "example.com:0", "example.com:70000", "*.*.com:x", "http://example.com"])
      assert.equal(parseNameRule(text), undefined, text);
  });
});

describe("addresses that are never dialled", () => {
  const denied = [
    "127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "169.254.1.1", "100.64.0.1",
    "100.100.100.200", "168.63.129.16", "192.0.0.192", "0.0.0.0", "224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.88.99.1",
    "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "",
  ]; // prettier-ignore
  for (const address of denied)
    test(`${address || "nothing"} is denied`, () => assert.notEqual(deniedBecause(address), null));
  for (const address of [
    "1.1.1.1",
    "8.8.8.8",
    "172.32.0.1",
    "203.0.113.80",
    "100.128.0.1",
    "2606:4700::1111",
    "2a00:1450::1",
    "::ffff:8.8.8.8",
  ])
    test(`${address} may be dialled`, () => assert.equal(deniedBecause(address), null));
});
