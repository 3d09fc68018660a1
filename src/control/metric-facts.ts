/** Gathers what the metrics tell: from the status, the record, the ledger and this process. */
import type { StatusView } from "../contract/status.ts";
import { openCallsOn } from "../core/views.ts";
import type { EvidenceStore } from "../record/store.ts";
import type { Clock } from "../stdx/time.ts";
import type { Engine } from "./engine.ts";
import { drawMetrics } from "./metrics.ts";
import type { StandingDesk } from "./standing.ts";

export interface MetricParts {
  readonly engine: Engine;
  readonly evidence: EvidenceStore;
  readonly standing?: Pick<StandingDesk, "allCounts" | "incidents">;
  readonly clock: Clock;
  readonly status: StatusView;
  readonly spansDropped: number;
}

export async function tellMetrics(parts: MetricParts): Promise<string> {
  const { engine, evidence, standing, clock, status, spansDropped } = parts;
  const [counts, open] = await Promise.all([
    standing?.allCounts() ?? { from: 0, works: [], waits: [] },
    engine.read((state) => {
      const all = [...state.nodes.keys()].flatMap((node) => openCallsOn(state, node));
      return { calls: all.length, heldMs: all.reduce((sum, { heldMs }) => sum + heldMs, 0) };
    }),
  ]);
  const { user, system } = process.cpuUsage();
  const own = {
    residentBytes: process.memoryUsage.rss(),
    cpuMs: (user + system) / 1000,
    startedAt: Math.round(performance.timeOrigin),
  };
  return drawMetrics({
    ...{ status, counts, open, spansDropped, process: own, now: clock.wall() },
    incidents: standing?.incidents.open ?? [],
    groups: engine.groups,
    evidenceRecords: evidence.index(),
  });
}
