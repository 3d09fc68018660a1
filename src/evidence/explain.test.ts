/** Each code from a record made by hand: what the verdict says, how sure it is, and what it rules out. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { builds } from "./builds.suite.ts";
import { calls } from "./calls.suite.ts";
import { codes } from "./codes.ts";
import { explain, explainCounted } from "./explain.ts";
import { known } from "./known.ts";
import { replicas } from "./replicas.suite.ts";
import { requests, reset, shimAnswer } from "./requests.suite.ts";
import { buildRules } from "./rules/builds.ts";
import { callRules } from "./rules/calls.ts";
import { symptomRules } from "./rules/symptoms.ts";
import * as a from "./waybill.suite.ts";

describe("explain", () => {
  for (const { record, code, certainty = "proved", sentence } of [...calls, ...requests, ...builds, ...replicas]) {
    test(`${record.kind}: ${code} is ${certainty}: ${sentence.source}`, () => {
      const { verdict, ...rest } = explain(record);
      assert.ok(verdict, "there is a verdict");
      assert.equal(`${verdict.boundary}/${verdict.code}`, code);
      assert.equal(verdict.certainty, certainty);
      assert.match(verdict.sentence, sentence);
      assert.equal(rest.sentence, verdict.sentence);
      assert.ok(verdict.facts.length > 0, "it cites entries");
      assert.ok(verdict.known === null || Object.hasOwn(known, verdict.known));
    });
  }

  test("every code of a table has a case here", () => {
    const told = new Set([...calls, ...requests, ...builds].map(({ code }) => code));
    const tables = [...Object.keys(callRules), ...Object.keys(buildRules), ...Object.keys(symptomRules)];
    assert.deepEqual(
      tables.filter((code) => !told.has(code)),
      [],
    );
  });

  test("a call that waited too long was never entered, and was charged nothing", () => {
    const { verdict, outcome } = explain(a.voidedCall("queue-timeout", "gpu.queue", "queued"));
    assert.equal(outcome, "refused");
    assert.deepEqual(verdict?.charge, { chargedMs: 0, heldMs: 60000, releasedMs: 60000, receipt: null });
    assert.match(verdict?.ruledOutBecause["runtime"] ?? "", /no GPU was granted, journal read to 48213/);
    assert.deepEqual(verdict?.ruledOut["identity"], ["scheduler/1/2"]);
    assert.equal(verdict?.known, "waiting-is-free");
    assert.deepEqual(explain(a.voidedCall("queue-timeout", "gpu.queue", "queued")).links, [
      { id: "q_1", kind: "request" },
    ]);
  });

  test("a call that went well has no verdict, and says what was charged", () => {
    const told = explain(a.settledCall("returned"));
    assert.deepEqual(
      [told.outcome, told.verdict, told.sentence],
      ["ok", null, "The function ran 0.4 s on the GPU. Charged 0.4 s."],
    );
  });

  test("a waiting call says its place and all that blocks it", () => {
    const told = explain(a.openCall());
    assert.equal(told.outcome, "open");
    assert.equal(
      told.sentence,
      "Waiting for a GPU: 3rd of 3 when it was queued; 4 of 4 slots leased; 2 calls ahead. Waiting is free.",
    );
  });

  test("a request that never arrived is not blamed on the app", () => {
    const { verdict } = explain(
      a.handedRequest([a.deliver(reset, 502)], {
        watermarks: [
          {
            channel: "edge/1→p_1",
            upTo: 20,
            taken: [16, 18],
            emitter: "shim-p_1",
            epoch: 1,
            seq: 9,
            at: "2026-11-22T12:00:09.000Z",
          },
        ],
      }),
    );
    assert.deepEqual([verdict?.owner, verdict?.certainty, verdict?.code], ["platform", "proved", "reset-midway"]);
    assert.ok(verdict?.ruledOut["app"]);
  });

  test("what the platform itself did to a request is never put on the app", () => {
    const stopping = a.asked("app.respond", "route/control-down", { ...shimAnswer(true, 812), stopping: true });
    const full = a.by("edge", "edge.connect", "failed", { code: "route/connect-timeout", errno: "EAGAIN" });
    const stop = {
      ...a.replicaEnd("app/exit"),
      hop: "replica.stop",
      mark: "done",
      facts: { why: "a newer release" },
    } as const;
    const gone = a.by("edge", "app.respond", "failed", { code: "runtime/shim-lost" });
    for (const record of [
      a.handedRequest([stopping, a.deliver("route/control-down", 503)]),
      a.edgeRequest([full, a.deliver("route/connect-timeout", 504)]),
      a.handedRequest([gone, a.deliver("runtime/shim-lost", 503)], { neighbours: [stop] }),
    ]) {
      const { verdict } = explain(record);
      assert.equal(verdict?.owner, "platform", JSON.stringify(record.entries));
    }
  });

  test("a broken connection beside an app that exited cites its end, without ordering two clocks", () => {
    const { verdict } = explain(
      a.handedRequest([a.take({ connected: true, acceptedBytes: 812 }), a.deliver(reset, 502)], {
        neighbours: [a.replicaEnd("app/exit", { says: "the app ended with exit code 3" })],
      }),
    );
    assert.deepEqual(
      [verdict?.code, verdict?.certainty, verdict?.inferred.map(({ says }) => says)],
      ["reset-midway", "proved", ["The replica that took it has ended since: The app ended with exit code 3."]],
    );
  });

  test("an attempt that is not closed may still arrive, so an answer past it proves nothing", () => {
    const open = a.handedRequest([a.deliver(reset, 502)], {
      watermarks: [
        {
          channel: "edge/1→p_1",
          upTo: 20,
          taken: [],
          emitter: "shim-p_1",
          epoch: 1,
          seq: 9,
          at: "2026-11-22T12:00:09.000Z",
        },
      ],
    });
    const entries = open.entries.map((entry) =>
      entry.hop === "edge.connect" ? { ...entry, facts: { ...entry.facts, closed: false } } : entry,
    );
    assert.equal(explain({ ...open, entries }).verdict?.certainty, "unknown");
  });

  test("a request beside its refused GPU call tells both", () => {
    const call = {
      id: "c_1",
      kind: "call" as const,
      outcome: "refused" as const,
      code: "gpu/queue-timeout",
      sentence: "No GPU became free within 3 s. Nothing was charged.",
    };
    const told = explain(
      a.edgeRequest([a.by("edge", "edge.deliver", "done", { status: 200, answeredBy: "app", ms: 3012 })], {
        links: [call],
      }),
    );
    assert.equal(told.outcome, "ok");
    assert.equal(
      told.sentence,
      "The app answered 200 in 3 s. Its GPU call c_1: No GPU became free within 3 s. Nothing was charged.",
    );
    assert.deepEqual(told.links, [call]);
  });

  test("a session that went on at another replica, and a replica that was dead, are told", () => {
    const facts = { replica: "p_2", movedFrom: "p_0", passedOver: ["p_1"] };
    const told = explain(
      a.edgeRequest([
        a.by("edge", "edge.route", "done", { space: "alice/demo", ...facts }),
        a.by("edge", "edge.deliver", "done", { status: 200, answeredBy: "app", ms: 12 }),
      ]),
    );
    assert.equal(
      told.sentence,
      "The app answered 200 in 12 ms. Its session was on the replica p_0, and went on at p_2. p_1 could not be reached and had nothing of it.",
    );
  });

  test("an answer of 500 that the app gave is the app's own, and no fault of the platform", () => {
    const told = explain(
      a.edgeRequest([a.by("edge", "edge.deliver", "done", { status: 500, answeredBy: "app", ms: 12 })]),
    );
    assert.equal(told.verdict, null);
    assert.match(told.sentence, /^The app answered 500 in 12 ms\. An answer that the app gave/);
  });

  test("two ends of one work are a contradiction, and nobody is blamed", () => {
    const { verdict, outcome } = explain(
      a.edgeRequest([
        a.by("edge", "edge.route", "refused", { code: "route/not-running" }),
        a.deliver("route/too-large", 413, "refused"),
      ]),
    );
    assert.deepEqual(
      [verdict?.boundary, verdict?.owner, verdict?.certainty, outcome],
      ["unknown", "unknown", "unknown", "unknown"],
    );
    assert.match(verdict?.sentence ?? "", /route\/not-running and as route\/too-large/);
  });

  test("an unknown id says what was read, and what retention may have dropped", () => {
    const says = /evidence read to 900\. Records of 2026-11-20 and before may have been dropped/;
    for (const kind of ["request", "build", "replica", "connection", "transfer"] as const) {
      const { verdict, outcome } = explain(a.record(kind, [], { droppedThrough: "2026-11-20" }));
      assert.equal(outcome, "unknown");
      assert.match(verdict?.sentence ?? "", says);
    }
  });
});

describe("explainCounted", () => {
  test("says that it is counted and not recorded, with the count of its minute", () => {
    const told = explainCounted(
      {
        id: "n_1",
        code: "route/no-such-space",
        host: "x.localhost",
        block: "127.0.0.0/24",
        minute: Date.parse("2026-11-22T12:00:00Z"),
        count: 412,
        samples: ["GET /"],
      },
      { journal: 1, evidence: 2 },
    );
    assert.match(
      told.sentence,
      /^Counted, not recorded\. .* 412 such refusals for host "x\.localhost" from 127\.0\.0\.0\/24/,
    );
    assert.equal(told.verdict?.code, "no-such-space");
    assert.equal(codes["route/no-such-space"].owner, told.verdict?.owner);
  });

  test("says which node spoke of another's, and of what", () => {
    const told = explainCounted(
      {
        id: "n_1",
        code: "control/not-its-own",
        host: "",
        block: "node n2",
        minute: Date.parse("2026-11-22T12:00:00Z"),
        count: 2,
        samples: ["left of call c_1 of node n1", "cleared of slot n1/0/0"],
      },
      { journal: 1, evidence: 2 },
    );
    assert.match(
      told.sentence,
      /2 such refusals from node n2 in the minute from 2026-11-22T12:00:00\.000Z\. It said: left of call c_1 of node n1; cleared of slot n1\/0\/0\.$/,
    );
    assert.equal(told.verdict?.owner, "platform");
  });
});
