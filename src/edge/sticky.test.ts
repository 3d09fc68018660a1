import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";

import { belongsIn, belongsTo } from "./gradio/belongs.ts";
import { isShared, replicaCookieFor, replicaCookieIn } from "./replica-cookie.ts";
import { Sticky } from "./sticky.ts";
import type { SharedSession } from "./shared.ts";
import type { Choice, Keys, Pinned, StickyLimits } from "./sticky.ts";

interface World {
  readonly sticky: Sticky;
  readonly busy: Map<string, number>;
  readonly shunned: Set<string>;
  now: number;
  choose(ids: readonly string[], keys?: Partial<Keys>): Choice;
}

function worldOf(limits?: StickyLimits, share?: (told: SharedSession) => void): World {
  const busy = new Map<string, number>();
  const shunned = new Set<string>();
  const sticky = new Sticky({
    busy: (id) => busy.get(id) ?? 0,
    isShunned: (id) => shunned.has(id),
    monotonic: () => world.now,
    ...(limits && { limits }),
    share,
  });
  const world: World = {
    sticky,
    busy,
    shunned,
    now: 0,
    choose: (ids, keys) => {
      const replicas = ids.map((id) => ({ id, socket: `/${id}` }));
      return sticky.choose("a/b", replicas, { address: "10.0.0.1", ...keys });
    },
  };
  return world;
}

const small: StickyLimits = { sessionsPerSpace: 3, addressesPerSpace: 3, forgetAfterMs: 1_000 };

describe("workers of one edge", () => {
  const pair = (limits?: StickyLimits): readonly [World, World] => {
    const waiting: (() => void)[] = [];
    const worlds: World[] = [];
    for (const other of [1, 0])
      worlds.push(worldOf(limits, (told) => waiting.push(() => worlds[other]?.sticky.learn(told))));
    const [a, b] = worlds as [World, World];
    hear = () => waiting.splice(0).forEach((each) => each());
    return [a, b];
  };
  let hear = (): void => {};

  test("send a session where another of them has placed it", () => {
    const [a, b] = pair();
    const at = ["s1", "s2", "s3"].map((session) => a.choose(["r1", "r2"], { session }).replica.id);
    hear();
    const seen = ["s1", "s2", "s3"].map((session) => b.choose(["r1", "r2"], { session }));
    assert.deepEqual(
      seen.map(({ replica, by }) => [replica.id, by]),
      at.map((id) => [id, "session"]),
    );
  });

  test("agree on one place for a session that two of them have placed at the same time", () => {
    const [a, b] = pair();
    b.choose(["r1", "r2"], {});
    a.choose(["r1", "r2"], { session: "s" });
    b.choose(["r1", "r2"], { session: "s" });
    hear();
    const at = [a, b].map((each) => each.choose(["r1", "r2"], { session: "s" }).replica.id);
    assert.deepEqual(at, ["r1", "r1"]);
  });

  test("follow a session whose replica has gone", () => {
    const [a, b] = pair();
    a.choose(["r1", "r2"], { session: "s" });
    hear();
    const moved = a.choose(["r2", "r3"], { session: "s" });
    hear();
    const there = b.choose(["r3", "r2"], { session: "s" });
    assert.deepEqual([there.replica.id, there.movedFrom], [moved.replica.id, undefined]);
  });

  test("do not forget a session that another one is asked for", () => {
    const [a, b] = pair(small);
    a.sticky.release(pinnedOf(a.choose(["r1", "r2"], { session: "s" })));
    for (let now = 0; now < 5_000; now += 300) {
      a.now = b.now = now;
      a.sticky.release(pinnedOf(a.choose(["r1", "r2"], { session: "s" })));
      hear();
      b.sticky.sweep();
      assert.equal(b.sticky.sessionsOf("a/b"), 1);
    }
  });

  test("nor one whose page is open there, though nothing else of it is asked for", () => {
    const [a, b] = pair(small);
    const at = a.choose(["r1", "r2"], { session: "s" }).replica.id;
    for (let now = 0; now < 5_000; now += 100) {
      a.now = b.now = now;
      for (const { sticky } of [a, b]) sticky.sweep();
      hear();
    }
    b.busy.set(at, 9);
    assert.deepEqual(b.choose(["r1", "r2"], { session: "s" }).replica.id, at);
  });

  const pinnedOf = ({ session }: Choice): Pinned => {
    assert.ok(session);
    return session;
  };
});

