import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  decideAddress,
  decideName,
  decidePort,
  openPolicy,
  portsOf,
  rulesOf,
  type Decision,
  type EgressPolicy,
} from "./policy.ts";
import { outboundSay } from "../contract/egress.ts";
import { parseNameRule, type NameRule } from "../contract/reach.ts";
import { parseRange, type AddressRange } from "./ranges.ts";

const rule = (text: string): NameRule => parseNameRule(text) ?? assert.fail(text);
const range = (text: string): AddressRange => parseRange(text) ?? assert.fail(text);
const policy = (some: Partial<EgressPolicy>): EgressPolicy => ({ ...openPolicy, ...some });
const said = (decision: Decision): readonly string[] =>
  decision.ok ? ["ok", decision.rule] : [decision.code, decision.rule, decision.says];

describe("the policy", () => {
  test("is told as its operator wrote it, and in one sentence", () => {
    assert.equal(outboundSay(rulesOf(openPolicy)), "every name, on ports 80, 443; no private address");
    const some = policy({
      ...{ allow: [rule("*.example.org"), rule("api.example.com:8443")], deny: [rule("old.example.org")] },
      ...{ ports: [443], addresses: [range("10.1.0.0/16")] },
    });
    assert.deepEqual(rulesOf(some), {
      ...{ allow: ["*.example.org", "api.example.com:8443"], deny: ["old.example.org"] },
      ...{ ports: [443], addresses: ["10.1.0.0/16"] },
    });
    assert.equal(
      outboundSay(rulesOf(some)),
      "*.example.org, api.example.com:8443 but old.example.org, on port 443; of private addresses 10.1.0.0/16 alone",
    );
    assert.match(outboundSay(rulesOf(policy({ allow: [] }))), /^no name/);
  });

  test("lets every name be reached on 80 and 443, and on no other port, where nothing else is said", () => {
    for (const port of [80, 443])
      assert.deepEqual(said(decidePort(openPolicy, "example.com", port)), ["ok", `allow * on port ${port}`]);
    assert.deepEqual(said(decidePort(openPolicy, "example.com", 25)), [
      "egress/port-denied",
      "allow only ports 80, 443",
      'port 25 of example.com may not be reached from here, by the rule "allow only ports 80, 443"',
    ]);
  });

  test("reaches only the names of a list, by name or by suffix, and says the list where it does not", () => {
    const some = policy({ allow: [rule("api.example.com"), rule("*.example.org")] });
    assert.deepEqual(said(decideName(some, "api.example.com")), ["ok", "allow api.example.com"]);
    assert.deepEqual(said(decideName(some, "a.b.example.org")), ["ok", "allow *.example.org"]);
    for (const name of ["example.org", "badexample.org", "example.com", "api.example.com.evil.net"]) {
      const [code, by] = said(decidePort(some, name, 443));
      assert.deepEqual([code, by], ["egress/name-denied", "allow only api.example.com, *.example.org"], name);
    }
  });

  test("a denied name wins over an allowed one, and says by which rule", () => {
    const some = policy({ deny: [rule("*.example.net"), rule("one.example.com")] });
    assert.deepEqual(said(decideName(some, "x.example.net")).slice(0, 2), ["egress/name-denied", "deny *.example.net"]);
    assert.deepEqual(said(decideName(some, "one.example.com")).slice(0, 2), [
      "egress/name-denied",
      "deny one.example.com",
    ]);
    assert.equal(decideName(some, "example.net").ok, true);
  });

  test("ports that something may be reached on are those of the list and of the rules", () => {
    assert.deepEqual(
      portsOf(policy({ allow: [rule("*"), rule("db.example.com:5432"), rule("a:80")], deny: [rule("b:25")] })),
      [80, 443, 5432],
    );
  });

  test("a rule's own port stands beside the list of ports, and a denied port above it", () => {
    const some = policy({ allow: [rule("*"), rule("db.example.com:5432")], deny: [rule("example.com:80")] });
    assert.deepEqual(said(decidePort(some, "db.example.com", 5432)), ["ok", "allow db.example.com:5432"]);
    assert.equal(decidePort(some, "other.example.com", 5432).ok, false);
    assert.equal(decidePort(some, "example.com", 443).ok, true);
    assert.deepEqual(said(decidePort(some, "example.com", 80)).slice(0, 2), [
      "egress/port-denied",
      "deny example.com:80",
    ]);
  });

  test("a name that is allowed on one port only is denied on those of the list", () => {
    const some = policy({ allow: [rule("db.example.com:5432")] });
    assert.deepEqual(said(decidePort(some, "db.example.com", 443)).slice(0, 2), [
      "egress/port-denied",
      "allow only port 5432",
    ]);
  });

  test("a name that resolves to a private address is refused with the range; an operator's range is an exception by name", () => {
    const denied = said(decideAddress(openPolicy, "db.internal", 443, "10.1.2.3"));
    assert.deepEqual(denied, [
      "egress/address-denied",
      "private, 10.0.0.0/8",
      "db.internal resolves to 10.1.2.3, which may not be reached from here: private, 10.0.0.0/8",
    ]);
    const some = policy({ addresses: [range("10.1.0.0/16")] });
    assert.deepEqual(said(decideAddress(some, "db.internal", 443, "10.1.2.3")), [
      "ok",
      "the operator's range 10.1.0.0/16",
    ]);
    assert.equal(decideAddress(some, "db.internal", 443, "10.2.2.3").ok, false);
  });

  test("a host of the operator's own settings is reached on its port, wherever it is and whatever else is said", () => {
    const some = policy({ deny: [rule("*.internal")], vouched: [{ pattern: "index.internal", port: 3141 }] });
    assert.equal(decidePort(some, "index.internal", 3141).ok, true);
    assert.equal(decideAddress(some, "index.internal", 3141, "10.1.2.3").ok, true);
    assert.equal(decidePort(some, "index.internal", 443).ok, false);
    assert.equal(decideAddress(some, "other.internal", 3141, "10.1.2.3").ok, false);
    assert.deepEqual(portsOf(some), [80, 443, 3141]);
  });

  test("rules that are none are not taken", () => {
    for (const text of [
      "",
      "a b",
      "*.",
      "example.com:0",
      "example.com:70000",
      "*.*.com:x",
      "http://example.com",
      "*example.com",
      "a/b",
    ])
      assert.equal(parseNameRule(text), undefined, text);
  });

  test("rules are read without regard to case", () =>
    assert.deepEqual(rule("API.Example.COM:8443"), { pattern: "api.example.com", port: 8443 }));
});
