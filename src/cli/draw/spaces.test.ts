import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SpaceView } from "../../contract/api.ts";
import type { Paper } from "./paper.ts";
import { drawReleases, drawSpace, drawSpaceEvents } from "./spaces.ts";

const paper: Paper = { width: 100, zone: "UTC", color: false };
const at = "2026-11-22T12:00:00.000Z";
const paused: SpaceView = {
  id: "alice/demo",
  owner: "alice",
  name: "demo",
  sdk: "node",
  state: "paused",
  since: at,
  says: "too hot",
  reason: { says: "too hot", code: null },
  actor: { kind: "operator", account: "admin" },
  deadline: null,
  ends: "Only the operator can lift that: `waybill resume`.",
  addresses: ["http://alice-demo.localhost:7070"],
  settings: {
    "on-leave": "finish",
    "health-path": "",
    "sleep-after": "never",
    "sleep-mode": "stop",
    replicas: 1,
    hardware: "",
    messages: "full",
    "requests-at-once": 0,
    "requests-per-second": 0,
    "body-max-mb": 0,
    "idle-limit": "none",
    "time-limit": "none",
    reach: "all",
    private: false,
  },
  build: null,
  release: "rel_1",
  replicas: [],
  limits: null,
};

describe("drawSpace", () => {
  test("says the state, since when, by whom, why, what ends it and who can, before all else", () => {
    const lines = drawSpace(paper, paused).split("\n");
    assert.match(lines[1] ?? "", /^ {2}state +paused since .*12:00.*, by admin$/);
    assert.deepEqual(
      lines.slice(2, 4).map((line) => line.trim()),
      ["too hot", "Only the operator can lift that: `waybill resume`."],
    );
  });

  test("has a line for each limit that is in force, and who sees to it", () => {
    const limits = {
      memory: { bytes: 512 << 20, by: "group" },
      processes: { most: 64, by: "rlimit" },
      processors: null,
      openFiles: 1024,
      ...{ tmpBytes: 1 << 20, homeBytes: 2 << 20 },
    } as const;
    const text = drawSpace(paper, { ...paused, limits });
    assert.match(text, /^ {2}limits +memory: 512 MiB, by the kernel$/m);
    assert.match(text, /^ +processes: 64, by rlimit$/m);
    assert.doesNotMatch(drawSpace(paper, paused), /limits/);
  });

  test("says when a state ends by itself", () => {
    const waking = { ...paused, state: "waking", ends: "It ends when the app listens.", deadline: at } as const;
    assert.match(drawSpace(paper, waking), /It ends when the app listens\. At the latest at .*12:00/);
  });
});

describe("drawSpaceEvents", () => {
  test("has a line an event: the state that it led to, by whom, and why", () => {
    const event = {
      seq: 7,
      at,
      from: "running",
      to: "paused",
      reason: { says: "too hot", code: null },
      actor: paused.actor,
      deadline: null,
      ends: paused.ends,
    } as const;
    assert.match(drawSpaceEvents(paper, "alice/demo", [event]), /\n7 .* paused +admin +too hot\n$/);
    assert.match(
      drawSpaceEvents(paper, "alice/demo", []),
      /^Nothing has happened to alice\/demo yet\. .*waybill deploy/,
    );
  });
});

describe("drawReleases", () => {
  test("says which were removed", () => {
    const release = { id: "rel_1", build: "b_1", commit: "c", sdk: "node", publishedAt: at, current: false };
    const removedAt = "2026-11-23T08:15:00.000Z";
    const drawn = drawReleases(paper, "alice/demo", [release, { ...release, id: "rel_0", removedAt }]);
    assert.deepEqual(
      drawn.split("\n").flatMap((line) => (/08:15/.test(line) ? (/rel_\d/.exec(line)?.[0] ?? []) : [])),
      ["rel_0"],
    );
  });

  test("marks the one that runs", () => {
    const release = { id: "rel_2", build: "b_2", commit: "c", sdk: "node", publishedAt: at, current: true };
    const drawn = drawReleases(paper, "alice/demo", [release, { ...release, id: "rel_1", current: false }]);
    assert.deepEqual(
      drawn.split("\n").map((line) => /^(>>)? *(rel_\d)/.exec(line)?.slice(1)),
      [undefined, [">>", "rel_2"], [undefined, "rel_1"], undefined],
    );
  });
});
