import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { BoundaryView, StatusView, SumsView } from "../../contract/status.ts";
import { countedFrom, rateOf, troubled } from "./standing.ts";

const sums = (some: Partial<SumsView> = {}): SumsView => {
  return { from: "2026-11-29T12:00:00Z", works: 0, failed: 0, failedBy: {}, codes: {}, waits: null, ...some };
};
const boundary = (name: string, state: BoundaryView["state"]): BoundaryView => {
  const since = "2026-11-30T11:58:00Z";
  return { boundary: name, state, since, says: "", completeTo: since, behind: [], hour: sums(), day: sums() };
};

describe("a boundary's rate", () => {
  test("is a share of all that ended there, and none where nothing did", () => {
    assert.equal(rateOf(sums()).share, null);
    assert.equal(rateOf(sums({ works: 816, failed: 6 })).share, 6 / 816);
  });

  test("names whose the failures were and their codes, most first, and an owner of a later version as unknown", () => {
    const rate = rateOf(
      sums({
        ...{ works: 20, failed: 9, failedBy: { app: 0, platform: 1, visitor: 5, neighbour: 3 } },
        codes: { "gpu/quota": 5, "gpu/node-lost": 1, "gpu/cancelled": 3 },
      }),
    );
    assert.deepEqual(
      rate.by.map(({ owner, count }) => `${owner} ${count}`),
      ["visitor 5", "unknown 3", "platform 1"],
    );
    assert.deepEqual(
      rate.codes.map(({ code }) => code),
      ["gpu/quota", "gpu/cancelled", "gpu/node-lost"],
    );
  });
});

describe("the status", () => {
  test("begins with what fails, then with what is not known, then with what is slow", () => {
    const all = [
      boundary("build", "slow"),
      boundary("gpu", "failing"),
      boundary("app", "ok"),
      boundary("egress", "unknown"),
    ];
    assert.deepEqual(
      troubled(all).map((one) => one.boundary),
      ["gpu", "egress", "build"],
    );
  });

  test("says since when works are counted, until that is a day ago", () => {
    const boundaries = [boundary("build", "ok")];
    const of = (countedSince: string): string | null =>
      countedFrom({ countedSince, boundaries } as unknown as StatusView);
    assert.equal(of("2026-11-29T13:00:00Z"), "2026-11-29T13:00:00Z");
    assert.equal(of("2026-11-29T12:00:00Z"), null);
    assert.equal(countedFrom({} as StatusView), null);
  });
});
