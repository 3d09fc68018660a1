import assert from "node:assert/strict";
import { test } from "node:test";

import { Addressing } from "./addressing.ts";
import type { AddressingFacts } from "./addressing.ts";

const row = { subdomain: "alice-demo", address: "127.5.6.7", port: 7_101 };

function addressing(facts: Partial<AddressingFacts> = {}): Addressing {
  return new Addressing({
    appsDomain: "localhost",
    consoleHost: null,
    scheme: "http",
    publicPort: null,
    isOpen: false,
    isByPorts: false,
    listenPort: () => 7070,
    ...facts,
  });
}

test("on this machine: a name for browsers, a number for programs", () => {
  assert.equal(addressing().console, "http://localhost:7070");
  assert.equal(addressing().hostOf(row), "alice-demo.localhost");
  assert.deepEqual(addressing().ofSpace(row), ["http://alice-demo.localhost:7070", "http://127.5.6.7:7070"]);
});

test("behind a proxy: its scheme and port, and no number, which leads past it", () => {
  const behind = addressing({
    appsDomain: "apps.example.com",
    consoleHost: "waybill.example.com",
    scheme: "https",
    publicPort: 443,
  });
  assert.equal(behind.console, "https://waybill.example.com");
  assert.deepEqual(behind.ofSpace(row), ["https://alice-demo.apps.example.com"]);
  assert.equal(behind.inside(row), "http://alice-demo.apps.example.com:7070");
});

test("by ports: one address on the console's host, none before a port is given", () => {
  const byPorts = addressing({ isByPorts: true, isOpen: true, consoleHost: "192.168.1.5", scheme: "https" });
  assert.deepEqual(byPorts.ofSpace(row), ["https://192.168.1.5:7101"]);
  assert.equal(byPorts.hostOf(row), "192.168.1.5:7101");
  assert.deepEqual(byPorts.ofSpace({ ...row, port: null }), []);
  assert.deepEqual(addressing({ isByPorts: true }).ofSpace(row), ["http://127.0.0.1:7101"]);
});

test("a port of 80 or 443 goes without saying, under its own scheme alone", () => {
  assert.equal(addressing({ publicPort: 80 }).console, "http://localhost");
  assert.equal(addressing({ publicPort: 443 }).console, "http://localhost:443");
});
