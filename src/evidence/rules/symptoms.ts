/**
 * What a symptom that the edge saw on the app's side means by what the taker of the hand-over answered, or by its silence.
 */
import { codeRow } from "../codes.ts";
import type { Code } from "../codes.ts";
import type { Entry } from "../entry.ts";
import { contradiction, unknown } from "../finding.ts";
import type { Excluded, Finding } from "../finding.ts";
import { handOver } from "../handover.ts";
import type { HandOver } from "../handover.ts";
import { codeOf, coded, first, idsOf, last, number, text } from "../reading.ts";
import type { Reading } from "../reading.ts";
import type { Inference } from "../verdict.ts";
import { sentence } from "../words.ts";

type Of<State extends HandOver["state"]> = Extract<HandOver, { state: State }>;
/** The taker told what became of the hand-over. */
export type Answered = Of<"answered">;

/** What the edge saw where the app's side failed: each is read together with what the taker answered. */
export type Symptom =
  | "route/connect-refused"
  | "route/connect-timeout"
  | "route/reset-midway"
  | "route/response-timeout"
  | "runtime/shim-lost";

/** One row a symptom: what it means by each answer of the hand-over. No row guesses: what is not told is `unknown`. */
interface SymptomRule {
  readonly example: string;
  readonly answered: (seen: Seen, hand: Of<"answered">) => Finding;
  /** Proved that it never reached the replica. */
  readonly never: (seen: Seen, hand: Of<"never-arrived">) => Finding;
  /** No hand-over is recorded. */
  readonly none: (seen: Seen) => Finding;
}

export interface Seen {
  readonly reading: Reading;
  readonly symptom: Symptom;
  readonly ends: readonly Entry[];
}

export const symptomRules: Readonly<Record<Symptom, SymptomRule>> = {
  "route/connect-refused": {
    example: "edge.deliver failed 502; app.take failed: connected false",
    answered: (seen, hand) =>
      hand.answer.connected
        ? denies(seen, hand)
        : appFinding(
            seen,
            hand,
            "route/connect-refused",
            "The app did not accept the connection: nothing listens on its port. The request was not delivered.",
          ),
    never: (seen, hand) => platformFinding(seen, hand, "route/connect-refused"),
    none: (seen) => unanswered(seen, "no hand-over to the replica is recorded"),
  },
  "route/connect-timeout": {
    example: "edge.deliver failed 504; app.take failed: connected false",
    answered: (seen, hand) =>
      hand.answer.connected
        ? likelyFinding(
            seen,
            hand,
            "route/connect-timeout",
            "The connection to the app was opened only after the edge had given up on it.",
          )
        : appFinding(
            seen,
            hand,
            "route/connect-timeout",
            "The app's connection could not be opened in time. The request was not delivered.",
          ),
    never: (seen, hand) => platformFinding(seen, hand, "route/connect-timeout"),
    none: unconnected,
  },
  "route/reset-midway": {
    example: "edge.deliver failed 502; app.take took 812 bytes, connection over",
    answered: resetAnswered,
    never: (seen, hand) => platformFinding(seen, hand, "route/reset-midway"),
    none: (seen) => unanswered(seen, "no hand-over to the replica is recorded"),
  },
  "route/response-timeout": {
    example: "edge.deliver failed 504; app.take took all 812 bytes, returned 0",
    answered: timeoutAnswered,
    never: (seen, hand) => platformFinding(seen, hand, "route/response-timeout"),
    none: (seen) => unanswered(seen, "no hand-over to the replica is recorded"),
  },
  "runtime/shim-lost": {
    example: "edge.deliver failed 503; the agent found the replica's shim dead",
    answered: shimGone,
    never: shimGone,
    none: shimGone,
  },
};

export function findSymptom(seen: Seen): Finding {
  const hand = handOver(seen.reading);
  const rule = symptomRules[seen.symptom];
  switch (hand.state) {
    case "answered":
      return rule.answered(seen, hand);
    case "never-arrived":
      return rule.never(seen, hand);
    case "none":
      return rule.none(seen);
    case "contradicts":
      return contradiction(hand.says, [...seen.ends, ...hand.by]);
    case "died":
      return died(seen, hand);
    case "unknown":
      return seen.symptom === "runtime/shim-lost" ? shimGone(seen, hand) : unanswered(seen, hand.says, hand.by);
  }
}

