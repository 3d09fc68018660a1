/** What holds of blobs wherever they lie. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
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
  for await (const part of stream) parts.push(Buffer.from(part));
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

    test("of those who bring a name at once one comes first, and what it brought is never replaced", async () => {
      const blobs = await open();
      const texts = Array.from({ length: 8 }, (_, n) => `hello ${n}`);
      const fresh = await Promise.all(texts.map((text) => blobs.put(hello, pieces(text))));
      assert.deepEqual(fresh.filter(Boolean), [true]);
      assert.equal(await all(blobs.open(hello)), texts[fresh.indexOf(true)]);
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
      assert.deepEqual(await listed(blobs), [a ?? "", b ?? ""].toSorted());
      assert.deepEqual(await blobs.sweep("things", { before: Infinity, isReferred }), { blobs: 1, bytes: 2 });
      assert.deepEqual(await listed(blobs), [a]);
    });
  });
}
