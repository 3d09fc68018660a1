import assert from "node:assert/strict";
import { describe, test } from "node:test";

import type { NetworkOptions } from "../cli/world.ts";
import { readNetwork } from "./network.ts";
import type { NetworkConfig } from "./network.ts";

function read(
  env: Record<string, string>,
  options: NetworkOptions & { hasTls?: boolean } = {},
): { network: NetworkConfig; problems: string[] } {
  const problems: string[] = [];
  return { network: readNetwork(env, options, { hasTls: options.hasTls === true, problems }), problems };
}

function problemsOf(...given: Parameters<typeof read>): string[] {
  return read(...given).problems;
}

describe("proxies in front", () => {
  test("are nobody, unless they are named", () => {
    const { proxies, proxyProtocol } = read({}).network;
    assert.deepEqual([proxies, proxyProtocol], [null, null]);
  });

  test("are addresses and ranges of both families", () => {
    const { proxies } = read({ WAYBILL_TRUSTED_PROXIES: "127.0.0.1, 10.1.0.0/16,2001:db8::/32" }).network;
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
    const { network } = read({ WAYBILL_TRUSTED_PROXIES: "::1", WAYBILL_PROXY_PROTOCOL: "[::1]:7071" });
    assert.deepEqual(network.proxyProtocol, { address: "::1", port: 7071 });
  });
});

describe("the place where it is reached", () => {
  test("is this machine alone, unless something is said", () => {
    const { network, problems } = read({});
    assert.deepEqual(problems, []);
    const { address, isOpen, appsDomain, consoleHost, visited, ports } = network;
    assert.deepEqual(
      [address, isOpen, appsDomain, consoleHost, visited, ports],
      ["127.0.0.1", false, "localhost", null, null, null],
    );
  });

  test("a network demands a name, a domain and TLS: all that is missing is told at once, each with what to do", () => {
    const said = problemsOf({}, { host: "0.0.0.0" });
    assert.equal(said.length, 3);
    for (const [i, about] of [
      /add --console-host/,
      /add --apps-domain.*--addresses ports/,
      /a proxy with TLS .* WAYBILL_TRUSTED_PROXIES/,
    ].entries())
      assert.match(said[i] ?? "", about);
    assert.equal(
      problemsOf({}, { host: "192.168.1.5", consoleHost: "localhost", appsDomain: "apps.localhost" }).length,
      3,
    );
  });

  test("what cannot be read is told beside what is missing, and not as missing too", () => {
    const said = problemsOf({}, { host: "0.0.0.0", consoleHost: "a:80", publicUrl: "https://b.example.com" });
    assert.equal(said.length, 3, said.join("\n"));
    for (const [i, about] of [
      /without a port/,

      /add --apps-domain/,
      /a proxy with TLS/,
    ].entries())
      assert.match(said[i] ?? "", about);
  });

  test("TLS of its own, or a proxy that is named and whose address is known, opens it", () => {
    const names = { host: "0.0.0.0", consoleHost: "waybill.example.com", appsDomain: "apps.example.com" };
    assert.deepEqual(problemsOf({}, { ...names, hasTls: true }), []);
    const proxied = { WAYBILL_TRUSTED_PROXIES: "10.0.0.5" };
    assert.match(problemsOf(proxied, names).join(), /add --public-url/);
    assert.deepEqual(problemsOf(proxied, { ...names, publicUrl: "https://waybill.example.com" }), []);
  });

  test("by ports no domain is needed, but a name or address of the machine is", () => {
    const lan = { host: "192.168.1.5", addresses: "ports:7200-7210", hasTls: true };
    assert.match(problemsOf({}, lan).join(" | "), /^[^|]*add --console-host[^|]*$/);
    const { network, problems } = read({}, { ...lan, consoleHost: "192.168.1.5" });
    assert.deepEqual([problems, network.ports, network.isOpen], [[], { from: 7_200, to: 7_210 }, true]);
  });

  test("the address that visitors type gives scheme, host and port, and demands a domain", () => {
    const { network, problems } = read(
      {},
      { publicUrl: "https://Waybill.example.com/", appsDomain: "Apps.example.com" },
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(
      [network.visited, network.consoleHost, network.appsDomain],
      [{ scheme: "https", port: 443 }, "waybill.example.com", "apps.example.com"],
    );
    assert.deepEqual(read({}, { publicUrl: "http://localhost:8080" }).network.visited, { scheme: "http", port: 8080 });
    assert.match(problemsOf({}, { publicUrl: "https://waybill.example.com" }).join(), /add --apps-domain/);
  });

  test("the console may not have a name that a Space could have", () => {
    const domain = { appsDomain: "apps.example.com" };
    assert.match(
      problemsOf({}, { ...domain, consoleHost: "my-console.apps.example.com" }).join(),
      /could be a Space's/,
    );
    for (const consoleHost of ["console.apps.example.com", "my-console.example.com", "a-b.c.apps.example.com"])
      assert.deepEqual(problemsOf({}, { ...domain, consoleHost }), [], consoleHost);
  });

  for (const [name, options, says] of [
    ["a host that is no address", { host: "waybill.example.com" }, /--host .* write an address/],
    ["a domain with other letters", { appsDomain: "bücher.example" }, /--apps-domain .* A-labels/],
    ["a domain that is an address", { appsDomain: "10.0.0.1" }, /--apps-domain/],
    ["a console with a port", { consoleHost: "waybill.example.com:80" }, /without a port/],
    ["an address with a path", { publicUrl: "https://example.com/waybill" }, /--public-url/],
    ["another scheme", { publicUrl: "ftp://example.com" }, /--public-url/],
    ["two consoles", { publicUrl: "https://a.com", consoleHost: "b.com", appsDomain: "c.com" }, /same place/],
    ["another way", { addresses: "paths" }, /write names, ports/],
    ["a range that ends before it begins", { addresses: "ports:9-8" }, /--addresses/],
  ] as const)
    test(`${name} is refused`, () => assert.match(problemsOf({}, options).join(), says));

  test("each has a variable, and the flag goes first", () => {
    const env = { WAYBILL_APPS_DOMAIN: "one.example", WAYBILL_CONSOLE_HOST: "two.example", WAYBILL_ADDRESSES: "ports" };
    const { network } = read(env, { appsDomain: "three.example" });
    assert.deepEqual(
      [network.appsDomain, network.consoleHost, network.ports?.from],
      ["three.example", "two.example", 7_100],
    );
  });
});
