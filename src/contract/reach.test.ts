import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decidePort, decideReach, rulesOf, type EgressPolicy } from "../egress/policy.ts";
import { prng } from "../stdx/prng.ts";
import { whyNotAllowed, parseNameRule, parseReach, reachSays, ruleSays } from "./reach.ts";
import type { NameRule } from "./reach.ts";

const rule = (text: string): NameRule => parseNameRule(text) ?? assert.fail(text);
const policy = (more: Partial<Record<"allow" | "deny", readonly string[]>> & { ports?: readonly number[] } = {}) => {
  const { allow = ["*"], deny = [], ports = [80, 443] } = more;
  return { allow: allow.map(rule), deny: deny.map(rule), ports, addresses: [] } satisfies EgressPolicy;
};
const lives = 3_000;
const problemOf = (text: string): string => {
  const told = parseReach(text);
  return typeof told === "string" ? told : assert.fail(`${text} was taken`);
};

describe("what a Space keeps to", () => {
  test("is written in one way, whoever wrote it how", () => {
    const kept = (text: string): string => {
      const rules = parseReach(text);
      return typeof rules === "string" ? assert.fail(rules) : reachSays(rules);
    };
    assert.equal(kept(" API.example.com\n*.example.org:8443,,api.example.com "), "api.example.com, *.example.org:8443");
    assert.deepEqual(["all", " none "].map(kept), ["all", "none"]);
    for (const text of ["all", "none", "api.example.com, *:443"]) assert.equal(kept(kept(text)), text);
  });

  test("that is none is told with what to write instead", () => {
    assert.match(problemOf(" ,"), /^write all for .* none for nothing, or names such as/);
    assert.match(problemOf("https://example.com/"), /^"https:\/\/example\.com\/" is no name .* write names such/);
    assert.match(problemOf("example.com:0"), /is no name/);
    assert.match(problemOf("all, example.com:99999"), /"example\.com:99999" is no name/);
    assert.match(problemOf(Array.from({ length: 51 }, (_, n) => `n${n}.example`).join(" ")), /at most 50 names/);
    assert.match(problemOf("x".repeat(2_001)), /at most 2000 characters/);
  });

  test("lets through what it names, on its port or on any; the rest by name or by port", () => {
    const reach = ["api.example.com", "*.example.org:8443"].map(rule);
    const decided = (name: string, port: number) => {
      const one = decideReach(reach, name, port);
      return one.ok ? "ok" : one.code;
    };
    assert.deepEqual(
      [decided("api.example.com", 25), decided("a.example.org", 8443), decided("a.example.org", 443)],
      ["ok", "ok", "egress/port-denied"],
    );
    assert.deepEqual([decided("example.org", 8443), decided("other", 443)], Array(2).fill("egress/name-denied"));
    const none = decideReach([], "api.example.com", 443);
    assert.equal(
      none.ok ? "" : none.says,
      'api.example.com may not be reached from here, by the Space\'s own setting "reach none"',
    );
    assert.ok(decideReach(null, "anything", 1).ok);
  });
});

describe("what the operator does not allow", () => {
  test("is told with the rule", () => {
    const why = (text: string, operator: EgressPolicy): string | undefined =>
      whyNotAllowed(rulesOf(operator), rule(text));
    assert.equal(why("api.example.com", policy({ allow: ["*.example.org"] })), '"allow only *.example.org"');
    assert.equal(why("api.example.com", policy({ allow: [] })), '"allow only nothing"');
    assert.equal(why("a.evil.example", policy({ deny: ["*.evil.example"] })), '"deny *.evil.example"');
    assert.equal(why("api.example.com:22", policy()), '"allow only ports 80, 443"');
    assert.equal(why("api.example.com", policy({ deny: ["api.example.com:80"] })), undefined);
    assert.equal(why("*.example.org", policy({ allow: ["*.org"], deny: ["old.example.org"] })), undefined);
    assert.equal(why("*", policy({ allow: ["*.example.org"] })), '"allow only *.example.org"');
  });

  test("is what the gateway refuses of it, and of a pattern what it refuses of a name that only patterns match", () => {
    const random = prng(20_261_201);
    const patterns = ["a.x.org", "a.b.x.org", "x.org", "y.net", "*", "*.x.org", "*.b.x.org", "*.org", "*.net"];
    const ports = [22, 80, 443];
    const written = (): string => `${random.pick(patterns)}${random.chance(0.4) ? `:${random.pick(ports)}` : ""}`;
    const some = (most: number): string[] => Array.from({ length: random.int(most + 1) }, written);
    let told = 0;
    for (let life = 0; life < lives; life += 1) {
      const operator = policy({ allow: some(3), deny: some(2), ports: ports.filter(() => random.chance(0.6)) });
      const one = rule(written());
      const name = one.pattern === "*" ? "some.where" : one.pattern.replace("*", "some");
      const isReached = ports.some((port) => decideReach([one], name, port).ok && decidePort(operator, name, port).ok);
      const why = whyNotAllowed(rulesOf(operator), one);
      assert.equal(isReached, why === undefined, `${ruleSays(one)} of ${JSON.stringify(rulesOf(operator))}: ${why}`);
      told += why === undefined ? 0 : 1;
    }
    assert.ok(told > lives / 10 && told < (lives * 9) / 10, `${told} of ${lives}`);
  });
});
