import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";

import { Guard, countedAs } from "./guard.ts";
import type { Entered, GuardLimits } from "./guard.ts";
import type { SpaceLimits } from "./ports.ts";
import { UsedElsewhere } from "./used-elsewhere.ts";
import type { SharedUse } from "./used-elsewhere.ts";

const wide: GuardLimits = {
  addressConnections: 1_000_000,
  addressRequests: 1_000_000,
  addressPerSecond: 1_000_000,
  spaceRequests: 1_000_000,
  spacePerSecond: 1_000_000,
};

function world(limits: Partial<GuardLimits>) {
  const clock = { now: 0 };
  const guard = new Guard({ ...wide, ...limits }, () => clock.now);
  const enter = (address = "192.0.2.1", of: SpaceLimits = {}, space = "a/b"): Entered =>
    guard.enter({ space, limits: of, address });
  return { clock, guard, enter };
}

function refused(entered: Entered): Exclude<Entered, { ok: true }> {
  assert.ok(!entered.ok);
  return entered;
}

describe("what one address may ask", () => {
  test("as many requests at a time as it may, and one more when one is over; another address is not touched", () => {
    const { enter } = world({ addressRequests: 2 });
    const first = enter();
    assert.ok(first.ok && enter().ok);
    const { code, headers } = refused(enter());
    assert.equal(code, "capacity/rate-limited");
    assert.deepEqual(headers, { "ratelimit-policy": '"address-at-once";q=2', ratelimit: '"address-at-once";r=0' });
    assert.ok(enter("192.0.2.2").ok);
    first.leave();
    assert.ok(enter().ok);
  });

  test("a burst of four seconds' worth, and then its rate, to the millisecond", () => {
    const { enter, clock } = world({ addressPerSecond: 10 });
    for (let i = 0; i < 40; i++) assert.ok(enter().ok);
    const { retryAfterMs, headers } = refused(enter());
    assert.equal(retryAfterMs, 100);
    assert.deepEqual(headers, { "ratelimit-policy": '"address";q=40;w=4', ratelimit: '"address";r=0;t=1' });
    clock.now = 99;
    refused(enter());
    clock.now = 100;
    assert.ok(enter().ok);
    refused(enter());
  });

  test("what is refused costs it nothing", () => {
    const { enter, clock } = world({ addressPerSecond: 1 });
    for (let i = 0; i < 4; i++) enter();
    for (let i = 0; i < 100; i++) refused(enter());
    clock.now = 1_000;
    assert.ok(enter().ok);
  });

  test("connections, until one of them is over", () => {
    const { guard } = world({ addressConnections: 1 });
    const leave = guard.connect("192.0.2.1");
    assert.ok(leave);
    assert.equal(guard.connect("192.0.2.1"), undefined);
    leave();
    assert.ok(guard.connect("192.0.2.1"));
  });

  test("this machine's own addresses, and an app's, have no limit", () => {
    const { guard, enter } = world({ addressRequests: 1, addressConnections: 1 });
    for (const address of ["127.0.0.1", "127.9.9.9", "::1", "unknown"])
      for (let i = 0; i < 3; i++) assert.ok(enter(address).ok && guard.connect(address));
    for (let i = 0; i < 3; i++) assert.ok(guard.enter({ space: "a/b", limits: undefined, address: undefined }).ok);
  });
});

describe("what one Space may be asked", () => {
  test("the owner's limit where it is lower, the platform's where that is", () => {
    const { enter } = world({ spaceRequests: 3 });
    assert.ok(enter("192.0.2.1", { requests: 1 }).ok);
    assert.equal(refused(enter("192.0.2.2", { requests: 1 })).code, "capacity/space-busy");
    assert.ok(enter("192.0.2.3", { requests: 9 }).ok && enter("192.0.2.3", { requests: 9 }).ok);
    refused(enter("192.0.2.4", { requests: 9 }));
    assert.ok(enter("192.0.2.4", {}, "another/space").ok);
  });

  test("its owner's rate", () => {
    const { enter, clock } = world({});
    for (let i = 0; i < 4; i++) assert.ok(enter(`192.0.2.${i}`, { perSecond: 1 }).ok);
    assert.match(refused(enter("192.0.2.9", { perSecond: 1 })).detail, /^The Space may be asked 1 requests a second/);
    clock.now = 1_000;
    assert.ok(enter("192.0.2.9", { perSecond: 1 }).ok);
  });
});

describe("what is kept of addresses", () => {
  test("of an IPv6 address the /64, however it is written", () => {
    const same = ["2001:db8::1", "2001:DB8:0:0:ffff::", "2001:0db8:0000:0000:1:2:3:4", "2001:db8::192.0.2.1"];
    assert.deepEqual(new Set(same.map(countedAs)), new Set(["2001:db8:0:0::/64"]));
    assert.notEqual(countedAs("2001:db8:0:1::1"), countedAs("2001:db8::1"));
    assert.equal(countedAs("1:2:3:4:5:6:7:8"), "1:2:3:4::/64");
    assert.equal(countedAs("::2"), "0:0:0:0::/64");
  });

  test("nothing of one that is gone and whose rate is full again; what is open stays", () => {
    const { guard, enter, clock } = world({});
    const one = enter("192.0.2.1");
    enter("192.0.2.2");
    assert.ok(one.ok);
    one.leave();
    clock.now = 4_999;
    guard.sweep();
    assert.equal(guard.size, 2);
    clock.now = 5_000;
    guard.sweep();
    assert.equal(guard.size, 1);
  });

  test("at most 100,000, and those with something open are not forgotten for others", () => {
    const { guard, enter } = world({ addressRequests: 1 });
    assert.ok(enter("198.51.100.1").ok);
    for (let i = 0; i < 100_500; i++) {
      const entered = enter(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
      assert.ok(entered.ok);
      entered.leave();
    }
    assert.equal(guard.size, 100_000);
    refused(enter("198.51.100.1"));
  });

  test("whatever comes and goes, no more is under way than may be, and all that left left room", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ address: fc.nat(2), leaves: fc.boolean() }), { maxLength: 60 }), (steps) => {
        const { enter } = world({ addressRequests: 3, spaceRequests: 5 });
        const open = new Map<number, (() => void)[]>();
        const count = (): number => [...open.values()].reduce((sum, list) => sum + list.length, 0);
        for (const { address, leaves } of steps) {
          const mine = open.get(address) ?? [];
          open.set(address, mine);
          if (leaves) mine.pop()?.();
          else {
            const entered = enter(`192.0.2.${address}`);
            assert.equal(entered.ok, mine.length < 3 && count() < 5);
            if (entered.ok) mine.push(entered.leave);
          }
        }
      }),
    );
  });
});

