/** Variables and secrets of a Space as tables. */
import type { SecretViews, VariableViews } from "../../contract/api.ts";
import { dayTimeOf, type Paper } from "./paper.ts";
import { drawTable } from "./table.ts";

/** A longer value stays in the JSON: a table is for finding it. */
const valueShownChars = 60;

export function drawVariables(paper: Paper, variables: VariableViews): string {
  const rows = Object.entries(variables);
  if (rows.length === 0) return "No variables. Set one: waybill variable set OWNER/NAME KEY=VALUE\n";
  return drawTable(
    paper,
    [
      { head: "NAME", cell: ([name]) => name, drop: 0 },
      { head: "VALUE", cell: ([, { value }]) => oneLine(value), drop: 1 },
      { head: "SET", cell: ([, { updatedAt }]) => dayTimeOf(paper, updatedAt), drop: 2 },
      { head: "", cell: ([, { description = "" }]) => oneLine(description), drop: 3 },
    ],
    rows,
  );
}

export function drawSecrets(paper: Paper, secrets: SecretViews): string {
  const rows = Object.entries(secrets);
  if (rows.length === 0) return "No secrets. Set one: waybill secret set OWNER/NAME KEY < FILE\n";
  return drawTable(
    paper,
    [
      { head: "NAME", cell: ([name]) => name, drop: 0 },
      { head: "SET", cell: ([, { updatedAt }]) => dayTimeOf(paper, updatedAt), drop: 1 },
      { head: "", cell: ([, { description = "" }]) => oneLine(description), drop: 2 },
    ],
    rows,
  );
}

function oneLine(text: string): string {
  const shown = JSON.stringify(text).slice(1, -1);
  return shown.length > valueShownChars ? `${shown.slice(0, valueShownChars)}…` : shown;
}
