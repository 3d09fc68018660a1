/** What `GET /metrics` tells, in Prometheus' text form: a table of metrics with their help, and their lines. Pure. */
import type { StatusView } from "../contract/status.ts";
import { boundaryOfEnd, ownerOfEnd } from "../evidence/boundaries.ts";
import type { Counts } from "../evidence/boundaries.ts";
import type { Incident } from "../evidence/incidents.ts";
import { waited } from "../evidence/endings.ts";
import { boundOf, bucketsMax, stepsPerDoubling } from "../evidence/waits.ts";

export interface MetricRow {
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
}

/** All of them; docs/status.md has each, and docs/alerts.yaml no other. */
export const metrics = {
  waybill_info: { type: "gauge", help: "Always 1; the version is in its label." },
  waybill_works_total: {
    type: "counter",
    help: "Works that ended, by kind, code (ok where they went well), the boundary of that code and whose fault it was.",
  },
  waybill_wait_seconds: {
    type: "histogram",
    help: "How long things waited for a boundary; bounds are doublings, and no sum is kept.",
  },
  waybill_boundary_state: { type: "gauge", help: "1 for the state that a boundary is in: ok, slow, failing, unknown." },
  waybill_incidents_open: {
    type: "gauge",
    help: "Incidents that go on, by boundary and whether an operator planned them.",
  },
  waybill_evidence_lag_seconds: {
    type: "gauge",
    help: "Since when what a source wrote may be missing in the record; NaN where it was never heard.",
  },
  waybill_evidence_records_total: { type: "counter", help: "Records of evidence that were ever stored." },
  waybill_journal_records_total: { type: "counter", help: "Records of the ledger: the index of the last durable one." },
  waybill_journal_groups_total: { type: "counter", help: "Groups in which this process made records durable." },
  waybill_journal_grouped_records_total: { type: "counter", help: "Records of these groups." },
  waybill_pool_slots: { type: "gauge", help: "Slots of a pool's cards." },
  waybill_pool_slots_leased: { type: "gauge", help: "Slots that calls have." },
  waybill_pool_calls_waiting: { type: "gauge", help: "Calls that wait for a slot." },
  waybill_pool_cards_troubled: { type: "gauge", help: "Cards of a pool that are in trouble." },
  waybill_calls_open: { type: "gauge", help: "Calls that are open: each has a hold." },
  waybill_held_seconds: { type: "gauge", help: "GPU time that open calls hold." },
  waybill_builds_queued: { type: "gauge", help: "Builds that wait for a builder." },
  waybill_builds_running: { type: "gauge", help: "Builds under way." },
  waybill_spaces: { type: "gauge", help: "Spaces that are there." },
  waybill_spans_dropped_total: { type: "counter", help: "Spans that the collector of traces did not take." },
  process_resident_memory_bytes: { type: "gauge", help: "Resident memory of the server's process." },
  process_cpu_seconds_total: { type: "counter", help: "Processor time of the server's process." },
  process_start_time_seconds: { type: "gauge", help: "When it was started, seconds since 1970." },
} as const satisfies Readonly<Record<string, MetricRow>>;
export type MetricName = keyof typeof metrics;

export interface MetricFacts {
  readonly status: StatusView;
  /** All that was ever counted. */
  readonly counts: Counts;
  /** All that go on: the status has the newest. */
  readonly incidents: readonly Pick<Incident, "boundary" | "planned">[];
  readonly evidenceRecords: number;
  readonly groups: { readonly count: number; readonly records: number };
  readonly spansDropped: number;
  readonly open: { readonly calls: number; readonly heldMs: number };
  readonly process: { readonly residentBytes: number; readonly cpuMs: number; readonly startedAt: number };
  readonly now: number;
}

/** Told by the response's Content-Type. */
export const metricsType = "text/plain; version=0.0.4; charset=utf-8";

type Labels = Readonly<Record<string, string>>;
interface Sample {
  /** After the metric's own name: `_bucket`. */
  readonly suffix?: string;
  readonly labels: Labels;
  readonly value: number;
}

export function drawMetrics(facts: MetricFacts): string {
  const all = samplesOf(facts);
  return (Object.keys(metrics) as MetricName[])
    .map((name) => {
      const { type, help } = metrics[name];
      const lines = all[name].map(
        ({ suffix = "", labels, value }) => `${name}${suffix}${labelsText(labels)} ${numberText(value)}\n`,
      );
      return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
    })
    .join("");
}

