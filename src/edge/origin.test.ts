import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { isOwnMachine, originOf } from "./origin.ts";
import type { Origin, OriginUnclear, ProxyHeaders } from "./origin.ts";

const proxies = ["10.0.0.1", "10.0.0.2", "2001:db8::1"];

function told(
  headers: readonly string[],
  given: { peer?: string; family?: ProxyHeaders; secure?: boolean } = {},
): Origin | OriginUnclear {
  const { peer = "10.0.0.1", family = "x-forwarded", secure = false } = given;
  return originOf({ address: peer, secure }, headers, { has: (one) => proxies.includes(one), headers: family });
}

function addressOf(headers: readonly string[], given: Parameters<typeof told>[1] = {}): string {
  const origin = told(headers, given);
  assert.ok("address" in origin, JSON.stringify(origin));
  return origin.address;
}

describe("X-Forwarded-*", () => {
  const all = ["X-Forwarded-For", "203.0.113.9", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "a.example.com"];

  test("counts from a trusted proxy", () => {
    assert.deepEqual(told(all), {
      address: "203.0.113.9",
      proto: "https",
      host: "a.example.com",
      proxy: "10.0.0.1",
      id: undefined,
    });
  });

  test("counts for nothing from anybody else, and without a proxy that is named", () => {
    const nothing = { address: "203.0.113.1", proto: "http", host: undefined, proxy: undefined, id: undefined };
    assert.deepEqual(told(all, { peer: "203.0.113.1" }), nothing);
    assert.deepEqual(originOf({ address: "203.0.113.1", secure: false }, all, undefined), nothing);
  });

  for (const [name, value, address] of [
    ["the right-most hop that is no proxy of ours", "6.6.6.6, 203.0.113.9, 10.0.0.2", "203.0.113.9"],
    ["what a visitor wrote before it", "10.0.0.2, 203.0.113.9", "203.0.113.9"],
    ["the farthest, where all are ours", "10.0.0.2, 10.0.0.1", "10.0.0.2"],
    ["an address with its port", "203.0.113.9:5511", "203.0.113.9"],
    ["IPv6 in brackets, with a port", "[2001:db8:9::1]:443", "2001:db8:9::1"],
    ["IPv4 within IPv6 as IPv4", "::ffff:203.0.113.9", "203.0.113.9"],
    ["a hop that nobody can read: the proxy that told it", "203.0.113.9, unknown", "10.0.0.1"],
    ["garbage: the last proxy that was believed", "203.0.113.9, 1.2.3, 10.0.0.2", "10.0.0.2"],
    ["no word at all: the proxy", " , ", "10.0.0.1"],
  ] as const)
    test(`takes ${name}`, () => assert.equal(addressOf(["X-Forwarded-For", value]), address));

  test("lines that are given twice are one list", () => {
    assert.equal(addressOf(["X-Forwarded-For", "6.6.6.6", "x-forwarded-for", "203.0.113.9"]), "203.0.113.9");
  });

  test("a list of protocols or hosts says what the visitor's hop says; one of another length says nothing", () => {
    const hops = ["X-Forwarded-For", "6.6.6.6, 203.0.113.9, 10.0.0.2"];
    const origin = told([...hops, "X-Forwarded-Proto", "http, https, http"]) as Origin;
    assert.equal(origin.proto, "https");
    assert.equal((told([...hops, "X-Forwarded-Proto", "https, http"]) as Origin).proto, "http");
    assert.equal((told([...hops, "X-Forwarded-Host", "x.com, y.com"]) as Origin).host, undefined);
  });

  test("a protocol that is none is not taken; a host that is none is refused", () => {
    assert.equal((told(["X-Forwarded-Proto", "javascript"]) as Origin).proto, "http");
    assert.equal((told(["X-Forwarded-Proto", "https"]) as Origin).proto, "https");
    assert.deepEqual(told(["X-Forwarded-For", "203.0.113.9", "X-Forwarded-Host", "a@b"]), {
      detail: "X-Forwarded-Host: not a host name",
    });
  });

  test("Forwarded is not read beside it: the proxy passed it on as the visitor wrote it", () => {
    assert.equal(addressOf(["Forwarded", "for=6.6.6.6", "X-Forwarded-For", "203.0.113.9"]), "203.0.113.9");
  });

  test("a longer chain than anybody has ends at its nearest part", () => {
    const chain = Array.from({ length: 5_000 }, () => "10.0.0.2").join(",");
    assert.equal(addressOf(["X-Forwarded-For", `203.0.113.9,${chain}`]), "10.0.0.2");
  });
});

describe("Forwarded", () => {
  const forwarded = (...values: string[]) =>
    told(
      values.flatMap((value) => ["Forwarded", value]),
      { family: "forwarded" },
    );

  test("tells address, protocol and host of each hop", () => {
    assert.deepEqual(forwarded('for=6.6.6.6, For="[2001:db8:9::1]:47";Proto=HTTPS;host="a.example.com:8443"'), {
      address: "2001:db8:9::1",
      proto: "https",
      host: "a.example.com:8443",
      proxy: "10.0.0.1",
      id: undefined,
    });
  });

  test("skips proxies of ours, and takes the host as the visitor's hop wrote it", () => {
    const origin = forwarded("for=203.0.113.9;host=a.example.com", "for=10.0.0.2;host=inner") as Origin;
    assert.deepEqual([origin.address, origin.host], ["203.0.113.9", "a.example.com"]);
  });

  test("a hidden or unknown hop ends at the proxy that hides it", () => {
    assert.equal((forwarded("for=203.0.113.9, for=_secret") as Origin).address, "10.0.0.1");
    assert.equal((forwarded("for=203.0.113.9, proto=https") as Origin).address, "10.0.0.1");
  });

  for (const value of [
    'for=6.6.6.6;x=", for=203.0.113.9;host="a.example.com"',
    'for=", for=203.0.113.9',
    "for=6.6.6.6;for=7.7.7.7",
    "for = 6.6.6.6",
    "for=2001:db8::1",
  ])
    test(`${value} is refused: it can be read in two ways`, () =>
      assert.deepEqual(forwarded(value), { detail: "Forwarded: not as RFC 7239 has it" }));

  test("X-Forwarded-For is not read beside it", () => {
    const origin = told(["X-Forwarded-For", "6.6.6.6", "Forwarded", "for=203.0.113.9"], { family: "forwarded" });
    assert.equal((origin as Origin).address, "203.0.113.9");
  });
});

test("the own machine is loopback, and whoever has the address that was called", () => {
  const own = [{ remoteAddress: "127.0.0.9" }, { remoteAddress: "::1" }, { remoteAddress: "::ffff:127.0.0.1" }];
  const same = { remoteAddress: "192.168.1.5", localAddress: "::ffff:192.168.1.5" };
  for (const ends of [...own, same]) assert.ok(isOwnMachine(ends), JSON.stringify(ends));
  assert.ok(!isOwnMachine({}));
  for (const remoteAddress of ["192.168.1.6", "12.7.0.1", "2001:db8::1", "::ffff:192.168.1.6"])
    assert.ok(!isOwnMachine({ remoteAddress, localAddress: "192.168.1.5" }), remoteAddress);
});
