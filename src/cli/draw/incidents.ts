/** Incidents as the command line prints them. */
import type { IncidentView } from "../../contract/incidents.ts";
import type { Paper } from "./paper.ts";
import { dayTimeOf, tone, wrap } from "./paper.ts";
import { drawRows } from "./views.ts";

export function drawIncidents(paper: Paper, incidents: readonly IncidentView[]): string {
  if (incidents.length === 0) return "No incidents are in the record.\n";
  return incidents.map((incident) => lineOf(paper, incident)).join("");
}

/** `i_12 since 11:58: n2 draining, planned` */
export function lineOf(paper: Paper, { id, planned, since, until, says }: IncidentView): string {
  const when =
    until === null ? `since ${dayTimeOf(paper, since)}` : `${dayTimeOf(paper, since)} to ${dayTimeOf(paper, until)}`;
  const text = `${id} ${when}: ${says}${planned && !says.includes("planned") ? ", planned" : ""}`;
  return `${tone(paper, until === null && !planned ? "failed" : "plain", wrap(text, paper.width, 2))}\n`;
}

export function drawIncident(paper: Paper, incident: IncidentView): string {
  const { id, boundary, planned, since, until, closedBy, says, counts, notes, behind = [] } = incident;
  const rows: (readonly [string, string])[] = [
    ["boundary", `${boundary}${planned ? ", planned" : ""}`],
    ["what", says],
    ["since", dayTimeOf(paper, since)],
    ["until", until === null ? "it goes on" : `${dayTimeOf(paper, until)}, closed by ${closedBy ?? "nobody"}`],
    ...(counts === null
      ? []
      : [["works", `${counts.works} ended there, ${counts.failed} failed by the platform's fault`] as const]),
    ...behind.map((work, i) => [i === 0 ? "behind it" : "", `waybill explain ${work}`] as const),
    ...notes.map(({ at, by, says: word }, i) => {
      const who = by === undefined ? "" : `, ${by}`;
      return [i === 0 ? "notes" : "", `${dayTimeOf(paper, at)}${who}: ${word}`] as const;
    }),
  ];
  return `${id}\n${drawRows(paper, rows)}`;
}
