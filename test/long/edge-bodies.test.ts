/** Ten gigabytes through the edge, up and down: whole, in order, and no more memory for the last one than for the first. */
import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { after, before, describe, test } from "node:test";
import type { Writable } from "node:stream";
import { crc32 } from "node:zlib";
import { answerOf, open, read } from "../support/edge-app.ts";
import { edgeWorld } from "../support/edge-world.ts";
import type { EdgeWorld } from "../support/edge-world.ts";

const gigabyte = 1_000_000_000;
const bytes = 10 * gigabyte;
const pieceBytes = 1_000_000;
/** Of this process, which is visitor, edge and app: what the last nine gigabytes may have more than the first at its most. */
const moreMax = 150 * 2 ** 20;

/** One piece after the other: none is like the one before. */
const piece = Buffer.alloc(pieceBytes, "ten gigabytes, and each piece begins with its number. ");
function pieceOf(n: number): Buffer {
  const own = Buffer.from(piece);
  own.writeUInt32BE(n, 0);
  return own;
}

/** Writes all of them, as fast as they are taken. */
async function writeAll(to: Pick<Writable, "write" | "once" | "end">): Promise<number> {
  let sum = 0;
  for (let n = 0; n < bytes / pieceBytes; n += 1) {
    const own = pieceOf(n);
    sum = crc32(own, sum);
    if (!to.write(own)) await new Promise((resolve) => to.once("drain", () => resolve(undefined)));
  }
  to.end();
  return sum;
}

interface Got {
  readonly bytes: number;
  readonly sum: number;
  /** The most memory of the process while the first gigabyte came, and after that. */
  readonly first: number;
  readonly rest: number;
}

async function readAll(from: IncomingMessage): Promise<Got> {
  let [got, sum, first, rest] = [0, 0, 0, 0];
  for await (const part of from as AsyncIterable<Buffer>) {
    const before = Math.floor(got / pieceBytes);
    got += part.length;
    sum = crc32(part, sum);
    if (Math.floor(got / pieceBytes) === before) continue;
    const { rss } = process.memoryUsage();
    if (got <= gigabyte) first = Math.max(first, rss);
    else rest = Math.max(rest, rss);
  }
  return { bytes: got, sum, first, rest };
}

describe("ten gigabytes", () => {
  let world: EdgeWorld;
  const sent: Promise<number>[] = [];
  before(async () => {
    world = await edgeWorld((request, response) => {
      if (request.method === "GET")
        return void sent.push(writeAll(response.writeHead(200, { "content-length": bytes })));
      readAll(request).then(
        (got) => response.end(JSON.stringify(got)),
        (error: unknown) => response.destroy(error as Error),
      );
    });
  });
  after(() => world.close());

  function told({ bytes: got, sum, first, rest }: Got, sums: number, what: (says: string) => void): void {
    what(
      `at most ${Math.round(first / 2 ** 20)} MiB during the first gigabyte, ${Math.round(rest / 2 ** 20)} after it`,
    );
    assert.deepEqual([got, sum], [bytes, sums]);
    assert.ok(rest - first <= moreMax, `${rest - first} bytes more after the first gigabyte`);
    assert.deepEqual(world.errors, []);
  }

  test("go up", async (t) => {
    const request = open(world, "/up", { "content-length": bytes }, "POST");
    const answer = answerOf(request);
    const sum = await writeAll(request);
    const { status, text } = await read(await answer);
    assert.equal(status, 200, text);
    told(JSON.parse(text) as Got, sum, (says) => t.diagnostic(says));
  });

  test("go down", async (t) => {
    const request = open(world, "/down");
    request.end();
    const got = await readAll(await answerOf(request));
    told(got, await (sent[0] as Promise<number>), (says) => t.diagnostic(says));
  });
});
