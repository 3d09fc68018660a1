import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { behindAfterMs, behindOf, boundaries, completeTo, ownerOfEnd, stateOf, sumsOf } from "./boundaries.ts";
import type { Counts, Source } from "./boundaries.ts";
import { codes } from "./codes.ts";
import type { Code } from "./codes.ts";
import type { CountedKind } from "./endings.ts";
import { bucketOf } from "./waits.ts";

const none: Counts = { from: 0, works: [], waits: [] };
const counts = (works: Counts["works"], waits: Counts["waits"] = []): Counts => ({ from: 0, works, waits });
const now = 1_000_000;
const fresh: readonly Source[] = [
  { kind: "edge", name: "edge", completeTo: now },
  { kind: "server", name: "server", completeTo: now },
  { kind: "journal", name: "journal", completeTo: now },
  { kind: "node", name: "n1", completeTo: now },
];

describe("sumsOf", () => {
  test("failures of a boundary are told by owner, over all works that passed it", () => {
    const some = counts([
      { kind: "request", code: "", count: 90 },
      { kind: "request", code: "route/not-running", count: 4 },
      { kind: "request", code: "route/control-down", count: 3 },
      { kind: "request", code: "identity/expired", count: 2 },
      { kind: "request", code: "app/answered-5xx", count: 1 },
    ]);
    const route = sumsOf("route", some);
    assert.deepEqual([route.works, route.failed], [100, 7]);
    assert.deepEqual(route.failedBy, { platform: 3, app: 4, visitor: 0, outside: 0 });
    assert.deepEqual(route.codes, { "route/not-running": 4, "route/control-down": 3 });
    assert.deepEqual([sumsOf("identity", some).failed, sumsOf("identity", some).works], [2, 100]);
    assert.deepEqual([sumsOf("app", some).failed, sumsOf("app", some).failedBy.app], [1, 1]);
  });

  test("a work of another kind that failed at the boundary is counted beside its own", () => {
    const some = counts([
      { kind: "replica", code: "", count: 5 },
      { kind: "build", code: "runtime/arch-mismatch", count: 1 },
    ]);
    assert.deepEqual([sumsOf("runtime", some).works, sumsOf("runtime", some).failed], [6, 1]);
  });

  test("every failure of the nine boundaries is counted at exactly one, and never more fail than passed", () => {
    const kind = fc.constantFrom<CountedKind>("request", "call", "build", "replica", "connection", "transfer");
    const code = fc.constantFrom("" as const, ...(Object.keys(codes) as Code[]));
    const works = fc.array(fc.record({ kind, code, count: fc.integer({ min: 1, max: 50 }) }), { maxLength: 40 });
    fc.assert(
      fc.property(works, (some) => {
        const all = boundaries.map((boundary) => sumsOf(boundary, counts(some)));
        const failed = some.filter((row) => row.code !== "" && !row.code.startsWith("control/"));
        assert.equal(
          all.reduce((sum, one) => sum + one.failed, 0),
          failed.reduce((sum, { count }) => sum + count, 0),
        );
        for (const one of all) {
          assert.ok(one.failed <= one.works);
          assert.equal(
            Object.values(one.failedBy).reduce((sum, n) => sum + n, 0),
            one.failed,
          );
        }
      }),
    );
  });

  test("waits are told with their count, and not of boundaries for which nothing waits", () => {
    const some = counts([], [{ boundary: "gpu", bucket: bucketOf(8_000), count: 3 }]);
    assert.equal(sumsOf("gpu", some).waits?.count, 3);
    assert.equal(sumsOf("build", some).waits?.count, 0);
    assert.equal(sumsOf("identity", some).waits, null);
  });

  test("an app's own 5xx is the app's", () => {
    assert.equal(ownerOfEnd("app/answered-5xx"), "app");
    assert.equal(ownerOfEnd("route/control-down"), "platform");
  });
});

describe("the state of a boundary", () => {
  const sums = sumsOf("gpu", none);
  const slow = (count: number) => sumsOf("gpu", counts([], [{ boundary: "gpu", bucket: bucketOf(60_000), count }]));
  const rows: readonly (readonly [says: string, of: Parameters<typeof stateOf>[1], state: string])[] = [
    ["nothing is wrong", { recent: sums, isFailing: false, isKnown: true }, "ok"],
    ["an incident is open", { recent: sums, isFailing: true, isKnown: true }, "failing"],
    ["evidence is behind, whatever else is so", { recent: slow(50), isFailing: true, isKnown: false }, "unknown"],
    ["one in twenty waits long", { recent: slow(50), isFailing: false, isKnown: true }, "slow"],
    ["too few waited to say so", { recent: slow(4), isFailing: false, isKnown: true }, "ok"],
  ];
  for (const [says, of, state] of rows) test(`${says}: ${state}`, () => assert.equal(stateOf("gpu", of), state));
});

describe("how far evidence is complete", () => {
  test("as far as its oldest source is, and those that are behind are named", () => {
    const late = now - behindAfterMs;
    const sources = fresh.map((source) => (source.kind === "node" ? { ...source, completeTo: late } : source));
    assert.equal(completeTo("runtime", sources), late);
    assert.equal(completeTo("route", sources), now);
    assert.deepEqual(
      behindOf("build", sources, now).map(({ name }) => name),
      ["n1"],
    );
    assert.deepEqual(behindOf("build", sources, now - 1), []);
  });

  test("a source that was never heard of leaves it unknown", () => {
    const sources = [...fresh, { kind: "node", name: "n2", completeTo: null } as const];
    assert.equal(completeTo("runtime", sources), null);
    assert.deepEqual(
      behindOf("runtime", sources, now).map(({ name }) => name),
      ["n2"],
    );
  });
});
