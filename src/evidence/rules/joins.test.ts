import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Facts } from "../entry.ts";
import { explain } from "../explain.ts";
import { by, record } from "../waybill.suite.ts";
import type { Draft } from "../waybill.suite.ts";
import type { LinkedWork } from "../work-record.ts";

const opening = [
  by("edge", "edge.accept", "took", { method: "POST", path: "/gradio_api/queue/join", host: "alice-demo.localhost" }),
  by("edge", "identity.resolve", "done", { account: "alice", billedBy: "token" }),
  by("edge", "edge.route", "done", { space: "alice/demo", replica: "p_1" }),
  by("edge", "edge.connect", "handed", {
    channel: "edge/1→p_1",
    number: 1,
    connection: "edge/1/1",
    from: 0,
    to: 9,
    closed: true,
  }),
];
const queued = by("edge", "app.queue", "took", { event: "e1", position: 2, of: 3, estimateMs: 1_500, ms: 10 });
const began = by("edge", "app.queue", "done", { ms: 1_210 });
const delivered: Facts = { status: 200, answeredBy: "app", ms: 5_000, event: "e1", joinedMs: 10 };
const failed = (code: string, more: Facts = {}): readonly Draft[] => [
  by("edge", "app.respond", "failed", { code, event: "e1", link: "q_9", ...more }),
  by("edge", "edge.deliver", "failed", { ...delivered, code }),
];
const call = (more: Partial<LinkedWork> = {}): LinkedWork => ({
  id: "c_1",
  kind: "call",
  outcome: "failed",
  code: "gpu/lease-expired",
  sentence: "Stopped at the 1 s that the app declares. Charged 1 s.",
  certainty: "proved",
  owner: "app",
  at: "2026-11-22T12:00:01.000Z",
  ...more,
});
const aborted: Facts = { appTitle: "ZeroGPU worker error", appSays: "GPU task aborted" };

function verdictOf(drafts: readonly Draft[], links: readonly LinkedWork[] = [], neighbours: readonly Draft[] = []) {
  const others = record("replica", neighbours).entries;
  const { verdict, outcome, sentence } = explain(
    record("request", [...opening, queued, began, ...drafts], { links, neighbours: others }),
  );
  return {
    said: `${verdict?.boundary}/${verdict?.code} ${verdict?.certainty} ${verdict?.owner}`,
    outcome,
    sentence,
    verdict,
  };
}

