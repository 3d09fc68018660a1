/** The whole corpus of raw requests through edge, shim's door and app, its bytes cut in three ways. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { appHost } from "../support/edge-world.ts";
import { corpus } from "../support/requests/corpus.ts";
import { judgeAll } from "../support/requests/judge.ts";
import { recordedEdge } from "../support/requests/world.ts";

/** A write for each takes a minute from here on. */
const byByteMax = 50_000;

describe("no request of the corpus is two to anybody, nor is its answer another's", () => {
  for (const [family, all] of Object.entries(corpus(appHost)))
    for (const cut of ["whole", "halves", "bytes"] as const) {
      const cases = cut === "bytes" ? all.filter(({ bytes }) => bytes.length <= byByteMax) : all;
      test(`${family}, ${cases.length} requests, sent as ${cut}`, async () => {
        await using world = await recordedEdge();
        assert.deepEqual(await judgeAll(world, appHost, cases, cut), {});
        assert.deepEqual(world.edge.errors, []);
      });
    }
});
