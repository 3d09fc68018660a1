/** What the tests of the builds share: a queue that is played command by command, and the audit of its invariants. */
import assert from "node:assert/strict";
import { durationMs, instant } from "../../stdx/time.ts";
import { deadlineOf, decide } from "./decide.ts";
import { evolve } from "./evolve.ts";
import { buildLimits, isLeased, noBuilds } from "./model.ts";
import type { BuildCommand, BuildDecision, BuildEvent, BuildLimits, BuildsState, BuildTerms } from "./model.ts";
import { placesOf } from "./place.ts";
import { isQueued } from "./turns.ts";

/** Short, so that a test's numbers can be read. */
export const limits: BuildLimits = {
  ...buildLimits,
  waitMs: durationMs(10_000),
  noBuilderMs: durationMs(2_000),
  returnMs: durationMs(4_000),
  claimMs: durationMs(1_000),
  leaseMs: durationMs(3_000),
  buildMs: durationMs(8_000),
  waitingMax: 6,
  ownerWaitingMax: 4,
};

export const builder = (name = "n1", epoch = 1, parallel = 1, sdks: readonly string[] = ["node", "static"]) => ({
  name,
  epoch,
  parallel,
  sdks,
});
export const join = (...of: Parameters<typeof builder>): BuildCommand => ({ type: "join", builder: builder(...of) });

export function enqueue(build: string, over: Partial<BuildTerms> = {}, priority = 0): BuildCommand {
  const owner = over.owner ?? over.space?.split("/")[0] ?? build;
  const space = over.space ?? `${owner}/${build}`;
  const terms = {
    build,
    space,
    owner,
    commit: `c-${build}`,
    account: owner,
    sdk: "node",
    factory: false,
    retryOf: null,
    ...over,
  };
  return { type: "enqueue", terms: { ...terms, queuedAt: over.queuedAt ?? instant(0) }, priority };
}

/** One queue over time. */
export class Play {
  state: BuildsState = noBuilds;
  now = 0;
  readonly events: BuildEvent[] = [];
  readonly limits: BuildLimits;

  constructor(over: Partial<BuildLimits> = {}) {
    this.limits = { ...limits, ...over };
  }

  /** At an instant, in milliseconds, that is not before the last one's. */
  at(now: number, ...commands: readonly BuildCommand[]): this {
    this.now = now;
    for (const command of commands) this.do(command);
    return this;
  }

  do(given: BuildCommand): BuildDecision {
    const now = instant(this.now);
    const command = given.type === "enqueue" ? { ...given, terms: { ...given.terms, queuedAt: now } } : given;
    const decision = decide(this.state, command, now, this.limits);
    if (decision.ok) {
      for (const event of decision.events) this.state = evolve(this.state, event, now);
      this.events.push(...decision.events);
    }
    audit(this.state, decision, this.now, this.limits);
    return decision;
  }

  /** What a command comes to, in a word or two, without doing it. */
  would(command: BuildCommand): string {
    const decision = decide(this.state, command, instant(this.now), this.limits);
    if (!decision.ok) return decision.why;
    return decision.events.map(wordOf).join(", ") || "-";
  }

  /** Events so far as words. */
  get told(): readonly string[] {
    return this.events.map(wordOf);
  }

  stageOf(build: string): string | undefined {
    return this.state.builds.get(build)?.stage;
  }

  placeOf(build: string) {
    const places = placesOf(this.state, instant(this.now), this.limits);
    return places.find((one) => one.build.terms.build === build)?.place;
  }
}

export function wordOf(event: BuildEvent): string {
  switch (event.type) {
    case "given":
      return `${event.build} to ${event.lease.builder} by fence ${event.lease.fence}`;
    case "moved":
      return `${event.build} ${event.stage}`;
    case "requeued":
      return `${event.build} requeued for ${event.code}`;
    case "ended":
      return `${event.build} ${event.stage}${event.code === null ? "" : ` ${event.code}`}${event.withdrawn ? ", withdrawn" : ""}`;
    case "builder-joined":
      return `${event.builder.name} joined`;
    case "builder-left":
      return `${event.builder} left`;
    default:
      return `${event.build} ${event.type}`;
  }
}

/** What must hold after every command; the numbers are SPEC.md's. */
export function audit(state: BuildsState, decision: BuildDecision, now: number, rules: BuildLimits): void {
  const all = [...state.builds.values()];
  const leased = all.filter(isLeased);
  const most = (keys: readonly string[]): number =>
    Math.max(0, ...keys.map((key) => keys.filter((other) => other === key).length));
  for (const { name, parallel } of state.builders.values()) {
    const has = leased.filter(({ lease }) => lease.builder === name).length;
    assert.ok(has <= parallel, `B7: builder ${name} has ${has} builds`);
  }
  assert.ok(most(leased.map(({ terms }) => terms.owner)) <= rules.ownerAtOnce, "B7: an owner builds one at a time");
  assert.ok(most(leased.map(({ terms }) => terms.space)) <= 1, "B7: a Space builds one commit at a time");
  assert.ok(most(all.filter(isQueued).map(({ terms }) => terms.space)) <= 1, "B11: one commit of a Space waits");
  for (const build of all) {
    assert.ok(build.attempts <= rules.attemptsMax, "B8: a build is given to builders a bounded number of times");
    if (isLeased(build)) assert.equal(build.lease.fence, build.attempts, "B4: the lease is the last hand-over");
    if (decision.ok) assert.ok(deadlineOf(state, build, rules) > now, "B5: an open build's deadline lies ahead");
  }
  for (const { build, place } of placesOf(state, instant(now), rules))
    if (decision.ok) assert.ok(place.reasons.length > 0, `B6: ${build.terms.build} waits for a reason`);
}