describe("what is said of an event that a Gradio app was asked for", () => {
  test("the app's own error has the app's words", () => {
    const { said, sentence } = verdictOf(failed("app/exception", { appSays: "no such style" }));
    assert.equal(said, "app/exception proved app");
    assert.equal(sentence, 'The app\'s function ended with an error ("no such style").');
  });

  test("an error that the app hides is said to be hidden", () => {
    assert.match(verdictOf(failed("app/exception", { appSays: null })).sentence, /which the app does not show/);
  });

  test("a call that the platform ended is the cause, whatever the app made of it", () => {
    const { said, sentence } = verdictOf(failed("app/exception", aborted), [call()]);
    assert.equal(said, "gpu/lease-expired proved app");
    assert.match(sentence, /^Its GPU call c_1 ended it: Stopped at the 1 s.*"ZeroGPU worker error: GPU task aborted"/);
  });

  test("where its visitor was told our sentence in place of the app's words, that is said", () => {
    const [responded, deliver] = failed("app/exception", { appSays: "No GPU was available after 60s" });
    assert.ok(responded && deliver);
    const toldInstead = { code: "gpu/queue-timeout", says: "No GPU became free within 60 s." };
    const told = { ...deliver, facts: { ...deliver.facts, toldInstead } };
    const { sentence } = verdictOf([responded, told], [call({ code: "gpu/queue-timeout" })]);
    assert.match(
      sentence,
      /words for that \("No GPU was available after 60s"\) reached its visitor as this platform's own\.$/,
    );
  });

  test("words that are not the GPU client's leave that only likely", () => {
    assert.equal(
      verdictOf(failed("app/exception", { appSays: "oh no" }), [call()]).said,
      "gpu/lease-expired likely app",
    );
  });

  test("the owner is the call's own", () => {
    const lost = call({ code: "gpu/replica-lost", owner: "platform" });
    assert.equal(verdictOf(failed("app/exception", aborted), [lost]).said, "gpu/replica-lost proved platform");
  });

  test("of several calls the newest that the platform ended counts, and none that went well or raised", () => {
    const links = [
      call({ id: "c_3", code: "gpu/quota-exceeded", outcome: "refused", at: "2026-11-22T12:00:03.000Z" }),
      call({ id: "c_2", at: "2026-11-22T12:00:02.000Z" }),
      call({ id: "c_4", outcome: "ok", code: null, at: "2026-11-22T12:00:04.000Z" }),
      call({ id: "c_5", code: "app/exception", at: "2026-11-22T12:00:05.000Z" }),
    ];
    assert.match(verdictOf(failed("app/exception", aborted), links).said, /^gpu\/quota-exceeded/);
  });

  test("a call that the function got over, since it made another one, is not blamed for the function's own error", () => {
    const lost = call({ code: "gpu/worker-lost", owner: "unknown", at: "2026-11-22T12:00:01.000Z" });
    const well = call({ id: "c_2", outcome: "ok", code: null, at: "2026-11-22T12:00:02.000Z" });
    const raised = call({ id: "c_2", code: "app/exception", at: "2026-11-22T12:00:02.000Z" });
    for (const later of [well, raised]) {
      const { said, verdict } = verdictOf(failed("app/exception", { appSays: "no such style" }), [later, lost]);
      assert.equal(said, "app/exception likely app");
      assert.equal(verdict?.inferred[0]?.rule, "went-on-after-call");
    }
  });

  test("a grant that an error of the function left unused did not cause the error", () => {
    const unused = call({ code: "gpu/grant-unused" });
    assert.equal(
      verdictOf(failed("app/exception", { appSays: "PicklingError" }), [unused]).said,
      "app/exception proved app",
    );
  });

  test("a call that has not ended in the record leaves it unknown: a proved word must not change", () => {
    const { said } = verdictOf(failed("app/exception", aborted), [call({ outcome: "open", code: null })]);
    assert.equal(said, "app/exception unknown app");
  });

  test("a function that raised by itself is the app's exception", () => {
    const raised = call({ code: "app/exception", sentence: "The app's function raised an error." });
    assert.equal(
      verdictOf(failed("app/exception", { appSays: "ValueError" }), [raised]).said,
      "app/exception proved app",
    );
  });

  test("the GPU's memory is likely, by the app's words", () => {
    const raised = call({ code: "app/exception" });
    const { said, verdict } = verdictOf(failed("runtime/device-out-of-memory", { appSays: "OutOfMemoryError" }), [
      raised,
    ]);
    assert.equal(said, "runtime/device-out-of-memory likely app");
    assert.equal(verdict?.inferred[0]?.rule, "by-the-apps-words");
  });

  test("a stream that broke is told by its own request", () => {
    const stream: LinkedWork = {
      id: "q_9",
      kind: "request",
      outcome: "failed",
      code: "runtime/shim-lost",
      sentence: "The shim died.",
      certainty: "proved",
      owner: "platform",
    };
    const drafts = failed("route/reset-midway", { brokenStream: true });
    assert.equal(verdictOf(drafts, [stream]).said, "runtime/shim-lost proved platform");
    assert.equal(verdictOf(drafts).said, "route/reset-midway unknown app");
  });

  test("a stream that ended with an error: the replica's end says why, else it is only likely the app's", () => {
    const drafts = failed("app/exception", { unexpected: true, appSays: "Server stopped unexpectedly." });
    const stopped = by("agent-n1", "replica.stop", "done", { why: "a new release" });
    const exited = by("agent-n1", "replica.exit", "failed", { code: "app/exit", says: "it exited with 3" });
    assert.equal(verdictOf(drafts).said, "app/exception likely app");
    assert.equal(verdictOf(drafts, [], [stopped]).said, "route/control-down likely platform");
    assert.equal(verdictOf(drafts, [], [exited]).said, "app/exit likely app");
  });

  test("a visitor who left, and one who cancelled", () => {
    const left = (more: Facts): Draft =>
      by("edge", "edge.deliver", "failed", { ...delivered, code: "route/visitor-left", ...more });
    assert.match(verdictOf([left({})]).sentence, /closed the event stream before the app's function had ended/);
    assert.match(verdictOf([left({ cancelled: true })]).sentence, /cancelled it/);
    const waiting = explain(record("request", [...opening, queued, left({})]));
    assert.match(waiting.sentence, /while it waited inside the app/);
  });

  test("where it went well, how long it waited inside the app", () => {
    const { sentence, verdict } = explain(
      record("request", [
        ...opening,
        queued,
        began,
        by("edge", "app.respond", "done"),
        by("edge", "edge.deliver", "done", delivered),
      ]),
    );
    assert.equal(verdict, null);
    assert.equal(
      sentence,
      "The app's function ended well after 5 s, of which it waited 1.2 s inside the app (2nd of 3 in the app's own queue when it came).",
    );
  });

  test("where it was not followed, why", () => {
    const { sentence } = explain(
      record("request", [
        ...opening,
        by("edge", "edge.deliver", "done", {
          ...delivered,
          followed: false,
          because: "its event stream is encoded (br)",
        }),
      ]),
    );
    assert.match(sentence, /answered 200\. How its event ended was not followed: its event stream is encoded \(br\)\./);
  });

  test("open: inside the app, then what its call says", () => {
    const open = (drafts: readonly Draft[], links: readonly LinkedWork[] = []): string =>
      explain(record("request", [...opening, ...drafts], { links })).sentence;
    assert.match(
      open([queued]),
      /^Waiting inside the app: 2nd of 3 in the app's own queue when it came, 1\.5 s by its own estimate/,
    );
    assert.equal(open([queued, began]), "The app's function is running.");
    assert.equal(
      open([queued, began], [call({ outcome: "open", code: null, sentence: "Waiting for a GPU: 1st of 1." })]),
      "The app's function has begun. Its GPU call c_1: Waiting for a GPU: 1st of 1.",
    );
  });
});
