/** A Space and the builds of it with a node that carries out what is ordered: joined as control joins them, for tests of what may come in any order. */
import assert from "node:assert/strict";
import { audit, builder, enqueue, limits } from "../builds/builds.suite.ts";
import { deadlineOf as buildDeadline, decide as decideBuild, nextDeadline } from "../builds/decide.ts";
import { evolve as evolveBuilds } from "../builds/evolve.ts";
import { isLeased, noBuilds } from "../builds/model.ts";
import type { Build, BuildCommand, BuildEvent, BuildsState, LeasedStage } from "../builds/model.ts";
import { instant, seconds } from "../../stdx/time.ts";
import { barrier, decide } from "./decide.ts";
import type { Command } from "./decide.ts";
import type { Decision, Effect } from "./draft.ts";
import { evolve, freshSpace } from "./model.ts";
import type { Actor, Space, SpaceEvent } from "./model.ts";
import { deadlineOf, livingOf } from "./seen.ts";
import type { BuildSeen, ReplicaSeen, Seen } from "./seen.ts";
import { now, owner, seen, settings } from "./spaces.suite.ts";

/** What people, a builder, a node and time do. */
export type Move =
  | { readonly does: "command"; readonly command: Command }
  | { readonly does: "ready" | "exit" | "give-up" | "restart-by-node" | "freeze" | "lose"; readonly at: number }
  | { readonly does: "wait"; readonly ms: number }
  | { readonly does: "node"; readonly is: Seen["node"] }
  /** Its variables, secrets or hardware are another. */
  | { readonly does: "change" }
  | { readonly does: "push" | "cancel" | "platform-stops" }
  | { readonly does: "factory"; readonly actor: Actor }
  | { readonly does: "build"; readonly word: "claim" | "publish" | "fail" | "fetch-fails" | LeasedStage };

/** Beyond a build's own deadline, as control has it. */
const buildMarginMs = 60_000;

