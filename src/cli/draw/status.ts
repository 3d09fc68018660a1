/** `waybill status`: each boundary, and what runs. */
import { isOpen, probesSay } from "../../contract/isolation.ts";
import type { StatusView, SumsView } from "../../contract/status.ts";
import { buildsSay } from "./builds.ts";
import { lineOf } from "./incidents.ts";
import type { Paper } from "./paper.ts";
import { dayTimeOf, lengthOf, tone } from "./paper.ts";
import { drawTable } from "./table.ts";
import { drawRows, troubledSays } from "./views.ts";

export function drawStatus(paper: Paper, status: StatusView): string {
  const pools = status.pools.map((pool, i): readonly [string, string] => {
    const waits = pool.waiting > 0 ? `${pool.waiting} waiting` : "nobody waits";
    return [
      i === 0 ? "GPUs" : "",
      `pool ${pool.name}: ${pool.leased} of ${pool.slots} slots leased${troubledSays(pool)}, ${waits}${pool.simulated ? " (simulated)" : ""}`,
    ];
  });
  const { isolation } = status;
  const probes = isolation && probesSay(isolation);
  return `${heading(paper, status)}${drawBoundaries(paper, status)}${drawRows(paper, [
    ["spaces", String(status.spaces)],
    ["builds", buildsSay(status.builds)],
    ...pools,
    ...(status.strangers === 0
      ? []
      : [["", `processes of no app on their cards: ${status.strangers}; waybill node list names them`] as const]),
    ...(isolation === null ? [] : [["sandbox", isolation.says.replace(/^sandbox /, "")] as const]),
    ...(isolation === null || probes === null
      ? []
      : [["probes", isOpen(isolation) ? tone(paper, "failed", probes) : probes] as const]),
    ...tlsRows(paper, status.tls),
    ...edgeRows(status.edge),
    ["record", `journal at ${status.journalIndex}`],
    ["booted in", lengthOf(status.bootMs)],
  ])}`;
}

function heading(paper: Paper, { version, url, asOf, isLastKnown }: StatusView): string {
  const asOfThen = isLastKnown && asOf !== undefined ? `, as of ${dayTimeOf(paper, asOf)}: no server answers now` : "";
  return `Waybill ${version} at ${url}${tone(paper, "failed", asOfThen)}\n`;
}

/** `gpu  slow  3 waiting, ~22 s  24 h: 810 ok, 6 failed (visitor 5, platform 1)` */
function drawBoundaries(
  paper: Paper,
  { boundaries = [], incidents = [], pools, builds, countedSince }: StatusView,
): string {
  if (boundaries.length === 0) return "";
  const waiting = pools.reduce((sum, pool) => sum + pool.waiting, 0);
  const now: Readonly<Record<string, string>> = { build: `${builds.queued} queued`, gpu: `${waiting} waiting` };
  const rows = drawTable(
    paper,
    [
      { head: "BOUNDARY", cell: ({ boundary }) => boundary, drop: 0 },
      { head: "STATE", cell: ({ state }) => state, drop: 0 },
      { head: "NOW", cell: (of) => [now[of.boundary], waitsSay(of.hour)].filter(Boolean).join(", ") || "-", drop: 2 },
      { head: "24 H", cell: ({ day }) => sumsSay(day), drop: 0 },
    ],
    boundaries,
  );
  const notes = boundaries
    .filter(({ state }) => state !== "ok")
    .map(({ boundary, since, says, behind }) => {
      const whose = behind.length === 0 ? "" : ` (${behind.join(", ")})`;
      return `${boundary} since ${dayTimeOf(paper, since)}: ${says}${whose}\n`;
    });
  const dayMs = 24 * 3_600_000;
  const first = boundaries[0]?.day.from ?? "";
  const since =
    countedSince !== undefined &&
    Date.parse(countedSince) - Date.parse(first) > 0 &&
    Date.parse(countedSince) < Date.parse(first) + dayMs
      ? `counted since ${dayTimeOf(paper, countedSince)}\n`
      : "";
  return rows + notes.join("") + incidents.map((incident) => lineOf(paper, incident)).join("") + since;
}

function sumsSay({ works, failed, failedBy }: SumsView): string {
  const by = Object.entries(failedBy).filter(([, count]) => count > 0);
  const whose = by.map(([owner, count]) => `${owner} ${count}`).join(", ");
  return `${works - failed} ok${failed === 0 ? "" : `, ${failed} failed (${whose})`}`;
}

/** What half of those of the last hour waited at most. */
function waitsSay({ waits }: SumsView): string {
  return waits === null || waits.p50Ms === null ? "" : `~${lengthOf(waits.p50Ms)}`;
}

/** Which certificate ends first, and what could not be got. */
function tlsRows(paper: Paper, tls: StatusView["tls"]): (readonly [string, string])[] {
  if (tls === null) return [];
  const { certificates, problems } = tls;
  const first = certificates.toSorted((a, b) => a.notAfter.localeCompare(b.notAfter))[0];
  const ends = first && `; the first to end, ${first.names[0] ?? ""} (${first.from}), on ${first.notAfter}`;
  return [
    ["TLS", `${certificates.length} ${certificates.length === 1 ? "certificate" : "certificates"}${ends ?? ""}`],
    ...problems.map((says) => ["", tone(paper, "failed", says)] as const),
  ];
}

/** How old the copies are by which an edge in processes of its own carries requests. */
function edgeRows(workers: StatusView["edge"]): (readonly [string, string])[] {
  if (!workers) return [];
  if (workers.length === 0) return [["edge", "no worker: start `waybill edge` on the server's data folder"]];
  return workers.map(({ name, pid, behind, heardMs }, i) => {
    const heard = heardMs === null ? "has said nothing yet" : `heard of ${lengthOf(heardMs)} ago`;
    const copy = behind === 0 ? "its copy is whole" : `its copy lacks ${behind} changes`;
    return [i === 0 ? "edge" : "", `${name} (pid ${pid}): ${copy}, ${heard}`];
  });
}