function samplesOf({ status, counts, incidents, now, ...facts }: MetricFacts): Record<MetricName, readonly Sample[]> {
  const { boundaries = [], evidence = [], pools, builds } = status;
  const one = (value: number): readonly Sample[] => [{ labels: {}, value }];
  const ofPools = (of: (pool: (typeof pools)[number]) => number): readonly Sample[] =>
    pools.map((pool) => ({ labels: { pool: pool.name }, value: of(pool) }));
  const states = ["ok", "slow", "failing", "unknown"] as const;
  return {
    waybill_info: [{ labels: { version: status.version }, value: 1 }],
    waybill_works_total: counts.works.map(({ kind, code, count }) => ({
      labels:
        code === ""
          ? { kind, code: "ok", boundary: "", owner: "" }
          : { kind, code, boundary: boundaryOfEnd(code) ?? "", owner: ownerOfEnd(code) },
      value: count,
    })),
    waybill_wait_seconds: waited.flatMap((boundary) => histogram(boundary, counts)),
    waybill_boundary_state: boundaries.flatMap(({ boundary, state }) =>
      states.map((name) => ({ labels: { boundary, state: name }, value: name === state ? 1 : 0 })),
    ),
    waybill_incidents_open: [...boundaries.map(({ boundary }) => boundary), "record"].flatMap((boundary) =>
      [false, true].map((planned) => ({
        labels: { boundary, planned: String(planned) },
        value: incidents.filter((incident) => incident.boundary === boundary && incident.planned === planned).length,
      })),
    ),
    waybill_evidence_lag_seconds: evidence.map(({ kind, name, completeTo }) => ({
      labels: { kind, source: name },
      value: completeTo === null ? Number.NaN : Math.max(0, now - Date.parse(completeTo)) / 1000,
    })),
    waybill_evidence_records_total: one(facts.evidenceRecords),
    waybill_journal_records_total: one(status.journalIndex),
    waybill_journal_groups_total: one(facts.groups.count),
    waybill_journal_grouped_records_total: one(facts.groups.records),
    waybill_pool_slots: ofPools(({ slots }) => slots),
    waybill_pool_slots_leased: ofPools(({ leased }) => leased),
    waybill_pool_calls_waiting: ofPools(({ waiting }) => waiting),
    waybill_pool_cards_troubled: ofPools(({ troubled }) => troubled),
    waybill_calls_open: one(facts.open.calls),
    waybill_held_seconds: one(facts.open.heldMs / 1000),
    waybill_builds_queued: one(builds.queued),
    waybill_builds_running: one(builds.building),
    waybill_spaces: one(status.spaces),
    waybill_spans_dropped_total: one(facts.spansDropped),
    process_resident_memory_bytes: one(facts.process.residentBytes),
    process_cpu_seconds_total: one(facts.process.cpuMs / 1000),
    process_start_time_seconds: one(facts.process.startedAt / 1000),
  };
}

/** Buckets whose bounds are told: doublings of a millisecond. The last bucket has none, since what is in it may have waited longer. */
const bounded = Array.from({ length: bucketsMax / stepsPerDoubling }, (_, doubling) => doubling * stepsPerDoubling);

function histogram(boundary: string, { waits }: Counts): readonly Sample[] {
  const own = waits.filter((wait) => wait.boundary === boundary);
  const upTo = (bucket: number): number =>
    own.filter((wait) => wait.bucket <= bucket).reduce((sum, { count }) => sum + count, 0);
  const buckets = bounded.map((bucket) => ({
    suffix: "_bucket",
    labels: { boundary, le: String(boundOf(bucket) / 1000) },
    value: upTo(bucket),
  }));
  const all = upTo(Number.POSITIVE_INFINITY);
  return [
    ...buckets,
    { suffix: "_bucket", labels: { boundary, le: "+Inf" }, value: all },
    { suffix: "_count", labels: { boundary }, value: all },
  ];
}

function labelsText(labels: Labels): string {
  const texts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return texts.length === 0 ? "" : `{${texts.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  return Number.isNaN(value) ? "NaN" : String(value);
}
