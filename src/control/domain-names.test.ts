import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { domainName } from "./domain-names.ts";

const own = { appsDomain: "apps.example.com", consoleHosts: ["waybill.example.com", "localhost", "127.0.0.1"] };

describe("a domain's name", () => {
  for (const [text, name] of [
    ["App.Example.org", "app.example.org"],
    ["app.example.org.", "app.example.org"],
    [" app.example.org ", "app.example.org"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
    ["BÜCHER.example", "xn--bcher-kva.example"],
    ["例え。テスト", "xn--r8jz45g.xn--zckzah"],
    ["other.example.com", "other.example.com"],
    ["notapps.example.com", "notapps.example.com"],
  ] as const)
    test(`${JSON.stringify(text)} is ${name}`, () => assert.deepEqual(domainName(text, own), { ok: true, name }));

  for (const [text, says] of [
    ["", /is no name/],
    ["https://app.example.org", /write one alone/],
    ["app.example.org:443", /write one alone/],
    ["app.example.org/x", /write one alone/],
    ["*.example.org", /write one alone/],
    ["a b.example.org", /write one alone/],
    ["192.168.1.5", /is an address/],
    ["0x7f.1", /is an address/],
    ["2130706433", /is an address/],
    ["[::1]", /write one alone/],
    ["example", /one label/],
    ["a_b.example.org", /DNS/],
    ["-a.example.org", /DNS/],
    ["a..example.org", /DNS/],
    ["xn--zz.example.org", /DNS/],
    [`${"a".repeat(64)}.example.org`, /DNS/],
    [`${"a.".repeat(125)}org`, /DNS/],
    ["app.localhost", /leads nowhere/],
    ["x.onion", /leads nowhere/],
    ["apps.example.com", /gives out itself/],
    ["alice-demo.apps.example.com", /gives out itself/],
    ["ALICE-demo.Apps.Example.com.", /gives out itself/],
    ["waybill.example.com", /the console's/],
    ["example.com", /could set cookies/],
  ] as const)
    test(`${JSON.stringify(text.slice(0, 40))} is refused`, () => {
      const result = domainName(text, own);
      assert.ok(!result.ok, JSON.stringify(result));
      assert.match(result.says, says);
    });
});
