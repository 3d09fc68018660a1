/** Why a build ended: the server's entries (request, queue, claim, start), the builder's (fetch, step, publish) and the replica's start. */
import { codeRow } from "../codes.ts";
import type { Code } from "../codes.ts";
import type { Entry } from "../entry.ts";
import { contradiction, endedAs, nothing, unended, unknown } from "../finding.ts";
import type { Excluded, Finding } from "../finding.ts";
import {
  all,
  codeOf,
  codesIn,
  coded,
  epochOf,
  first,
  gapsOf,
  idsOf,
  last,
  number,
  spanSays,
  text,
  texts,
} from "../reading.ts";
import type { Reading } from "../reading.ts";
import type { Inference, WorkOutcome } from "../verdict.ts";
import { ordinal, sentence, spell } from "../words.ts";

interface BuildRule {
  readonly example: string;
  readonly says: (ended: Entry) => string;
}

/** Codes that a builder itself ends a build with. */
type BuildCode =
  | Extract<Code, `build/${string}`>
  | "runtime/arch-mismatch"
  | "runtime/driver-too-old"
  | "runtime/image-arch";

/** Sentences with the numbers of the record; a code without a row here (a replica's at start) says its own sentence. */
export const buildRules: Readonly<Record<BuildCode, BuildRule>> = {
  "runtime/arch-mismatch": {
    example: "build.step failed: torch has code for sm_70 sm_80, the pool's cards are 9.0",
    says: (ended) => because(ended, "The app's packages were not compiled for the pool's cards."),
  },
  "runtime/driver-too-old": {
    example: "build.step failed: torch of CUDA 13 needs driver 580, the node's is 535",
    says: (ended) => because(ended, "The app's packages need a newer driver than the node has."),
  },
  "runtime/image-arch": {
    example: "build.step failed: the image is for linux/arm64, and this node is linux/amd64",
    says: (ended) => because(ended, "The image was made for another architecture than the node's."),
  },
  "build/base-missing": {
    example: "build.step failed: Dockerfile line 1: image example.test/nothing could not be fetched: not found",
    says: (ended) => because(ended, "An image that the Dockerfile begins with does not exist or may not be read."),
  },
  "build/registry-unreachable": {
    example: "build.step failed: Dockerfile line 1: image python:3.11 could not be fetched: no such host",
    says: (ended) => because(ended, "The registry of an image that the Dockerfile begins with could not be reached."),
  },
  "build/config-invalid": {
    example: "build.fetch failed: app_port is no number",
    says: (ended) => because(ended, "The Space's settings in README.md are wrong."),
  },
  "build/no-builder": {
    example: "build.queue refused: no builder serves docker",
    says: (ended) => because(ended, "No builder serves this kind of Space."),
  },
  "build/queue-timeout": {
    example: "build.queue refused: no builder took it within 600 s",
    says: (ended) => because(ended, "No builder became free before the queue's limit."),
  },
  "build/queue-full": {
    example: "build.request refused: 100 builds wait",
    says: (ended) => because(ended, "As many builds wait as may wait at once."),
  },
  "build/push-too-large": {
    example: "build.request refused: model.bin has 11 MB, and a file of more than 10 MB goes in by Git LFS",
    says: (ended) => because(ended, "The push brought more than one may, and nothing of it was taken."),
  },
  "build/fetch-failed": {
    example: "build.fetch failed: git ended with exit code 128",
    says: (ended) => because(ended, "The builder could not read the commit."),
  },
  "build/lfs-missing": {
    example: "build.fetch failed: model.bin is a large file whose content is not here",
    says: (ended) => because(ended, "The commit names large files whose content is not here."),
  },
  "build/step-failed": { example: "build.step failed: install ended with exit code 1", says: stepSays },
  "build/step-timeout": {
    example: "build.step failed: install ran past its deadline of 300 s",
    says: (ended) => because(ended, `Step ${step(ended)} ran past its deadline${took(ended)} and was ended.`),
  },
  "build/out-of-memory": {
    example: "build.step failed: build used more memory than it may",
    says: (ended) => because(ended, `Step ${step(ended)} used more memory than it may${took(ended)} and was ended.`),
  },
  "build/disk-full": {
    example: "build.step failed: the build wrote 21000 MiB to the disk, may write 20480 MiB",
    says: (ended) => because(ended, `Step ${step(ended)} wrote more to the disk than the build may${took(ended)}.`),
  },
  "build/disk-low": {
    example: "build.fetch failed: the builder's disk has 900 MiB left, and keeps 2048 MiB free",
    says: (ended) => because(ended, "The builder's own disk is nearly full."),
  },
  "build/builder-lost": {
    example: "build.claim failed: builder n1 went away",
    says: (ended) => because(ended, "The builder stopped answering in the middle of the build."),
  },
  "build/cancelled": {
    example: "build.claim failed: cancelled by alice",
    says: (ended) => because(ended, "The build was cancelled."),
  },
  "build/superseded": {
    example: "build.queue refused: superseded by build b_2 of commit 4f1c2ab",
    says: (ended) => because(ended, "A build of a newer commit took this one's place."),
  },
  "build/publish-failed": {
    example: "build.publish failed: no space left on device",
    says: (ended) => because(ended, "The finished build could not be stored as a release."),
  },
};