describe("the choice of a replica", () => {
  test("is the least busy one, in turn among equals", () => {
    const world = worldOf();
    const chosen = [1, 2, 3, 4].map(() => world.choose(["r1", "r2", "r3"]).replica.id);
    assert.deepEqual(chosen, ["r1", "r2", "r3", "r1"]);
    world.busy.set("r1", 2).set("r2", 1).set("r3", 2);
    for (const _ of [1, 2, 3]) assert.equal(world.choose(["r1", "r2", "r3"]).replica.id, "r2");
  });

  test("is where a session began, however busy that is", () => {
    const world = worldOf();
    const first = world.choose(["r1", "r2"], { session: "s" });
    world.busy.set(first.replica.id, 100);
    const again = world.choose(["r2", "r1"], { session: "s" });
    assert.deepEqual([again.replica.id, again.by, again.movedFrom], [first.replica.id, "session", undefined]);
  });

  test("a session goes to another replica where its own is gone, says so once, and stays there when that one comes back", () => {
    const world = worldOf();
    world.choose(["r1"], { session: "s" });
    const moved = world.choose(["r2", "r3"], { session: "s" });
    assert.equal(moved.movedFrom, "r1");
    const { replica, movedFrom } = world.choose(["r1", "r2", "r3"], { session: "s" });
    assert.deepEqual([replica.id, movedFrom], [moved.replica.id, undefined]);
  });

  test("a replica that comes gets what is new, and takes no session away from where it is", () => {
    const world = worldOf();
    for (let i = 0; i < 10; i++) world.choose(["r1"], { session: `old${i}` });
    world.busy.set("r1", 10);
    assert.equal(world.choose(["r1", "r2"], { session: "new" }).replica.id, "r2");
    for (let i = 0; i < 10; i++) assert.equal(world.choose(["r1", "r2"], { session: `old${i}` }).replica.id, "r1");
  });

  test("a cookie decides where no session is known yet, and one that names no replica of the Space decides nothing", () => {
    const world = worldOf();
    world.busy.set("r2", 5);
    const { replica, by } = world.choose(["r1", "r2"], { session: "s", cookie: "r2" });
    assert.deepEqual([replica.id, by], ["r2", "cookie"]);
    assert.equal(world.choose(["r1", "r2"], { session: "s", cookie: "r1" }).replica.id, "r2", "the session is there");
    assert.equal(world.choose(["r1", "r2"], { cookie: "r_of_another" }).by, "load");
  });

  test("an event is asked for where its join was answered", () => {
    const world = worldOf();
    world.busy.set("r2", 5);
    assert.deepEqual(
      [world.choose(["r1", "r2"], { eventAt: "r2" }).replica.id, world.choose(["r1", "r2"]).replica.id],
      ["r2", "r1"],
    );
  });

  test("a client's files without cookies go where its last session is, another's go by load", () => {
    const world = worldOf();
    const { replica } = world.choose(["r1", "r2"], { session: "s", address: "10.0.0.7" });
    world.busy.set(replica.id, 9);
    assert.equal(world.choose(["r1", "r2"], { isFile: true, address: "10.0.0.7" }).replica.id, replica.id);
    assert.equal(world.choose(["r1", "r2"], { isFile: true, address: "10.0.0.8" }).by, "load");
    assert.equal(world.choose(["r1", "r2"], { address: "10.0.0.7" }).by, "load");
  });

  test("one that could not be reached a moment ago is passed by, unless none can be", () => {
    const world = worldOf();
    world.shunned.add("r1");
    for (const _ of [1, 2, 3]) assert.equal(world.choose(["r1", "r2"]).replica.id, "r2");
    world.shunned.add("r2");
    assert.equal(new Set([1, 2].map(() => world.choose(["r1", "r2"]).replica.id)).size, 2);
  });

  test("what is kept is bounded, and forgotten once nobody uses it: exactly after its time", () => {
    const world = worldOf(small);
    for (let i = 0; i < 10; i++) world.choose(["r1"], { session: `s${i}` });
    assert.equal(world.sticky.sessionsOf("a/b"), 3);
    const aged = worldOf(small);
    const { session } = aged.choose(["r1"], { session: "s" });
    assert.ok(session);
    aged.now = 5_000;
    aged.sticky.sweep();
    assert.equal(aged.sticky.sessionsOf("a/b"), 1, "a request of it is open");
    aged.sticky.release(session);
    aged.now = 6_000;
    aged.sticky.sweep();
    assert.equal(aged.sticky.sessionsOf("a/b"), 1);
    aged.now = 6_001;
    aged.sticky.sweep();
    assert.equal(aged.sticky.sessionsOf("a/b"), 0);
  });

  test("whatever comes and goes: a session moves only when its replica is gone, and each choice is one that is there", () => {
    const step = fc.record({
      ids: fc.uniqueArray(fc.constantFrom<string>("r1", "r2", "r3", "r4"), { minLength: 1 }),
      session: fc.option(fc.constantFrom("a", "b", "c"), { nil: undefined }),
      cookie: fc.option(fc.constantFrom("r1", "r9"), { nil: undefined }),
      busy: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const world = worldOf();
        const at = new Map<string, string>();
        for (const { ids, session, cookie, busy } of steps) {
          const { replica, movedFrom } = world.choose(ids, { session, cookie });
          assert.ok(ids.includes(replica.id));
          world.busy.set(replica.id, busy);
          const before = session === undefined ? undefined : at.get(session);
          if (before !== undefined && ids.includes(before)) assert.equal(replica.id, before);
          assert.equal(movedFrom, before !== undefined && !ids.includes(before) ? before : undefined);
          if (session !== undefined) at.set(session, replica.id);
        }
      }),
    );
  });
});