export class World {
  space: Space = freshSpace("alice/demo", settings, now);
  builds: BuildsState = noBuilds;
  readonly events: SpaceEvent[] = [];
  /** Of the last decision about the Space. */
  orders: readonly Effect[] = [];
  node: Seen["node"] = "here";
  at = Number(now);
  #replicas: readonly (ReplicaSeen & { readonly setup: number })[] = [];
  #setup = 0;
  #ids = 0;
  #epoch = 1;
  #published = 0;
  #newest: {
    readonly id: string;
    readonly queuedAt: number;
    readonly end: Extract<BuildEvent, { type: "ended" }> | null;
  } | null = null;
  /** The replica that a published build waits for. */
  #awaited = new Map<string, string>();

  constructor() {
    this.#submit({ type: "join", builder: builder("n1") });
  }

  get replicas(): readonly ReplicaSeen[] {
    const outdated = { says: "secret KEY was set by alice", actor: owner };
    return this.#replicas.map(({ setup, ...one }) => ({ ...one, outdated: setup === this.#setup ? null : outdated }));
  }

  get seen(): Seen {
    return seen({ node: this.node, build: this.#build, replicas: this.replicas, usedAt: now });
  }

  /** The same, to go on with in another way. */
  copy(): World {
    const copy = new World();
    Object.assign(copy, { space: this.space, builds: this.builds, node: this.node, at: this.at });
    copy.events.splice(0, Infinity, ...this.events);
    copy.#replicas = this.#replicas;
    copy.#setup = this.#setup;
    copy.#ids = this.#ids;
    copy.#epoch = this.#epoch;
    copy.#published = this.#published;
    copy.#newest = this.#newest;
    copy.#awaited = new Map(this.#awaited);
    return copy;
  }

  decide(command: Command): Decision {
    const decision = decide(this.space, command, this.seen, instant(this.at));
    if (!decision.ok) return decision;
    this.events.push(...decision.events);
    this.orders = decision.effects;
    this.space = decision.events.reduce(evolve, this.space);
    for (const effect of decision.effects) this.#carryOut(effect);
    return decision;
  }

  do(move: Move): void {
    switch (move.does) {
      case "command":
        if (this.#isThere(move.command)) this.decide(this.#named(move.command));
        break;
      case "wait":
        this.at += move.ms;
        this.#submit({ type: "tick" });
        break;
      case "node":
        this.#connect(move.is);
        break;
      case "change":
        this.#setup += 1;
        break;
      case "push":
        if (!this.#pausedSays) this.#enqueue();
        break;
      case "factory":
        return this.#factory(move.actor);
      case "cancel":
        if (this.#newest)
          this.#submit({ type: "cancel", build: this.#newest.id, by: { kind: "owner", name: "alice" } });
        break;
      case "build":
        this.#word(move.word);
        break;
      case "platform-stops":
        this.#stopPlatform();
        break;
      default:
        this.#move(move.does, move.at);
    }
    this.decide({ type: "see" });
  }

  /** The next instant at which something moves on by itself; undefined where only somebody can move it. */
  get due(): number | undefined {
    const times = [deadlineOf(this.space, this.seen), nextDeadline(this.builds, instant(this.at), limits)];
    const all = times.filter((time) => time !== null && time !== undefined);
    return all.length === 0 ? undefined : Math.max(this.at, Math.min(...all));
  }

  /** Every app listens, and ends when it is told to, until nothing moves any more. */
  cooperate(): void {
    if (this.node === "untold") this.#connect("here");
    for (let turn = 0; turn < 50; turn += 1) {
      this.decide({ type: "see" });
      const late = this.#replicas.find(({ phase, retiring }) => retiring && phase !== "ended");
      const begun = this.#replicas.find(({ phase, retiring }) => phase === "starting" && !retiring);
      if (late) this.#end(late, "app/exit");
      else if (begun) this.#put({ ...begun, phase: "ready" });
      else if (this.orders.length === 0) return;
    }
    assert.fail(`it never comes to rest: ${JSON.stringify([this.space.state, this.orders, this.replicas])}`);
  }

  /** What was told to end does. */
  endRetiring(): void {
    for (const one of this.#replicas) if (one.retiring && one.phase !== "ended") this.#end(one, "app/exit");
    this.decide({ type: "see" });
  }

  /** The last of a release ended by itself, and its node has not said yet that it starts it again. */
  get isOwed(): boolean {
    const lastOf = new Map(this.#replicas.map((one) => [one.release, one]));
    return [...lastOf.values()].some(({ end }) => end !== null && !end.stopped && end.code !== "app/crash-loop");
  }

  get #build(): BuildSeen | null {
    if (this.#newest === null) return null;
    const { id, queuedAt, end } = this.#newest;
    const open = this.builds.builds.get(id);
    if (open)
      return {
        id,
        says: `is ${open.stage}`,
        queuedAt,
        endsBy: instant(buildDeadline(this.builds, open, limits) + buildMarginMs),
        failed: null,
      };
    const { stage = "done", code = null, says = "" } = end ?? {};
    const failed = stage === "failed" ? { code: code ?? "build/step-failed", says } : null;
    return { id, says: `is ${stage}`, queuedAt, endsBy: null, failed };
  }

  get #pausedSays(): boolean {
    const { state } = this.space;
    return (state.name === "stopping" ? state.goal : state).name === "paused";
  }

  /** Why nothing of a release is started, as control says it. */
  #held(release: string): string | undefined {
    const { state, release: current, next } = this.space;
    const goal = state.name === "stopping" ? state.goal : state;
    const isDown = goal.name === "stopped" && (goal.cause === "asked" || goal.cause === "no-replicas");
    if (goal.name === "paused" || isDown) return goal.reason.says;
    return release === current || release === next ? undefined : "another is to run";
  }

  #enqueue(): void {
    this.#ids += 1;
    // What is asked for after a stop is not asked for in the same millisecond.
    this.at += 1;
    const id = `b_${this.#ids}`;
    const queuedAt = instant(this.at);
    const terms = { space: "alice/demo", queuedAt };
    this.#newest = { id, queuedAt, end: null };
    this.#submit(enqueue(id, terms));
  }

  #factory(actor: Actor): void {
    const isOpen = this.#newest !== null && this.builds.builds.has(this.#newest.id);
    if (this.#newest === null || isOpen || barrier(this.space, actor)) return;
    this.#enqueue();
    this.decide({ type: "factory", actor });
  }

  #submit(command: BuildCommand): void {
    const at = instant(this.at);
    const decision = decideBuild(this.builds, command, at, limits);
    if (decision.ok) for (const event of decision.events) this.builds = evolveBuilds(this.builds, event, at);
    audit(this.builds, decision, this.at, limits);
    if (!decision.ok) return;
    for (const event of decision.events) {
      if (event.type === "ended") {
        this.#awaited.delete(event.build);
        if (this.#newest?.id === event.build) this.#newest = { ...this.#newest, end: event };
      }
      if (event.type === "published") this.#start(event.build, event.release);
    }
  }

  #word(word: Extract<Move, { does: "build" }>["word"]): void {
    const build: Build | undefined = [...this.builds.builds.values()].find(isLeased);
    if (!build || !isLeased(build) || this.node !== "here") return;
    const { builder: name, fence } = build.lease;
    const said = { build: build.terms.build, builder: name, fence };
    const failure = { says: "so it is", because: [] };
    if (word === "claim") this.#submit({ type: "claim", ...said });
    else if (word === "fail") this.#submit({ type: "fail", ...said, ...failure, code: "build/step-failed" });
    else if (word === "fetch-fails") this.#submit({ type: "fail", ...said, ...failure, code: "build/fetch-failed" });
    else if (word === "publish") {
      this.#published += 1;
      this.#submit({ type: "publish", ...said, release: `rel_${this.#published}`, startMs: seconds(70) });
    } else this.#submit({ type: "progress", ...said, stage: word });
  }

  /** What was published is to run, and its build waits for a replica of it. */
  #start(build: string, release: string): void {
    const publishedAt = Number(release.slice(4));
    const queuedAt = this.builds.builds.get(build)?.terms.queuedAt ?? null;
    this.decide({ type: "publish", release, queuedAt, publishedAt, startWithinMs: seconds(60) });
    const living = livingOf(this.seen).find((one) => one.release === release);
    const held = this.#held(release);
    if (living) this.#awaited.set(build, living.id);
    else if (held !== undefined) this.#submit({ type: "listen", build, held });
    else this.#submit({ type: "fail-start", build, code: "build/no-builder", says: "no node is there", because: [] });
  }

  /** A replica says something: a build may wait for it. */
  #told({ id, release, phase, end }: ReplicaSeen): void {
    for (const build of this.builds.builds.values()) {
      if (build.stage !== "starting" || build.release !== release) continue;
      const awaited = this.#awaited.get(build.terms.build);
      if (awaited !== undefined && awaited !== id && phase !== "ready") continue;
      const of = { build: build.terms.build };
      const held = this.#held(release);
      if (phase === "ready") this.#submit({ type: "listen", ...of });
      else if (end?.stopped && held === undefined) this.#awaited.delete(of.build);
      else if (end?.stopped) this.#submit({ type: "listen", ...of, held: end.says });
      else if (end) this.#submit({ type: "fail-start", ...of, code: "app/exit", says: end.says, because: [] });
    }
  }

  #connect(is: Seen["node"]): void {
    this.node = is;
    if (is === "away") this.#submit({ type: "leave", builder: "n1" });
    if (is !== "here") return;
    this.decide({ type: "node-came" });
    this.#submit({ type: "join", builder: builder("n1", this.#epoch) });
    for (const build of this.builds.builds.values())
      if (build.stage === "starting" && !this.#awaited.has(build.terms.build))
        this.#start(build.terms.build, build.release);
  }

  /** Its apps end with it, and another process begins, which knows what is written down and what the node tells. */
  #stopPlatform(): void {
    for (const one of this.#replicas) if (one.phase !== "ended") this.#end({ ...one, retiring: true }, "app/exit");
    this.#epoch += 1;
    this.#awaited.clear();
    this.#connect("here");
  }

  /** A builder publishes over its node's connection, and only what was published can be gone back to. */
  #isThere(command: Command): boolean {
    if (command.type === "publish") return this.node === "here";
    return command.type !== "roll-back" || Number(command.release.slice(4)) <= this.#published;
  }

  /** Releases are published in order. */
  #named(command: Command): Command {
    if (command.type !== "publish") return command;
    this.#published += 1;
    return { ...command, release: `rel_${this.#published}`, publishedAt: this.#published };
  }

  #carryOut(effect: Effect): void {
    if (effect.type === "start") {
      for (let n = 0; this.node === "here" && n < effect.count; n += 1) this.#begin(effect.release, null, this.#setup);
      return;
    }
    const change =
      effect.type === "retire"
        ? { retiring: true, gaveUp: effect.gaveUp === true }
        : { frozen: effect.type === "freeze" };
    for (const one of this.#replicas) if (effect.replicas.includes(one.id)) this.#put({ ...one, ...change });
  }

  /** `setup`: what its node starts again has the order of before. */
  #begin(release: string, follows: string | null, setup: number): void {
    this.#ids += 1;
    const listenBy = instant(this.at + 70_000);
    const one = { id: `p_${this.#ids}`, release, publishedAt: Number(release.slice(4)), follows, listenBy, setup };
    this.#replicas = [
      ...this.#replicas,
      { ...one, outdated: null, phase: "starting", frozen: false, retiring: false, gaveUp: false, end: null },
    ];
  }

  #move(does: "ready" | "exit" | "give-up" | "restart-by-node" | "freeze" | "lose", at: number): void {
    const alive = this.#replicas.filter(({ phase }) => phase !== "ended");
    const one = alive[at % Math.max(1, alive.length)];
    if (!one) return;
    if (does === "ready") return this.#put({ ...one, phase: "ready" });
    if (does === "freeze") return this.#put({ ...one, frozen: one.phase === "ready" && !one.frozen });
    this.#end(one, does === "give-up" ? "app/crash-loop" : does === "lose" ? "runtime/shim-lost" : "app/exit");
    if (does === "restart-by-node" && !one.retiring) this.#begin(one.release, one.id, one.setup);
  }

  #end(one: ReplicaSeen & { readonly setup: number }, code: string): void {
    this.#put({ ...one, phase: "ended", frozen: false, end: { code, says: "it ended", stopped: one.retiring } });
  }

  #put(one: ReplicaSeen & { readonly setup: number }): void {
    this.#replicas = this.#replicas.map((other) => (other.id === one.id ? one : other));
    this.#told(one);
  }
}
