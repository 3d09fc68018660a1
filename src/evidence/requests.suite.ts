/** Records of requests made by hand, and what is to be said of them. */
import type { Case } from "./builds.suite.ts";
import type { Facts } from "./entry.ts";
import * as a from "./waybill.suite.ts";

export const shimAnswer = (connected: boolean, acceptedBytes: number): Facts => ({
  state: "closed",
  connected,
  acceptedBytes,
  returnedBytes: 0,
  entry: "shim-p_1/1/1",
});
export const reset = "route/reset-midway";
const silentTo = { gaps: [{ emitter: "shim-p_1", epoch: 1, from: 12, to: 15, why: "never reached the record" }] };
const shimDied = { neighbours: [a.replicaEnd("runtime/shim-lost")] };
export const requests: readonly Case[] = [
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
    record: a.handedRequest([], { epochs: [{ emitter: "edge", epoch: 1, lastSeq: 4, state: "dead" }] }),
    sentence: /edge's process that carried this request ended/,
  },
  {
    code: "route/control-down",
    certainty: "unknown",
    record: a.edgeRequest([], { epochs: [{ emitter: "edge", epoch: 1, lastSeq: 2, state: "dead" }] }),
    sentence: /how far the request had come by then is not recorded/,
  },
  {
    code: "route/not-running",
    certainty: "unknown",
    record: a.edgeRequest([a.by("edge", "edge.route", "refused", { code: "route/not-running" })]),
    sentence: /What its visitor was answered is not in what was read/,
  },
  {
    code: reset,
    record: a.handedRequest([a.take({ connected: true, acceptedBytes: 812 }), a.deliver(reset, 502)], {
      neighbours: [a.replicaEnd("app/exit")],
    }),
    sentence: /delivered to the app's socket/,
  },
  {
    code: "route/loop",
    certainty: "likely",
    record: a.edgeRequest([
      a.by("edge", "edge.route", "refused", { code: "route/loop" }),
      a.deliver("route/loop", 508, "refused"),
    ]),
    sentence: /./,
  },
];