function resetAnswered(seen: Seen, hand: Of<"answered">): Finding {
  const { answer, delivered } = hand;
  if (answer.final && !answer.connected)
    return appFinding(
      seen,
      hand,
      "route/connect-refused",
      "The app did not accept the connection: nothing listens on its port. The request was not delivered.",
    );
  const began = receivedStatus(seen.ends);
  const reach = {
    whole: "The request was delivered to the app's socket",
    partly: "Part of the request was delivered to the app's socket",
    nothing: "Nothing of the request was taken by the app's socket",
    uncertain: "How much of the request the app's socket took is not known",
  }[delivered];
  const end =
    began === undefined
      ? "the connection broke before any answer came"
      : `the connection broke after the app had begun its answer (status ${began})`;
  const broken = seen.ends.map(({ facts }) => text(facts, "because")).find((told) => told !== undefined);
  const says = `${reach}, and ${broken ?? end}.`;
  return answer.final
    ? appFinding(seen, hand, "route/reset-midway", says)
    : likelyFinding(seen, hand, "route/reset-midway", `${says} The count is not final.`);
}

function timeoutAnswered(seen: Seen, hand: Of<"answered">): Finding {
  const { answer, delivered } = hand;
  if (answer.final && !answer.connected)
    return appFinding(
      seen,
      hand,
      "route/connect-timeout",
      "The app's connection could not be opened in time. The request was not delivered.",
    );
  if (delivered === "whole")
    return {
      ...appFinding(
        seen,
        hand,
        "route/response-timeout",
        "The request was delivered to the app's socket whole, and the app never began its answer.",
      ),
      known: "delivered-is-not-read",
    };
  if (delivered === "uncertain")
    return likelyFinding(
      seen,
      hand,
      "route/response-timeout",
      "The app did not begin its answer in time; how much of the request its socket took is not known.",
    );
  const reach =
    delivered === "partly"
      ? "The app's socket took only part of the request"
      : "The app's socket took nothing of the request";
  return likelyFinding(seen, hand, "route/response-timeout", `${reach}, and the app did not answer in time.`);
}

/** Waited in vain for a free connection; or our own side did not open one, which is not the app's doing. */
function unconnected(seen: Seen): Finding {
  const errno = seen.ends.map(({ facts }) => text(facts, "errno")).find((told) => told !== undefined);
  const found = { code: seen.symptom, certainty: "proved", facts: seen.ends } as const;
  if (errno === undefined)
    return {
      ...found,
      sentence: "No connection to the replica could be opened in time. The request was not handed over.",
    };
  const sentence = `The platform could not open a connection to the replica (${errno}). The request was not handed over.`;
  const because = "the connection to the replica's own process was not opened";
  return { ...found, sentence, owner: "platform", excluded: [{ boundary: "app", because, by: seen.ends }] };
}

/** The shim was gone when the edge looked. What ended it is told by the replica's own record. */
function shimGone(seen: Seen, hand?: HandOver): Finding {
  const replica = replicaOf(seen.reading);
  const ends = coded(
    seen.reading.neighbours.filter((entry) => entry.work === replica && entry.hop.startsWith("replica.")),
  );
  const lost = ends.find((entry) => codeOf(entry) === "runtime/shim-lost");
  const by = [...seen.ends, ...(hand && "by" in hand ? hand.by : [])];
  const excluded: Excluded[] = [
    {
      boundary: "app",
      because: "the process that carries the app's connections was gone",
      by: lost ? [lost] : seen.ends,
    },
  ];
  if (lost) {
    return {
      code: "runtime/shim-lost",
      certainty: "proved",
      sentence: "The process that kept the app's replica had died. The request could not be delivered.",
      facts: [...by, lost],
      excluded,
    };
  }
  const other = ends[0];
  const otherCode = codeOf(other);
  if (other && otherCode) {
    const says = `The replica had ended: ${sentence(text(other.facts, "says") ?? codeRow(otherCode).says)}`;
    const inferred: Inference = {
      rule: "replica-ended",
      from: idsOf([other, ...seen.ends]),
      says: "The replica's socket was gone because the replica had ended.",
    };
    return { code: otherCode, certainty: "likely", sentence: says, facts: [...by, other], inferred: [inferred] };
  }
  const end = seen.reading.neighbours.find(
    (entry) => entry.work === replica && entry.hop === "replica.stop" && entry.mark === "done",
  );
  if (end) {
    const inferred: Inference = {
      rule: "replica-ended",
      from: idsOf([end, ...seen.ends]),
      says: "The replica's socket was gone because the platform had stopped the replica.",
    };
    const sentence = "The platform had stopped the replica. The request could not be delivered.";
    return {
      code: "route/not-running",
      certainty: "likely",
      sentence,
      facts: [...by, end],
      inferred: [inferred],
      excluded,
      owner: "platform",
    };
  }
  const inferred: Inference = {
    rule: "socket-unreachable",
    from: idsOf(seen.ends),
    says: "Nobody listened at the replica's socket; the death of its shim is not recorded yet.",
  };
  return {
    code: "runtime/shim-lost",
    certainty: "likely",
    sentence: "Nobody listened at the replica's socket: its shim was gone. The request could not be delivered.",
    facts: by,
    inferred: [inferred],
    excluded,
  };
}

