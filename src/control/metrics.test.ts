import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import type { StatusView } from "../contract/status.ts";
import { bucketOf } from "../evidence/waits.ts";
import { drawMetrics, metrics } from "./metrics.ts";
import type { MetricFacts } from "./metrics.ts";

const now = Date.parse("2026-11-22T12:00:00.000Z");
const facts: MetricFacts = {
  status: {
    ...{ version: '1"2', spaces: 3, journalIndex: 77, builds: { queued: 1, building: 2 } },
    pools: [{ name: "main", slots: 4, leased: 3, waiting: 2, troubled: 1 }],
    boundaries: [{ boundary: "gpu", state: "slow" }],
    evidence: [
      { kind: "edge", name: "edge", completeTo: "2026-11-22T11:59:30.000Z" },
      { kind: "node", name: "n1", completeTo: null },
    ],
  } as unknown as StatusView,
  counts: {
    from: 0,
    works: [
      { kind: "request", code: "", count: 90 },
      { kind: "request", code: "route/control-down", count: 4 },
      { kind: "request", code: "app/answered-5xx", count: 2 },
    ],
    waits: [
      { boundary: "gpu", bucket: bucketOf(3), count: 5 },
      { boundary: "gpu", bucket: bucketOf(9_000_000), count: 1 },
    ],
  },
  incidents: [{ boundary: "gpu", planned: false }],
  evidenceRecords: 12,
  groups: { count: 5, records: 70 },
  spansDropped: 0,
  open: { calls: 3, heldMs: 60_000 },
  process: { residentBytes: 1e8, cpuMs: 1500, startedAt: now },
  now,
};
const text = drawMetrics(facts);
const valueOf = (line: string): string | undefined =>
  text
    .split("\n")
    .find((one) => one.startsWith(`${line} `))
    ?.slice(line.length + 1);

describe("metrics", () => {
  test("works are counted by kind and code, with the code's boundary and whose fault it was", () => {
    assert.equal(valueOf('waybill_works_total{kind="request",code="ok",boundary="",owner=""}'), "90");
    const down = 'waybill_works_total{kind="request",code="route/control-down",boundary="route",owner="platform"}';
    assert.equal(valueOf(down), "4");
    const own = 'waybill_works_total{kind="request",code="app/answered-5xx",boundary="app",owner="app"}';
    assert.equal(valueOf(own), "2");
  });

  test("waits are a histogram that only rises, and what is beyond the last bound is in the last bucket", () => {
    const buckets = text
      .split("\n")
      .filter((line) => line.startsWith('waybill_wait_seconds_bucket{boundary="gpu"'))
      .map((line) => Number(line.split(" ")[1]));
    assert.deepEqual(
      buckets,
      buckets.toSorted((a, b) => a - b),
    );
    assert.equal(valueOf('waybill_wait_seconds_bucket{boundary="gpu",le="0.002"}'), "0");
    assert.equal(valueOf('waybill_wait_seconds_bucket{boundary="gpu",le="0.004"}'), "5");
    assert.equal(valueOf('waybill_wait_seconds_bucket{boundary="gpu",le="+Inf"}'), "6");
    assert.equal(valueOf('waybill_wait_seconds_count{boundary="gpu"}'), "6");
  });

  test("states, incidents and how far evidence lags are gauges; what was never heard is not a number", () => {
    assert.equal(valueOf('waybill_boundary_state{boundary="gpu",state="slow"}'), "1");
    assert.equal(valueOf('waybill_boundary_state{boundary="gpu",state="ok"}'), "0");
    assert.equal(valueOf('waybill_incidents_open{boundary="gpu",planned="false"}'), "1");
    assert.equal(valueOf('waybill_evidence_lag_seconds{kind="edge",source="edge"}'), "30");
    assert.equal(valueOf('waybill_evidence_lag_seconds{kind="node",source="n1"}'), "NaN");
    assert.equal(valueOf('waybill_info{version="1\\"2"}'), "1");
  });

  test("each has its help and its type before its lines", () => {
    for (const [name, { type, help }] of Object.entries(metrics))
      assert.ok(text.includes(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name}`), name);
  });

  test("docs/status.md has a row for each metric, as the code tells it", () => {
    const docs = readFileSync(new URL("../../docs/status.md", import.meta.url), "utf8");
    const rows = [...docs.matchAll(/^\| `((?:waybill|process)_\w+)` \| (\w+) \| (.*) \|$/gm)].map(([, ...row]) => row);
    assert.deepEqual(
      rows,
      Object.entries(metrics).map(([name, { type, help }]) => [name, type, help]),
    );
  });

  test("the alert rules ask for no metric that is not told", () => {
    const rules = readFileSync(new URL("../../docs/alerts.yaml", import.meta.url), "utf8");
    const asked = [...rules.matchAll(/\bwaybill_\w+/g)].map(([name]) => name.replace(/_bucket$/, ""));
    assert.ok(asked.length > 8);
    assert.deepEqual(
      asked.filter((name) => !Object.hasOwn(metrics, name)),
      [],
    );
  });

  const lacks = spawnSync("promtool", ["--version"]).error
    ? "promtool is not installed (apt-get install prometheus)"
    : false;

  test("promtool finds nothing wrong with either", { skip: lacks }, () => {
    const checked = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
    assert.equal(checked.status, 0, checked.stderr + checked.stdout);
    const rules = new URL("../../docs/alerts.yaml", import.meta.url).pathname;
    const ruled = spawnSync("promtool", ["check", "rules", rules], { encoding: "utf8" });
    assert.equal(ruled.status, 0, ruled.stderr + ruled.stdout);
  });
});
