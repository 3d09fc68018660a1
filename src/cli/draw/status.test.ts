import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { BoundaryView, StatusView, SumsView } from "../../contract/status.ts";
import { drawStatus } from "./status.ts";

const at = "2026-11-22T12:00:00.000Z";
const paper = { width: 100, zone: "UTC", color: false };

function sums(works: number, failedBy: Readonly<Record<string, number>>, p50Ms: number | null): SumsView {
  const failed = Object.values(failedBy).reduce((sum, n) => sum + n, 0);
  const waits = p50Ms === null ? null : { count: 9, p50Ms, p95Ms: 2 * p50Ms, p99Ms: 3 * p50Ms };
  return { from: "2026-11-21T12:00:00.000Z", works, failed, failedBy, codes: {}, waits };
}

function boundary(name: string, state: BoundaryView["state"], says: string, day: SumsView): BoundaryView {
  return { boundary: name, state, since: at, says, completeTo: at, behind: [], hour: day, day };
}

const status = {
  ...{ version: "1", url: "http://localhost", spaces: 0, journalIndex: 1, bootMs: 1, isolation: null, tls: null },
  ...{ strangers: 0, countedSince: "2026-11-01T00:00:00.000Z", pools: [{ waiting: 3, slots: 4, leased: 4 }] },
  builds: { queued: 0, building: 0, day: { ok: 0, failed: 0, failedBy: {}, dropped: 0 } },
  boundaries: [
    boundary("gpu", "slow", "it takes long", sums(816, { visitor: 5, platform: 1, app: 0 }, 22_000)),
    { ...boundary("runtime", "unknown", "the record is behind", sums(0, {}, null)), behind: ["n2"] },
  ],
} as unknown as StatusView;

describe("drawStatus", () => {
  test("tells each boundary with its rates, and what is unknown as unknown", () => {
    const lines = drawStatus(paper, status).replaceAll(/ +/g, " ").split("\n");
    assert.deepEqual(lines.slice(1, 4), [
      "BOUNDARY STATE NOW 24 H",
      "gpu slow 3 waiting, ~22 s 810 ok, 6 failed (visitor 5, platform 1)",
      "runtime unknown - 0 ok",
    ]);
    assert.match(lines[4] ?? "", /^gpu since .*12:00.*: it takes long$/);
    assert.match(lines[5] ?? "", /^runtime since .*: the record is behind \(n2\)$/);
    assert.doesNotMatch(lines.join(), /counted since|sandbox/, "a whole day is counted, and strangers are not told");
  });

  test("says since when is counted where that is less than a day", () => {
    assert.match(drawStatus(paper, { ...status, countedSince: "2026-11-22T08:00:00.000Z" }), /counted since .*08:00/);
  });

  test("tells what goes on, and what is planned", () => {
    const told = {
      id: "i_1",
      boundary: "capacity",
      wrong: "drain",
      planned: true,
      says: "n2 draining",
      since: at,
    } as const;
    const incident = { ...told, until: null, closedBy: null, counts: null, notes: [] };
    assert.match(
      drawStatus(paper, { ...status, incidents: [incident] }),
      /\ni_1 since .*12:00: n2 draining, planned\n/,
    );
    const over = { ...incident, id: "i_2", planned: false, until: "2026-11-22T12:30:00.000Z" };
    assert.match(drawStatus(paper, { ...status, incidents: [over] }), /\ni_2 .*12:00 to .*12:30: n2 draining\n/);
  });

  test("what an edge tells without its server says of when it is", () => {
    const [first = ""] = drawStatus(paper, { ...status, asOf: at, isLastKnown: true }).split("\n");
    assert.match(first, /as of .*12:00.*: no server answers now$/);
  });
});
