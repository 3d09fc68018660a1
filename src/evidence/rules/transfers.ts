/** Files, and git's packs, on their way between a client and a repository: how far one came, who was being waited for, and what ended it. */
import { codeRow } from "../codes.ts";
import type { Entry, Facts, Hop } from "../entry.ts";
import { contradiction, endedAs, nothing, unended } from "../finding.ts";
import type { Excluded, Finding } from "../finding.ts";
import { codeOf, codesIn, coded, last, number, text } from "../reading.ts";
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
      triesSay(ended.facts),
      farSays(ended.facts, ended.hop),
      waitedSays(ended.facts),
    ]
      .filter((part) => part !== "")
      .join(" "),
    facts: [...stallsOf(reading), ...ends],
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
    const seen = stallsOf(reading).at(-1);
    const waits = seen === undefined ? "" : ` When it was looked at last, ${waitingSays(seen.facts)}`;
    return `${whatSays(begun?.facts)} is under way.${waits}`;
  }
  const { facts } = end;
  const how = facts["direction"] === "upload" ? "taken, verified and kept" : "delivered";
  const ms = number(facts, "ms");
  const digest = text(facts, "digest");
  const refs = facts["direction"] === "upload" ? number(facts, "refs") : undefined;
  return [
    `${whatSays(facts)} was ${how}: ${farSays(facts)}`,
    ms === undefined ? "" : `It took ${spell(ms)}${hopsSay(facts)}.`,
    facts["isKnown"] === true ? "It was here already, and nothing was stored again." : "",
    facts["isCached"] === true ? "The client had it in its cache already, and no byte of it was sent." : "",
    triesSay(facts),
    refs === undefined ? "" : `It changed ${countOf(refs, "reference")}.`,
    digest === undefined ? "" : `${digest.startsWith("pack:") ? "Its sum" : "The file"} is ${digest}.`,
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

/** Each time that it stood still, wherever it was. */
function stallsOf({ entries }: Reading): readonly Entry[] {
  return entries.filter(({ mark }) => mark === "took");
}

/** Our side is ruled out by what it did until then. */
function excludedBy(ended: Entry): readonly Excluded[] {
  if (text(ended.facts, "waitingFor") !== "client") return [];
  return [{ boundary: "platform", because: "it had done all that it could, and waited for the client", by: [ended] }];
}

/** `The download of weights.bin of models/alice/tiny by git-lfs`. */
function whatSays(facts: Facts | undefined): string {
  const what = text(facts, "path") ?? (text(facts, "via") === "git" ? packSays(facts) : "a file");
  const where = text(facts, "repository");
  const by = text(facts, "via");
  const direction = facts?.["direction"] === "upload" ? "upload" : "download";
  return `The ${direction} of ${what}${where === undefined ? "" : ` of ${where}`}${by === undefined ? "" : ` by ${by}`}`;
}

/** How long it was in each hop that took any time. */
function hopsSay(facts: Facts): string {
  const each = hops.flatMap(([name, says]) => {
    const ms = number(facts, name);
    return ms === undefined || ms === 0 ? [] : `${spell(ms)} ${says}`;
  });
  return each.length < 2 ? "" : `: ${each.join(", ")}`;
}

const hops = [
  ["negotiateMs", "until it began"],
  ["moveMs", "on its way"],
  ["verifyMs", "to be checked and kept"],
] as const;

function triesSay(facts: Facts): string {
  const tries = number(facts, "tries");
  return tries === undefined ? "" : `It was try number ${tries}: the one before broke off.`;
}

const waited: Readonly<Record<string, string>> = {
  client: "the client",
  git: "git's process of the platform",
  disk: "the platform's disk, by git,",
};

function packSays(facts: Facts | undefined): string {
  const objects = facts && number(facts, "objects");
  return objects === undefined ? "what git moves" : `a pack of ${countOf(objects, "object")}`;
}

const countOf = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** How far it came; of one that ended where nothing moves, nothing. */
function farSays(facts: Facts, hop: Hop = "transfer.move"): string {
  if (hop !== "transfer.move") return "";
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
  const whom = waited[text(facts, "waitingFor") ?? ""] ?? "the platform's own disk or git";
  const quiet = number(facts, "quietMs");
  return `nothing had passed for ${spell(quiet ?? 0)}, and ${whom} was being waited for: ${farSays(facts)}`;
}

function stallsSay(reading: Reading): string {
  const stalls = stallsOf(reading);
  if (stalls.length === 0) return "";
  const [first] = stalls;
  return `On its way it stood still ${stalls.length === 1 ? "once" : `${stalls.length} times`}; the first time ${waitingSays(first?.facts ?? {})}`;
}
