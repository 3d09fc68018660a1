/** Outbound connections of apps: which of policy, name, dial or the other side stopped one. The gateway alone writes about them. */
import { codeRow } from "../codes.ts";
import type { Code } from "../codes.ts";
import { contradiction, unknown } from "../finding.ts";
import type { Finding } from "../finding.ts";
import { codeOf, codesIn, coded, last, number, text } from "../reading.ts";
import type { Reading } from "../reading.ts";
import type { WorkOutcome } from "../verdict.ts";

export function findConnection(reading: Reading): Finding | undefined {
  if (reading.entries.length === 0)
    return unknown(null, `Nothing is recorded under this id, evidence read to ${reading.record.read.evidence}.`, []);
  const ends = coded(reading.entries);
  const codes = codesIn(ends);
  if (codes.length > 1) return contradiction(`it ended as ${codes.join(" and as ")}.`, ends);
  const code: Code | undefined = codes[0];
  if (code === undefined) return undefined;
  const ended = ends.find((entry) => codeOf(entry) === code);
  const says = text(ended?.facts, "says");
  const before = number(ended?.facts ?? {}, "likeItBefore");
  const more = before === undefined ? "" : ` ${before} more like it were counted in the minute before.`;
  return {
    code,
    certainty: "proved",
    sentence: `${says === undefined ? codeRow(code).says.replace(/\.$/, "") : capital(says)}.${more}`,
    facts: ends,
  };
}

export function connectionOutcome(reading: Reading, found: Finding | undefined): WorkOutcome {
  if (found) return found.code === null ? "unknown" : isRefusal(reading) ? "refused" : "failed";
  return last(reading, "egress.stream", "done") ? "ok" : "open";
}

export function connectionSays(reading: Reading): string {
  const facts = reading.entries.at(-1)?.facts;
  const to = `${text(facts, "name") ?? text(facts, "address") ?? "somewhere"}:${number(facts ?? {}, "port") ?? "?"}`;
  if (!last(reading, "egress.stream", "done")) return `The connection to ${to} is open.`;
  const dialled = text(facts, "dialled");
  return `The connection to ${to}${dialled === undefined ? "" : ` (${dialled})`} was carried to its end.`;
}

function isRefusal(reading: Reading): boolean {
  return reading.entries.some(({ mark }) => mark === "refused");
}

function capital(sentence: string): string {
  return sentence.slice(0, 1).toUpperCase() + sentence.slice(1);
}
