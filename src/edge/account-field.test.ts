import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseItem } from "structured-headers";
import { accountFieldOf, accountValue } from "./account-field.ts";

describe("X-Waybill-Account", () => {
  test("is an item of RFC 9651 for each name that an account can have, and each address", () => {
    for (const account of [
      "alice",
      "a.b_c-d",
      "007",
      "address:127.0.0.1",
      "address:2001:db8:0:1::/64",
      "address:unknown",
    ]) {
      const [name, parameters] = parseItem(accountValue({ account, billedBy: "token" }));
      assert.deepEqual([String(name), String(parameters.get("by"))], [account, "token"]);
    }
  });

  test("is for the caller alone: on nothing that caches may keep for others, and of nobody who was not made out", () => {
    const visitor = { account: "alice", tier: "free", billedBy: "token", user: "alice" };
    assert.equal(accountFieldOf(visitor, ["Cache-Control", "private, max-age=60"]), "alice;by=token");
    assert.equal(accountFieldOf(visitor, ["cache-control", "public, max-age=60"]), undefined);
    assert.equal(accountFieldOf({ refused: "identity/bad-token" }), undefined);
    assert.equal(accountFieldOf(undefined), undefined);
  });
});
