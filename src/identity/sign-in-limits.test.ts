import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SignInLimits } from "./sign-in-limits.ts";
import type { Try } from "./sign-in-limits.ts";

const minuteMs = 60_000;

function world() {
  const state = { now: 0 };
  const limits = new SignInLimits({ monotonic: () => state.now });
  const asked = (over: Partial<Try> = {}): Try => ({
    ...{ account: "alice", address: "192.0.2.7", isKnown: false },
    ...over,
  });
  /** How many tries go through before one is told to wait. */
  const until = (next: (n: number) => Try, most = 1_000): number => {
    for (let n = 0; n < most; n += 1) if (limits.take(next(n)) !== null) return n;
    return most;
  };
  return { state, limits, asked, until };
}

describe("tries to sign in", () => {
  test("of one account from one address are eight in a quarter of an hour, and then as many again", () => {
    const { state, limits, asked, until } = world();
    state.now = 1_000;
    assert.equal(
      until(() => asked()),
      8,
    );
    assert.equal(limits.take(asked()), 15 * minuteMs);
    state.now += 15 * minuteMs - 1;
    assert.equal(limits.take(asked()), 1);
    state.now += 1;
    assert.equal(
      until(() => asked()),
      8,
    );
  });

  test("of many accounts from one address are sixty", () => {
    const { asked, until } = world();
    assert.equal(
      until((n) => asked({ account: `a${n}` })),
      60,
    );
  });

  test("of one account from many addresses are two hundred in an hour; where its person was seen before, none of them counts", () => {
    const { state, limits, asked, until } = world();
    assert.equal(
      until((n) => asked({ address: `2001:db8:${n}::/64` })),
      200,
    );
    assert.equal(limits.take(asked({ address: "198.51.100.1" })), 60 * minuteMs);
    const home = asked({ address: "203.0.113.5", isKnown: true });
    assert.equal(
      until(() => home),
      8,
    );
    state.now += 60 * minuteMs;
    assert.equal(limits.take(asked({ address: "198.51.100.1" })), null);
  });

  test("one address alone never makes an account's two hundred: it is stopped long before", () => {
    const { state, asked, until, limits } = world();
    for (let quarter = 0; quarter < 4; quarter += 1, state.now += 15 * minuteMs) until(() => asked());
    state.now -= 1;
    assert.equal(limits.take(asked({ address: "198.51.100.1" })), null);
  });

  test("that are right give back what was counted", () => {
    const { limits, asked, until } = world();
    for (let n = 0; n < 1_000; n += 1) {
      assert.equal(limits.take(asked()), null);
      limits.forget(asked());
    }
    assert.equal(
      until(() => asked(), 7),
      7,
    );
    limits.giveBack(asked());
    assert.equal(
      until(() => asked()),
      2,
    );
    limits.forget(asked());
    assert.equal(
      until(() => asked()),
      8,
    );
  });

  test("that were not made push nothing out of it", () => {
    const { limits, asked, until } = world();
    assert.equal(
      until(() => asked({ isKnown: true })),
      8,
    );
    for (let n = 0; n < 20_001; n += 1) {
      const other = asked({ account: `a${n}`, address: `b${n}`, isKnown: true });
      limits.take(other);
      limits.giveBack(other);
    }
    assert.equal(
      until(() => asked({ isKnown: true })),
      0,
    );
  });

  test("are counted in a bounded memory, the oldest forgotten first", () => {
    const { limits, asked, until } = world();
    assert.equal(
      until(() => asked({ isKnown: true })),
      8,
    );
    for (let n = 0; n < 20_001; n += 1) limits.take(asked({ account: `a${n}`, address: `b${n}`, isKnown: true }));
    assert.equal(
      until(() => asked({ isKnown: true })),
      8,
    );
  });
});
