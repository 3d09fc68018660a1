import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { barOf, quotaShares } from "./bar.ts";
import { placeFound } from "./find.ts";
import { Format } from "./format.ts";
import { needsSomebody } from "../contract/needs.ts";
import { piecesOf } from "./prose.ts";
import { frameAddress } from "./space/frame.ts";
import { priceOf } from "./space/price.ts";
import { de } from "./words/de.ts";
import { en } from "./words/en.ts";
import { directionOf, languageOf } from "./words/language.ts";
import { wordsOf } from "./words/trial.ts";

describe("what is typed into the search", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["c_322abc", "/w/c_322abc"],
    [" b_9k2 ", "/w/b_9k2"],
    ["r_7kq", "/w/r_7kq"],
    ["alice/demo", "/spaces/alice/demo"],
    ["demo", "/?find=demo"],
    ["alice/demo@4f2a9c1", "/w/alice/demo%404f2a9c1"],
    ["alice/demo#3", "/w/alice/demo%233"],
    ["n1/0/1", "/w/n1/0/1"],
    ["datasets/alice/tiny", "/w/datasets/alice/tiny"],
    ["../etc", "/?find=..%2Fetc"],
    ["//evil.example", "/?find=%2F%2Fevil.example"],
    ["", "/"],
  ];
  for (const [typed, place] of cases)
    test(`“${typed}” leads to ${place}`, () => assert.equal(placeFound(typed), place));
});

describe("what is written", () => {
  test("is local time: of today without its day, in the reader's language", () => {
    const format = new Format("de", "Europe/Berlin");
    const now = Date.parse("2026-11-30T12:00:00Z");
    assert.equal(format.moment("2026-11-30T11:58:00Z", now), "12:58");
    assert.match(format.moment("2026-11-28T11:58:00Z", now), /28\. Nov.*12:58/);
    assert.equal(format.exact("2026-11-30T11:58:07.311Z"), "12:58:07,311");
    assert.deepEqual([format.short(14), format.short(1_250), format.seconds(60_000)], ["14 ms", "1,3 s", "60 s"]);
    assert.deepEqual([format.hours(86_400_000), format.hours(90_000)], ["24 h", "90 s"]);
    assert.equal(new Format("ar-XB").short(1_250), "\u20661.3 s\u2069");
  });

  test("is the first of the reader's languages that there is, else English", () => {
    assert.equal(languageOf(["fr", "de-CH", "en"]), "de");
    assert.equal(languageOf(["fr"]), "en");
    assert.deepEqual([languageOf(["en-XA"]), languageOf(["en-xa", "de"])], ["en-XA", "en"]);
  });

  test("is in the languages for trials as long as they say, and from right to left, with what it was given untouched", () => {
    const [long, arabic] = [wordsOf("en-XA"), wordsOf("ar-XB")];
    assert.ok(long.needsMe.length >= 1.4 * en.needsMe.length - 1, long.needsMe);
    assert.ok(long.gpu.length > en.gpu.length, "a word without vowels too");
    assert.match(long.workTitle("aei", "c_a1e"), /^aei c_a1e$/);
    assert.match(arabic.noMatch("alice"), /^[^a-z]*alice[^a-z]*$/);
    assert.deepEqual([directionOf("ar-XB"), directionOf("en-XA"), directionOf("de")], ["rtl", "ltr", "ltr"]);
  });

  test("is in each language something of its own: no message was left in English but names", () => {
    const same = Object.keys(en).filter((key) => {
      const [one, other] = [en[key as keyof typeof en], de[key as keyof typeof de]];
      return typeof one === "string" && one === other;
    });
    assert.deepEqual(same, [
      "spaces",
      "gpu",
      "homeTitle",
      "space",
      "pools",
      "json",
      "app",
      "builds",
      "releases",
      "name",
      "domains",
    ]);
  });

  test("of the platform's sentences keeps what is code apart", () => {
    assert.deepEqual(piecesOf("try `waybill up` again"), [
      { text: "Try ", isCode: false },
      { text: "waybill up", isCode: true },
      { text: " again", isCode: false },
    ]);
  });
});

describe("a Space", () => {
  test("stands in a frame at its name alone: at no domain of its own, no number and no port of the console's host", () => {
    const port = "http://localhost:7070";
    assert.equal(
      frameAddress(["https://demo.example", `http://alice-demo.localhost:7070`, "http://127.1.2.3:7070"], "localhost"),
      "http://alice-demo.localhost:7070",
    );
    assert.equal(frameAddress([port.replace("7070", "7105")], "localhost"), null);
    assert.equal(frameAddress(["http://127.1.2.3:7070", "http://[::1]:7070"], "localhost"), null);
  });

  test("waits for its owner where it failed, or its newest build did, also while the one before runs", () => {
    assert.ok(needsSomebody({ state: "failing", build: null }));
    assert.ok(needsSomebody({ state: "running", build: { outcome: "failed" } }));
    assert.ok(!needsSomebody({ state: "sleeping", build: { outcome: "ok" } }));
  });
});

describe("the price of a call", () => {
  test("is what one's own calls came to that ended well, and unknown before", () => {
    const call = (usedMs: number, outcome: "ok" | "failed" = "ok") => ({ outcome, heldMs: 10_000, usedMs });
    assert.equal(priceOf([call(5, "failed")]), null);
    assert.deepEqual(priceOf([call(400), call(9_000), call(300), call(1, "failed")]), {
      heldMs: 10_000,
      usedMs: 400,
      runs: 3,
    });
  });
});

describe("a window of GPU time", () => {
  test("is used, held and left, which add up, also where more is held than is left", () => {
    for (const [usedMs, heldMs] of [
      [42_000, 10_000],
      [0, 0],
      [300_000, 5_000],
      [400_000, 0],
    ] as const) {
      const shares = quotaShares({ usedMs, heldMs, limitMs: 300_000 });
      assert.ok(shares && Math.abs(shares.used + shares.held + shares.left - 1) < 1e-9, `${usedMs} ${heldMs}`);
      assert.ok(Math.min(shares.used, shares.held, shares.left) >= 0, JSON.stringify(shares));
    }
    assert.equal(quotaShares({ usedMs: 1, heldMs: 0, limitMs: null }), null);
  });

  test("and a lease are drawn within their bounds", () => {
    assert.deepEqual([barOf(30, 60), barOf(90, 60), barOf(5, null), barOf(5, 0)], [0.5, 1, null, null]);
  });
});