describe("one limit for all workers of an edge", () => {
  /** What one tells reaches the others at once; it tells when it is swept. */
  function workers(count: number, limits: Partial<GuardLimits>) {
    const clock = { now: 0 };
    const told: SharedUse[][] = [];
    const all: Guard[] = Array.from({ length: count }, (_, n) => {
      const share = (uses: readonly SharedUse[]): void => {
        told.push([...uses]);
        all.forEach((other, m) => m !== n && other.learn(`edge-${n}`, uses));
      };
      return new Guard({ ...wide, ...limits }, () => clock.now, share);
    });
    const enter = (n: number, address = "192.0.2.1", of: SpaceLimits = {}): Entered =>
      (all[n] as Guard).enter({ space: "a/b", limits: of, address });
    const sweep = (): void => all.forEach((guard) => guard.sweep());
    return { clock, all, told, enter, sweep };
  }

  test("requests under way elsewhere count, until they are over", () => {
    const { enter, sweep } = workers(3, { addressRequests: 2 });
    const first = enter(0);
    assert.ok(first.ok && enter(1).ok);
    sweep();
    for (const n of [0, 1, 2])
      assert.equal(refused(enter(n)).detail, "This address has 2 requests under way, and may have 2.");
    assert.ok(enter(2, "192.0.2.2").ok);
    first.leave();
    sweep();
    assert.ok(enter(2).ok);
  });

  test("so does what a Space has, by its owner's limit, and an address's connections", () => {
    const { all, enter, sweep } = workers(2, { addressConnections: 1 });
    assert.ok(enter(0, "192.0.2.1", { requests: 1 }).ok);
    const leave = all[0]?.connect("192.0.2.7");
    sweep();
    assert.equal(refused(enter(1, "192.0.2.2", { requests: 1 })).code, "capacity/space-busy");
    assert.equal(all[1]?.connect("192.0.2.7"), undefined);
    leave?.();
    sweep();
    assert.ok(all[1]?.connect("192.0.2.7"));
  });

  test("an address that asks all of them as fast as it can gets its rate once", () => {
    const { clock, enter, sweep } = workers(3, { addressPerSecond: 40 });
    let served = 0;
    const seconds = 60;
    for (; clock.now < seconds * 1_000; clock.now += 25) {
      for (const n of [0, 1, 2])
        for (let entered = enter(n); entered.ok; entered = enter(n)) {
          served += 1;
          entered.leave();
        }
      if (clock.now % 250 === 0) sweep();
    }
    // A burst at each of them comes before any has told.
    assert.ok(served >= seconds * 40, `${served}`);
    assert.ok(served <= seconds * 40 * 1.1 + 3 * 4 * 40, `${served}`);
  });

  test("nothing is told of who uses little", () => {
    const { told, enter, sweep } = workers(2, { addressRequests: 1_000, addressPerSecond: 1_000 });
    for (let i = 0; i < 10; i++) assert.ok(enter(0).ok);
    sweep();
    assert.deepEqual(told, []);
  });

  test("of whom it keeps already a worker goes by what was told last, also where it keeps no more", () => {
    const elsewhere = new UsedElsewhere();
    const told = (key: number, requests: number): void =>
      elsewhere.learn("edge-0", [{ of: "address", key: `${key}`, connections: 0, requests, taken: 0, perSecond: 1 }]);
    for (let key = 0; key <= 10_000; key++) told(key, 9);
    told(0, 2);
    assert.deepEqual(
      [0, 9_999, 10_000].map((key) => elsewhere.open("address", `${key}`).requests),
      [2, 9, 0],
    );
  });

  test("a worker that has ended uses nothing, and one that begins hears of all that is open", () => {
    const { all, enter, sweep } = workers(2, { addressRequests: 1 });
    assert.ok(enter(0).ok);
    sweep();
    const asks = { space: undefined, limits: undefined, address: "192.0.2.1" };
    refused(enter(1));
    all[1]?.forget("edge-0");
    assert.ok(enter(1).ok);
    let again: readonly SharedUse[] = [];
    const only = new Guard(
      { ...wide, addressRequests: 1 },
      () => 0,
      (uses) => (again = uses),
    );
    assert.ok(only.enter(asks).ok);
    only.sweep();
    again = [];
    for (let looks = 0; looks < 16; looks++) only.sweep();
    assert.deepEqual(again, [
      { of: "address", key: "192.0.2.1", connections: 0, requests: 1, taken: 0, perSecond: 1_000_000 },
    ]);
  });
});
