import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { durationMs } from "../../stdx/time.ts";
import { enqueue, join, limits, Play } from "./builds.suite.ts";
import type { BuildCommand } from "./model.ts";

const held = (build: string, builder = "n1", fence = 1) => ({ build, builder, fence });
const claim = (build: string, builder?: string, fence?: number): BuildCommand => ({
  type: "claim",
  ...held(build, builder, fence),
});
const fails = (
  build: string,
  code: "build/step-failed" | "build/builder-lost" | "build/fetch-failed",
  builder?: string,
  fence?: number,
): BuildCommand => ({
  type: "fail",
  ...held(build, builder, fence),
  code,
  says: "so it is",
  because: [],
});
const last = (play: Play): string => play.events.at(-1)?.says ?? "";

describe("who is next", () => {
  test("many builds of one owner and the one of another alternate", () => {
    const play = new Play({ ownerWaitingMax: 50, waitingMax: 50, buildMs: durationMs(60_000) }).at(0, join());
    for (let at = 0; at < 5; at++) play.do(enqueue(`a${at}`, { space: `alice/${at}` }));
    play.at(1, enqueue("bob", { space: "bob/x" }));
    assert.equal(play.placeOf("bob")?.position, 1);
    play.at(1_000, fails("a0", "build/step-failed"));
    assert.equal(play.stageOf("bob"), "claimed");
  });

  test("the operator's priority goes before everything else, and is said to those behind", () => {
    const play = new Play().at(0, join(), enqueue("busy"), enqueue("b1"), enqueue("b2"));
    play.do({ type: "prioritize", build: "b2", priority: 5, by: { kind: "operator", name: "admin" } });
    assert.deepEqual([play.placeOf("b2")?.position, play.placeOf("b1")?.position], [1, 2]);
    assert.deepEqual(
      play.placeOf("b1")?.reasons.map(({ kind }) => kind),
      ["builders-busy", "priority"],
    );
    play.do(fails("busy", "build/step-failed"));
    assert.equal(play.stageOf("b2"), "claimed");
  });

  test("builds of one owner run one at a time, those of several owners side by side, and the one that waits says why", () => {
    const play = new Play().at(
      0,
      join("n1", 1, 3),
      enqueue("a1", { space: "alice/1" }),
      enqueue("a2", { space: "alice/2" }),
      enqueue("b1", { space: "bob/1" }),
    );
    assert.deepEqual(
      ["a1", "a2", "b1"].map((build) => play.stageOf(build)),
      ["claimed", "queued", "claimed"],
    );
    assert.deepEqual(play.placeOf("a2")?.reasons, [
      {
        kind: "same-owner",
        says: "build a1 of alice is claimed, and builds of one owner run one at a time, since they share caches",
      },
    ]);
  });

  test("who built more lately goes later, is told so, and not by which other's build", () => {
    const play = new Play({ buildMs: durationMs(60_000), leaseMs: durationMs(60_000) }).at(
      0,
      join(),
      enqueue("a1", { space: "alice/1" }),
    );
    play
      .at(500, claim("a1"))
      .at(9_000, enqueue("c1"), enqueue("a2", { space: "alice/2" }))
      .at(9_100, enqueue("b1"));
    assert.deepEqual(
      [play.placeOf("c1")?.position, play.placeOf("b1")?.position, play.placeOf("a2")?.position],
      [1, 2, 3],
    );
    assert.match(
      JSON.stringify(play.placeOf("a2")?.reasons),
      /1 build ahead.*1 build that came later goes first: alice used 9 s/,
    );
  });

  test("an sdk is built where it is served; a build that no builder serves gives up within 2 s and names those that are", () => {
    const play = new Play().at(
      0,
      join("n1", 1, 1, ["node"]),
      join("n2", 1, 1, ["docker"]),
      enqueue("b1", { sdk: "docker" }),
      enqueue("b2", { sdk: "gradio" }),
    );
    assert.equal(play.stageOf("b1"), "claimed");
    assert.deepEqual(play.placeOf("b2")?.reasons[0], {
      kind: "no-builder",
      says: "no builder serves sdk gradio; here are docker, node",
    });
    play.at(1_999, { type: "hear", builder: "n2", holds: [] });
    assert.equal(play.stageOf("b2"), "queued");
    play.at(2_000, { type: "tick" });
    assert.match(play.told.at(-1) ?? "", /^b2 failed build\/no-builder$/);
  });

  test("an estimate rests on what builds took lately, and says when nothing is known", () => {
    const play = new Play({ buildMs: durationMs(60_000), leaseMs: durationMs(60_000), claimMs: durationMs(60_000) }).at(
      0,
      join(),
      enqueue("b1"),
      enqueue("b2"),
    );
    assert.deepEqual(
      [play.placeOf("b2")?.estimateMs, play.placeOf("b2")?.basis],
      [null, "no build has ended within the last hour"],
    );
    play.at(6_000, fails("b1", "build/step-failed")).at(8_000, enqueue("b3"));
    assert.equal(play.placeOf("b3")?.estimateMs, 4_000);
  });
});

