/** The platform killed under load at random instants; and that what is compared afterwards finds what is missing. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CallBook } from "./crash/books.ts";
import { crash, isWhole } from "./crash/crash.ts";
import { compareDeeds, type Deed } from "./crash/deeds.ts";
import { compareList, compareSetting, Findings } from "./crash/promises.ts";

test("L24, L25: SIGKILL at ten instants under load: nothing acknowledged is lost or there twice, nothing stays held, each recovery gives the same state", async () => {
  const document = await crash({ kills: 10, seed: 1, say: (line) => console.log(line) });
  assert.ok(isWhole(document), document.findings.join("\n"));
  assert.ok(document.kills >= 10 && document.killsInStart > 0, JSON.stringify(document));
  assert.ok(document.acknowledged >= 100 && document.calls >= 20, JSON.stringify(document));
});

describe("what is compared after a kill", () => {
  const found = (compare: (findings: Findings) => void): Record<"lost" | "duplicated" | "other", number> => {
    const findings = new Findings();
    compare(findings);
    return { lost: findings.lost.length, duplicated: findings.duplicated.length, other: findings.other.length };
  };
  const none = { lost: 0, duplicated: 0, other: 0 };

  test("an entry of a list: what was acknowledged is there once, what was not may be", () => {
    const wishes = [
      { name: "a", acknowledged: true },
      { name: "b", acknowledged: false },
    ];
    const list = (...seen: string[]) => found((findings) => compareList("list", wishes, seen, findings));
    assert.deepEqual(list("x", "a"), none);
    assert.deepEqual(list("b", "a"), none);
    assert.deepEqual(list("b"), { ...none, lost: 1 });
    assert.deepEqual(list("a", "b", "b"), { ...none, duplicated: 1 });
  });

  test("a setting: it shows the last write that was acknowledged, or one after it", () => {
    const shows = (seen: number) =>
      found((findings) => compareSetting("setting", { acknowledged: 4, tried: 5, seen }, findings));
    assert.deepEqual([shows(4), shows(5)], [none, none]);
    assert.deepEqual(shows(3), { ...none, lost: 1 });
    assert.deepEqual(shows(6), { ...none, other: 1 });
  });

  describe("a call, as the app was answered and as the journal has it", () => {
    const settled = { v: 1, type: "call-settled", call: "c", cause: "returned", usedMs: 20, chargedMs: 20 } as const;
    const book = (changed: Partial<Record<keyof CallBook, unknown>> = {}): CallBook =>
      ({ account: "a", grants: [{}], attached: 1, ends: [settled], ...changed }) as CallBook;
    const deeds: readonly Deed[] = [
      { what: "granted", call: "c", slot: "n/0/0" },
      { what: "allowed", call: "c", status: 200 },
      { what: "released", call: "c", status: 200, fail: false },
      { what: "used", call: "c", leastMs: 19.5, mostMs: 24 },
    ];
    const compared = (books: ReadonlyMap<string, CallBook>, said = deeds) =>
      found((findings) => compareDeeds(said, books, findings));
    const booked = (changed: Parameters<typeof book>[0]) => compared(new Map([["c", book(changed)]]));

    test("agree", () => assert.deepEqual(booked({}), none));
    test("no record has it", () => assert.equal(compared(new Map()).lost, deeds.length));
    test("its grant is not there", () => assert.deepEqual(booked({ grants: [] }), { ...none, lost: 1 }));
    test("its release is not there", () => assert.equal(booked({ ends: [] }).lost, 1));
    test("it was voided although it ran", () =>
      assert.deepEqual(booked({ ends: [{ ...settled, type: "call-voided" }] }), { ...none, lost: 1 }));
    test("it was charged more than it used", () =>
      assert.deepEqual(booked({ ends: [{ ...settled, chargedMs: 21 }] }), { ...none, lost: 1 }));
    test("it used more than the app had it", () =>
      assert.deepEqual(booked({ ends: [{ ...settled, usedMs: 40, chargedMs: 40 }] }), { ...none, other: 1 }));
    test("it ended twice", () => assert.deepEqual(booked({ ends: [settled, settled] }), { ...none, duplicated: 1 }));
    test("it was granted to the app twice", () =>
      assert.deepEqual(compared(new Map([["c", book()]]), [...deeds, ...deeds.slice(0, 1)]), {
        ...none,
        duplicated: 1,
      }));
    test("it was refused to the app, and charged", () =>
      assert.deepEqual(
        compared(new Map([["c", book()]]), [{ what: "refused", call: "c", code: "gpu/queue-timeout" }]),
        { ...none, lost: 1 },
      ));
  });
});
