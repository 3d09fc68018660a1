/** Pools, and the rules by which calls come into them, for people. */
import type { PoolsView, RouteView, RuleView } from "../../contract/pools.ts";
import type { Paper } from "./paper.ts";
import { lengthOf } from "./paper.ts";
import { drawTable } from "./table.ts";

export function drawPools(paper: Paper, { pools }: PoolsView): string {
  if (pools.length === 0) return "This platform has no pool.\n";
  return drawTable(
    paper,
    [
      { head: "POOL", cell: ({ name, simulated }) => `${name}${simulated ? " (simulated)" : ""}`, drop: 0 },
      { head: "CARDS", cell: ({ devices }) => String(devices), right: true, drop: 3 },
      { head: "LEASED", cell: ({ leased, slots }) => `${leased} of ${slots}`, right: true, drop: 1 },
      { head: "WAITING", cell: ({ waiting }) => String(waiting), right: true, drop: 0 },
      { head: "QUEUE LIMIT", cell: ({ queueLimitMs }) => lengthOf(queueLimitMs), right: true, drop: 5 },
      { head: "A CALL AT MOST", cell: ({ durationMaxMs }) => lengthOf(durationMaxMs), right: true, drop: 4 },
      { head: "OUT OF USE", cell: ({ drained, troubled }) => String(drained + troubled), right: true, drop: 2 },
    ],
    pools,
  );
}

export function drawRules(rules: readonly RuleView[]): string {
  if (rules.length === 0) return "No rule is set: calls are served by their node's pool.\n";
  return rules.map((rule) => drawRoute(`${rule.kind} ${rule.name}`, rule)).join("");
}

export function drawRoute(whose: string, { pools, moveAfterMs }: RouteView): string {
  if (pools.length === 0) return `${whose}: no rule; its calls are served by another rule or their node's pool\n`;
  const moves =
    moveAfterMs === null ? "one that waits stays" : `one that waits moves on after ${lengthOf(moveAfterMs)}`;
  return `${whose}: calls go to the first of ${pools.join(", ")} that can take them; ${moves}\n`;
}
