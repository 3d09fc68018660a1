import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { describe, test } from "node:test";
import { prng } from "../stdx/prng.ts";
import { argon2id, PasswordHasher, PasswordsBusy, passwordSays } from "./password.ts";
import type { Derive, Trier } from "./password.ts";

const random = prng(7);
const known: Trier = { place: null };
/** Who comes from where they were before, unless somebody else is said. */
const hasher = (derive?: Derive) => {
  const one = new PasswordHasher((count) => random.bytes(count), derive);
  return {
    hash: (password: string) => one.hash(password, known),
    verify: (password: string, kept: string | null, by = known) => one.verify(password, kept, by),
  };
};
const good = "correct horse battery staple";

describe("a password", () => {
  test("is kept as argon2id makes it with OWASP's parameters, and no two alike", async () => {
    const one = hasher();
    const [first, second] = [await one.hash(good), await one.hash(good)];
    assert.match(first, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
    assert.notEqual(first, second);
    assert.deepEqual([await one.verify(good, first), await one.verify(good, second)], [true, true]);
    assert.equal(await hasher().verify(good, first), true);
    assert.equal(await one.verify(`${good} `, first), false);
  });

  test("is what argon2's reference implementation makes of it", async () => {
    // argon2-cffi 25.1: hash_secret_raw(b"password", b"somesaltsomesalt", 2, 19456, 1, 32, Type.ID)
    const tag = await argon2id("password", Buffer.from("somesaltsomesalt"));
    assert.equal(tag.toString("hex"), "2b5dc4054886ec957ef59c73b661c54dd6fb274590b278f657c6d96aac8fa6d1");
  });

  test("is the same whichever keyboard wrote its letters", async () => {
    const one = hasher();
    assert.equal(await one.verify("e\u0301tude for two hands", await one.hash("\u00e9tude for two hands")), true);
  });

  test("that nobody has costs the same work and is never right", async () => {
    let derived = 0;
    const one = hasher((password, salt) => ((derived += 1), argon2id(password, salt)));
    assert.equal(await one.verify(good, null), false);
    assert.equal(await one.verify("", null), false);
    assert.equal(await one.verify("x".repeat(100_000), await one.hash("x".repeat(256))), false);
    assert.equal(derived, 4);
  });

  test("is worked on two at once; a few wait, and beyond them it is said to come again", async () => {
    const running: (() => void)[] = [];
    let most = 0;
    const one = hasher(async () => {
      most = Math.max(most, running.length + 1);
      await new Promise<void>((go) => running.push(go));
      return Buffer.alloc(32);
    });
    const all = Array.from({ length: 34 }, () => one.verify(good, null));
    await assert.rejects(one.verify(good, null), PasswordsBusy);
    assert.equal(running.length, 2);
    for (let ended = 0; ended < 34; ended += 1) {
      running.shift()?.();
      await turn();
    }
    assert.deepEqual(await Promise.all(all), Array(34).fill(false));
    assert.equal(most, 2);
    const after = one.verify(good, null);
    running.shift()?.();
    assert.equal(await after, false);
  });

  test("of strangers, however many and from wherever, waits for nobody's place but theirs", async () => {
    const running: (() => void)[] = [];
    const done: string[] = [];
    const one = hasher(async () => {
      await new Promise<void>((go) => running.push(go));
      return Buffer.alloc(32);
    });
    const tries = (who: string, place: string | null) =>
      one.verify(good, null, { place }).then(() => void done.push(who));
    const flood = Array.from({ length: 34 }, (_, n) => tries(`stranger ${n}`, `2001:db8:${n}::/64`));
    await assert.rejects(tries("one more", "192.0.2.1"), PasswordsBusy);
    const alice = tries("alice", null);
    for (let ended = 0; ended < 35; ended += 1) {
      running.shift()?.();
      await turn();
    }
    await Promise.all([...flood, alice]);
    assert.ok(done.indexOf("alice") <= 3, `she was number ${done.indexOf("alice")}`);
  });

  test("of strangers of one address leaves places for those of others", async () => {
    const running: (() => void)[] = [];
    const one = hasher(async () => {
      await new Promise<void>((go) => running.push(go));
      return Buffer.alloc(32);
    });
    const from = (place: string) => one.verify(good, null, { place });
    const all = Array.from({ length: 10 }, () => from("192.0.2.1"));
    await assert.rejects(from("192.0.2.1"), PasswordsBusy);
    all.push(from("192.0.2.2"));
    for (let ended = 0; ended < 11; ended += 1) {
      running.shift()?.();
      await turn();
    }
    assert.deepEqual(await Promise.all(all), Array(11).fill(false));
  });

  test("whose work fails leaves its place to the next", async () => {
    let fails = true;
    const one = hasher(async () => (fails ? Promise.reject(new Error("no memory")) : Buffer.alloc(32)));
    for (let n = 0; n < 5; n += 1) await assert.rejects(one.verify(good, null), /no memory/);
    fails = false;
    assert.equal(await one.verify(good, null), false);
  });

  for (const [password, says] of [
    [good, undefined],
    ["fourteen chars", /at least 15/],
    ["é".repeat(8), /at least 15/],
    ["a".repeat(20), /again and again/],
    ["alicealicealicealice", /again and again/],
    ["x".repeat(257), /at most 256/],
  ] as const)
    test(`"${password.slice(0, 20)}" ${says === undefined ? "may be one" : "may be none"}`, () =>
      says === undefined
        ? assert.equal(passwordSays(password, "alice"), undefined)
        : assert.match(passwordSays(password, "alice") ?? "", says));
});
