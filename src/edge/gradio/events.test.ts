import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { expand } from "../../evidence/expand.ts";
import { aheadMs, followedMax, GradioEvents, reopensWithinMs, unheardMaxMs } from "./events.ts";
import { joinStory, keptRecords } from "./events.suite.ts";
import type { EventStream } from "./events.ts";
import type { Failure } from "./messages.ts";

const event = "0123456789abcdef0123456789abcdef";
const failure: Failure = { code: "app/exception", says: "no such style", title: null };

class World {
  now = 10_000;
  readonly #kept = keptRecords();
  readonly drafts = this.#kept.drafts;
  readonly packs = this.#kept.packs;
  readonly gone: string[] = [];
  readonly events: GradioEvents;

  constructor(max = followedMax) {
    this.events = new GradioEvents({
      emitter: this.#kept.emitter,
      monotonic: () => this.now,
      onVisitorGone: (join) => this.gone.push(join),
      limits: { followedMax: max },
    });
  }

  join(id = event, session: string | undefined = "s", work = "q_join"): string | undefined {
    return this.events.joined(joinStory(work, this.now), id, session, "nobody");
  }

  stream(of = "s", work = "q_stream"): EventStream {
    const stream = { work, replica: "p_1", of, heard: false, closing: false, unread: undefined };
    this.events.opened(stream);
    return stream;
  }

  after(ms: number): void {
    this.now += ms;
    this.events.sweep(this.now);
  }

  /** `edge.deliver failed route/visitor-left` of each work's last entry. */
  get ends(): string[] {
    return this.drafts.flatMap(({ work, hop, mark, facts }) =>
      hop === "edge.deliver" ? [work, mark, facts["code"]].filter((part) => typeof part === "string").join(" ") : [],
    );
  }
}

