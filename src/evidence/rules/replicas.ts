/** What became of a replica: the agent's entries and its shim's. An exit that is followed by another try says `again: true`. */
import { codeRow } from "../codes.ts";
import type { Code } from "../codes.ts";
import type { Entry } from "../entry.ts";
import { contradiction, nothing } from "../finding.ts";
import type { Finding } from "../finding.ts";
import { all, codeOf, codesIn, coded, first, idsOf, last, number, text } from "../reading.ts";
import type { Reading } from "../reading.ts";
import type { Inference, WorkOutcome } from "../verdict.ts";
import { because } from "./builds.ts";

export function findReplica(reading: Reading): Finding | undefined {
  if (reading.entries.length === 0) return nothing(reading);
  const ends = endsIn(reading);
  const final = ends.filter(({ facts }) => facts["again"] !== true);
  const codes = codesIn(final);
  if (codes.length === 1) return finding(codes[0] as Code, "proved", final);
  if (codes.length > 1) return several(codes, final);
  const stopped = last(reading, "replica.stop", "done");
  const latest = ends.at(-1);
  if (stopped !== undefined) return undefined;
  if (latest === undefined) return withoutLease(reading);
  const code = codeOf(latest) as Code;
  const inferred: Inference = {
    rule: "again",
    from: idsOf([latest]),
    says: "The app ended and is being started again.",
  };
  return { ...finding(code, "likely", ends), inferred: [inferred] };
}

/** A process of it was ended that used a card without a lease; the app goes on, or nothing has told of its end. */
function withoutLease(reading: Reading): Finding | undefined {
  const strays = all(reading, "replica.card", "failed");
  if (strays.length === 0) return undefined;
  const says = "Nothing tells of the app's end: a process of it was ended, and it goes on.";
  return {
    ...finding("gpu/without-lease", "likely", strays),
    inferred: [{ rule: "goes-on", from: idsOf(strays), says }],
  };
}

function endsIn({ entries }: Reading): readonly Entry[] {
  return coded(entries).filter(({ hop }) => hop !== "replica.card");
}

export function replicaOutcome(reading: Reading, found: Finding | undefined): WorkOutcome {
  if (found?.code === "gpu/without-lease" && endsIn(reading).length === 0) return "open";
  if (found) return found.code === null ? "unknown" : "failed";
  return last(reading, "replica.stop", "done") ? "ok" : "open";
}

export function replicaSays(reading: Reading): string {
  if (last(reading, "replica.stop", "done")) return "The replica was stopped by the platform.";
  if (last(reading, "replica.ready", "done")) return "The replica is running.";
  return first(reading, "replica.start")
    ? "The replica is starting: it does not listen yet."
    : "The replica is not started yet.";
}

/** A crash loop sums up the exits before it, and a shim's death ends the app with it; any other two ends exclude each other. */
function several(codes: readonly Code[], final: readonly Entry[]): Finding {
  const summary = (["app/crash-loop", "app/not-listening", "runtime/shim-lost"] as const).find(
    (code) => codes.includes(code) && codes.every((other) => other === code || other === "app/exit"),
  );
  if (!summary) return contradiction(`it ended as ${codes.join(" and as ")}.`, final);
  const inferred: Inference = {
    rule: "summary",
    from: idsOf(final),
    says: "The exits recorded beside it belong to the same end.",
  };
  return { ...finding(summary, "likely", final), inferred: [inferred] };
}

function finding(code: Code, certainty: "proved" | "likely", ends: readonly Entry[]): Finding {
  const ended = ends.find((entry) => codeOf(entry) === code);
  return {
    code,
    certainty,
    sentence: ended ? because(ended, sentenceOf(code, ended)) : codeRow(code).says,
    facts: ends,
  };
}

function sentenceOf(code: Code, { facts }: Entry): string {
  const exit = number(facts, "exitCode");
  const signal = text(facts, "signal");
  if (code !== "app/exit" || (exit === undefined && signal === undefined)) return codeRow(code).says;
  return signal === undefined
    ? `The app's process ended with exit code ${exit}.`
    : `The app's process was ended by ${signal}.`;
}
