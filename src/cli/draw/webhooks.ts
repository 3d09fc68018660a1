/** Webhooks and their deliveries, as people read them. */
import type { AttemptView, DeliveryView, WebhookView } from "../../contract/webhooks.ts";
import { dayTimeOf, tone, type Paper } from "./paper.ts";
import { drawTable } from "./table.ts";
import { drawRows } from "./views.ts";

export function drawWebhooks(paper: Paper, webhooks: readonly WebhookView[]): string {
  if (webhooks.length === 0) return "No webhooks. Add one: waybill webhook add https://HOST/PATH\n";
  const off = webhooks.filter(({ state }) => state === "off");
  const table = drawTable(
    paper,
    [
      { head: "WEBHOOK", cell: ({ id }) => id, drop: 0 },
      { head: "STATE", cell: stateOf, drop: 0 },
      { head: "WAITING", cell: ({ waiting }) => String(waiting), right: true, drop: 3 },
      { head: "TYPES", cell: typesOf, drop: 4 },
      { head: "ADDRESS", cell: ({ url }) => url, drop: 1 },
    ],
    webhooks,
  );
  const says = off.map(
    (one) => `${tone(paper, "failed", `${one.id} is off`)} since ${dayTimeOf(paper, one.since)}: ${one.says}\n`,
  );
  return table + says.join("");
}

export function drawWebhook(paper: Paper, webhook: WebhookView): string {
  const { id, owner, url, description, since, says, failingSince, waiting, formerSecretUntil } = webhook;
  return drawRows(paper, [
    ["webhook", `${id}  ${stateOf(webhook)}`],
    ["since", `${dayTimeOf(paper, since)}: ${says}`],
    ["of", owner ?? "the platform"],
    ["address", url],
    ["types", typesOf(webhook)],
    ...(description === null ? [] : [["for", description] as const]),
    ["waiting", `${waiting} ${waiting === 1 ? "delivery" : "deliveries"}`],
    ...(failingSince === null
      ? []
      : [["failing", `no try since ${dayTimeOf(paper, failingSince)} went well`] as const]),
    ...(formerSecretUntil === null
      ? []
      : [["secret", `the one before signs too until ${dayTimeOf(paper, formerSecretUntil)}`] as const]),
  ]);
}

export function drawDeliveries(paper: Paper, deliveries: readonly DeliveryView[]): string {
  if (deliveries.length === 0) return "Nothing was sent to it. Try it: waybill webhook test ID\n";
  return drawTable(
    paper,
    [
      { head: "DELIVERY", cell: ({ id }) => id, drop: 0 },
      { head: "AT", cell: ({ at }) => dayTimeOf(paper, at), drop: 2 },
      { head: "TYPE", cell: ({ type }) => type, drop: 1 },
      { head: "STATE", cell: ({ state }) => state, drop: 0 },
      { head: "TRIES", cell: ({ attempts }) => String(attempts.length), right: true, drop: 4 },
      { head: "TOOK", cell: ({ attempts }) => tookOf(attempts.at(-1)), right: true, drop: 5 },
      {
        head: "",
        cell: ({ says, dueAt }) => (dueAt && says ? `${says}; next ${dayTimeOf(paper, dueAt)}` : says),
        drop: 3,
      },
    ],
    deliveries,
  );
}

/** One with each of its tries, and what was answered. */
export function drawDelivery(
  paper: Paper,
  { id, webhook, type, at, state, says, dueAt, attempts, body }: DeliveryView,
): string {
  return drawRows(paper, [
    ["delivery", `${id}  ${state}`],
    ["to", webhook],
    ["tells", `${type}, of ${dayTimeOf(paper, at)}`],
    ...(says === "" ? [] : [["says", says] as const]),
    ...(dueAt === null ? [] : [["next", dayTimeOf(paper, dueAt)] as const]),
    ...attempts.flatMap((one) => [
      ["tried", `${dayTimeOf(paper, one.at)}, ${tookOf(one)}: ${one.says}`] as const,
      ...(one.answer ? [["answered", one.answer.split("\n")[0] ?? ""] as const] : []),
    ]),
    ...(body === undefined ? [] : [["body", body] as const]),
  ]);
}

function stateOf({ state, failingSince }: WebhookView): string {
  return state === "on" && failingSince !== null ? "on, failing" : state;
}

function typesOf({ types }: WebhookView): string {
  return types.length === 0 ? "all" : types.join(",");
}

function tookOf(attempt: AttemptView | undefined): string {
  return attempt === undefined ? "-" : `${attempt.tookMs} ms`;
}
