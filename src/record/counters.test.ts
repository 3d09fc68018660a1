import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { isId } from "../stdx/ids.ts";
import { prng } from "../stdx/prng.ts";
import type { Instant } from "../stdx/time.ts";
import { addressBlock, Counters, countersMax } from "./counters.ts";

function at(start: number): { counters: Counters; advance: (ms: number) => void } {
  let now = start;
  const random = prng(7);
  return {
    counters: new Counters({ wall: () => now as Instant, monotonic: () => now }, (count) => random.bytes(count)),
    advance: (ms) => (now += ms),
  };
}

const refused = { code: "route/no-such-space", host: "x.localhost", address: "203.0.113.9", sample: "GET /robots.txt" };

describe("Counters", () => {
  test("what a node says of others' is counted by node", () => {
    const { counters } = at(0);
    const said = (node: string, sample: string) => counters.count({ code: "control/not-its-own", node, sample });
    const id = said("n2", "left of call c_1 of node n1");
    assert.equal(said("n2", "cleared of slot n1/0/0"), id);
    assert.notEqual(said("n3", "left of call c_1 of node n1"), id);
    const { host, block, count, samples } = counters.find(id) ?? {};
    assert.deepEqual(
      [host, block, count, samples],
      ["", "node n2", 2, ["left of call c_1 of node n1", "cleared of slot n1/0/0"]],
    );
  });

  test("one counter for the same code, host, block and minute, with a few samples", () => {
    const { counters } = at(0);
    const id = counters.count(refused);
    assert.ok(isId("n", id));
    assert.equal(counters.count({ ...refused, address: "203.0.113.77", sample: "GET /a" }), id);
    assert.notEqual(counters.count({ ...refused, address: "198.51.100.1" }), id);
    assert.deepEqual(
      counters.take().find((row) => row.id === id),
      {
        id,
        code: refused.code,
        host: "x.localhost",
        block: "203.0.113.0/24",
        minute: 0,
        count: 2,
        samples: ["GET /robots.txt", "GET /a"],
      },
    );
    assert.deepEqual(counters.take(), []);
  });

  test("a new minute is a new counter, and the old one is still taken once", () => {
    const { counters, advance } = at(0);
    const id = counters.count(refused);
    advance(60_000);
    assert.notEqual(counters.count(refused), id);
    assert.deepEqual(
      counters.take().map(({ count }) => count),
      [1, 1],
    );
  });

  test("a scan of random hosts ends in one shared counter", () => {
    const { counters } = at(0);
    const ids = Array.from({ length: countersMax + 50 }, (_, n) => counters.count({ ...refused, host: `h${n}` }));
    assert.equal(new Set(ids).size, countersMax + 1);
    assert.equal(counters.find(ids.at(-1) ?? "")?.host, "*");
    assert.equal(counters.find(ids.at(-1) ?? "")?.count, 50);
  });
});

describe("addressBlock", () => {
  test("keeps /24 of IPv4, also mapped, and /48 of IPv6", () => {
    assert.equal(addressBlock("127.0.0.1"), "127.0.0.0/24");
    assert.equal(addressBlock("::ffff:10.1.2.3"), "10.1.2.0/24");
    assert.equal(addressBlock("2001:DB8:7:9::1"), "2001:db8:7::/48");
    assert.equal(addressBlock("::1"), "0:0:0::/48");
    assert.equal(addressBlock("nonsense"), "unknown");
  });
});
