import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Facts } from "../entry.ts";
import { explain } from "../explain.ts";
import { by, record } from "../waybill.suite.ts";

const gateway = "gateway-n1";
const about: Facts = {
  link: "p_1",
  space: "alice/demo",
  profile: "app",
  name: "api.example.com",
  address: "100.64.0.3",
  port: 443,
};
const opened = by(gateway, "egress.open", "took", about);
const resolved = by(gateway, "egress.resolve", "done", { addresses: ["203.0.113.80"] });
const allowed = by(gateway, "egress.policy", "done", { rule: "allow * on port 443; a public address" });
const dialled = by(gateway, "egress.dial", "done", { dialled: "203.0.113.80" });
const ended = (
  hop: "egress.policy" | "egress.resolve" | "egress.dial" | "egress.stream",
  mark: "refused" | "failed",
  code: string,
  says: string,
  more: Facts = {},
) => by(gateway, hop, mark, { ...about, ...more, code, says });

describe("what is said of an outbound connection", () => {
  test("a denied name names the rule, who decided, and that nothing was dialled", () => {
    const says = 'api.example.com may not be reached from here, by the rule "deny *.example.com"';
    const { outcome, verdict, links } = explain(
      record("connection", [opened, ended("egress.policy", "refused", "egress/name-denied", says)]),
    );
    assert.equal(outcome, "refused");
    assert.deepEqual(
      [verdict?.boundary, verdict?.code, verdict?.certainty, verdict?.owner],
      ["egress", "name-denied", "proved", "app"],
    );
    assert.match(
      verdict?.sentence ?? "",
      /^api\.example\.com may not be reached.*"deny \*\.example\.com"\. The node's gateway decided so by the policy for apps; nothing was dialled\.$/,
    );
    assert.equal(verdict?.ruledOutBecause["network"], "it was never dialled");
    assert.deepEqual(
      links.map(({ id, kind }) => [id, kind]),
      [["p_1", "replica"]],
    );
  });

  test("a name to which its own Space does not keep names the owner's rule, and how it is changed", () => {
    const says = 'api.example.com may not be reached from here, by the Space\'s own setting "reach none"';
    const { verdict } = explain(
      record("connection", [
        opened,
        ended("egress.policy", "refused", "egress/name-denied", says, { rule: "reach none", setBy: "owner" }),
      ]),
    );
    assert.deepEqual([verdict?.code, verdict?.certainty, verdict?.owner], ["name-denied", "proved", "app"]);
    assert.match(verdict?.sentence ?? "", /"reach none"\. The operator's policy allows it; .* which its owner has set/);
    assert.match(verdict?.next ?? "", /its owner adds it to the Space's setting `reach`/);
  });

  test("a private address is not the name's fault, and was not dialled", () => {
    const says = "api.example.com resolves to 10.0.0.5, which may not be reached from here: private, 10.0.0.0/8";
    const { verdict } = explain(
      record("connection", [opened, resolved, ended("egress.policy", "refused", "egress/address-denied", says)]),
    );
    assert.equal(verdict?.code, "address-denied");
    assert.deepEqual(Object.keys(verdict?.ruledOut ?? {}).sort(), ["name", "network"]);
  });

  test("a name that nobody knows is the outside's, and was not dialled", () => {
    const says = "api.example.com does not exist: no name server knows it (ENOTFOUND)";
    const { outcome, verdict } = explain(
      record("connection", [opened, ended("egress.resolve", "failed", "egress/dns-failed", says)]),
    );
    assert.deepEqual(
      [outcome, verdict?.owner, verdict?.ruledOutBecause],
      ["failed", "outside", { network: "it was never dialled" }],
    );
  });

  test("what nobody took, or not in time, is the outside's: name and policy were in order", () => {
    for (const code of ["egress/dial-refused", "egress/dial-timeout"]) {
      const { verdict } = explain(
        record("connection", [opened, resolved, allowed, ended("egress.dial", "failed", code, "it did not")]),
      );
      assert.equal(verdict?.owner, "outside");
      assert.match(verdict?.sentence ?? "", /The policy lets it through: allow \* on port 443; a public address\./);
      assert.deepEqual(Object.keys(verdict?.ruledOut ?? {}).sort(), ["name", "policy"]);
    }
  });

  test("what the platform's own edge did not take is the platform's", () => {
    const end = ended("egress.dial", "failed", "egress/dial-refused", "the edge did not take it", { edge: true });
    assert.equal(explain(record("connection", [opened, allowed, end])).verdict?.owner, "platform");
  });

  test("what the other side broke was taken by it before", () => {
    const end = ended("egress.stream", "failed", "egress/remote-refused", "it broke the connection");
    const { verdict } = explain(record("connection", [opened, resolved, allowed, dialled, end]));
    assert.deepEqual(
      [verdict?.owner, verdict?.ruledOutBecause["network"]],
      ["outside", "the other side had taken the connection"],
    );
  });

  test("refusals that were counted are said with the next one", () => {
    const end = ended("egress.policy", "refused", "egress/port-denied", "port 25", { likeItBefore: 311 });
    assert.match(explain(record("connection", [opened, end])).sentence, /311 more like it were counted before it\./);
  });

  test("one that was carried says where, how much and by which rule", () => {
    const facts = {
      ...about,
      dialled: "203.0.113.80",
      rule: "allow * on port 443; a public address",
      sentBytes: 517,
      receivedBytes: 20_480_000,
      ms: 2_140,
    };
    const { outcome, verdict, sentence } = explain(
      record("connection", [by(gateway, "egress.open", "done", {}), by(gateway, "egress.stream", "done", facts)]),
    );
    assert.deepEqual([outcome, verdict], ["ok", null]);
    assert.equal(
      sentence,
      "The connection to api.example.com:443 was carried over 203.0.113.80: 517 bytes sent, 20.4 MB received in 2.1 s. Allowed by: allow * on port 443; a public address.",
    );
  });

  test("one that broke after bytes had come says by whom", () => {
    const facts = { ...about, sentBytes: 1, receivedBytes: 1, brokenBy: "remote", errno: "ECONNRESET" };
    assert.match(
      explain(record("connection", [by(gateway, "egress.stream", "done", facts)])).sentence,
      /The other side then broke it \(ECONNRESET\)\./,
    );
  });

  test("two ends contradict each other, and nobody is blamed", () => {
    const ends = [
      ended("egress.policy", "refused", "egress/port-denied", "a"),
      ended("egress.dial", "failed", "egress/dial-refused", "b"),
    ];
    assert.equal(explain(record("connection", [opened, ...ends])).outcome, "unknown");
  });

  test("an end that the gateway did not live to write is unknown", () => {
    const epochs = [{ emitter: gateway, epoch: 1, lastSeq: 1, state: "dead" as const }];
    assert.equal(explain(record("connection", [opened], { epochs })).outcome, "unknown");
    assert.equal(explain(record("connection", [opened])).outcome, "open");
    assert.equal(explain(record("connection", [])).outcome, "unknown");
  });
});
