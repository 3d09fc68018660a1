import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Facts } from "./entry.ts";
import { explain } from "./explain.ts";
import * as a from "./waybill.suite.ts";

const call = (facts: Facts) => explain(a.record("call", [a.by("scheduler", "identity.verify", "done", facts)])).payer;
const request = (facts: Facts) => explain(a.record("request", [a.by("edge", "identity.resolve", "done", facts)])).payer;
const alice = { account: "alice", billedBy: "token" };
const owner = { account: "anna", billedBy: "owner" };

describe("as whom a work is counted", () => {
  for (const [what, payer, says] of [
    ["a call by a token", call({ ...alice, request: "q_1" }), "alice, by an access token"],
    ["a call of somebody who is signed in", call({ ...alice, billedBy: "session" }), "alice, who is signed in"],
    [
      "a call of a stranger",
      call({ account: "address:192.0.2.7", billedBy: "address" }),
      "the address 192.0.2.7: nothing that came with the request says who asks",
    ],
    [
      "a call that no request caused",
      call(owner),
      "anna, who owns the Space: its app asked by itself, with no visitor's token",
    ],
    [
      "a call of a request that a Space made for nobody",
      call({ ...owner, request: "q_1" }),
      "anna, who owns the Space that asked: it passed on no visitor's token",
    ],
    [
      "a request that a Space made for nobody",
      request({ ...owner, caller: "anna/front" }),
      "anna, who owns anna/front: that Space asked and passed on no visitor's token",
    ],
    [
      "a request that Spaces passed on",
      request({ ...alice, caller: "anna/front", link: "q_0", hops: 2 }),
      "alice, by an access token; 2 Spaces passed it on",
    ],
  ] as const)
    test(`${what}: ${says}`, () => assert.equal(payer?.says, says));

  test("a refused identity is counted as nobody, and so is what says nothing", () => {
    const refused = a.by("edge", "identity.resolve", "refused", { code: "identity/bad-token", ...alice });
    assert.equal(explain(a.record("request", [refused])).payer, undefined);
    assert.equal(explain(a.record("request", [])).payer, undefined);
  });

  test("a request that went well says it too, whose facts are all on its last entry", () => {
    const packed = a.by("edge", "edge.deliver", "done", { status: 200, answeredBy: "app", ...alice });
    assert.equal(explain(a.record("request", [packed])).payer?.says, "alice, by an access token");
  });
});
