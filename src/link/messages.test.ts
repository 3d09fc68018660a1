import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { LogLine, ReplicaStatus, ToAgent, ToServer } from "../contract/agent.ts";
import { noIsolation } from "../contract/isolation.ts";
import { durationMs } from "../stdx/time.ts";
import { MalformedMessage, parseToAgent, parseToServer } from "./messages.ts";

type Kinds<Message extends { readonly type: string }> = {
  readonly [Type in Message["type"]]: Extract<Message, { readonly type: Type }>;
};

const ms = durationMs(1_000);
const device = { index: 0, uuid: "GPU-0", name: "a card", slots: 2, simulated: false, driver: "570", ecc: true };
const by = { bytes: 1, by: "looking" } as const;
const held = { bytes: 1, by: "file-system" } as const;
const most = { most: 9, by: "rlimit" } as const;
const limits = {
  ...{ memory: by, processes: most, processors: null, openFiles: 8, tmpBytes: 1 },
  ...{ homeBytes: 1, data: held },
} as const;
const status: ReplicaStatus = {
  ...{ replica: "p_1", space: "alice/demo", release: "rel_1", phase: "exited", socket: null, startedAt: 1 },
  ...{ limits, previous: "p_0", setup: { gpu: true, environment: 2 }, frozen: true },
  end: { code: "app/exit", exitCode: 3, signal: null, says: "it ended" },
};
const probes = { total: 9, open: 1, expected: 1, unexpected: [], notRun: ["no python"], at: "2026" };
const line: LogLine = { n: 1, at: "2026", source: "app", stream: "out", text: "hello", replica: "p_1" };
const setup = { gpu: true, environment: 0 };

const rules = { allow: ["*"], deny: ["example.org:25"], ports: [80, 443], addresses: [] };

/** One of each kind with all that it may have. */
const fromAgent: Kinds<ToServer> = {
  hello: {
    ...{ type: "hello", node: "n1", epoch: 1, pool: "main", devices: [device], replicas: [status], sdks: ["node"] },
    ...{ buildsAtOnce: 1, isolation: { ...noIsolation("none"), probes }, folder: "id" },
    outbound: { apps: rules, builds: { ...rules, addresses: ["10.1.0.0/16"] } },
  },
  isolation: { type: "isolation", node: "n1", isolation: { ...noIsolation("none"), probes: { failed: "x", at: "" } } },
  cards: {
    ...{ type: "cards", node: "n1", trouble: { "*": { code: "runtime/nvml-lost", says: "" } } },
    use: { strangers: [{ pid: 7, cards: ["GPU-0"], program: "python", memoryMiB: null }], unseen: null },
  },
  heartbeat: { type: "heartbeat", node: "n1", tookGrants: 3, builds: [{ build: "b_1", fence: 1 }] },
  replica: { type: "replica", status },
  schedule: {
    type: "schedule",
    request: {
      ...{ call: "c_1", replica: "p_1", space: "alice/demo", release: "rel_1", task: "1" },
      ...{ declaredMs: 60_000, size: "large", token: null },
    },
  },
  left: { type: "left", call: "c_1", replica: "p_1" },
  meter: {
    ...{ type: "meter", replica: "p_1" },
    report: {
      ...{ kind: "ended", seq: 2, call: "c_1", fence: 1, cause: "returned", usedMs: 5 },
      ...{ workerAlive: true, unused: false, at: "", says: "" },
    },
  },
  cleared: { type: "cleared", replica: "p_1", slot: "n1/0/0", fence: 1 },
  "build-claimed": { type: "build-claimed", build: "b_1", fence: 1, number: 1, builder: "n1" },
  "build-log": { type: "build-log", build: "b_1", fence: 1, lines: [{ at: "", stream: "out", step: "x", text: "" }] },
  "build-limits": {
    ...{ type: "build-limits", build: "b_1", fence: 1 },
    limits: {
      ...{ wholeMs: 1, writtenBytes: 2, memory: { bytes: 3, by: "group" }, processes: { most: 4, by: "rlimit" } },
      ...{ processors: null, openFiles: 5, tmpBytes: 6, homeBytes: 7 },
    },
  },
  "build-step": { type: "build-step", build: "b_1", fence: 1, step: "fetch", state: "done", tookMs: 1 },
  "build-done": {
    ...{ type: "build-done", build: "b_1", fence: 1 },
    outcome: {
      ...{ ok: true, release: "rel_1", sdk: "gradio", headers: { a: "b" }, settings: { a: 1, b: "x", c: true } },
      runtime: {
        ...{ python: "3.10", gradio: "4", spaces: null, torch: { version: "2", cuda: null, archs: ["sm_90"] } },
        ...{ packages: [{ name: "x", version: "1", cuda: null, archs: [] }], warnings: ["w"] },
      },
    },
  },
  releases: { type: "releases", node: "n1", releases: [{ release: "rel_1", build: null }] },
  spaces: { type: "spaces", node: "n1", spaces: [{ space: "alice/demo", madeAt: null }] },
  evidence: {
    type: "evidence",
    batch: { emitter: "shim.p_1", epoch: 1, records: [{ kind: "entry", body: { any: ["thing"] } }] },
  },
  log: { type: "log", read: "1", lines: [line], next: 2, more: true, complete: false, unknown: false },
};