export function findBuild(whole: Reading): Finding | undefined {
  const reading = lastAttempt(whole);
  const ends = coded(reading.entries);
  const codes = codesIn(reading.entries);
  if (codes.length > 1) return contradiction(`it ended as ${codes.join(" and as ")}.`, ends);
  const code = codes[0];
  const ended = ends.find((entry) => entry.hop !== "build.request") ?? ends[0];
  if (code === undefined || ended === undefined) return findUnended(reading);
  if (last(reading, "replica.ready", "done"))
    return contradiction(`it ended as ${code}, and yet its replica became ready.`, [
      ...ends,
      ...all(reading, "replica.ready", "done"),
    ]);
  if (code === "build/builder-lost") return builderLost(reading, ends, builderEntries(whole));
  // An operator who cancels somebody's build is the platform.
  const owner =
    code === "build/cancelled" && text(ended.facts, "by") === "operator" ? { owner: "platform" as const } : {};
  return {
    code,
    ...owner,
    certainty: "proved",
    sentence: isBuildCode(code) ? buildRules[code].says(ended) : because(ended, codeRow(code).says),
    facts: ends,
    excluded: excludedBy(reading, ended),
  };
}

export function buildOutcome(whole: Reading, finding: Finding | undefined): WorkOutcome {
  const reading = lastAttempt(whole);
  if (finding) return endedAs(reading, finding);
  return last(reading, "replica.ready", "done") || notBuilt(reading) || isStored(reading) ? "ok" : "open";
}

/** One sentence for a build that went well or goes on. */
export function buildSays(whole: Reading): string {
  const { standing } = whole.record;
  if (standing !== undefined) return standing;
  const reading = lastAttempt(whole);
  const none = notBuilt(reading);
  if (none) return `This commit started no build. ${text(none.facts, "says") ?? ""}`.trim();
  if (last(reading, "replica.ready", "done")) return "The build succeeded and its release is running.";
  const start = first(reading, "replica.start", "handed");
  if (start)
    return `The release is built; replica ${text(start.facts, "replica") ?? ""} is starting.`.replace("  ", " ");
  if (last(reading, "build.publish", "done"))
    return isStored(reading)
      ? "The build succeeded and its release is stored."
      : "The release is built; what became of its start is not recorded.";
  const done = last(reading, "build.step", "done");
  if (done) return `The build is under way: step ${step(done)} is done.`;
  if (first(reading, "build.claim"))
    return `Builder ${text(first(reading, "build.claim")?.facts, "builder") ?? "(unnamed)"} has it.`;
  const queued = first(reading, "build.queue", "took");
  const position = number(queued?.facts, "position");
  if (!queued) return "The build was asked for and is not queued yet.";
  const builder = text(queued.facts, "builder");
  return `The build is queued${position === undefined ? "" : `, ${ordinal(position)} when it came`}; ${builder ? `builder ${builder} will take it` : "no builder was connected then"}.`;
}

/** The builder's own word is missing, so it stays likely until its epoch is known to be over without one. */
function builderLost(reading: Reading, ends: readonly Entry[], builders: readonly Entry[]): Finding {
  const published = last(reading, "build.publish", "done");
  if (published) return contradiction("the builder was lost, and yet it published the release.", [...ends, published]);
  const mine = builders.flatMap((entry) => epochOf(reading, entry) ?? []);
  const ownWord = ends.some((entry) => builders.includes(entry)); // a builder that came back found what it had begun
  const dead =
    mine.length > 0 &&
    mine.every(({ state }) => state !== "open") &&
    gapsOf(reading, (emitter) => builders.some((entry) => entry.emitter === emitter)).length === 0;
  const says = because(ends[0] as Entry, buildRules["build/builder-lost"].says(ends[0] as Entry));
  if (dead || ownWord)
    return { code: "build/builder-lost", certainty: "proved", sentence: says, facts: [...ends, ...builders] };
  const inferred: Inference = {
    rule: "taker-silent",
    from: idsOf(ends),
    says: "The builder did not answer any more; what it did last is not recorded.",
  };
  return {
    code: "build/builder-lost",
    certainty: "likely",
    sentence: says,
    facts: [...ends, ...builders],
    inferred: [inferred],
  };
}

