/**
 * Gradio's events at one edge, each from the join that asked for it to the message that ends it, which passes on another request's
 * answer. The join's waybill stays open for so long.
 *
 *   heard of (a stream is ahead of the join's answer) ─┐
 *   joined ────────────────────────────────────────────┴▶ queued → started → completed | failed
 *   joined, its stream gone: for a moment, then left (the visitor's doing) or not followed
 */
import type { Code } from "../../evidence/codes.ts";
import type { Emitter } from "../../evidence/entry.ts";
import { openEntriesAfterMs } from "../limits.ts";
import type { CallTold } from "../ports.ts";
import type { OfStream, SharedEvent } from "../shared.ts";
import type { Story } from "../story.ts";
import type { Place, Told } from "./messages.ts";
import { endedJoinDrafts, openJoinDrafts, packedJoin } from "./record.ts";
import type { EventEnd, Joined, Written } from "./record.ts";
import type { Voice } from "./voice.ts";
import type { Refused } from "./words.ts";

/** Events of one replica that are followed at a time: each is some kilobyte here. What is beyond is recorded at its join's answer. */
export const followedMax = 2_048;
/** Requests of which it is known what the GPU queue said last: more than calls can wait for an answer that passes here. */
const toldMax = 20_000;
/** The app tells of an event at most this much ahead of the join's answer, which is on another connection. */
export const aheadMs = 10_000;
/** Gradio forgets a session's events when its stream closes, so a client that opens another one at once is all that may still come. */
export const reopensWithinMs = 3_000;
/** A result that nobody has come for in so long will not be asked for: no longer than an app may take for an answer. */
export const unheardMaxMs = 600_000;

/** An answer that tells of events: of a session's, or of one. */
export interface EventStream {
  /** The request that it answers. */
  readonly work: string;
  readonly replica: string;
  /** A session's hash, or an event's id: the two do not meet, since both are random. */
  readonly of: string;
  /** It has told something of Gradio's. */
  heard: boolean;
  /** It has said that nothing more comes. */
  closing: boolean;
  /** Why it cannot be read; undefined where it is read. */
  unread: string | undefined;
  /** Absent where nothing may be said on it. */
  voice?: Voice | undefined;
  /** Another worker of this edge carries it. */
  readonly isElsewhere?: boolean;
}

export interface GradioEventsOptions {
  readonly emitter: Emitter;
  readonly monotonic: () => number;
  /** The visitor of this join went away, or cancelled it. */
  readonly onVisitorGone: (join: string) => void;
  /** Tells the edge's other workers, where there are any. */
  readonly share?: ((told: SharedEvent) => void) | undefined;
  readonly limits?: { readonly followedMax: number };
}

interface Followed {
  readonly event: string;
  readonly heardAt: number;
  join: { readonly story: Story; readonly session: string | undefined; readonly joinedAt: number } | undefined;
  /** Its join was another worker's, who writes its record. */
  elsewhere: { readonly work: string; readonly session: string | undefined } | undefined;
  place: Place | undefined;
  startedAt: number | undefined;
  updates: number;
  stream: string | undefined;
  /** It ended before its join's answer was seen. */
  end: EventEnd | undefined;
  /** Asked for by its visitor; the app may end it before its answer to that, which is on another connection, has come. */
  cancel: "asked" | "taken" | undefined;
  /** A stream of it was closed by its visitor before. */
  wasLeft: boolean;
  /** Since when no stream tells of it, and who closed the last one. */
  unheard: { readonly since: number; readonly by: keyof typeof unheardSays } | undefined;
  /** The true sentence that its visitor was told in place of the app's words. */
  toldInstead: Refused | undefined;
  readonly written: Written;
}

interface OfReplica {
  readonly events: Map<string, Followed>;
  readonly streams: Map<string, Set<EventStream>>;
}

export class GradioEvents {
  readonly #options: GradioEventsOptions;
  readonly #max: number;
  readonly #replicas = new Map<string, OfReplica>();
  /** Of requests, the last that the platform said of their GPU calls; the last told at the end. */
  readonly #told = new Map<string, CallTold>();
  /** Events by the work of their join. */
  readonly #joins = new Map<string, { readonly of: OfReplica; readonly followed: Followed }>();

  constructor(options: GradioEventsOptions) {
    this.#options = options;
    this.#max = options.limits?.followedMax ?? followedMax;
  }

