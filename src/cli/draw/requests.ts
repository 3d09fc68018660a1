/** The log of a Space's requests, as tables and, followed, as lines. */
import type { RequestCount, RequestView } from "../../contract/requests.ts";
import type { Paper } from "./paper.ts";
import { timeOf, tone } from "./paper.ts";
import { drawTable } from "./table.ts";

export function drawRequests(paper: Paper, requests: readonly RequestView[]): string {
  if (requests.length === 0) return "No requests in the record. Open the Space's address, then look again.\n";
  return drawTable(
    paper,
    [
      { head: "TIME", cell: (request) => timeOf(paper, request.at), drop: 0 },
      { head: "METHOD", cell: (request) => request.method, drop: 3 },
      { head: "PATH", cell: targetOf, drop: 4 },
      { head: "STATUS", cell: (request) => String(request.status), right: true, drop: 1 },
      { head: "BY", cell: (request) => request.answeredBy, drop: 1 },
      { head: "MS", cell: (request) => String(request.ms), right: true, drop: 5 },
      { head: "ACCOUNT", cell: (request) => request.account, drop: 6 },
      { head: "CODE", cell: (request) => request.code ?? "", drop: 2 },
      { head: "ID", cell: (request) => request.id, drop: 0 },
    ],
    requests,
  );
}

/** One line of a log that is followed. */
export function drawRequestLine(paper: Paper, request: RequestView): string {
  const { method, status, answeredBy, ms, account, code, id } = request;
  const parts = [status, answeredBy, method, targetOf(request), `${ms} ms`, account, code, id];
  const text = parts.filter((part) => part !== null && part !== "").join(" ");
  return `${timeOf(paper, request.at)} ${code === null ? text : tone(paper, "failed", text)}\n`;
}

export function drawCounts(paper: Paper, counts: readonly RequestCount[]): string {
  if (counts.length === 0) return "Nothing is counted: all requests of the record are still there one by one.\n";
  return drawTable(
    paper,
    [
      { head: "MINUTE", cell: (count) => timeOf(paper, count.at), drop: 0 },
      { head: "METHOD", cell: (count) => count.method, drop: 2 },
      { head: "ROUTE", cell: (count) => count.route, drop: 3 },
      { head: "STATUS", cell: (count) => (count.status === 0 ? "none" : `${count.status}xx`), drop: 0 },
      { head: "BY", cell: (count) => count.answeredBy, drop: 1 },
      { head: "COUNT", cell: (count) => String(count.count), right: true, drop: 0 },
      { head: "MS EACH", cell: (count) => String(Math.round(count.ms / count.count)), right: true, drop: 5 },
      { head: "MOST", cell: (count) => String(count.msMax), right: true, drop: 6 },
    ],
    counts,
  );
}

function targetOf({ path, query }: RequestView): string {
  return query === null ? path : `${path}?${query}`;
}
