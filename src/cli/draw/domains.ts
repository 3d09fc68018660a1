/** A Space's domains, as people read them. */
import type { DomainView } from "../../contract/domains.ts";
import { dayTimeOf, type Paper } from "./paper.ts";
import { drawTable } from "./table.ts";
import { drawRows } from "./views.ts";

export function drawDomain(paper: Paper, { name, state, says, url, leadsUntil, lookedAt }: DomainView): string {
  return drawRows(paper, [
    ["domain", `${name}  ${state}`],
    ["", says],
    ...(url === null ? [] : [["address", url] as const]),
    ...(leadsUntil === null ? [] : [["until", dayTimeOf(paper, leadsUntil)] as const]),
    ...(lookedAt === null ? [] : [["looked", dayTimeOf(paper, lookedAt)] as const]),
  ]);
}

export function drawDomains(paper: Paper, domains: readonly DomainView[]): string {
  if (domains.length === 0) return "No domains. Claim one: waybill domain add OWNER/NAME app.example.com\n";
  return drawTable(
    paper,
    [
      { head: "DOMAIN", cell: ({ name }) => name, drop: 0 },
      { head: "STATE", cell: ({ state }) => state, drop: 0 },
      { head: "PROOF", cell: ({ proof }) => proof ?? "-", drop: 2 },
      { head: "LOOKED", cell: ({ lookedAt }) => (lookedAt === null ? "-" : dayTimeOf(paper, lookedAt)), drop: 3 },
      { head: "", cell: ({ says }) => says, drop: 1 },
    ],
    domains,
  );
}