describe("what a request says of its session", () => {
  const event = "0123456789abcdef0123456789abcdef";
  const table: readonly [method: string, target: string, expected: ReturnType<typeof belongsTo>][] = [
    ["GET", "/gradio_api/queue/data?session_hash=x%20y", { kind: "session", session: "x y" }],
    ["GET", "/anything?a=1&session_hash=x", { kind: "session", session: "x" }],
    ["GET", "/ui/gradio_api/heartbeat/abc", { kind: "session", session: "abc" }],
    ["GET", "/gradio_api/stream/abc/12/3/playlist.m3u8", { kind: "session", session: "abc" }],
    ["POST", "/gradio_api/queue/join", { kind: "body" }],
    ["POST", "/gradio_api/queue/join?__theme=dark", { kind: "body" }],
    ["POST", "/gradio_api/call/v2/draw", { kind: "body" }],
    ["POST", "/gradio_api/run/predict", { kind: "body" }],
    ["POST", "/gradio_api/cancel", { kind: "body" }],
    ["GET", `/gradio_api/call/draw/${event}`, { kind: "event", event }],
    ["POST", "/gradio_api/upload?upload_id=1", { kind: "file" }],
    ["GET", "/gradio_api/file=/tmp/gradio/1/a.png", { kind: "file" }],
    ["POST", "/api/orders", undefined],
    ["GET", "/stream/abc", undefined],
    ["GET", "/", undefined],
  ];
  for (const [method, target, expected] of table)
    test(`${method} ${target}`, () => assert.deepEqual(belongsTo(method, target), expected));

  test("a body's own fields, and nothing of what is none of Gradio's", () => {
    assert.deepEqual(belongsIn(JSON.stringify({ data: ["session_hash"], session_hash: "s", event_id: event })), {
      session: "s",
      event,
    });
    for (const body of ["", "{", "[]", "null", '{"session_hash":7,"event_id":"x"}', '{"data":{"session_hash":"s"}}'])
      assert.deepEqual(belongsIn(body), {});
  });
});

describe("the cookie of a replica", () => {
  const wallMs = 1_800_000_000_000;
  const given = (secure: boolean): string =>
    String(replicaCookieFor("r_1", { had: undefined, secure, wallMs })).split(";")[0] as string;

  test("is host-only, unseen by scripts, not sent along from other sites; over TLS no other host can have set it", () => {
    const plain = String(replicaCookieFor("r_1", { had: undefined, secure: false, wallMs }));
    assert.match(plain, /^waybill_replica=r_1\.[0-9a-z]+; Path=\/; Max-Age=1800; HttpOnly; SameSite=Lax$/);
    const secure = String(replicaCookieFor("r_1", { had: undefined, secure: true, wallMs }));
    assert.match(secure, /^__Host-waybill-replica=r_1\.[0-9a-z]+; Path=\/; .*; Secure$/);
    assert.doesNotMatch(`${plain}${secure}`, /domain/i);
  });

  test("comes back as it was given, under the name of its own scheme only", () => {
    for (const secure of [true, false]) {
      const cookies = `a=1; ${given(secure)}; b=2`;
      assert.deepEqual(replicaCookieIn(cookies, secure), { replica: "r_1", at: wallMs / 1000 });
      assert.equal(replicaCookieIn(cookies, !secure), undefined);
    }
    for (const cookies of ["waybill_replica=", "waybill_replica=r_1", "waybill_replica=../x.1", "xwaybill_replica=r.1"])
      assert.equal(replicaCookieIn(cookies, false), undefined);
  });

  test("is given again only where it names another replica or grows old", () => {
    const had = replicaCookieIn(given(false), false);
    const again = (replica: string, ageS: number): boolean =>
      replicaCookieFor(replica, { had, secure: false, wallMs: wallMs + ageS * 1000 }) !== undefined;
    assert.deepEqual(
      [again("r_1", 0), again("r_1", 599), again("r_1", 600), again("r_2", 0), again("r_1", -5)],
      [false, false, true, true, true],
    );
  });

  test("does not go with an answer that caches of others may keep", () => {
    assert.ok(isShared(["Cache-Control", "max-age=60, public"]));
    assert.ok(!isShared(["Cache-Control", "private, max-age=60"]));
    assert.ok(!isShared(["Content-Type", "text/html"]));
  });
});
