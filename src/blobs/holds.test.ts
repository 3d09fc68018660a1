/** Sweeps beside writers, in every order that the scheduler finds: each look at a store in memory, and each change of it, is a step. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { BlobName, ListedBlob } from "./blobs.ts";
import { Holds } from "./holds.ts";

const nameOf = (what: number): BlobName => ({ kind: "things", digest: String(what).repeat(64) });

test("whatever the order of writers and sweeps, what is referred to is there", async () => {
  let removals = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.record({ what: fc.nat({ max: 1 }), drops: fc.boolean() }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 3 }),
      async (scheduler, writers, sweeps) => {
        const step = (): Promise<void> => scheduler.schedule(Promise.resolve());
        const holds = new Holds();
        // Both are there, and nothing refers to them: a sweep that looks too early takes them from a writer.
        const there = new Set([nameOf(0).digest, nameOf(1).digest]);
        const referred = new Map<string, number>();
        const refer = (digest: string, change: number): void =>
          void referred.set(digest, (referred.get(digest) ?? 0) + change);
        const sound = (): void => {
          for (const [digest, count] of referred) if (count > 0) assert.ok(there.has(digest), "it is there");
        };
        const store = {
          async *list(kind: string): AsyncGenerator<ListedBlob> {
            await step();
            for (const digest of [...there]) yield { kind, digest, bytes: 1, storedAt: 0 };
          },
          async remove({ digest }: BlobName): Promise<boolean> {
            await step();
            const removed = there.delete(digest);
            removals += removed ? 1 : 0;
            sound();
            return removed;
          },
        };
        const write = async ({ what, drops }: (typeof writers)[number]): Promise<void> => {
          const { digest } = nameOf(what);
          await step();
          {
            using _held = await holds.hold([nameOf(what)]);
            await step();
            // As a client does that is told what is there already.
            const isThere = there.has(digest);
            await step();
            if (!isThere) there.add(digest);
            await step();
            refer(digest, 1);
            sound();
          }
          await step();
          sound();
          if (drops) refer(digest, -1);
        };
        const sweep = async (): Promise<void> => {
          await step();
          await holds.sweep(store, "things", {
            before: Infinity,
            isReferred: async ({ digest }) => {
              await step();
              const known = (referred.get(digest) ?? 0) > 0;
              await step();
              return known;
            },
          });
        };
        const work = Promise.all([...writers.map(write), ...Array.from({ length: sweeps }, sweep)]);
        await scheduler.waitFor(work);
        sound();
      },
    ),
    { numRuns: 300 },
  );
  assert.ok(removals > 100, `${removals} were removed: there was something to be swept`);
});