  /**
   * The app has answered a join; `by` is the visitor where it closed the connection before that answer was through, which may be all
   * that it wanted of it. Why it is not followed where it is not: its record is then the caller's to write.
   */
  joined(story: Story, event: string, session: string | undefined, by: "visitor" | "nobody"): string | undefined {
    const now = this.#options.monotonic();
    const { of, followed } = this.#find(story.replica ?? "", event, now);
    if (followed === undefined) return "too many events of this replica are open";
    if (workOf(followed) !== undefined) return "the app gave it the event of another request";
    followed.join = { story, session, joinedAt: now };
    this.#joins.set(story.work, { of, followed });
    this.#share({ type: "joined", replica: story.replica ?? "", event, session: session ?? null, work: story.work });
    this.#speakOf(of, followed);
    const streams = streamsOf(of, followed);
    const unread = streams.find((stream) => stream.unread !== undefined)?.unread;
    if (followed.end !== undefined) this.#end(of, followed, followed.end);
    else if (unread !== undefined) this.#end(of, followed, { kind: "not-followed", says: unread });
    else if (streams.length === 0) followed.unheard = { since: now, by };
    return undefined;
  }

  /** The one of `replicas` whose join gave this event. */
  replicaOf(event: string, replicas: readonly { readonly id: string }[]): string | undefined {
    return replicas.find(({ id }) => this.#replicas.get(id)?.events.has(event) === true)?.id;
  }

  /** A join's answer has this event's id, and is on its way to the visitor, who may ask for the event before all of it is through. */
  announced(replica: string, event: string): void {
    this.announcedElsewhere(replica, event);
    this.#share({ type: "announced", replica, event });
  }

  announcedElsewhere(replica: string, event: string): void {
    this.#find(replica, event, this.#options.monotonic());
  }

  /** Another worker says that it follows this event, whose join had that session. */
  joinedElsewhere(replica: string, event: string, { work, session }: NonNullable<Followed["elsewhere"]>): void {
    const { of, followed } = this.#find(replica, event, this.#options.monotonic());
    if (followed === undefined || followed.join !== undefined) return;
    followed.elsewhere = { work, session };
    this.#joins.set(work, { of, followed });
    this.#speakOf(of, followed);
  }

  /** Another worker has written its record. */
  overElsewhere(replica: string, event: string): void {
    const of = this.#of(replica);
    const followed = of.events.get(event);
    if (followed !== undefined && followed.join === undefined) this.#forget(of, followed);
  }

  opened(stream: EventStream): void {
    const of = this.#of(stream.replica);
    const same = of.streams.get(stream.of) ?? new Set();
    of.streams.set(stream.of, same.add(stream));
    this.#shareOf(stream, { type: "opened" });
    for (const followed of of.events.values()) {
      if (!tellsOf(stream.of, followed)) continue;
      followed.wasLeft ||= followed.unheard?.by === "visitor";
      followed.unheard = undefined;
      this.#speakOf(of, followed);
    }
  }

  /** The platform's GPU queue says something of a call of this request. */
  tell(request: string, told: CallTold): void {
    this.#told.delete(request);
    if (told.kind !== "ended") this.#told.set(request, told);
    if (this.#told.size > toldMax) this.#told.delete(this.#told.keys().next().value ?? "");
    const join = this.#joins.get(request);
    if (join !== undefined)
      for (const { voice } of streamsOf(join.of, join.followed)) voice?.tell(join.followed.event, told);
  }

  /** The refusal that an event on this stream ends by, where its call had one. */
  refusalOf(stream: EventStream, event: string): Refused | undefined {
    const told = this.#told.get(workOf(this.#replicas.get(stream.replica)?.events.get(event)) ?? "");
    return told?.kind === "refused" ? told : undefined;
  }

  /** The visitor was told that in place of the app's words. */
  toldInstead({ replica }: Pick<EventStream, "replica">, event: string, refused: Refused): void {
    const followed = this.#replicas.get(replica)?.events.get(event);
    if (followed !== undefined) followed.toldInstead = refused;
    if (followed?.elsewhere !== undefined) this.#share({ type: "told-instead", replica, event, refused });
  }

  #speakOf(of: OfReplica, followed: Followed): void {
    const told = this.#told.get(workOf(followed) ?? "");
    if (told !== undefined) for (const { voice } of streamsOf(of, followed)) voice?.tell(followed.event, told);
  }

  /** A message passes. `updates`: of its event, as many as another worker has heard. */
  heard(stream: EventStream, told: Told, updates = 0): void {
    stream.heard = true;
    if (told.kind === "closing") {
      stream.closing = true;
      return;
    }
    if (told.kind === "broken") {
      this.#shareOf(stream, { type: "heard", told, updates: 0 });
      return this.#broken(stream, told);
    }
    const now = this.#options.monotonic();
    const { of, followed } = this.#find(stream.replica, told.event, now);
    if (followed === undefined) return;
    followed.stream = stream.work;
    followed.updates = Math.max(followed.updates, updates);
    // That it goes on is told once; how often it was heard of, with its end.
    if (followed.join === undefined && (told.kind !== "update" || followed.startedAt === undefined))
      this.#shareOf(stream, { type: "heard", told, updates: followed.updates });
    switch (told.kind) {
      case "queued":
        followed.place ??= told.place;
        return this.#tell(followed);
      case "started":
      case "update":
        followed.startedAt ??= now;
        if (told.kind === "update") followed.updates += 1;
        return this.#tell(followed);
      case "completed":
        return this.#end(of, followed, followed.cancel === undefined ? { kind: "completed" } : cancelled);
      case "failed":
        return this.#end(of, followed, { kind: "failed", failure: told.failure, unexpected: false });
    }
  }

  /** A stream is over. True where it left nothing open: whoever closed it then did so in order. */
  closed(stream: EventStream, by: "visitor" | "app" | "edge"): boolean {
    const { of, left } = this.#leave(stream);
    if (by !== "edge") this.#shareOf(stream, { type: "closed", by });
    const now = this.#options.monotonic();
    for (const followed of left) {
      if (followed.join === undefined) continue;
      if (followed.cancel !== undefined) this.#end(of, followed, cancelled);
      else followed.unheard = { since: now, by };
    }
    return stream.closing || (stream.heard && left.length === 0);
  }

  /** A stream broke on the app's side; `code` is what its own request ends with. Gradio keeps nothing for a second one. */
  broke(stream: EventStream, code: Code): void {
    const { of, left } = this.#leave(stream);
    this.#shareOf(stream, { type: "broke", code });
    for (const followed of left) {
      followed.stream = stream.work;
      this.#end(of, followed, { kind: "broken", code });
    }
  }

  /** A stream's answer cannot be read, so nothing will be known of the events that it tells of. */
  unreadable(stream: EventStream, says: string): void {
    stream.unread = says;
    this.#shareOf(stream, { type: "unreadable", says });
    const of = this.#of(stream.replica);
    for (const followed of [...of.events.values()])
      if (tellsOf(stream.of, followed)) this.#end(of, followed, { kind: "not-followed", says });
  }

  /** A visitor's word that this event should end, on its way to the app (`asked`), and what the app made of it. */
  cancel(replica: string, event: string, word: "asked" | "taken" | "refused"): void {
    if (this.#replicas.get(replica)?.events.get(event)?.join === undefined)
      this.#share({ type: "cancel", replica, event, word });
    else this.cancelElsewhere(replica, event, word);
  }

  /** The same that passed through another worker, of a join that is this one's. */
  cancelElsewhere(replica: string, event: string, word: "asked" | "taken" | "refused"): void {
    const followed = this.#replicas.get(replica)?.events.get(event);
    if (followed?.join === undefined || followed.cancel === "taken") return;
    followed.cancel = word === "refused" ? undefined : word;
    if (word === "taken") this.#options.onVisitorGone(followed.join.story.work);
  }

  sweep(now: number): void {
    for (const [replica, of] of this.#replicas) {
      for (const followed of [...of.events.values()]) this.#sweepOne(of, followed, now);
      for (const streams of of.streams.values()) for (const { voice } of streams) voice?.speak();
      if (of.events.size === 0 && of.streams.size === 0) this.#replicas.delete(replica);
    }
  }

  /** The edge is closing: what is open is said to be cut off by that. */
  close(): void {
    for (const of of this.#replicas.values())
      for (const followed of [...of.events.values()]) this.#end(of, followed, { kind: "edge-closing" });
    this.#replicas.clear();
  }

  #sweepOne(of: OfReplica, followed: Followed, now: number): void {
    const { join, unheard } = followed;
    if (join === undefined) {
      // One that another worker follows it says to be over, unless it has ended itself.
      const isHeld = followed.elsewhere !== undefined && streamsOf(of, followed).length > 0;
      const keptMs = followed.elsewhere === undefined ? aheadMs : unheardMaxMs;
      if (!isHeld && now - followed.heardAt > keptMs) this.#forget(of, followed);
      return;
    }
    if (unheard?.by === "visitor" && now - unheard.since > reopensWithinMs) return this.#left(of, followed);
    if (unheard !== undefined && now - unheard.since > unheardMaxMs)
      return this.#end(of, followed, { kind: "not-followed", says: unheardSays[unheard.by] });
    if (!followed.written.opened && now - join.story.acceptedAt > openEntriesAfterMs)
      this.#write(openJoinDrafts(joinedOf(followed, join)));
  }

  #broken(stream: EventStream, told: Extract<Told, { kind: "broken" }>): void {
    const of = this.#of(stream.replica);
    for (const followed of [...of.events.values()]) {
      if (followed.join === undefined || !tellsOf(stream.of, followed)) continue;
      followed.stream = stream.work;
      // Gradio forgot the session because its visitor had closed the stream before this one.
      if (told.sessionUnknown && followed.wasLeft) this.#left(of, followed);
      else this.#end(of, followed, { kind: "failed", failure: told.failure, unexpected: true });
    }
  }

  #left(of: OfReplica, followed: Followed): void {
    const work = followed.join?.story.work;
    this.#end(of, followed, { kind: "left", cancelled: false });
    if (work !== undefined) this.#options.onVisitorGone(work);
  }