const call = { call: "c_1", replica: "p_1" };
const fromServer: Kinds<ToAgent> = {
  welcome: { type: "welcome", server: "waybill", epoch: 1 },
  reach: { type: "reach", space: "alice/demo", reach: "api.example.com, *.example.org:8443" },
  "start-replica": {
    type: "start-replica",
    spec: {
      ...{ replica: "p_1", space: "alice/demo", release: "rel_1", sdk: "node", env: { A: "b" }, secrets: { S: "t" } },
      ...{ readyWithinMs: ms, madeAt: 7, gpu: false, setup, health: { path: null, everyMs: ms }, says: "again" },
    },
  },
  "stop-replica": { type: "stop-replica", replica: "p_1", graceMs: ms, why: "paused" },
  "freeze-replica": { type: "freeze-replica", replica: "p_1", frozen: true },
  build: {
    ...{ type: "build", number: 1, fence: 1 },
    spec: {
      ...{ build: "b_1", space: "alice/demo", commit: "0", repository: "/", limitMs: ms, factory: true },
      ...{ variables: {}, secrets: {}, cards: [{ name: "a card", simulated: false, computeCapability: "9.0" }] },
    },
  },
  "cancel-build": { type: "cancel-build", build: "b_1", fence: 1, code: "build/cancelled", why: "" },
  queued: { type: "queued", ...call, position: 1, of: 2, estimateMs: null, says: "" },
  grant: {
    ...{ type: "grant", number: 1, ...call, slots: ["n1/0/0"], fence: 1, warm: false },
    ...{ device: { index: 0, uuid: "" }, leaseMs: 1, attachWithinMs: 0 },
  },
  refuse: {
    ...{ type: "refuse", ...call, code: "gpu/queue-full", says: "", kind: "queue" },
    ...{ leftMs: 0, askedMs: 1, waitMs: 0 },
  },
  withdraw: { type: "withdraw", ...call, fence: 1, cause: "visitor-stop" },
  "check-cards": { type: "check-cards" },
  clear: { type: "clear", replica: "p_1", slot: "n1/0/0", fence: 1 },
  "ack-meter": { type: "ack-meter", replica: "p_1", seq: 1 },
  "ack-evidence": { type: "ack-evidence", emitter: "shim.p_1", epoch: 1, seq: 1 },
  "remove-releases": { type: "remove-releases", releases: ["rel_1"] },
  "remove-space": { type: "remove-space", space: { space: "alice/demo", madeAt: 7 } },
  "read-log": {
    ...{ type: "read-log", read: "1", replica: "p_1", space: "alice/demo", from: -5, limit: 9 },
    find: { grep: "x", source: "gpu", since: "2026" },
  },
};

type Path = readonly (string | number)[];
/** What a message says by any name or of any shape: a record's names, and the bodies of evidence, which the store checks. */
const free = /^(batch\.records\.0\.body|trouble|spec\.(env|secrets|variables)|outcome\.(headers|settings))\./;

/** Where values stand whose kind is not free. */
function placesIn(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([key, one]) => placesIn(one, [...path, key]));
}

function changed(value: unknown, [key, ...rest]: Path, to: unknown): unknown {
  if (key === undefined) return to;
  const copy: Record<string, unknown> = Array.isArray(value)
    ? ([...(value as unknown[])] as unknown as Record<string, unknown>)
    : { ...(value as Record<string, unknown>) };
  copy[key] = changed(copy[key], rest, to);
  return copy;
}

const ends = [
  ["an agent", fromAgent as Readonly<Record<string, object>>, parseToServer],
  ["a server", fromServer as Readonly<Record<string, object>>, parseToAgent],
] as const;

for (const [who, samples, parse] of ends)
  describe(`what ${who} says`, () => {
    test("is taken as it is, each kind of it with all that it may have", () => {
      for (const message of Object.values(samples)) assert.deepEqual(parse(message), message);
    });

    test("has nothing that the contract does not name", () => {
      for (const message of Object.values(samples)) assert.deepEqual(parse({ ...message, isAdmin: true }), message);
    });

    test("is no message where one value of it is of another kind, or a list", () => {
      const places = Object.values(samples).flatMap((message) =>
        placesIn(message).flatMap((path) => (free.test(path.join(".")) ? [] : [{ message, path }])),
      );
      const wrong = fc.oneof(
        fc.constant(undefined),
        fc.array(fc.integer(), { minLength: 1 }),
        fc.record({ x: fc.integer() }),
      );
      // A name of one too many, a value that is left out of what may be left out: both are messages.
      const optional =
        /\.(driver|ecc|computeCapability|previous|frozen|step|replica|since|grep|source)$|^(folder|more|unknown|use)$|\.(gpu|factory|says)$/;
      fc.assert(
        fc.property(fc.constantFrom(...places), wrong, ({ message, path }, to) => {
          fc.pre(to !== undefined || !optional.test(path.join(".")));
          assert.throws(() => parse(changed(message, path, to)), MalformedMessage, path.join("."));
        }),
        { numRuns: 2_000 },
      );
    });

    test("is a message or refused as none, whatever comes; nothing else is thrown", () => {
      const any = fc.oneof(
        fc.jsonValue(),
        fc.record({ type: fc.constantFrom(...Object.keys(samples)), node: fc.jsonValue(), status: fc.jsonValue() }),
      );
      fc.assert(
        fc.property(any, (value) => {
          try {
            parse(value);
          } catch (error) {
            assert.ok(error instanceof MalformedMessage, String(error));
          }
        }),
        { numRuns: 2_000 },
      );
    });

    test("is bounded: no list of any length, and no name as long as a frame", () => {
      const long = "x".repeat(301);
      const many = Array.from({ length: 20_001 }, () => "rel_1");
      if (parse === parseToServer) {
        assert.throws(() => parse({ ...fromAgent.left, call: long }), MalformedMessage);
        assert.throws(() => parse({ ...fromAgent.hello, sdks: many }), MalformedMessage);
      } else {
        assert.throws(() => parse({ ...fromServer["ack-meter"], replica: long }), MalformedMessage);
        assert.throws(() => parse({ ...fromServer["remove-releases"], releases: many }), MalformedMessage);
      }
    });
  });
