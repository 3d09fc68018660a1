/** The whole corpus of raw requests through edge, shim's door and app, its bytes cut in three ways. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { appHost } from "../support/edge-world.ts";
import { corpus } from "../support/requests/corpus.ts";
import { judgeAll } from "../support/requests/judge.ts";
import { recordedEdge } from "../support/requests/world.ts";

describe("no request of the corpus is two to anybody, nor is its answer another's", () => {
  for (const [family, cases] of Object.entries(corpus(appHost)))
    for (const cut of ["whole", "halves", "bytes"] as const)
      test(`${family}, ${cases.length} requests, sent as ${cut}`, async () => {
        await using world = await recordedEdge();
        assert.deepEqual(await judgeAll(world, appHost, cases, cut), {});
        assert.deepEqual(world.edge.errors, []);
      });
});
