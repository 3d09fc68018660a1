/**
 * Says what a command would do to the builds at `now`: first the command itself, then whatever has passed its deadline, then who
 * gets a free builder. Reads no clock and changes nothing.
 */
import { after, between } from "../../stdx/time.ts";
import type { DurationMs, Instant } from "../../stdx/time.ts";
import { evolve } from "./evolve.ts";
import { isLeased, platform } from "./model.ts";
import type {
  Actor,
  Build,
  BuildCommand,
  BuildDecision,
  BuildEvent,
  BuildLimits,
  BuildsState,
  BuildTerms,
  CodeName,
  EndStage,
  Failure,
  LeasedBuild,
  QueuedBuild,
  Refusal,
  Word,
} from "./model.ts";
import { givesUpAt, noBuilderSays, seatFor } from "./place.ts";
import { earliest, inTurn, isQueued } from "./turns.ts";

/** Stages in which a newer commit takes a build's place: from its check on, it is quicker to let it end. */
const replaceable: readonly Build["stage"][] = ["queued", "claimed", "fetching", "building"];

export function decide(state: BuildsState, command: BuildCommand, now: Instant, limits: BuildLimits): BuildDecision {
  const plan = new Plan(state, now, limits);
  const no = take(plan, command);
  if (no !== undefined) return { ok: false, ...no };
  for (const build of plan.state.builds.values()) expire(plan, build);
  placeAll(plan);
  return { ok: true, events: plan.events };
}

/** The next instant at which a `tick` would change something; undefined where nothing waits (B5: whatever is open has one). */
export function nextDeadline(state: BuildsState, now: Instant, limits: BuildLimits): Instant | undefined {
  const all = [...state.builds.values()].map((build) => deadlineOf(state, build, limits));
  return all.length === 0 ? undefined : (Math.max(now, Math.min(...all)) as Instant);
}

/** When a build moves on by itself, whatever happens: `now >= deadlineOf` is over. */
export function deadlineOf(state: BuildsState, build: Build, limits: BuildLimits): Instant {
  if (isQueued(build)) return givesUpAt(state, build, limits);
  return isLeased(build) ? earliest(build.lease.until, build.deadline) : build.deadline;
}

/** What has been decided so far, and the state that it makes. */
class Plan {
  readonly now: Instant;
  readonly limits: BuildLimits;
  readonly events: BuildEvent[] = [];
  state: BuildsState;

  constructor(state: BuildsState, now: Instant, limits: BuildLimits) {
    this.state = state;
    this.now = now;
    this.limits = limits;
  }

  push(event: BuildEvent): void {
    this.events.push(event);
    this.state = evolve(this.state, event, this.now);
  }
}

type No = { readonly why: Refusal; readonly says: string } | undefined;

function take(plan: Plan, command: BuildCommand): No {
  switch (command.type) {
    case "enqueue":
      return enqueue(plan, command);
    case "join":
      return join(plan, command.builder);
    case "leave":
      if (plan.state.builders.get(command.builder)?.awaySince === null)
        plan.push({
          type: "builder-left",
          builder: command.builder,
          by: builder(command.builder),
          says: "it is not connected any more",
        });
      return undefined;
    case "hear":
      for (const { build, fence } of command.holds) hear(plan, { build, fence, builder: command.builder });
      return undefined;
    case "claim":
      return onWord(plan, command, (build) => claim(plan, build));
    case "progress":
      return onWord(plan, command, (build) => progress(plan, build, command.stage));
    case "publish":
      return onWord(plan, command, (build) => publish(plan, build, command));
    case "fail":
      return onWord(plan, command, (build) => failed(plan, build, command));
    case "listen":
      return onStarting(plan, command.build, (build) => {
        const says = command.held === undefined ? "built and running" : `built, and not started: ${command.held}`;
        end(plan, build, { stage: "done", code: null, by: builder(build.builder), says });
      });
    case "fail-start":
      return onStarting(plan, command.build, (build) => {
        const { code, says, because } = command;
        end(plan, build, { stage: "failed", code, by: builder(build.builder), says, because });
      });
    case "cancel":
      return cancel(plan, command);
    case "prioritize":
      return prioritize(plan, command);
    case "tick":
      return undefined;
  }
}

function enqueue(plan: Plan, { terms, priority }: Extract<BuildCommand, { type: "enqueue" }>): No {
  const { now, limits } = plan;
  const { build, space, owner } = terms;
  if (plan.state.builds.has(build)) return undefined;
  const replaced = [...plan.state.builds.values()].filter(
    (one) => one.terms.space === space && replaceable.includes(one.stage),
  );
  const room = roomIn(plan.state, owner, replaced);
  if (room.waiting >= limits.waitingMax || room.ownerWaiting >= limits.ownerWaitingMax)
    return { why: "queue-full", says: "no more builds may wait" };
  for (const one of replaced) supersede(plan, one, terms);
  plan.push({
    type: "queued",
    build,
    terms,
    priority,
    deadline: after(now, limits.waitMs),
    builderBy: after(now, limits.noBuilderMs),
    by: { kind: "owner", name: terms.account },
    says: "waits for a builder",
  });
  return undefined;
}

