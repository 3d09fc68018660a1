import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { readNetwork } from "./network.ts";

function problemsOf(env: Record<string, string>): string[] {
  const problems: string[] = [];
  readNetwork(env, problems);
  return problems;
}

describe("proxies in front", () => {
  test("are nobody, unless they are named", () => {
    assert.deepEqual(readNetwork({}, []), { proxies: null, proxyProtocol: null });
  });

  test("are addresses and ranges of both families", () => {
    const { proxies } = readNetwork({ WAYBILL_TRUSTED_PROXIES: "127.0.0.1, 10.1.0.0/16,2001:db8::/32" }, []);
    const trusted = ["127.0.0.1", "::ffff:127.0.0.1", "10.1.255.3", "2001:db8:9::1"];
    const others = ["127.0.0.2", "10.2.0.1", "2001:db9::1", "unknown", ""];
    assert.deepEqual(
      [...trusted, ...others].filter((one) => proxies?.has(one)),
      trusted,
    );
  });

  test("all that is wrong is told at once, with what to write", () => {
    const said = problemsOf({
      WAYBILL_TRUSTED_PROXIES: "nginx,10.0.0.0/33,0.0.0.0/0,::/0",
      WAYBILL_PROXY_HEADERS: "both",
      WAYBILL_PROXY_PROTOCOL: "7071",
    });
    for (const about of [/"nginx"; write addresses/, /10\.0\.0\.0\/33/, /"0\.0\.0\.0\/0", which is everybody/, /::\/0/])
      assert.ok(
        said.some((one) => about.test(one)),
        String(about),
      );
    assert.ok(said.some((one) => /WAYBILL_PROXY_HEADERS is "both"; write x-forwarded or forwarded/.test(one)));
    assert.ok(said.some((one) => /WAYBILL_PROXY_PROTOCOL is "7071"; write an address and a port/.test(one)));
  });

  test("what they would do is of no use without them", () => {
    assert.match(
      problemsOf({ WAYBILL_PROXY_PROTOCOL: "127.0.0.1:7071" }).join(),
      /name them with WAYBILL_TRUSTED_PROXIES/,
    );
    assert.match(problemsOf({ WAYBILL_PROXY_HEADERS: "forwarded" }).join(), /without WAYBILL_TRUSTED_PROXIES/);
    const place = readNetwork({ WAYBILL_TRUSTED_PROXIES: "::1", WAYBILL_PROXY_PROTOCOL: "[::1]:7071" }, []);
    assert.deepEqual(place.proxyProtocol, { address: "::1", port: 7071 });
  });
});
