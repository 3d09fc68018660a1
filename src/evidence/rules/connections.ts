/** Outbound connections of apps and builds: which of policy, name, dial or the other side stopped one. The gateway alone writes about them. */
import { codeRow } from "../codes.ts";
import type { Code } from "../codes.ts";
import type { Entry, Facts } from "../entry.ts";
import { contradiction, endedAs, nothing, unended } from "../finding.ts";
import type { Excluded, Finding } from "../finding.ts";
import { codeOf, codesIn, coded, last, number, text } from "../reading.ts";
import type { Reading } from "../reading.ts";
import type { WorkOutcome } from "../verdict.ts";
import { bytesSay, spell } from "../words.ts";

export function findConnection(reading: Reading): Finding | undefined {
  if (reading.entries.length === 0) return nothing(reading);
  const ends = coded(reading.entries);
  const codes = codesIn(ends);
  const carried = last(reading, "egress.stream", "done");
  if (codes.length > 1) return contradiction(`it ended as ${codes.join(" and as ")}.`, ends);
  const ended = ends.at(-1);
  const code = codeOf(ended);
  if (ended === undefined || code === undefined) return carried ? undefined : unended(reading, "connection");
  if (carried) return contradiction(`it ended as ${code}, and yet it was carried to its end.`, [...ends, carried]);
  return {
    code,
    certainty: "proved",
    sentence: [
      `${text(ended.facts, "says") ?? codeRow(code).says.replace(/\.$/, "")}.`,
      whoSays(reading, code, ended),
      moreSays(ended.facts),
    ]
      .filter((part) => part !== "")
      .join(" "),
    facts: ends,
    excluded: excludedBy(reading, code, ended),
    ...(ended.facts["edge"] === true
      ? { owner: "platform", next: "Try again; the operator looks at the edge's log." }
      : {}),
    ...(isOwners(ended.facts)
      ? {
          next: "If the app needs it, its owner adds it to the Space's setting `reach` (`waybill space set`); it holds at once.",
        }
      : {}),
  };
}

export function connectionOutcome(reading: Reading, found: Finding | undefined): WorkOutcome {
  if (found) return endedAs(reading, found);
  return last(reading, "egress.stream", "done") ? "ok" : "open";
}

/** One sentence or two for a connection that was carried or still is. */
export function connectionSays(reading: Reading): string {
  const end = last(reading, "egress.stream", "done");
  if (!end) return `The connection to ${placeOf(reading.entries.at(-1)?.facts)} is open.`;
  const { facts } = end;
  const dialled = text(facts, "dialled");
  const over = dialled === undefined ? "" : ` over ${dialled}`;
  const bytes = `${bytesSay(number(facts, "sentBytes"))} sent, ${bytesSay(number(facts, "receivedBytes"))} received`;
  const ms = number(facts, "ms");
  const rule = text(facts, "rule");
  const carried = `The connection to ${placeOf(facts)} was carried${over}: ${bytes}${ms === undefined ? "" : ` in ${spell(ms)}`}.`;
  return [carried, brokenSays(facts), rule === undefined ? "" : `Allowed by: ${rule}.`]
    .filter((part) => part !== "")
    .join(" ");
}

/** Who decided, and by what. */
function whoSays(reading: Reading, code: Code, { facts }: Entry): string {
  const passed = text(last(reading, "egress.policy", "done")?.facts, "rule");
  switch (code) {
    case "egress/name-denied":
    case "egress/port-denied":
    case "egress/address-denied":
      if (isOwners(facts))
        return "The operator's policy allows it; the node's gateway decided so by what the Space keeps to, which its owner has set; nothing was dialled.";
      return `The node's gateway decided so by the policy for ${text(facts, "profile") ?? "app"}s; nothing was dialled.`;
    case "egress/dns-failed":
      return "Nothing was dialled.";
    default:
      return passed === undefined ? "" : `The policy lets it through: ${passed}.`;
  }
}

/** Its own Space's rule decided, and not the operator's. */
function isOwners(facts: Facts): boolean {
  return text(facts, "setBy") === "owner";
}

function moreSays(facts: Facts): string {
  const before = number(facts, "likeItBefore");
  const like = text(facts, "like");
  const others =
    facts["others"] === true
      ? "It stands for all further kinds of refusals of its sandbox in that minute, which are counted under it."
      : "";
  return [
    before === undefined ? "" : `${before} more like it ${before === 1 ? "was" : "were"} counted before it.`,
    like === undefined ? "" : `${like} tells how one like it came there.`,
    others,
  ]
    .filter((part) => part !== "")
    .join(" ");
}

function brokenSays(facts: Facts): string {
  switch (text(facts, "brokenBy")) {
    case "remote":
      return `The other side then broke it (${text(facts, "errno") ?? "without a word"}).`;
    case "app":
      return "The app broke it off.";
    case "idle":
      return "It was ended because nothing was sent either way for too long.";
    case "gateway":
      return "It was ended with its sandbox, with the node's gateway, or because its Space keeps to less than it did.";
    default:
      return "";
  }
}

function excludedBy(reading: Reading, code: Code, ended: Entry): readonly Excluded[] {
  const resolved = last(reading, "egress.resolve", "done");
  const allowed = last(reading, "egress.policy", "done");
  const dialled = last(reading, "egress.dial", "done");
  const network: readonly Excluded[] = dialled
    ? [{ boundary: "network", because: "the other side had taken the connection", by: [dialled] }]
    : code === "egress/dns-failed" || ended.hop === "egress.policy" || ended.hop === "egress.open"
      ? [{ boundary: "network", because: "it was never dialled", by: [ended] }]
      : [];
  return [
    ...(resolved ? [{ boundary: "name", because: "it was resolved", by: [resolved] }] : []),
    ...(allowed ? [{ boundary: "policy", because: "name, port and address are allowed", by: [allowed] }] : []),
    ...network,
  ];
}

function placeOf(facts: Facts | undefined): string {
  const host = text(facts, "name") ?? text(facts, "address") ?? "somewhere";
  return `${host.includes(":") ? `[${host}]` : host}:${number(facts, "port") ?? "?"}`;
}
