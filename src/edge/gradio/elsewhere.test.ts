/** Two workers of one edge: a join and its stream each reach another one. */
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import type { CallTold } from "../ports.ts";
import type { SharedEvent } from "../shared.ts";
import { Elsewhere } from "./elsewhere.ts";
import { joinStory, keptRecords } from "./events.suite.ts";
import { aheadMs, GradioEvents, reopensWithinMs, unheardMaxMs } from "./events.ts";
import type { EventStream } from "./events.ts";
import type { Voice } from "./voice.ts";

const event = "0123456789abcdef0123456789abcdef";
const replica = "p_1";

class Worker {
  readonly #kept = keptRecords();
  readonly drafts = this.#kept.drafts;
  readonly packs = this.#kept.packs;
  readonly gone: string[] = [];
  readonly said: [string, CallTold][] = [];
  readonly events: GradioEvents;
  readonly elsewhere: Elsewhere;
  readonly #now: () => number;

  constructor(now: () => number, share: (told: SharedEvent) => void) {
    this.#now = now;
    this.events = new GradioEvents({
      ...{ emitter: this.#kept.emitter, monotonic: now, share },
      onVisitorGone: (join) => this.gone.push(join),
    });
    this.elsewhere = new Elsewhere(this.events);
  }

  join(session: string | undefined = "s"): void {
    this.events.announced(replica, event);
    assert.equal(this.events.joined(joinStory("q_join", this.#now()), event, session, "nobody"), undefined);
  }

  stream(of = "s"): EventStream {
    const voice: Pick<Voice, "tell" | "over" | "speak"> = {
      tell: (of_, told) => void this.said.push([of_, told]),
      over: () => {},
      speak: () => {},
    };
    const stream: EventStream = {
      ...{ work: "q_stream", replica, of, heard: false, closing: false, unread: undefined },
      voice: voice as Voice,
    };
    this.events.opened(stream);
    return stream;
  }

  get codes(): readonly unknown[] {
    return this.drafts.flatMap(({ hop, facts }) => (hop === "edge.deliver" ? [facts["code"]] : []));
  }
}

describe("a Gradio event whose join and stream reach two workers of an edge", () => {
  let now = 0;
  let [joins, streams]: Worker[] = [];
  const both = (): readonly [Worker, Worker] => {
    assert.ok(joins && streams);
    return [joins, streams];
  };
  beforeEach(() => {
    now = 10_000;
    // As it is between processes: by JSON.
    const to = (name: string, other: () => Worker | undefined) => (told: SharedEvent) =>
      other()?.elsewhere.take(name, JSON.parse(JSON.stringify(told)) as SharedEvent);
    joins = new Worker(
      () => now,
      to("edge-1", () => streams),
    );
    streams = new Worker(
      () => now,
      to("edge-2", () => joins),
    );
  });
  const after = (ms: number): void => {
    now += ms;
    for (const { events } of both()) events.sweep(now);
  };

  test("is one packed record of the join's worker, with the app's queue, its updates and the stream's request", () => {
    const [a, b] = both();
    a.join();
    const stream = b.stream();
    b.events.heard(stream, { kind: "queued", event, place: { position: 2, of: 2, estimateMs: null } });
    now += 300;
    b.events.heard(stream, { kind: "started", event });
    for (const _ of [1, 2, 3]) b.events.heard(stream, { kind: "update", event });
    now += 400;
    b.events.heard(stream, { kind: "completed", event });
    assert.deepEqual([a.drafts, b.drafts, b.packs], [[], [], []]);
    const [pack] = a.packs;
    assert.ok(pack);
    assert.deepEqual([pack.facts["event"], pack.facts["updates"], pack.facts["link"]], [event, 3, "q_stream"]);
    assert.deepEqual(
      pack.stages.find(([stage]) => stage === "app.queue"),
      ["app.queue", 305],
    );
    assert.equal(b.events.closed(stream, "visitor"), true, "it was closed in order: nothing is open on it");
  });

  test("is the same where its stream is ahead of the join's answer", () => {
    const [a, b] = both();
    const stream = b.stream();
    b.events.heard(stream, { kind: "started", event });
    b.events.heard(stream, { kind: "failed", event, failure: { code: "app/exception", says: "no", title: null } });
    a.join();
    assert.deepEqual(a.codes, ["app/exception"]);
    assert.deepEqual(b.drafts, []);
  });

  test("the platform's queue speaks on the stream, by the join's request, and a refusal's sentence is in the join's record", () => {
    const [a, b] = both();
    const stream = b.stream();
    b.events.tell("q_join", { kind: "waiting", position: 1, of: 2, estimateMs: null });
    a.join();
    const refused = { kind: "refused", code: "gpu/queue-timeout", says: "No GPU became free." } as const;
    b.events.tell("q_join", refused);
    assert.deepEqual(
      b.said.map(([, { kind }]) => kind),
      ["waiting", "refused"],
    );
    assert.deepEqual(b.events.refusalOf(stream, event), refused);
    b.events.toldInstead(stream, event, refused);
    b.events.heard(stream, { kind: "failed", event, failure: { code: "app/exception", says: "x", title: null } });
    const deliver = a.drafts.find(({ hop }) => hop === "edge.deliver");
    assert.deepEqual(deliver?.facts["toldInstead"], { code: refused.code, says: refused.says });
  });

  test("a visitor who closes the stream and does not come back has left; one who comes back by either worker has not", () => {
    const [a, b] = both();
    a.join();
    assert.equal(b.events.closed(b.stream(), "visitor"), false);
    after(reopensWithinMs / 2);
    const again = a.stream();
    after(reopensWithinMs * 2);
    assert.deepEqual(a.codes, []);
    a.events.closed(again, "visitor");
    after(reopensWithinMs + 1);
    assert.deepEqual([a.codes, a.gone, b.gone], [["route/visitor-left"], ["q_join"], []]);
  });

  test("a cancel that reaches the other worker ends it as its visitor's wish", () => {
    const [a, b] = both();
    a.join();
    b.stream();
    b.events.cancel(replica, event, "asked");
    b.events.cancel(replica, event, "taken");
    assert.deepEqual(a.gone, ["q_join"]);
  });

  test("a stream that broke ends it with the same code", () => {
    const [a, b] = both();
    a.join();
    b.events.broke(b.stream(), "route/reset-midway");
    assert.deepEqual(a.codes, ["route/reset-midway"]);
  });

  test("the end of the worker that carried the stream is waited for as long as a result is, and then said", () => {
    const [a, b] = both();
    a.join();
    b.stream();
    a.elsewhere.workerEnded("edge-2");
    after(unheardMaxMs + 1);
    assert.equal(a.packs[0]?.facts["because"], "the edge worker that carried its event stream ended");
  });

  test("the other worker knows at once on which replica it is, and forgets it with its end", () => {
    const [a, b] = both();
    a.events.announced(replica, event);
    const of = () => b.events.replicaOf(event, [{ id: "p_0" }, { id: replica }]);
    assert.equal(of(), replica);
    a.join();
    after(aheadMs * 2);
    assert.equal(of(), replica);
    a.events.heard(a.stream(), { kind: "completed", event });
    assert.equal(of(), undefined);
  });
});
