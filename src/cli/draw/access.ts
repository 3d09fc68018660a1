/** Draws who has asked for a gated repository's files, and what it asks of who wants them. */
import type { AccessRequestView, AccessStanding, GateField, OwnAccess } from "../../contract/access.ts";
import type { Paper } from "./paper.ts";
import { dayTimeOf } from "./paper.ts";
import { drawTable } from "./table.ts";

export function drawAccessRequests(
  paper: Paper,
  requests: readonly AccessRequestView[],
  status: AccessStanding,
): string {
  if (requests.length === 0) return `No access request is ${status}.\n`;
  return drawTable(
    paper,
    [
      { head: "ACCOUNT", cell: ({ user }) => user.user, drop: 0 },
      { head: "STATUS", cell: (request) => request.status, drop: 1 },
      { head: "SINCE", cell: ({ timestamp }) => dayTimeOf(paper, timestamp), drop: 2 },
      { head: "DECIDED BY", cell: ({ decided }) => decided?.by ?? "", drop: 4 },
      { head: "ANSWERS", cell: answersOf, drop: 3 },
    ],
    requests,
  );
}

const standings: Readonly<Record<OwnAccess["status"], string>> = {
  open: "Its files are yours to read without asking.",
  none: "You have not asked for access.",
  pending: "You have asked, and nobody has decided yet.",
  accepted: "You have access to its files.",
  rejected: "You have asked, and it was turned down.",
};

export function drawOwnAccess(repository: string, access: OwnAccess): string {
  const { status, rejectionReason, form, formProblem } = access;
  const reason = rejectionReason === null ? [] : [`The reason: ${oneLine(rejectionReason)}`];
  const asked = form !== null && status === "none" ? form : undefined;
  const lines = [
    standings[status],
    ...reason,
    ...(formProblem === null ? [] : [oneLine(formProblem)]),
    ...(asked?.prompt ? ["", printable(asked.prompt), ""] : []),
    ...(asked ? [`Ask: waybill access ask ${repository}${asked.fields.map(optionOf).join("")}`] : []),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function optionOf(field: GateField): string {
  if (field.type === "checkbox") return ` --field ${quoted(field.name)}`;
  const answers = { text: "…", country: "COUNTRY", date_picker: "2026-11-30", select: "" }[field.type];
  const choice = field.type === "select" ? field.options.join("|") : answers;
  return ` --field ${quoted(`${field.name}=${choice}`)}`;
}

/** As a shell reads one word. */
function quoted(text: string): string {
  return `'${oneLine(text).replaceAll("'", `'\\''`)}'`;
}

function answersOf({ fields = {}, rejectionReason }: AccessRequestView): string {
  const answers = Object.entries(fields).map(([name, value]) => (value === true ? name : `${name}: ${value}`));
  return oneLine(
    [...answers, ...(rejectionReason === undefined ? [] : [`turned down: ${rejectionReason}`])].join("; "),
  );
}

/** What others wrote moves no cursor. */
function printable(text: string): string {
  return text.replaceAll(/[^\P{C}\n]/gu, "");
}

function oneLine(text: string): string {
  return printable(text.replaceAll(/\s+/g, " "));
}
