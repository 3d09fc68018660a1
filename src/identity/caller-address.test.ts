import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { addressAccount, isAddressAccount } from "./caller-address.ts";

describe("addressAccount", () => {
  const cases: readonly (readonly [remote: string | undefined, account: string])[] = [
    ["127.0.0.1", "address:127.0.0.1"],
    ["::ffff:192.0.2.7", "address:192.0.2.7"],
    ["::ffff:c000:207", "address:192.0.2.7"],
    ["0:0:0:0:0:FFFF:192.0.2.7", "address:192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "address:2001:db8:1:2::/64"],
    ["2001:DB8:1:2::9", "address:2001:db8:1:2::/64"],
    ["2001:db8::", "address:2001:db8:0:0::/64"],
    ["::1", "address:0:0:0:0::/64"],
    ["fe80::1%eth0", "address:fe80:0:0:0::/64"],
    [undefined, "address:unknown"],
    ["not an address", "address:unknown"],
  ];
  for (const [remote, account] of cases) {
    test(`${remote} is ${account}`, () => assert.equal(addressAccount(remote), account));
  }

  test("two addresses of one /64 are one caller, of two are two", () => {
    assert.equal(addressAccount("2001:db8:1:2::a"), addressAccount("2001:db8:1:2:ffff::b"));
    assert.notEqual(addressAccount("2001:db8:1:2::a"), addressAccount("2001:db8:1:3::a"));
  });

  test("isAddressAccount tells an address from a name", () => {
    assert.ok(isAddressAccount(addressAccount("127.0.0.1")));
    assert.ok(!isAddressAccount("alice"));
  });
});
