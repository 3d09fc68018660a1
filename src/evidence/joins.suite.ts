/** Records of joins made by hand, and what is to be said of them. */
import type { Case } from "./builds.suite.ts";
import type { Entry, Facts } from "./entry.ts";
import * as a from "./waybill.suite.ts";
import type { LinkedWork, WorkRecord } from "./work-record.ts";

const opening = [
  a.by("edge", "edge.accept", "took", { method: "POST", path: "/queue/join", host: "alice-demo.localhost" }),
  a.by("edge", "edge.route", "done", { space: "alice/demo", replica: "p_1" }),
  a.handed,
  a.by("edge", "app.queue", "took", { event: "e1", position: 2, of: 3, ms: 10 }),
];
const call: LinkedWork = {
  id: "c_1",
  kind: "call",
  outcome: "failed",
  code: "gpu/lease-expired",
  sentence: "Stopped at the 1 s that the app declares.",
  certainty: "proved",
  owner: "app",
  at: "2026-11-22T12:00:01.000Z",
};
const aborted: Facts = { appTitle: "ZeroGPU worker error", appSays: "GPU task aborted" };

const later: LinkedWork = { ...call, id: "c_2", outcome: "ok", code: null, at: "2026-11-22T12:00:02.000Z" };
const stream: LinkedWork = { ...call, id: "q_9", kind: "request", code: "route/reset-midway", sentence: "It broke." };

function event(
  code: string,
  more: Facts,
  links: readonly LinkedWork[] = [],
  neighbours: readonly Entry[] = [],
): WorkRecord {
  const drafts = [
    a.by("edge", "app.respond", "failed", { code, event: "e1", link: "q_9", ...more }),
    a.by("edge", "edge.deliver", "failed", { code, event: "e1", status: 200, answeredBy: "app", ms: 5_000 }),
  ];
  return a.record("request", [...opening, ...drafts], { links, neighbours });
}

export const joins: readonly Case[] = [
  {
    code: "app/exception",
    certainty: "unknown",
    record: a.record("request", [
      ...opening,
      a.by("edge", "edge.deliver", "failed", { code: "app/exception", event: "e1", answeredBy: "app" }),
    ]),
    sentence: /The entry that says how it failed is not in what was read/,
  },
  {
    code: "app/exception",
    record: event("app/exception", { appSays: "no such style" }),
    sentence: /ended with an error \("no such style"\)/,
  },
  {
    code: "runtime/device-out-of-memory",
    certainty: "likely",
    record: event("runtime/device-out-of-memory", { appSays: "CUDA out of memory" }),
    sentence: /CUDA out of memory/,
  },
  {
    code: "gpu/lease-expired",
    record: event("app/exception", aborted, [call]),
    sentence: /^Its GPU call c_1 ended it/,
  },
  {
    code: "gpu/lease-expired",
    certainty: "likely",
    record: event("app/exception", { appSays: "something went wrong" }, [call]),
    sentence: /^Its GPU call c_1 ended it/,
  },
  {
    code: "app/exception",
    certainty: "likely",
    record: event("app/exception", { appSays: "something went wrong" }, [call, later]),
    sentence: /ended with an error/,
  },
  {
    code: "app/exception",
    certainty: "unknown",
    record: event("app/exception", aborted, [{ ...call, outcome: "open", code: null }]),
    sentence: /is not known before its GPU call c_1 has ended/,
  },
  {
    code: "route/reset-midway",
    record: event("route/reset-midway", { brokenStream: true }, [stream]),
    sentence: /the answer that carried its event \(q_9\) ended early/,
  },
  {
    code: "app/exit",
    certainty: "likely",
    record: event("app/exception", { unexpected: true }, [], [a.replicaEnd("app/exit")]),
    sentence: /ended its event stream with an error/,
  },
];