describe("a Gradio event that is followed", () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });

  test("ends well within a second: one packed record, with the app's queue as a stage", () => {
    world.join();
    const stream = world.stream();
    world.events.heard(stream, { kind: "queued", event, place: { position: 2, of: 2, estimateMs: 700 } });
    world.now += 300;
    world.events.heard(stream, { kind: "started", event });
    world.now += 400;
    world.events.heard(stream, { kind: "update", event });
    world.events.heard(stream, { kind: "completed", event });
    assert.deepEqual(world.drafts, []);
    assert.equal(world.packs.length, 1);
    const [pack] = world.packs;
    assert.ok(pack);
    assert.deepEqual(pack.stages.slice(-3), [
      ["app.queue", 305],
      ["app.respond", 705],
      ["edge.deliver", 705],
    ]);
    const { position, of, estimateMs, updates, link, joinedMs, status } = pack.facts;
    assert.deepEqual(
      { position, of, estimateMs, updates, link, joinedMs, status },
      { position: 2, of: 2, estimateMs: 700, updates: 1, link: "q_stream", joinedMs: 5, status: 200 },
    );
    const entries = expand({ ...pack, emitter: "edge", epoch: 1, seq: 1, at: "2026-11-28T12:00:00.000Z" });
    assert.ok(entries.some(({ hop, mark }) => hop === "app.queue" && mark === "done"));
  });

  test("stays open for long: each step is written when it is known, and its end has no second beginning", () => {
    world.join();
    const stream = world.stream();
    world.events.heard(stream, { kind: "queued", event, place: { position: 1, of: 1, estimateMs: null } });
    world.after(1_200);
    assert.deepEqual(
      world.drafts.map(({ hop, mark }) => `${hop} ${mark}`),
      ["edge.accept took", "identity.resolve done", "edge.route done", "edge.connect handed", "app.queue took"],
    );
    world.events.heard(stream, { kind: "started", event });
    assert.deepEqual(
      world.drafts.slice(5).map(({ hop, mark }) => `${hop} ${mark}`),
      ["app.queue done"],
    );
    world.after(5_000);
    world.events.heard(stream, { kind: "completed", event });
    assert.deepEqual(
      world.drafts.slice(6).map(({ hop, mark }) => `${hop} ${mark}`),
      ["app.respond done", "edge.deliver done"],
    );
    assert.deepEqual(world.packs, []);
    assert.equal(world.drafts.find(({ hop }) => hop === "edge.connect")?.facts["closed"], true);
  });

  test("fails: entries at once, with the app's words", () => {
    world.join();
    const stream = world.stream();
    world.events.heard(stream, { kind: "failed", event, failure });
    assert.deepEqual(world.ends, ["q_join failed app/exception"]);
    const failed = world.drafts.find(({ hop, mark }) => hop === "app.respond" && mark === "failed");
    assert.deepEqual([failed?.facts["appSays"], failed?.facts["link"]], ["no such style", "q_stream"]);
  });

  test("is told of before its join's answer has passed", () => {
    const stream = world.stream();
    world.events.heard(stream, { kind: "queued", event, place: { position: 1, of: 1, estimateMs: null } });
    world.events.heard(stream, { kind: "started", event });
    world.events.heard(stream, { kind: "completed", event });
    assert.equal(world.packs.length, 0);
    world.join();
    assert.equal(world.packs.length, 1);
  });

  test("of which no join is known is forgotten", () => {
    const stream = world.stream();
    world.events.heard(stream, { kind: "completed", event });
    world.after(aheadMs + 1);
    world.join();
    assert.equal(world.packs.length, 0, "its end is not remembered for ever");
  });

  test("its visitor closes the stream and does not come back", () => {
    world.join();
    const stream = world.stream();
    world.events.heard(stream, { kind: "started", event });
    assert.equal(world.events.closed(stream, "visitor"), false);
    world.after(reopensWithinMs);
    assert.deepEqual(world.gone, []);
    world.after(1);
    assert.deepEqual([world.ends, world.gone], [["q_join failed route/visitor-left"], ["q_join"]]);
  });

  test("its visitor closes the join before it is through, and opens the stream: what was wanted is heard there", () => {
    world.events.joined(joinStory("q_join", world.now), event, "s", "visitor");
    world.after(reopensWithinMs);
    const stream = world.stream();
    world.after(reopensWithinMs * 10);
    world.events.heard(stream, { kind: "completed", event });
    assert.deepEqual([world.gone, world.ends], [[], ["q_join done"]]);
  });

  test("its visitor closes the join before it is through, and opens no stream: the visitor had left", () => {
    world.events.joined(joinStory("q_join", world.now), event, "s", "visitor");
    world.after(reopensWithinMs + 1);
    assert.deepEqual([world.ends, world.gone], [["q_join failed route/visitor-left"], ["q_join"]]);
  });

  test("its visitor comes back in time", () => {
    world.join();
    world.events.closed(world.stream(), "visitor");
    world.after(reopensWithinMs);
    const again = world.stream("s", "q_again");
    world.after(reopensWithinMs * 10);
    world.events.heard(again, { kind: "completed", event });
    assert.deepEqual([world.gone, world.ends], [[], ["q_join done"]]);
  });

  test("its visitor comes back and the app has forgotten the session: the visitor had left", () => {
    world.join();
    world.events.closed(world.stream(), "visitor");
    const again = world.stream("s", "q_again");
    world.events.heard(again, { kind: "broken", failure, sessionUnknown: true });
    assert.deepEqual([world.ends, world.gone], [["q_join failed route/visitor-left"], ["q_join"]]);
  });

  test("one of two streams is closed: nothing has happened to it", () => {
    world.join();
    world.events.closed(world.stream(), "visitor");
    const one = world.stream();
    world.stream("s", "q_other");
    world.events.closed(one, "visitor");
    world.after(reopensWithinMs + 1);
    assert.deepEqual([world.ends, world.gone], [[], []]);
  });

  test("is cancelled: its visitor is gone at once, and the record says that they cancelled it", () => {
    world.join();
    const stream = world.stream();
    world.events.cancel("p_1", event, "taken");
    world.events.cancel("p_1", event, "taken");
    assert.deepEqual(world.gone, ["q_join"]);
    world.events.heard(stream, { kind: "completed", event });
    assert.deepEqual(world.ends, ["q_join failed route/visitor-left"]);
    assert.equal(world.drafts.at(-1)?.facts["cancelled"], true);
  });

  test("ends before the app has answered its cancel: as cancelled, where the app had not refused that", () => {
    for (const [word, isCancelled] of [
      ["asked", true],
      ["refused", false],
    ] as const) {
      const world = new World();
      world.join();
      const stream = world.stream();
      world.events.cancel("p_1", event, "asked");
      world.events.cancel("p_1", event, word);
      world.events.heard(stream, { kind: "completed", event });
      const recorded = world.packs.length === 0 ? world.drafts.at(-1)?.facts["cancelled"] : false;
      assert.equal(recorded, isCancelled, word);
    }
  });

  test("another replica cannot end it, nor cancel it", () => {
    world.join();
    world.stream();
    const other = { work: "q_x", replica: "p_2", of: "s", heard: false, closing: false, unread: undefined };
    world.events.opened(other);
    world.events.heard(other, { kind: "completed", event });
    world.events.cancel("p_2", event, "taken");
    world.events.closed(other, "visitor");
    world.after(reopensWithinMs + 1);
    assert.deepEqual([world.packs, world.ends, world.gone], [[], [], []]);
  });

  test("the stream breaks on the app's side: the event ends with what the stream ended with, and names it", () => {
    world.join();
    const stream = world.stream();
    world.events.broke(stream, "route/reset-midway");
    assert.deepEqual([world.ends, world.gone], [["q_join failed route/reset-midway"], []]);
    const failed = world.drafts.find(({ hop, mark }) => hop === "app.respond" && mark === "failed");
    assert.deepEqual([failed?.facts["brokenStream"], failed?.facts["link"]], [true, "q_stream"]);
  });

  test("the app ends the stream with an error: all its events end", () => {
    world.join();
    world.join("f".repeat(32), "s", "q_second");
    world.events.heard(world.stream(), { kind: "broken", failure, sessionUnknown: false });
    assert.deepEqual(world.ends, ["q_join failed app/exception", "q_second failed app/exception"]);
  });

  test("the app closes the stream without telling its end: it is recorded, and said not to have been followed", () => {
    world.join();
    world.events.closed(world.stream(), "app");
    world.after(unheardMaxMs);
    assert.deepEqual(world.ends, []);
    world.after(1);
    assert.deepEqual([world.ends, world.gone], [["q_join done"], []]);
    assert.equal(world.drafts.at(-1)?.facts["followed"], false);
  });

  test("a stream that cannot be read: recorded at once, with the reason", () => {
    const stream = world.stream();
    world.events.unreadable(stream, "its event stream is encoded (br)");
    world.join();
    assert.deepEqual(
      [world.packs[0]?.facts["followed"], world.packs[0]?.facts["because"]],
      [false, "its event stream is encoded (br)"],
    );
    world.join("f".repeat(32), "other", "q_second");
    const late = world.stream("other");
    world.events.unreadable(late, "encoded");
    assert.equal(world.packs[1]?.facts["because"], "encoded");
  });

  test("one too many is not followed, and an end makes room", () => {
    world = new World(1);
    assert.equal(world.join(), undefined);
    assert.match(world.join("f".repeat(32), "other", "q_second") ?? "", /too many/);
    world.events.heard(world.stream(), { kind: "completed", event });
    assert.equal(world.join("f".repeat(32), "other", "q_second"), undefined);
  });

  test("an app that answers two joins with one event takes neither's record away", () => {
    world.join();
    assert.match(world.join(event, "s", "q_second") ?? "", /the event of another request/);
    world.events.heard(world.stream(), { kind: "completed", event });
    assert.deepEqual(
      world.packs.map(({ work }) => work),
      ["q_join"],
    );
  });

  test("the edge closes: what is open says so", () => {
    world.join();
    world.events.close();
    assert.deepEqual(world.ends, ["q_join failed route/control-down"]);
  });
});

describe("a stream that its visitor closes", () => {
  test("was closed in order once it had told all", () => {
    const world = new World();
    world.join();
    const stream = world.stream();
    world.events.heard(stream, { kind: "completed", event });
    assert.equal(world.events.closed(stream, "visitor"), true);
  });

  test("was not when nothing of Gradio's came over it, or when it could not be read", () => {
    const world = new World();
    assert.equal(world.events.closed(world.stream(), "visitor"), false);
    const encoded = world.stream();
    world.events.unreadable(encoded, "encoded");
    assert.equal(world.events.closed(encoded, "visitor"), false);
  });
});
