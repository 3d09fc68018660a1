/** What holds of blobs wherever they lie. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import { BlobMissing, type BlobName, type Blobs } from "./blobs.ts";

const nameOf = (bytes: Uint8Array): BlobName => ({
  kind: "things",
  digest: createHash("sha256").update(bytes).digest("hex"),
});

async function* pieces(...texts: readonly (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) {
    if (text instanceof Error) throw text;
    yield Buffer.from(text);
  }
}

async function all(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString();
}

async function listed(blobs: Blobs): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { digest } of blobs.list("things")) names.push(digest);
  return names.sort();
}

/** `open`: blobs that nobody else has. */
export function blobsSuite(name: string, open: () => Promise<Blobs>): void {
  describe(name, () => {
    const hello = nameOf(Buffer.from("hello world"));

    test("keeps what has come whole, and gives all of it or a part", async () => {
      const blobs = await open();
      assert.equal(await blobs.put(hello, pieces("hello ", "world")), true);
      assert.equal(await blobs.put(hello, pieces("hello ", "world")), false, "it is there");
      assert.equal(await blobs.size(hello), 11);
      assert.equal(await all(blobs.open(hello)), "hello world");
      assert.equal(await all(blobs.open(hello, { from: 6, to: 11 })), "world");
      assert.equal(await all(blobs.open(hello, { from: 3, to: 3 })), "");
      assert.equal((await blobs.read(hello, { from: 4, to: 8 })).toString(), "o wo");
      assert.equal((await blobs.read(hello, { from: 6, to: 90 })).toString(), "world");
      assert.deepEqual(await listed(blobs), [hello.digest]);
    });

    test("keeps nothing of what breaks off, and nobody sees it meanwhile", async () => {
      const blobs = await open();
      const seen: (number | undefined)[] = [];
      const breaking = (async function* () {
        yield* pieces("hello ");
        seen.push(await blobs.size(hello));
        throw new Error("wrong digest");
      })();
      await assert.rejects(blobs.put(hello, breaking), /wrong digest/);
      assert.deepEqual([...seen, await blobs.size(hello)], [undefined, undefined]);
      assert.deepEqual(await listed(blobs), []);
      assert.equal(await blobs.put(hello, pieces("hello world")), true, "and the next may come");
    });

    test("says of what is not there that it is not", async () => {
      const blobs = await open();
      assert.equal(await blobs.size(hello), undefined);
      await assert.rejects(all(blobs.open(hello)), BlobMissing);
      await assert.rejects(blobs.read(hello, { from: 0, to: 1 }), BlobMissing);
      assert.equal(await blobs.remove(hello), false);
      await blobs.put(hello, pieces("hello world"));
      assert.equal(await blobs.remove(hello), true);
      assert.equal(await blobs.size(hello), undefined);
    });

    test("takes no name that leads elsewhere", async () => {
      const blobs = await open();
      await assert.rejects(blobs.put({ kind: "things", digest: "../../x" }, pieces("x")), /leads nowhere else/);
      await assert.rejects(blobs.size({ kind: "../things", digest: hello.digest }), /leads nowhere else/);
    });

    test("of two who bring the same at once both succeed, and it is there once", async () => {
      const blobs = await open();
      const both = await Promise.all([
        blobs.put(hello, pieces("hello world")),
        blobs.put(hello, pieces("hello world")),
      ]);
      assert.ok(both.includes(true));
      assert.deepEqual(await listed(blobs), [hello.digest]);
    });

    test("a sweep removes what is old and nothing refers to, and counts it", async () => {
      const blobs = await open();
      const texts = ["a", "bb", "ccc"];
      for (const text of texts) await blobs.put(nameOf(Buffer.from(text)), pieces(text));
      const [a, b] = texts.map((text) => nameOf(Buffer.from(text)).digest);
      const isReferred = ({ digest }: BlobName): boolean => digest === a;
      assert.deepEqual(await blobs.sweep("things", { before: 0, isReferred }), { blobs: 0, bytes: 0 });
      {
        using _held = await blobs.hold([nameOf(Buffer.from("bb"))]);
        assert.deepEqual(await blobs.sweep("things", { before: Infinity, isReferred }), { blobs: 1, bytes: 3 });
      }
      assert.deepEqual(await listed(blobs), [a, b].toSorted());
      assert.deepEqual(await blobs.sweep("things", { before: Infinity, isReferred }), { blobs: 1, bytes: 2 });
      assert.deepEqual(await listed(blobs), [a]);
    });

    test("whatever the order of writers and sweeps, what is referred to is there", async () => {
      const contents = [randomBytes(8), randomBytes(8)];
      await fc.assert(
        fc.asyncProperty(
          fc.scheduler(),
          fc.array(fc.record({ what: fc.nat({ max: 1 }), drops: fc.boolean() }), { minLength: 1, maxLength: 4 }),
          fc.integer({ min: 1, max: 3 }),
          async (scheduler, writers, sweeps) => {
            const blobs = await open();
            const referred = new Map<string, number>();
            const step = (): Promise<void> => scheduler.schedule(Promise.resolve());
            const refer = (digest: string, change: number): void =>
              void referred.set(digest, (referred.get(digest) ?? 0) + change);
            const write = async ({ what, drops }: (typeof writers)[number]): Promise<void> => {
              const bytes = contents[what] as Buffer;
              const blob = nameOf(bytes);
              await step();
              {
                using _held = await blobs.hold([blob]);
                await step();
                // As a client does that is told what is there already.
                if ((await blobs.size(blob)) === undefined) await blobs.put(blob, pieces(bytes.toString("latin1")));
                await step();
                refer(blob.digest, 1);
              }
              await step();
              assert.notEqual(await blobs.size(blob), undefined, "it is there while something refers to it");
              if (!drops) return;
              refer(blob.digest, -1);
              await step();
            };
            const sweep = async (): Promise<void> => {
              await step();
              await blobs.sweep("things", {
                before: Infinity,
                isReferred: async ({ digest }) => {
                  const known = (referred.get(digest) ?? 0) > 0;
                  await step();
                  return known;
                },
              });
            };
            const work = Promise.all([...writers.map(write), ...Array.from({ length: sweeps }, sweep)]);
            await Promise.all([work, scheduler.waitFor(work)]);
            for (const [digest, count] of referred)
              if (count > 0) assert.notEqual(await blobs.size({ kind: "things", digest }), undefined);
          },
        ),
        { numRuns: 60 },
      );
    });
  });
}