describe("a builder that is lost", () => {
  const late = { leaseMs: durationMs(3_000), buildMs: durationMs(60_000) };

  test("is one that says nothing of a build during [0 s, 3 s); each word of it begins that anew", () => {
    const play = new Play(late).at(0, join(), enqueue("b1")).at(100, claim("b1"));
    play.at(3_000, { type: "hear", builder: "n1", holds: [held("b1")] });
    play.at(5_999, { type: "tick" });
    assert.equal(play.stageOf("b1"), "claimed");
    assert.equal(play.would({ type: "tick" }), "-");
    play.now = 6_000;
    assert.equal(play.would({ type: "tick" }), "b1 requeued for build/builder-lost, b1 to n1 by fence 2");
  });

  test("a heartbeat that does not name the build renews nothing", () => {
    const play = new Play(late).at(0, join(), enqueue("b1")).at(100, claim("b1"));
    play.at(3_000, { type: "hear", builder: "n1", holds: [] });
    assert.ok(!play.told.includes("b1 requeued for build/builder-lost"));
    play.at(3_100, { type: "tick" });
    assert.ok(play.told.includes("b1 requeued for build/builder-lost"));
  });

  test("keeps what its heartbeats name while its answer is on its way, and what it neither takes nor names within 1 s is given away", () => {
    const play = new Play(late).at(0, join(), enqueue("b1"));
    for (let at = 900; at <= 9_000; at += 900) play.at(at, { type: "hear", builder: "n1", holds: [held("b1")] });
    assert.equal(play.state.builds.get("b1")?.attempts, 1);
    assert.equal(play.would(claim("b1")), "b1 taken");
    play.at(9_500, { type: "hear", builder: "n1", holds: [] }).at(9_999, { type: "tick" });
    assert.equal(play.state.builds.get("b1")?.attempts, 1);
    play.at(10_000, join("n2"));
    assert.equal(play.told.at(-1), "b1 to n2 by fence 2");
    assert.match(
      play.events.find(({ type }) => type === "requeued")?.says ?? "",
      /^builder n1 did not take it, nor name it for 1 s/,
    );
  });

  test("loses it to another builder, if there is one", () => {
    const play = new Play(late).at(0, join("n1"), enqueue("b1")).at(1, join("n2"), claim("b1"));
    play.at(3_001, { type: "tick" });
    assert.equal(play.told.at(-1), "b1 to n2 by fence 2");
    assert.equal(play.would(claim("b1", "n1", 1)), "old-fence");
  });

  test("is waited for where there is no other, and gets it again when it is back", () => {
    const play = new Play(late).at(0, join(), enqueue("b1")).at(1, claim("b1"), { type: "leave", builder: "n1" });
    play.at(3_001, { type: "tick" });
    assert.match(last(play), /was not heard of for 3 s; it waits for a builder again, after 1 of at most 3 attempts$/);
    play.at(6_000, join("n1", 2));
    assert.equal(play.told.at(-1), "b1 to n1 by fence 2");
  });

  test("ends the build where nobody comes back within 4 s", () => {
    const play = new Play(late).at(0, join(), enqueue("b1")).at(1, claim("b1"), { type: "leave", builder: "n1" });
    play.at(3_001, { type: "tick" }).at(7_000, { type: "tick" });
    assert.equal(play.stageOf("b1"), "queued");
    play.at(7_001, { type: "tick" });
    assert.equal(play.told.at(-1), "b1 failed build/builder-lost");
    assert.equal(last(play), "builder n1 lost it, and no builder is connected for 4 s");
  });

  test("B8: three times, and the build fails", () => {
    const play = new Play(late).at(0, join(), enqueue("b1"));
    for (let epoch = 2; epoch <= 4; epoch++) play.do(join("n1", epoch));
    assert.equal(play.told.filter((word) => word.startsWith("b1 to n1")).length, 3);
    assert.match(play.events.find(({ type }) => type === "ended")?.says ?? "", /given to a builder 3 times$/);
  });

  test("that is only disconnected for a while keeps its build", () => {
    const play = new Play(late).at(0, join(), enqueue("b1")).at(1, claim("b1"), { type: "leave", builder: "n1" });
    play.at(2_000, join("n1", 1), { type: "hear", builder: "n1", holds: [held("b1")] });
    assert.equal(play.stageOf("b1"), "claimed");
    assert.equal(play.state.builds.get("b1")?.attempts, 1);
  });

  test("a commit that could not be read is read once more", () => {
    const play = new Play().at(0, join(), enqueue("b1"), fails("b1", "build/fetch-failed"));
    assert.equal(play.stageOf("b1"), "claimed");
    play.do(fails("b1", "build/fetch-failed", "n1", 2));
    assert.equal(play.told.at(-1), "b1 failed build/fetch-failed");
  });
});