function supersede(plan: Plan, build: Build, { build: link, commit, account }: BuildTerms): void {
  const says = `superseded by build ${link} of commit ${commit.slice(0, 12)}`;
  const by: Actor = { kind: "owner", name: account };
  end(plan, build, { stage: "superseded", code: "build/superseded", by, says, link });
}

/** How many builds wait, without those that are `leaving`. */
export function roomIn(
  { builds }: BuildsState,
  owner: string,
  leaving: readonly Build[] = [],
): { readonly waiting: number; readonly ownerWaiting: number } {
  const waiting = [...builds.values()].filter((one) => isQueued(one) && !leaving.includes(one));
  return { waiting: waiting.length, ownerWaiting: waiting.filter(({ terms }) => terms.owner === owner).length };
}

/** Another process of a builder knows nothing of what the one before it had. */
function join(plan: Plan, joined: Extract<BuildCommand, { type: "join" }>["builder"]): No {
  for (const build of plan.state.builds.values()) {
    if (!isLeased(build) || build.lease.builder !== joined.name || build.lease.epoch === joined.epoch) continue;
    lose(plan, build, `builder ${joined.name} was started again in the middle of the build`);
  }
  plan.push({ type: "builder-joined", builder: joined, by: builder(joined.name), says: "it is connected" });
  return undefined;
}

function hear(plan: Plan, word: Word): void {
  const build = heldBy(plan.state, word);
  if (build)
    plan.push({
      type: "renewed",
      build: word.build,
      until: leaseEnd(plan, build),
      by: builder(word.builder),
      says: "it is at work",
    });
}

function claim(plan: Plan, { terms, lease, taken }: LeasedBuild): void {
  const until = after(plan.now, plan.limits.leaseMs);
  const by = builder(lease.builder);
  if (taken) plan.push({ type: "renewed", build: terms.build, until, by, says: "it is at work" });
  else plan.push({ type: "taken", build: terms.build, until, by, says: `builder ${lease.builder} has it` });
}

function progress(plan: Plan, build: LeasedBuild, stage: LeasedBuild["stage"]): void {
  const until = after(plan.now, plan.limits.leaseMs);
  const by = builder(build.lease.builder);
  if (stage === build.stage) plan.push({ type: "renewed", build: build.terms.build, until, by, says: "it is at work" });
  else plan.push({ type: "moved", build: build.terms.build, stage, until, by, says: `${stage} on builder ${by.name}` });
}

function publish(plan: Plan, build: LeasedBuild, { release, startMs }: { release: string; startMs: DurationMs }): void {
  plan.push({
    type: "published",
    build: build.terms.build,
    release,
    deadline: after(plan.now, startMs),
    by: builder(build.lease.builder),
    says: `release ${release} is published and starts`,
  });
}

/** What the world did to it is tried again: a lost builder a few times, a commit that could not be read once. */
function failed(plan: Plan, build: LeasedBuild, { code, says, because }: Failure): void {
  const mayAgain = code === "build/builder-lost" || (code === "build/fetch-failed" && !build.fetchFailed);
  if (mayAgain && build.attempts < plan.limits.attemptsMax) return requeue(plan, build, code, says);
  end(plan, build, { stage: "failed", code, by: builder(build.lease.builder), says, because, isOver: true });
}

function lose(plan: Plan, build: LeasedBuild, says: string): void {
  if (build.attempts < plan.limits.attemptsMax) return requeue(plan, build, "build/builder-lost", says);
  const all = `${says}; it was given to a builder ${build.attempts} times`;
  end(plan, build, { stage: "failed", code: "build/builder-lost", by: platform, says: all });
}

function requeue(plan: Plan, build: LeasedBuild, code: CodeName, says: string): void {
  const { now, limits } = plan;
  const { terms, lease, attempts } = build;
  const newer = [...plan.state.builds.values()].find((one) => isQueued(one) && one.terms.space === terms.space);
  if (newer) return supersede(plan, build, newer.terms);
  plan.push({
    type: "requeued",
    build: terms.build,
    code,
    deadline: after(now, limits.waitMs),
    builderBy: after(now, limits.returnMs),
    lease,
    by: code === "build/builder-lost" ? platform : builder(lease.builder),
    says: `${says}; it waits for a builder again, after ${attempts} of at most ${limits.attemptsMax} attempts`,
  });
}

function cancel(plan: Plan, { build: id, by }: { build: string; by: Actor }): No {
  const build = plan.state.builds.get(id);
  if (!build) return unknownBuild(id);
  if (build.stage === "starting")
    return { why: "wrong-stage", says: `its release ${build.release} is published and starts` };
  const says = `cancelled by ${by.kind === "operator" ? "the operator " : ""}${by.name}`;
  end(plan, build, { stage: "cancelled", code: "build/cancelled", by, says });
  return undefined;
}