  /** Takes a stream away. `left` are the events that nothing tells of any more. */
  #leave(stream: EventStream): { readonly of: OfReplica; readonly left: readonly Followed[] } {
    const of = this.#of(stream.replica);
    const same = of.streams.get(stream.of);
    same?.delete(stream);
    if (same?.size === 0) of.streams.delete(stream.of);
    const left = [...of.events.values()].filter(
      (followed) =>
        workOf(followed) !== undefined &&
        tellsOf(stream.of, followed) &&
        streamsOf(of, followed).length === 0 &&
        followed.unheard === undefined,
    );
    return { of, left };
  }

  /** Entries of an event that has some already: as soon as there is more to say. */
  #tell(followed: Followed): void {
    if (followed.join !== undefined && followed.written.opened)
      this.#write(openJoinDrafts(joinedOf(followed, followed.join)));
  }

  #end(of: OfReplica, followed: Followed, end: EventEnd): void {
    const { join } = followed;
    for (const { voice } of streamsOf(of, followed)) voice?.over(followed.event);
    if (join === undefined) {
      if (followed.elsewhere !== undefined) this.#forget(of, followed);
      else followed.end = end;
      return;
    }
    this.#forget(of, followed);
    this.#share({ type: "over", replica: join.story.replica ?? "", event: followed.event });
    const now = this.#options.monotonic();
    const joined = joinedOf(followed, join);
    const isWell = end.kind === "completed" || end.kind === "not-followed";
    if (isWell && !join.story.opened) this.#options.emitter.pack(packedJoin(joined, end, now));
    else this.#write(endedJoinDrafts(joined, end, now));
  }

  #forget(of: OfReplica, followed: Followed): void {
    of.events.delete(followed.event);
    const work = workOf(followed);
    if (work === undefined) return;
    this.#joins.delete(work);
    this.#told.delete(work);
  }

  #share(told: SharedEvent): void {
    this.#options.share?.(told);
  }

  /** Of a stream that this worker carries itself. */
  #shareOf({ work, replica, of, isElsewhere }: EventStream, told: OfStream): void {
    if (isElsewhere !== true) this.#share({ ...told, stream: work, replica, of });
  }

  #write(drafts: ReturnType<typeof openJoinDrafts>): void {
    this.#options.emitter.writeAll(drafts);
  }

  #of(replica: string): OfReplica {
    const known = this.#replicas.get(replica);
    if (known !== undefined) return known;
    const of: OfReplica = { events: new Map(), streams: new Map() };
    this.#replicas.set(replica, of);
    return of;
  }

  /** The event, made where there is room for one more. */
  #find(replica: string, event: string, now: number): { of: OfReplica; followed: Followed | undefined } {
    const of = this.#of(replica);
    const known = of.events.get(event);
    if (known !== undefined || of.events.size >= this.#max) return { of, followed: known };
    const followed: Followed = {
      event,
      heardAt: now,
      join: undefined,
      elsewhere: undefined,
      place: undefined,
      startedAt: undefined,
      updates: 0,
      stream: undefined,
      end: undefined,
      cancel: undefined,
      wasLeft: false,
      unheard: undefined,
      toldInstead: undefined,
      written: { opened: false, queued: false, started: false },
    };
    of.events.set(event, followed);
    return { of, followed };
  }
}

const cancelled: EventEnd = { kind: "left", cancelled: true };

const unheardSays = {
  visitor: "its visitor closed the stream",
  app: "the app ended its event stream without telling how this event ended, and nobody opened another one",
  nobody: "nobody has asked for its result",
  edge: "the edge worker that carried its event stream ended",
} as const;

/** Its join, whoever follows it. */
function workOf(followed: Followed | undefined): string | undefined {
  return followed?.join?.story.work ?? followed?.elsewhere?.work;
}

function sessionOf({ join, elsewhere }: Followed): string | undefined {
  return (join ?? elsewhere)?.session;
}

function tellsOf(of: string, followed: Followed): boolean {
  return of === followed.event || of === sessionOf(followed);
}

function streamsOf({ streams }: OfReplica, followed: Followed): readonly EventStream[] {
  return [...(streams.get(followed.event) ?? []), ...(streams.get(sessionOf(followed) ?? "") ?? [])];
}

function joinedOf(followed: Followed, { story, joinedAt }: NonNullable<Followed["join"]>): Joined {
  const { event, place, startedAt, updates, stream, toldInstead, written } = followed;
  return { story, event, joinedAt, place, startedAt, updates, stream, toldInstead, written };
}
