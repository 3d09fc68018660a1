import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { auditAsked, auditOfForm, localInput } from "./audit-filter.ts";
import { changesIn, poolFields, textOf, tierFields } from "./settings.ts";

const tier = {
  name: "free",
  windowLimitMs: 300_000,
  windowMs: 86_400_000,
  durationMaxMs: null,
  runsMax: 0,
  callsMax: 3,
  weight: 1,
};
const texts = Object.fromEntries(
  tierFields.map((field) => [field.name, textOf(tier[field.name as keyof typeof tier], field)]),
);

describe("a form of settings", () => {
  test("has lengths in seconds, and nothing where there is no limit; a limit of none is one", () => {
    assert.deepEqual(texts, {
      ...{ windowLimitMs: "300", windowMs: "86400", durationMaxMs: "", runsMax: "0", callsMax: "3", weight: "1" },
    });
  });

  test("sends what was changed and no more, in whole milliseconds", () => {
    assert.deepEqual(changesIn(tierFields, tier, texts), {});
    assert.deepEqual(
      changesIn(tierFields, tier, { ...texts, windowLimitMs: "0.3", callsMax: "", durationMaxMs: "60" }),
      {
        ...{ windowLimitMs: 300, callsMax: null, durationMaxMs: 60_000 },
      },
    );
  });

  test("leaves what may not be empty as it was where its input is empty", () => {
    assert.deepEqual(changesIn(tierFields, tier, { ...texts, weight: " ", windowMs: "" }), {});
  });

  test("keeps a choice as its word", () => {
    const pool = { admission: "clip" };
    assert.deepEqual(changesIn(poolFields.slice(4, 5), pool, { admission: "strict" }), { admission: "strict" });
  });
});

describe("the filter of the audit log", () => {
  test("is what the address names, and nothing that it does not know", () => {
    const asked = auditAsked(new URLSearchParams("account=alice&action=&limit=9&page=p1&evil=1"));
    assert.equal(asked.toString(), "account=alice&page=p1");
  });

  test("begins at the list's first page where it is changed, with times of all clocks; what is no time is left out", () => {
    const asked = auditOfForm({ account: " bob ", since: "2026-11-30T12:00", until: "soon", target: "" });
    assert.deepEqual([...asked.keys()], ["account", "since"]);
    assert.equal(asked.get("account"), "bob");
    assert.equal(localInput(asked.get("since")), "2026-11-30T12:00");
    assert.equal(localInput(null), "");
  });
});
