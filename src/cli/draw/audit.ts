/** Draws the audit log. */
import type { AuditEntryView } from "../../contract/identity.ts";
import type { Paper } from "./paper.ts";
import { dayTimeOf } from "./paper.ts";
import { drawTable } from "./table.ts";

const changeMaxChars = 80;

export function drawAudit(paper: Paper, entries: readonly AuditEntryView[]): string {
  if (entries.length === 0) return "Nothing was changed that you may see and that fits.\n";
  return drawTable(
    paper,
    [
      { head: "TIME", cell: ({ at }) => dayTimeOf(paper, at), drop: 0 },
      { head: "ACCOUNT", cell: ({ account }) => account, drop: 0 },
      {
        head: "ACTION",
        cell: ({ action, outcome }) => (outcome === "done" ? action : `${action} (${outcome})`),
        drop: 0,
      },
      { head: "TARGET", cell: ({ target }) => target, drop: 0 },
      { head: "CHANGE", cell: changeSays, drop: 1 },
      { head: "TOKEN", cell: ({ token, session }) => token ?? session ?? "", drop: 3 },
      { head: "ADDRESS", cell: ({ address }) => address ?? "", drop: 4 },
      { head: "REQUEST", cell: ({ request }) => request, drop: 2 },
    ],
    entries,
  );
}

function changeSays({ before, after }: AuditEntryView): string {
  const says = (value: unknown): string => (value === null ? "" : JSON.stringify(value));
  const text = before === null ? says(after) : `${says(before)} -> ${says(after)}`;
  return text.length <= changeMaxChars ? text : `${text.slice(0, changeMaxChars)}…`;
}
