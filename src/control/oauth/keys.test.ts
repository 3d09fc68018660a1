import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { instant } from "../../stdx/time.ts";
import { aheadMs, lingerMs, planKeys, rotateEveryMs } from "./keys.ts";
import type { SigningAlg } from "./keys.ts";

const t0 = Date.UTC(2026, 10, 22);
const key = (id: string, ageMs: number, alg: SigningAlg = "EdDSA") => ({ id, alg, createdAt: instant(t0 - ageMs) });
const rsa = key("rsa", 0, "RS256");
const plan = (...keys: readonly ReturnType<typeof key>[]) => planKeys([rsa, ...keys], instant(t0));

describe("which key signs", () => {
  test("where there is none, one of each algorithm is wanted, and signs at once", () => {
    assert.deepEqual(planKeys([], instant(t0)).wanted, ["EdDSA", "RS256"]);
    assert.deepEqual(plan(key("a", 0)).published, ["a", "rsa"]);
    assert.deepEqual(plan(key("a", 0)).wanted, []);
  });

  test("after ninety days, at that instant, another one is wanted", () => {
    assert.deepEqual(plan(key("a", rotateEveryMs - 1)).wanted, []);
    assert.deepEqual(plan(key("a", rotateEveryMs)).wanted, ["EdDSA"]);
    assert.equal(plan(key("a", rotateEveryMs - 1)).until, t0 + 1);
  });

  test("the next one is published for two days before it signs, and the last one for two days after", () => {
    const [old, next] = [(ageMs: number) => key("old", rotateEveryMs + ageMs), (ageMs: number) => key("next", ageMs)];
    const at = (ageMs: number) => plan(old(ageMs), next(ageMs));
    assert.deepEqual(at(0).published, ["old", "next", "rsa"]);
    assert.equal(at(0).until, t0 + aheadMs);
    assert.deepEqual(at(aheadMs - 1).published, ["old", "next", "rsa"]);
    assert.deepEqual(at(aheadMs).published, ["next", "old", "rsa"]);
    assert.deepEqual(at(aheadMs + lingerMs - 1).gone, []);
    assert.deepEqual(at(aheadMs + lingerMs).published, ["next", "rsa"]);
    assert.deepEqual(at(aheadMs + lingerMs).gone, ["old"]);
  });

  test("a plan always ends later, and at no instant is there none that signs", () => {
    for (let days = 0; days < 400; days += 1) {
      const age = days * 24 * 3_600_000;
      const { published, until } = plan(key("a", age), key("b", Math.max(0, age - rotateEveryMs)));
      assert.ok(until > t0);
      assert.ok(published.some((id) => id !== "rsa"));
    }
  });
});