function died(seen: Seen, hand: Of<"died">): Finding {
  if (seen.symptom === "runtime/shim-lost") return shimGone(seen, hand);
  const inferred: Inference = { rule: "taker-died", from: idsOf(hand.by), says: sentence(hand.says) };
  return {
    code: "runtime/shim-lost",
    certainty: "likely",
    sentence:
      "The process that kept the app's replica died, and the request very likely with it. Whether the app had received it is not known.",
    facts: [...seen.ends, ...hand.by],
    inferred: [inferred],
  };
}

function appFinding(seen: Seen, hand: Of<"answered">, code: Code, says: string): Finding {
  const excluded: Excluded[] = [
    { boundary: "runtime", because: "the replica's shim was there and answered for it", by: hand.by },
    ...identityExcluded(seen.reading),
  ];
  return {
    code,
    certainty: "proved",
    sentence: says,
    facts: [...seen.ends, ...hand.by],
    inferred: appEnded(seen.reading),
    excluded,
  };
}

/** The replica's own record says that its app ended: beside the break, never before or after it by two clocks. */
function appEnded(reading: Reading): readonly Inference[] {
  const replica = replicaOf(reading);
  const ended = coded(reading.neighbours).find(
    (entry) => entry.work === replica && entry.hop === "replica.exit" && codeOf(entry)?.startsWith("app/"),
  );
  if (!ended) return [];
  return [
    {
      rule: "app-ended",
      from: [ended.id],
      says: `The replica that took it has ended since: ${sentence(text(ended.facts, "says") ?? codeRow("app/exit").says)}`,
    },
  ];
}

function likelyFinding(seen: Seen, hand: Of<"answered">, code: Code, says: string): Finding {
  const inferred: Inference = {
    rule: "count-not-final",
    from: idsOf(hand.by),
    says: "The replica's shim had not given its final count, or the count does not cover the whole request.",
  };
  return { code, certainty: "likely", sentence: says, facts: [...seen.ends, ...hand.by], inferred: [inferred] };
}

/** Proved not delivered, and on our side of the app: the app is not to blame. */
function platformFinding(seen: Seen, hand: Of<"never-arrived">, code: Code): Finding {
  const inferred: Inference = { rule: "absent-from-answer", from: idsOf(hand.by), says: sentence(hand.says) };
  return {
    code,
    certainty: "proved",
    sentence:
      "The request never reached the app: its connection did not arrive at the replica. It is safe to send it again.",
    facts: [...seen.ends, ...hand.by],
    inferred: [inferred],
    excluded: [
      { boundary: "app", because: "the replica's shim answered that the connection never arrived", by: hand.by },
    ],
    owner: "platform",
    retry: "now",
    next: "Try again.",
  };
}

function denies(seen: Seen, hand: Of<"answered">): Finding {
  return contradiction(
    "the edge says that the app refused the connection, and the replica's shim that the app accepted it.",
    [...seen.ends, ...hand.by],
  );
}

function unanswered(seen: Seen, says: string, by: readonly Entry[] = []): Finding {
  return unknown(
    seen.symptom,
    `${codeRow(seen.symptom).says} Whether the request reached the app is not known: ${says}.`,
    [...seen.ends, ...by],
  );
}

/** The replica that a request was given to at last: what became of any other says nothing of it. */
export function replicaOf(reading: Reading): string | undefined {
  return (
    text(last(reading, "edge.route", "done")?.facts, "replica") ??
    text(first(reading, "edge.connect", "handed")?.facts, "replica")
  );
}

export function identityExcluded(reading: Reading): readonly Excluded[] {
  const resolved = first(reading, "identity.resolve", "done");
  return resolved
    ? [
        {
          boundary: "identity",
          because: `the visitor was known as ${text(resolved.facts, "account") ?? "somebody"}`,
          by: [resolved],
        },
      ]
    : [];
}

function receivedStatus(ends: readonly Entry[]): number | undefined {
  return ends.map(({ facts }) => number(facts, "receivedStatus")).find((status) => status !== undefined);
}

export function isSymptom(code: Code): code is Symptom {
  return Object.hasOwn(symptomRules, code);
}