describe("a newer commit of a Space", () => {
  const demo = { space: "alice/demo" };

  test("B12: replaces the one that waits and the one that runs, and names itself", () => {
    const play = new Play().at(0, join(), enqueue("b1", demo), enqueue("b2", demo));
    const ended = play.events.find((event) => event.type === "ended");
    assert.deepEqual([ended?.build, ended?.stage, ended?.link, ended?.withdrawn?.fence], ["b1", "superseded", "b2", 1]);
    assert.equal(ended?.says, "superseded by build b2 of commit c-b2");
    assert.equal(play.stageOf("b2"), "claimed");
  });

  test("lets one that is being checked end, and waits for it", () => {
    const play = new Play().at(
      0,
      join(),
      enqueue("b1", demo),
      claim("b1"),
      { type: "progress", ...held("b1"), stage: "checking" },
      enqueue("b2", demo),
    );
    assert.deepEqual([play.stageOf("b1"), play.stageOf("b2")], ["checking", "queued"]);
    assert.ok(
      play
        .placeOf("b2")
        ?.reasons.some(
          ({ says }) => says === "build b1 of this Space is checking, and a Space builds one commit at a time",
        ),
    );
  });

  test("B11: is not passed by an older one that comes back from a lost builder: that one is superseded", () => {
    const play = new Play().at(
      0,
      join(),
      enqueue("b1", demo),
      claim("b1"),
      { type: "progress", ...held("b1"), stage: "publishing" },
      enqueue("b2", demo),
      join("n1", 2),
    );
    assert.ok(play.told.includes("b1 superseded build/superseded, withdrawn"));
    assert.equal(play.stageOf("b2"), "claimed");
  });

  test("finds room where the one that it replaces waits", () => {
    const play = new Play({ waitingMax: 1 }).at(0, enqueue("b1", demo));
    assert.equal(play.would(enqueue("b2")), "queue-full");
    assert.match(play.would(enqueue("b2", demo)), /b2 queued/);
  });
});

describe("deadlines", () => {
  test("a build waits during [0 s, 10 s) for a builder that is busy, and gives up at the instant", () => {
    const play = new Play({ buildMs: durationMs(60_000), claimMs: durationMs(60_000) }).at(
      0,
      join(),
      enqueue("busy"),
      enqueue("b1"),
    );
    play.at(9_999, { type: "tick" });
    assert.equal(play.stageOf("b1"), "queued");
    play.at(10_000, { type: "tick" });
    assert.equal(play.told.at(-1), "b1 failed build/queue-timeout");
    assert.equal(last(play), "no builder became free within 10 s");
  });

  test("an attempt that does not end in time is not tried again", () => {
    const play = new Play({ leaseMs: durationMs(60_000) }).at(0, join(), enqueue("b1")).at(1, claim("b1"));
    play.at(limits.buildMs, { type: "tick" });
    assert.equal(play.told.at(-1), "b1 failed build/builder-lost, withdrawn");
  });
});
