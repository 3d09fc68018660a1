/** What the edge signs for when it followed a Gradio event from its join to its end: one packed record, or entries. Pure. */
import type { Code } from "../../evidence/codes.ts";
import type { Draft, Facts, Packed } from "../../evidence/entry.ts";
import { handedDraft, openingDrafts, packed } from "../story.ts";
import type { Story } from "../story.ts";
import type { Failure, Place } from "./messages.ts";
import type { Refused } from "./words.ts";

/** A join that the app answered with an event's id, and what was heard of that event. Times are the edge's monotonic milliseconds. */
export interface Joined {
  readonly story: Story;
  readonly event: string;
  /** The app's answer to the join had passed. */
  readonly joinedAt: number;
  /** Where it stood when it was first told. */
  readonly place: Place | undefined;
  readonly startedAt: number | undefined;
  readonly updates: number;
  /** The request whose answer told of it last. */
  readonly stream: string | undefined;
  /** The platform's sentence, which its visitor was told in place of the app's words. */
  readonly toldInstead?: Refused | undefined;
  /** Entries of its own that are written. */
  readonly written: Written;
}

export interface Written {
  opened: boolean;
  queued: boolean;
  started: boolean;
}

export type EventEnd =
  | { readonly kind: "completed" }
  /** `unexpected`: the stream's end, not this event's. */
  | { readonly kind: "failed"; readonly failure: Failure; readonly unexpected: boolean }
  | { readonly kind: "left"; readonly cancelled: boolean }
  /** The stream that carried it broke on the app's side; that request's own record says how. */
  | { readonly kind: "broken"; readonly code: Code }
  | { readonly kind: "edge-closing" }
  /** How it ended is not known to the edge, and here is why. */
  | { readonly kind: "not-followed"; readonly says: string };

/** The record of an event that ended well, and of one whose end nobody saw, where no entries of it are written yet. */
export function packedJoin(joined: Joined, end: EventEnd, now: number): ReturnType<typeof packed> {
  const { story, startedAt } = joined;
  const record = packed(story, now);
  const queue: Packed["stages"] =
    startedAt === undefined || joined.place === undefined ? [] : [["app.queue", startedAt - story.acceptedAt]];
  const stages = record.stages.flatMap((stage): Packed["stages"] => {
    if (stage[0] !== "app.respond") return [stage];
    return [...queue, ["app.respond", now - story.acceptedAt]];
  });
  const { link } = record.facts;
  const both = typeof link === "string" && joined.stream !== undefined ? { link: [link, joined.stream] } : {};
  return { ...record, stages, facts: { ...record.facts, ...endFacts(joined, end), ...placeFacts(joined), ...both } };
}

/** Entries of a join that stays open: up to the hand-over, which is over, and then as far as it came in the app's queue. */
export function openJoinDrafts(joined: Joined): Draft[] {
  const { story, written } = joined;
  const drafts: Draft[] = [];
  if (!written.opened) {
    if (!story.opened) drafts.push(...openingDrafts(story));
    if (story.hand !== undefined) drafts.push(handedDraft(story, story.hand, true));
    story.opened = written.opened = true;
  }
  const { place, startedAt } = joined;
  if (place !== undefined && !written.queued) {
    written.queued = true;
    drafts.push(draft(joined, "app.queue", "took", { ...placeFacts(joined), ms: since(joined, joined.joinedAt) }));
  }
  if (startedAt !== undefined && written.queued && !written.started) {
    written.started = true;
    drafts.push(draft(joined, "app.queue", "done", { ms: since(joined, startedAt) }));
  }
  return drafts;
}

/** All that is still to be written when it ends. */
export function endedJoinDrafts(joined: Joined, end: EventEnd, now: number): Draft[] {
  const { story } = joined;
  const status = story.status ?? null;
  const facts = endFacts(joined, end);
  const delivered = { status, answeredBy: "app", bytes: story.bytes, ms: now - story.acceptedAt };
  const opening = openJoinDrafts(joined);
  switch (end.kind) {
    case "completed":
    case "not-followed":
      return [
        ...opening,
        draft(joined, "app.respond", "done", { status, bytes: story.bytes, ms: delivered.ms }),
        draft(joined, "edge.deliver", "done", { ...delivered, ...facts }),
      ];
    case "failed":
    case "broken": {
      const code = end.kind === "failed" ? end.failure.code : end.code;
      return [
        ...opening,
        draft(joined, "app.respond", "failed", { code, ms: delivered.ms, ...facts }),
        draft(joined, "edge.deliver", "failed", { code, ...delivered, event: joined.event, ...insteadFacts(joined) }),
      ];
    }
    case "left":
    case "edge-closing": {
      const code = end.kind === "left" ? "route/visitor-left" : "route/control-down";
      return [...opening, draft(joined, "edge.deliver", "failed", { code, ...delivered, ...facts })];
    }
  }
}

function endFacts(joined: Joined, end: EventEnd): Facts {
  const { event, stream, updates } = joined;
  return {
    event,
    joinedMs: since(joined, joined.joinedAt),
    ...(updates > 0 ? { updates } : {}),
    ...(stream === undefined ? {} : { link: stream }),
    ...ownFacts(end),
  };
}

function insteadFacts({ toldInstead }: Joined): Facts {
  return toldInstead === undefined ? {} : { toldInstead: { code: toldInstead.code, says: toldInstead.says } };
}

function ownFacts(end: EventEnd): Facts {
  switch (end.kind) {
    case "failed": {
      const { says, title } = end.failure;
      return {
        appSays: says,
        ...(title === null ? {} : { appTitle: title }),
        ...(end.unexpected ? { unexpected: true } : {}),
      };
    }
    case "left":
      return end.cancelled ? { cancelled: true } : {};
    case "broken":
      return { brokenStream: true };
    case "not-followed":
      return { followed: false, because: end.says };
    case "completed":
    case "edge-closing":
      return {};
  }
}

function placeFacts({ event, place }: Joined): Facts {
  return place === undefined ? {} : { event, position: place.position, of: place.of, estimateMs: place.estimateMs };
}

function since({ story }: Joined, at: number): number {
  return at - story.acceptedAt;
}

function draft({ story }: Joined, hop: Draft["hop"], mark: Draft["mark"], facts: Facts): Draft {
  return { work: story.work, hop, mark, facts };
}
