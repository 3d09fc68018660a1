import assert from "node:assert/strict";
import { test } from "node:test";
import { isWithoutIpv6 } from "./routes.ts";

test("only the last route may be refused, and only for want of IPv6", () => {
  assert.ok(isWithoutIpv6("RTNETLINK answers: Operation not supported\nCommand failed -:3"));
  assert.ok(isWithoutIpv6("Error: IPv6 is disabled on nexthop device.\nCommand failed -:3"));
  assert.ok(!isWithoutIpv6('Cannot find device "lo"\nCommand failed -:3'));
  assert.ok(!isWithoutIpv6("RTNETLINK answers: Operation not permitted\nCommand failed -:3"));
  assert.ok(!isWithoutIpv6("RTNETLINK answers: Operation not supported\nCommand failed -:2"));
});