function findUnended(reading: Reading): Finding | undefined {
  if (reading.entries.length === 0) return nothing(reading);
  // The platform knows that it goes on, also where an earlier process of it or of the builder has ended.
  if (
    reading.record.standing !== undefined ||
    notBuilt(reading) ||
    last(reading, "replica.ready", "done") ||
    isStored(reading)
  )
    return undefined;
  const nameless = reading.entries.filter(({ mark }) => mark === "failed" || mark === "refused");
  if (nameless.length > 0)
    return unknown(null, "It is recorded that the build failed, but not with which code.", nameless);
  const builders = builderEntries(reading);
  const dead = builders.find((entry) => epochOf(reading, entry)?.state === "dead");
  const hole = dead && gapsOf(reading, (emitter) => emitter === dead.emitter)[0];
  if (hole)
    return unknown("build/builder-lost", `The builder's process ended, and ${spanSays(hole)} are missing.`, builders);
  if (dead && !last(reading, "build.publish", "done")) {
    const inferred: Inference = {
      rule: "emitter-died",
      from: idsOf([dead]),
      says: `Epoch ${dead.epoch} of ${dead.emitter} ended without closing.`,
    };
    return {
      code: "build/builder-lost",
      certainty: "likely",
      sentence: "The builder's process ended in the middle of the build.",
      facts: builders,
      inferred: [inferred],
    };
  }
  const over = unended(reading, "build");
  const gap = gapsOf(reading, () => true)[0];
  return over && gap
    ? unknown(null, `How the build ended is not known: ${spanSays(gap)} are missing.`, reading.entries)
    : over;
}

/** Nothing was to be started with it: that no start is recorded may be a loss, so the catalog has to say so. */
function isStored(reading: Reading): boolean {
  return (
    reading.record.isBuilt === true &&
    last(reading, "build.publish", "done") !== undefined &&
    first(reading, "replica.start", "handed") === undefined
  );
}

/** A commit that needed no build says so in its one entry. */
function notBuilt(reading: Reading): Entry | undefined {
  const asked = first(reading, "build.request", "done");
  return text(asked?.facts, "noBuild") === undefined ? undefined : asked;
}

/** Without the attempts after which it was given to a builder again: how they ended is not how the build did. */
function lastAttempt(reading: Reading): Reading {
  const fenceOf = ({ facts }: Entry): number | undefined => number(facts, "fence");
  const over = new Set(
    reading.entries.flatMap((entry) => (entry.facts["again"] === true ? (fenceOf(entry) ?? []) : [])),
  );
  const entries = reading.entries.filter((entry) => {
    const fence = fenceOf(entry);
    return fence === undefined || !over.has(fence);
  });
  return { ...reading, entries };
}

/** Entries that only the builder writes. */
function builderEntries(reading: Reading): readonly Entry[] {
  return reading.entries.filter(
    ({ hop, mark }) =>
      (hop === "build.claim" && mark === "took") ||
      hop === "build.fetch" ||
      hop === "build.step" ||
      hop === "build.publish",
  );
}

function excludedBy(reading: Reading, ended: Entry): readonly Excluded[] {
  const published = last(reading, "build.publish", "done");
  const taken = first(reading, "build.claim", "took") ?? first(reading, "build.claim", "handed");
  if (published && ended.hop.startsWith("replica."))
    return [{ boundary: "build", because: "the build itself succeeded and was published", by: [published] }];
  return taken && codeOf(ended) !== "build/queue-timeout"
    ? [{ boundary: "capacity", because: "a builder took it", by: [taken] }]
    : [];
}

function stepSays(ended: Entry): string {
  const exit = number(ended.facts, "exitCode");
  const how = exit === undefined ? "failed" : `ended with exit code ${exit}`;
  return because(ended, `Step ${step(ended)} ${how}${took(ended)}.`);
}

function step({ facts }: Entry): string {
  return text(facts, "step") ?? "(unnamed)";
}

function took({ facts }: Entry): string {
  const ms = number(facts, "tookMs");
  return ms === undefined ? "" : ` after ${spell(ms)}`;
}

/** A sentence and what the part that failed said of it, unless it says the same. */
export function because(ended: Entry, says: string): string {
  const reasons = texts(ended.facts, "because").slice(0, 3);
  const own = text(ended.facts, "says");
  const more = [...(own === undefined ? [] : [own]), ...reasons]
    .map(sentence)
    .filter((part) => part !== "" && !says.includes(part));
  return [says, ...new Set(more)].join(" ");
}

function isBuildCode(code: Code): code is keyof typeof buildRules {
  return Object.hasOwn(buildRules, code);
}