function prioritize(plan: Plan, { build: id, priority, by }: { build: string; priority: number; by: Actor }): No {
  const build = plan.state.builds.get(id);
  if (!build) return unknownBuild(id);
  if (!isQueued(build)) return { why: "wrong-stage", says: `it is ${build.stage} already` };
  if (build.priority !== priority)
    plan.push({
      type: "prioritized",
      build: id,
      priority,
      by,
      says: `priority ${priority}, by the operator ${by.name}`,
    });
  return undefined;
}

/** Everything whose time is over moves on. */
function expire(plan: Plan, build: Build): void {
  const { now, limits, state } = plan;
  if (now < deadlineOf(state, build, limits)) return;
  if (isQueued(build)) return end(plan, build, { stage: "failed", by: platform, ...whyGivenUp(state, build, now) });
  if (!isLeased(build)) {
    const says = "no word of the replica came in time";
    return end(plan, build, { stage: "failed", code: "app/not-listening", by: platform, says });
  }
  const { lease, taken, givenAt, deadline } = build;
  if (now >= deadline) {
    const says = `builder ${lease.builder} did not end it within ${between(givenAt, deadline) / 1000} s`;
    return end(plan, build, { stage: "failed", code: "build/builder-lost", by: platform, says });
  }
  const silent = taken
    ? `was not heard of for ${limits.leaseMs / 1000} s`
    : `did not take it, nor name it for ${limits.claimMs / 1000} s`;
  lose(plan, build, `builder ${lease.builder} ${silent}`);
}

function whyGivenUp(
  state: BuildsState,
  build: QueuedBuild,
  now: Instant,
): { readonly code: CodeName; readonly says: string } {
  const { again, since, deadline } = build;
  if (now >= deadline)
    return { code: "build/queue-timeout", says: `no builder became free within ${between(since, deadline) / 1000} s` };
  const says = noBuilderSays(state, build);
  return again?.code === "build/builder-lost"
    ? {
        code: "build/builder-lost",
        says: `builder ${again.builder} lost it, and ${says} for ${between(since, now) / 1000} s`,
      }
    : { code: "build/no-builder", says };
}

/** Gives waiting builds, in turn, to builders that are free. */
function placeAll(plan: Plan): void {
  for (;;) {
    const { state, now, limits } = plan;
    const seats = inTurn(state, now, limits).map((build) => ({ build, seat: seatFor(state, build, limits) }));
    const next = seats.find(({ seat }) => seat !== undefined);
    if (next?.seat === undefined) return;
    const { build, seat } = next;
    const again = build.attempts === 0 ? "" : `, attempt ${build.attempts + 1}`;
    plan.push({
      type: "given",
      build: build.terms.build,
      lease: { builder: seat.name, epoch: seat.epoch, fence: build.attempts + 1, until: after(now, limits.claimMs) },
      number: (state.handed.get(seat.name) ?? 0) + 1,
      deadline: after(now, limits.buildMs),
      by: platform,
      says: `builder ${seat.name}, after ${between(build.since, now) / 1000} s${again}`,
    });
  }
}

function end(
  plan: Plan,
  build: Build,
  how: {
    readonly stage: EndStage;
    readonly code: CodeName | null;
    readonly by: Actor;
    readonly says: string;
    readonly because?: readonly string[];
    readonly link?: string;
    /** It is over on the builder too. */
    readonly isOver?: boolean;
  },
): void {
  const { stage, code, by, says, because = [], link = null, isOver = false } = how;
  const withdrawn = isLeased(build) && !isOver ? build.lease : null;
  plan.push({
    type: "ended",
    build: build.terms.build,
    stage,
    code,
    because,
    from: build.stage,
    withdrawn,
    link,
    by,
    says,
  });
}

/** B4. Only the word of the lease that holds counts. */
function onWord(plan: Plan, word: Word, then: (build: LeasedBuild) => void): No {
  const build = heldBy(plan.state, word);
  if (build) {
    then(build);
    return undefined;
  }
  const known = plan.state.builds.get(word.build);
  if (!known) return unknownBuild(word.build);
  const holder = isLeased(known)
    ? `builder ${known.lease.builder} has it by fence ${known.lease.fence}`
    : `it is ${known.stage}`;
  return { why: "old-fence", says: `builder ${word.builder} spoke by fence ${word.fence}, and ${holder}` };
}

function onStarting(plan: Plan, id: string, then: (build: Extract<Build, { stage: "starting" }>) => void): No {
  const build = plan.state.builds.get(id);
  if (!build) return unknownBuild(id);
  if (build.stage !== "starting") return { why: "wrong-stage", says: `it is ${build.stage}` };
  then(build);
  return undefined;
}

function heldBy(state: BuildsState, { build: id, builder: name, fence }: Word): LeasedBuild | undefined {
  const build = state.builds.get(id);
  return build && isLeased(build) && build.lease.builder === name && build.lease.fence === fence ? build : undefined;
}

/** One that is named before its builder's answer has come is on its way to it: it was not lost. */
function leaseEnd({ now, limits }: Plan, { taken }: LeasedBuild): Instant {
  return after(now, taken ? limits.leaseMs : limits.claimMs);
}

function unknownBuild(build: string): No {
  return { why: "unknown-build", says: `build ${build} has ended` };
}

function builder(name: string): Actor {
  return { kind: "builder", name };
}
