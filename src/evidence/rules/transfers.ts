/** Files on their way between a client and a repository: how far one came, who was being waited for, and what ended it. */
import { codeRow } from "../codes.ts";
import type { Entry, Facts } from "../entry.ts";
import { contradiction, endedAs, nothing, unended } from "../finding.ts";
import type { Excluded, Finding } from "../finding.ts";
import { all, codeOf, codesIn, coded, last, number, text } from "../reading.ts";
import type { Reading } from "../reading.ts";
import type { WorkOutcome } from "../verdict.ts";
import { bytesSay, sentence, spell } from "../words.ts";

export function findTransfer(reading: Reading): Finding | undefined {
  if (reading.entries.length === 0) return nothing(reading);
  const ends = coded(reading.entries);
  const codes = codesIn(ends);
  const through = endOf(reading);
  if (codes.length > 1) return contradiction(`it ended as ${codes.join(" and as ")}.`, ends);
  const ended = ends.at(-1);
  const code = codeOf(ended);
  if (ended === undefined || code === undefined) return through ? undefined : unended(reading, "transfer");
  if (through) return contradiction(`it ended as ${code}, and yet it was through.`, [...ends, through]);
  return {
    code,
    certainty: "proved",
    sentence: [
      sentence(text(ended.facts, "says") ?? codeRow(code).says),
      ended.hop === "transfer.move" ? farSays(ended.facts) : "",
      waitedSays(ended.facts),
    ]
      .filter((part) => part !== "")
      .join(" "),
    facts: [...all(reading, "transfer.move", "took"), ...ends],
    excluded: excludedBy(ended),
  };
}

export function transferOutcome(reading: Reading, found: Finding | undefined): WorkOutcome {
  if (found) return endedAs(reading, found);
  return endOf(reading) ? "ok" : "open";
}

/** One sentence or two for a transfer that is through or goes on. */
export function transferSays(reading: Reading): string {
  const end = endOf(reading);
  const begun = reading.entries.find(({ facts }) => text(facts, "repository") !== undefined);
  if (end === undefined) {
    const seen = last(reading, "transfer.move", "took");
    const waits = seen === undefined ? "" : ` When it was looked at last, ${waitingSays(seen.facts)}`;
    return `${whatSays(begun?.facts)} is under way.${waits}`;
  }
  const { facts } = end;
  const how = facts["direction"] === "upload" ? "taken, verified and kept" : "delivered";
  const ms = number(facts, "ms");
  const digest = text(facts, "digest");
  return [
    `${whatSays(facts)} was ${how}: ${farSays(facts)}`,
    ms === undefined ? "" : `It took ${spell(ms)}.`,
    digest === undefined ? "" : `The file is ${digest}.`,
    facts["isXetOffered"] === true
      ? "Xet was offered, and the client used HTTP: it has no hf_xet, or HF_HUB_DISABLE_XET is set."
      : "",
    stallsSay(reading),
  ]
    .filter((part) => part !== "")
    .join(" ");
}

/** Where it ended well: the check is the last of an upload, and the move of a download. */
function endOf(reading: Reading): Entry | undefined {
  return last(reading, "transfer.verify", "done") ?? last(reading, "transfer.move", "done");
}

/** Our side is ruled out by what it did until then. */
function excludedBy(ended: Entry): readonly Excluded[] {
  if (text(ended.facts, "waitingFor") !== "client") return [];
  return [{ boundary: "platform", because: "it had done all that it could, and waited for the client", by: [ended] }];
}

/** `The download of weights.bin of models/alice/tiny by git-lfs`. */
function whatSays(facts: Facts | undefined): string {
  const what = text(facts, "path") ?? "a file";
  const where = text(facts, "repository");
  const by = text(facts, "via");
  const direction = facts?.["direction"] === "upload" ? "upload" : "download";
  return `The ${direction} of ${what}${where === undefined ? "" : ` of ${where}`}${by === undefined ? "" : ` by ${by}`}`;
}

function farSays(facts: Facts): string {
  const moved = number(facts, "bytes");
  const of = number(facts, "ofBytes");
  if (moved === undefined) return "";
  const from = number(facts, "from") ?? 0;
  const begun = from === 0 ? "" : `, from byte ${from} on`;
  const all = of === undefined || of === moved ? bytesSay(moved) : `${bytesSay(moved)} of ${bytesSay(of)}`;
  return `${all} passed${begun}.`;
}

function waitedSays(facts: Facts): string {
  const quietMs = number(facts, "quietMs");
  const client = text(facts, "waitingFor") === "client";
  if (quietMs === undefined) return "";
  return client
    ? `The platform waited for the client for ${spell(quietMs)}.`
    : `The client waited for the platform for ${spell(quietMs)}.`;
}

function waitingSays(facts: Facts): string {
  const whom = text(facts, "waitingFor") === "client" ? "the client" : "the platform's own disk or git";
  const quiet = number(facts, "quietMs");
  return `nothing had passed for ${spell(quiet ?? 0)}, and ${whom} was being waited for: ${farSays(facts)}`;
}

function stallsSay(reading: Reading): string {
  const stalls = all(reading, "transfer.move", "took");
  if (stalls.length === 0) return "";
  const [first] = stalls;
  return `On its way it stood still ${stalls.length === 1 ? "once" : `${stalls.length} times`}; the first time ${waitingSays(first?.facts ?? {})}`;
}
