import assert from "node:assert/strict";
import { once } from "node:events";
import { request as ask, type IncomingMessage, type ServerResponse } from "node:http";
import { test } from "node:test";
import { sendAll } from "./send.ts";
import { served } from "./served.suite.ts";
import { bytesOf } from "./xet/writer.suite.ts";

const pieceBytes = 1 << 17;
const sent = bytesOf("what is sent", 100 * pieceBytes + 1);

/** Gives all of it in the same two pieces of memory, in turn; `asked` counts. */
async function* inTurn(asked: { pieces: number }): AsyncGenerator<Uint8Array> {
  const memory = [Buffer.alloc(pieceBytes), Buffer.alloc(pieceBytes)] as const;
  for (let at = 0; at < sent.length; at += pieceBytes) {
    const part = sent.subarray(at, at + pieceBytes);
    const piece = memory[asked.pieces++ % 2 === 0 ? 0 : 1];
    // The one before it is what the other has: whoever still reads this one would see it.
    piece.fill(0xff);
    piece.set(part);
    yield piece.subarray(0, part.length);
  }
}

test("what is given in memory that is used again arrives as it was", async () => {
  await using there = await served((_, response) => sendAll(inTurn({ pieces: 0 }), response));
  const answer = await fetch(there.url);
  assert.ok(Buffer.from(await answer.arrayBuffer()).equals(sent));
});

test(
  "of a client that takes nothing no more is held than one piece, and its leaving ends it",
  { timeout: 120_000 },
  async () => {
    const asked = { pieces: 0 };
    const responses: ServerResponse[] = [];
    const { promise: over, resolve: end } = Promise.withResolvers<unknown>();
    await using there = await served(async (_, response) => {
      responses.push(response);
      await sendAll(inTurn(asked), response).catch(end);
    });
    const open = ask(there.url).end();
    const [answer] = (await once(open, "response")) as [IncomingMessage];
    answer.pause();
    // The system takes some megabytes, and then no more: what was asked for stays what it is.
    for (let before = -1, same = 0; same < 50; before = asked.pieces) {
      await new Promise((done) => setImmediate(done));
      same = asked.pieces === before ? same + 1 : 0;
      if (same < 50) await new Promise((done) => setTimeout(done, 5));
    }
    assert.ok(asked.pieces < 100, `${asked.pieces} of 101 pieces were asked for`);
    assert.ok(
      (responses[0]?.writableLength ?? 0) <= pieceBytes + 100,
      `${responses[0]?.writableLength} bytes are held`,
    );
    open.destroy();
    assert.match(String(await over), /the client left before it had all/);
  },
);
