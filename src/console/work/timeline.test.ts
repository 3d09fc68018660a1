import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hopsOf } from "../../evidence/entry.ts";
import type { Entry, Hop, Mark } from "../../evidence/entry.ts";
import type { Certainty, Verdict, WorkOutcome } from "../../evidence/verdict.ts";
import { timelineOf } from "./timeline.ts";
import type { GapRow, HopRow, Timeline } from "./timeline.ts";

let seq = 0;
function entry(hop: Hop, mark: Mark, ms: number, more: Partial<Entry> = {}): Entry {
  seq += 1;
  const of = { emitter: "server", epoch: 9, seq, ...more };
  return {
    ...{ id: `${of.emitter}/${of.epoch}/${of.seq}`, work: "c_1", hop, mark },
    ...{ at: new Date(1_000_000 + ms).toISOString(), facts: {} },
    ...of,
  };
}

function verdict(facts: readonly string[], certainty: Certainty = "proved"): Verdict {
  return {
    ...({
      boundary: "gpu",
      code: "queue-timeout",
      owner: "platform",
      certainty,
      sentence: "",
      retry: "later",
      next: "",
    } as const),
    ...{ facts, inferred: [], ruledOut: {}, ruledOutBecause: {}, charge: null, known: null },
  };
}

const hopRows = (rows: readonly (HopRow | GapRow)[]): readonly HopRow[] => rows.filter((row) => row.type === "hop");

describe("a waybill's timeline", () => {
  test("has a row for each hop of its kind in their order, also for those that never happened", () => {
    const rows = hopRows(
      timelineOf({ kind: "call", outcome: "ok", entries: [entry("gpu.schedule", "took", 0)], gaps: [], verdict: null })
        .rows,
    );
    assert.deepEqual(
      rows.map(({ hop }) => hop),
      [...hopsOf.call],
    );
    assert.deepEqual(
      rows.map(({ entries }) => entries.length),
      [1, 0, 0, 0, 0, 0, 0, 0, 0],
    );
  });

  test("says of work that is open where it is now, and that what has no entry may still come", () => {
    const entries = [entry("gpu.schedule", "took", 0), entry("gpu.queue", "took", 0)];
    const of = (outcome: WorkOutcome, more: readonly Entry[] = []) =>
      timelineOf({ kind: "call", outcome, entries: [...entries, ...more], gaps: [], verdict: null });
    const openHops = ({ rows }: Timeline) => hopRows(rows).flatMap(({ hop, isOpen }) => (isOpen ? [hop] : []));
    assert.deepEqual([of("open").isOpen, openHops(of("open"))], [true, ["gpu.queue"]]);
    assert.deepEqual(openHops(of("open", [entry("gpu.queue", "done", 5)])), []);
    assert.deepEqual([of("ok").isOpen, openHops(of("ok"))], [false, []]);
  });

  test("marks where the work stopped by the refusal that the verdict cites, not by a later one", () => {
    const cited = entry("gpu.queue", "refused", 10);
    const later = entry("gpu.settle", "failed", 20);
    const { rows } = timelineOf({
      kind: "call",
      outcome: "ok",
      entries: [cited, later],
      gaps: [],
      verdict: verdict([cited.id], "likely"),
    });
    const stopped = hopRows(rows).filter(({ hasStopped }) => hasStopped);
    assert.deepEqual(
      stopped.map(({ hop, segments }) => [hop, segments[0]?.certainty]),
      [["gpu.queue", "likely"]],
    );
  });

  test("puts nothing on one axis that two emitters wrote, however their clocks stand", () => {
    const entries = [
      entry("app.run", "handed", 0),
      entry("app.run", "took", 5_000, { emitter: "shim.p_1", epoch: 1 }),
      entry("app.run", "done", 7_000, { emitter: "shim.p_1", epoch: 1 }),
    ];
    const { axes, rows } = timelineOf({ kind: "call", outcome: "ok", entries, gaps: [], verdict: null });
    assert.deepEqual(
      axes.map(({ letter, emitter, spanMs }) => [letter, emitter, spanMs]),
      [
        ["A", "server", 0],
        ["B", "shim.p_1", 2_000],
      ],
    );
    const segments = hopRows(rows).find(({ hop }) => hop === "app.run")?.segments ?? [];
    assert.deepEqual(
      segments.map(({ axis, start, end, ms }) => [axis.letter, start, end, ms]),
      [
        ["A", 0, 0, 0],
        ["B", 0, 1, 2_000],
      ],
    );
  });

  test("draws a single entry from what its emitter wrote before it", () => {
    const entries = [
      entry("gpu.schedule", "took", 0),
      entry("gpu.admit", "done", 250),
      entry("gpu.queue", "refused", 1_000),
    ];
    const rows = hopRows(timelineOf({ kind: "call", outcome: "ok", entries, gaps: [], verdict: null }).rows);
    const admit = rows.find(({ hop }) => hop === "gpu.admit")?.segments[0];
    assert.deepEqual([admit?.start, admit?.end, admit?.ms], [0, 0.25, 250]);
  });

  test("shows a gap below its emitter's last row, over the time that it covers, with what it could hide", () => {
    const shim = { emitter: "shim.p_1", epoch: 2 };
    const entries = [
      entry("gpu.grant", "done", 0),
      entry("gpu.attach", "took", 0, { ...shim, seq: 11 }),
      entry("app.run", "done", 4_000, { ...shim, seq: 16 }),
    ];
    const gap = { ...shim, from: 12, to: 15, why: "its shim died" };
    const { rows } = timelineOf({ kind: "call", outcome: "ok", entries, gaps: [gap], verdict: null });
    const at = rows.findIndex(({ type }) => type === "gap");
    const before = rows[at - 1];
    assert.equal(before?.type === "hop" && before.hop, "app.run");
    const row = rows[at] as GapRow;
    assert.deepEqual([row.segment?.start, row.segment?.end, row.segment?.certainty], [0, 1, "unknown"]);
    assert.ok(row.couldHide.includes("gpu.release") && !row.couldHide.includes("app.run"));
  });

  test("a gap of an emitter of which nothing else is known stands at the end, on no axis", () => {
    const gap = { emitter: "edge-1", epoch: 1, from: 1, to: 3, why: "" };
    const { rows } = timelineOf({
      kind: "call",
      outcome: "ok",
      entries: [entry("gpu.grant", "done", 0)],
      gaps: [gap],
      verdict: null,
    });
    const last = rows.at(-1);
    assert.deepEqual([last?.type, last?.type === "gap" && last.segment], ["gap", null]);
  });

  test("gives each step of a build a row of its own, and a build without steps one that never happened", () => {
    const step = (name: string, ms: number): Entry => entry("build.step", "done", ms, { facts: { step: name } });
    const steps = (entries: readonly Entry[]): readonly (string | null)[] =>
      hopRows(timelineOf({ kind: "build", outcome: "ok", entries, gaps: [], verdict: null }).rows)
        .filter(({ hop }) => hop === "build.step")
        .map(({ step: name }) => name);
    assert.deepEqual(steps([step("install", 0), step("check", 10)]), ["install", "check"]);
    assert.deepEqual(steps([]), [null]);
  });

  test("also draws what is cited from a neighbour's waybill, after the hops of its own", () => {
    const rows = hopRows(
      timelineOf({
        kind: "request",
        outcome: "ok",
        entries: [entry("replica.exit", "failed", 0)],
        gaps: [],
        verdict: null,
      }).rows,
    );
    assert.equal(rows.at(-1)?.hop, "replica.exit");
    assert.equal(rows.at(-1)?.hasStopped, true);
  });
});
