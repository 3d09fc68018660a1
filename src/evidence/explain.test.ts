/** Each code from a record made by hand: what the verdict says, how sure it is, and what it rules out. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { builds, type Case } from "./builds.suite.ts";
import { cardCases } from "./cards.suite.ts";
import { codes } from "./codes.ts";
import type { Facts } from "./entry.ts";
import { explain, explainCounted } from "./explain.ts";
import { known } from "./known.ts";
import { buildRules } from "./rules/builds.ts";
import { callRules } from "./rules/calls.ts";
import { symptomRules } from "./rules/symptoms.ts";
import * as a from "./waybill.suite.ts";

const quota: Facts = {
  askedMs: 60000,
  leftMs: 0,
  quotaUsedMs: 300000,
  quotaHeldMs: 0,
  limitMs: 300000,
  resetsAt: "2026-11-22T18:04:00.000Z",
};
const shimAnswer = (connected: boolean, acceptedBytes: number): Facts => ({
  state: "closed",
  connected,
  acceptedBytes,
  returnedBytes: 0,
  entry: "shim-p_1/1/1",
});

const calls: readonly Case[] = [
  ...cardCases,
  {
    code: "gpu/duration-not-allowed",
    record: a.refusedCall("gpu/duration-not-allowed", { declaredMs: 900000, maxMs: 600000 }),
    sentence: /declares 60 s and pool limits allow 600 s\. Nothing was charged/,
  },
  {
    code: "gpu/size-not-available",
    record: a.refusedCall("gpu/size-not-available", { size: "xlarge", pool: "main" }),
    sentence: /No card of pool main can hold/,
  },
  {
    code: "gpu/quota-exceeded",
    record: a.refusedCall("gpu/quota-exceeded", quota),
    sentence:
      /^No GPU time left until 18:04 UTC on 2026-11-22 \(300 s of 300 s used, 0 s held\)\. Nothing was charged\.$/,
  },
  {
    code: "gpu/quota-exceeded",
    record: a.refusedCall("gpu/quota-exceeded", { ...quota, leftMs: 12000 }),
    sentence: /^12 s of GPU time is left and this call asks for 60 s/,
  },
  {
    code: "gpu/duration-not-allowed",
    record: a.refusedCall("gpu/duration-not-allowed", { maxMs: 20_000, tier: "free" }),
    sentence: /and the tier free allows 20 s/,
  },
  {
    code: "gpu/budget-exceeded",
    record: a.refusedCall("gpu/budget-exceeded", { sponsor: "bob", askedMs: 60000, leftMs: 12000, limitMs: 600000 }),
    sentence:
      /^bob pays for this Space's visitors, and can pay 12 s more of 600 s; this call asks for 60 s\. Nothing was charged\.$/,
  },
  {
    code: "gpu/token-cap",
    record: a.refusedCall("gpu/token-cap", { calls: 64, maxCalls: 64, gpuMs: 1000, maxGpuMs: 300000 }),
    sentence: /admitted 64 calls of at most 64/,
  },
  {
    code: "gpu/runs-exceeded",
    record: a.refusedCall("gpu/runs-exceeded", { runs: 100, max: 100, tier: "free" }),
    sentence: /has made 100 runs in its window, and its tier allows 100\./,
  },
  {
    code: "gpu/account-busy",
    record: a.refusedCall("gpu/account-busy", { calls: 4, max: 4, tier: "free" }),
    sentence: /has 4 calls open, and its tier allows 4 at once/,
  },
  {
    code: "gpu/space-busy",
    record: a.refusedCall("gpu/space-busy", { calls: 8, max: 8 }),
    sentence: /The Space has 8 calls open, and pool main allows one Space 8 at once/,
  },
  {
    code: "gpu/queue-full",
    record: a.refusedCall("gpu/queue-full", { waiting: 1000, max: 1000 }),
    sentence: /1000 calls already wait for pool main/,
  },
  {
    code: "gpu/queue-timeout",
    record: a.voidedCall("queue-timeout", "gpu.queue", "queued"),
    sentence: /^No GPU became free within 3 s\. Nothing was charged\.$/,
  },
  {
    code: "gpu/no-capacity",
    record: a.voidedCall("no-capacity", "gpu.queue", "queued"),
    sentence: /Pool main has no GPU/,
  },
  {
    code: "gpu/visitor-left",
    record: a.voidedCall("visitor-left", "gpu.queue", "queued"),
    sentence: /left before a GPU was used\. Nothing was charged/,
  },
  {
    code: "gpu/visitor-left",
    record: a.settledCall("visitor-stop"),
    sentence: /the Space ends a call then\. Charged 0\.4 s/,
  },
  {
    code: "gpu/visitor-left",
    record: a.voidedCall("visitor-stop", "gpu.grant", "granted"),
    sentence: /the Space ends a call then\. Nothing was charged/,
  },
  {
    code: "gpu/grant-unused",
    record: a.voidedCall("grant-unused", "gpu.grant", "granted"),
    sentence: /never entered there\. Nothing was charged/,
  },
  {
    code: "gpu/lease-expired",
    record: a.settledCall("lease-end", { usedMs: 60000, chargedMs: 60000 }),
    sentence: /^Stopped at the 60 s that the app declares\. Charged 60 s\.$/,
  },
  {
    code: "gpu/worker-lost",
    record: a.settledCall("worker-exit"),
    sentence: /^The worker ended by itself after 0\.4 s on the GPU\. Charged 0\.4 s\.$/,
  },
  {
    code: "gpu/worker-lost",
    record: a.settledCall("worker-killed", { chargedMs: 0, rule: "killed-free" }),
    sentence: /nothing says by whom,? after 0\.4 s on the GPU\. Nothing was charged/,
  },
  {
    code: "gpu/node-lost",
    record: a.settledCall("node-lost", { chargedMs: 0 }),
    sentence: /machine stopped answering\. Our fault: 0 s charged/,
  },
  {
    code: "gpu/replica-lost",
    record: a.settledCall("app-exit"),
    sentence: /The app ended by itself while the call was open/,
  },
  {
    code: "gpu/replica-lost",
    record: a.voidedCall("replica-lost", "gpu.grant", "queued"),
    sentence: /replica went away/,
  },
  {
    code: "gpu/stopped",
    record: a.settledCall("operator-stop", { chargedMs: 0 }),
    sentence: /The platform ended the call\. Nothing was charged/,
  },
  {
    code: "app/exception",
    record: a.settledCall("raised"),
    sentence: /raised an error after 0\.4 s on the GPU\. Charged 0\.4 s/,
  },
  {
    code: "identity/bad-signature",
    record: a.record("call", [
      a.by("control", "gpu.schedule", "took"),
      a.by("control", "identity.verify", "refused", { code: "identity/bad-signature" }),
    ]),
    sentence: /not signed by this platform\. Nothing was charged/,
  },
];

const reset = "route/reset-midway";
const silentTo = { gaps: [{ emitter: "shim-p_1", epoch: 1, from: 12, to: 15, why: "never reached the record" }] };
const shimDied = { neighbours: [a.replicaEnd("runtime/shim-lost")] };
const requests: readonly Case[] = [
  {
    code: "route/not-running",
    record: a.edgeRequest([
      a.by("edge", "edge.route", "refused", {
        code: "route/not-running",
        space: "alice/demo",
        says: "its build failed",
      }),
      a.deliver("route/not-running", 503, "refused"),
    ]),
    sentence: /^The Space alice\/demo is not running\. Its build failed\.$/,
  },
  {
    code: "app/crash-loop",
    record: a.edgeRequest([
      a.by("edge", "edge.route", "refused", { code: "app/crash-loop", space: "alice/demo" }),
      a.deliver("app/crash-loop", 503, "refused"),
    ]),
    sentence: /no longer restarted/,
  },
  {
    code: "identity/bad-token",
    record: a.record("request", [
      a.by("edge", "identity.resolve", "refused", { code: "identity/bad-token" }),
      a.deliver("identity/bad-token", 401, "refused"),
    ]),
    sentence: /not known here/,
  },
  {
    code: "identity/private",
    record: a.record("request", [
      a.by("edge", "identity.resolve", "refused", { code: "identity/private", says: "It was bob." }),
      a.deliver("identity/private", 404, "refused"),
    ]),
    sentence: /^The Space is private, and whoever came may not read it\. It was bob\.$/,
  },
  {
    code: "identity/token-expired",
    record: a.record("request", [
      a.by("edge", "identity.resolve", "refused", {
        code: "identity/token-expired",
        says: "This access token expired at 2026-11-22T12:00:00.000Z.",
      }),
      a.deliver("identity/token-expired", 401, "refused"),
    ]),
    sentence: /^The access token has expired\. This access token expired at 2026-11-22T12:00:00\.000Z\.$/,
  },
  {
    code: "route/too-large",
    record: a.edgeRequest([a.deliver("route/too-large", 413, "refused")]),
    sentence: /larger than this platform accepts/,
  },
  {
    code: "route/malformed",
    record: a.edgeRequest([a.deliver("route/malformed", 400, "refused")]),
    sentence: /not valid HTTP/,
  },
  {
    code: "route/visitor-left",
    record: a.handedRequest([
      a.by("edge", "edge.deliver", "failed", { code: "route/visitor-left", status: null, answeredBy: null }),
    ]),
    sentence: /^The visitor closed the connection before the app began its answer\.$/,
  },
  {
    code: "route/node-away",
    record: a.handedRequest([
      a.by("edge", "edge.connect", "failed", { code: "route/node-away" }),
      a.deliver("route/node-away", 503),
    ]),
    sentence: /^The line to the node .* was lost under the request\. Whether the app had received it is not known\.$/,
  },
  {
    code: "route/node-away",
    record: a.handedRequest([
      a.by("edge", "edge.connect", "failed", { code: "route/node-away" }),
      a.take({ connected: true, acceptedBytes: 812 }),
      a.deliver("route/node-away", 503),
    ]),
    sentence: /Of the request the app's socket had taken all\.$/,
  },
  { code: "route/control-down", record: a.edgeRequest([a.deliver("route/control-down", 503)]), sentence: /restarted/ },

  {
    code: "route/control-down",
    certainty: "likely",
    record: a.handedRequest([
      a.asked("app.respond", "route/control-down", { ...shimAnswer(true, 812), stopping: true }),
      a.deliver("route/control-down", 503),
    ]),
    sentence: /^The platform was stopping the replica that carried this request\.$/,
  },
  {
    code: "route/connect-timeout",
    record: a.edgeRequest([
      a.by("edge", "edge.connect", "failed", { code: "route/connect-timeout", errno: "EAGAIN" }),
      a.deliver("route/connect-timeout", 504),
    ]),
    sentence: /^The platform could not open a connection to the replica \(EAGAIN\)/,
  },

  {
    code: "route/connect-refused",
    record: a.handedRequest([a.take({ connected: false, acceptedBytes: 0 }), a.deliver("route/connect-refused", 502)]),
    sentence: /nothing listens on its port\. The request was not delivered/,
  },
  {
    code: "route/connect-refused",
    record: a.handedRequest([
      a.asked("edge.connect", "route/connect-refused", shimAnswer(false, 0)),
      a.deliver("route/connect-refused", 502),
    ]),
    sentence: /nothing listens/,
  },
  {
    code: "route/connect-refused",
    record: a.handedRequest([a.take({ connected: false, acceptedBytes: 0 }), a.deliver(reset, 502)]),
    sentence: /nothing listens/,
  },
  {
    code: "route/connect-timeout",
    record: a.edgeRequest([
      a.by("edge", "edge.connect", "failed", { code: "route/connect-timeout" }),
      a.deliver("route/connect-timeout", 504),
    ]),
    sentence: /was not handed over/,
  },
  {
    code: reset,
    record: a.handedRequest([a.take({ connected: true, acceptedBytes: 812 }), a.deliver(reset, 502)]),
    sentence: /^The request was delivered to the app's socket, and the connection broke before any answer came\.$/,
  },
  {
    code: reset,
    record: a.handedRequest([a.take({ connected: true, acceptedBytes: 400 }), a.deliver(reset, 502)]),
    sentence: /^Part of the request/,
  },
  {
    code: reset,
    certainty: "likely",
    record: a.handedRequest([a.take({ connected: true, acceptedBytes: 812, final: false }), a.deliver(reset, 502)]),
    sentence: /The count is not final/,
  },
  {
    code: "route/response-timeout",
    record: a.handedRequest([
      a.take({ connected: true, acceptedBytes: 812, final: false }),
      a.deliver("route/response-timeout", 504),
    ]),
    sentence: /delivered to the app's socket whole, and the app never began its answer/,
  },
  {
    code: "route/response-timeout",
    certainty: "likely",
    record: a.handedRequest([
      a.take({ connected: true, acceptedBytes: 400 }),
      a.deliver("route/response-timeout", 504),
    ]),
    sentence: /took only part/,
  },

  {
    code: reset,
    record: a.handedRequest([a.asked("app.respond", reset, { state: "unknown" }), a.deliver(reset, 502)]),
    sentence: /^The request never reached the app/,
  },
  {
    code: reset,
    certainty: "unknown",
    record: a.handedRequest([a.deliver(reset, 502)], silentTo),
    sentence: /numbers 12 to 15 of shim-p_1 in epoch 1 are missing/,
  },
  {
    code: reset,
    certainty: "unknown",
    record: a.handedRequest([a.deliver(reset, 502)]),
    sentence: /nothing of the shim of p_1 is stored/,
  },
  {
    code: "runtime/shim-lost",
    certainty: "likely",
    record: a.handedRequest([a.deliver(reset, 502)], shimDied),
    sentence: /Whether the app had received it is not known/,
  },
  {
    code: "runtime/shim-lost",
    record: a.handedRequest([a.deliver("runtime/shim-lost", 503)], shimDied),
    sentence: /had died/,
  },
  {
    code: "runtime/shim-lost",
    certainty: "likely",
    record: a.handedRequest([a.deliver("runtime/shim-lost", 503)]),
    sentence: /Nobody listened/,
  },
  {
    code: "app/exit",
    certainty: "likely",
    record: a.handedRequest([a.deliver("runtime/shim-lost", 503)], { neighbours: [a.replicaEnd("app/exit")] }),
    sentence: /The replica had ended/,
  },
  {
    code: "route/control-down",
    certainty: "likely",
    record: a.edgeRequest([], { epochs: [{ emitter: "edge", epoch: 1, lastSeq: 2, state: "dead" }] }),
    sentence: /edge's process that carried this request ended/,
  },
];

const stray = a.by("shim.p_1", "replica.card", "failed", {
  code: "gpu/without-lease",
  pid: 77,
  says: "process 77 was on card GPU-1 at two looks, and no call of the app had that card",
});
const replicas: readonly Case[] = [
  {
    code: "gpu/without-lease",
    record: a.record("replica", [a.by("agent-n1", "replica.ready", "done", {}), stray]),
    certainty: "likely",
    sentence: /no lease on, and was ended\. Process 77 was on card GPU-1 at two looks/,
  },
  {
    code: "gpu/without-lease",
    record: a.record("replica", [
      stray,
      a.by("agent-n1", "replica.exit", "failed", { code: "gpu/without-lease", signal: "SIGKILL" }),
    ]),
    sentence: /no lease on, and was ended/,
  },
  {
    code: "app/exit",
    record: a.record("replica", [stray, a.by("agent-n1", "replica.exit", "failed", { code: "app/exit", exitCode: 3 })]),
    sentence: /ended with exit code 3/,
  },
  {
    code: "app/exit",
    record: a.record("replica", [
      a.by("agent-n1", "replica.exit", "failed", { code: "app/exit", exitCode: 3, signal: null }),
    ]),
    sentence: /^The app's process ended with exit code 3\.$/,
  },
  {
    code: "app/exit",
    certainty: "likely",
    record: a.record("replica", [
      a.by("agent-n1", "replica.exit", "failed", { code: "app/exit", exitCode: 3, again: true }),
    ]),
    sentence: /exit code 3/,
  },
  {
    code: "app/crash-loop",
    record: a.record("replica", [
      a.by("agent-n1", "replica.exit", "failed", { code: "app/exit", exitCode: 3, again: true }),
      a.by("agent-n1", "replica.exit", "failed", { code: "app/crash-loop" }),
    ]),
    sentence: /no longer restarted/,
  },
  {
    code: "app/not-listening",
    record: a.record("replica", [a.by("agent-n1", "replica.ready", "failed", { code: "app/not-listening" })]),
    sentence: /never listened/,
  },
  {
    code: "runtime/shim-lost",
    record: a.record("replica", [a.by("agent-n1", "replica.exit", "failed", { code: "runtime/shim-lost" })]),
    sentence: /kept the replica died/,
  },
  {
    code: "app/disk-full",
    record: a.record("replica", [
      a.by("shim.p_1", "replica.disk", "took", { place: "/data", usedBytes: 99, sizeBytes: 100 }),
      a.by("agent-n1", "replica.exit", "failed", { code: "app/disk-full", exitCode: 1 }),
    ]),
    sentence: /more to the disk than it may/,
  },
  {
    code: "runtime/disk-failed",
    record: a.record("replica", [a.by("agent-n1", "replica.exit", "failed", { code: "runtime/disk-failed" })]),
    sentence: /could not be made or mounted/,
  },
  {
    code: "runtime/disk-low",
    record: a.record("replica", [a.by("agent-n1", "replica.exit", "failed", { code: "runtime/disk-low" })]),
    sentence: /own disk is nearly full/,
  },
  {
    code: "runtime/sandbox-denied",
    record: a.record("replica", [a.by("agent-n1", "replica.start", "failed", { code: "runtime/sandbox-denied" })]),
    sentence: /No sandbox works/,
  },
];

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
