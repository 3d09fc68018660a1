import assert from "node:assert/strict";
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
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

/** A connection that takes what it is given, and is never done with it. */
class Stuck extends Duplex {
  override _read(): void {}
  override _write(): void {}
}

test("of a client that takes nothing no more is held than one piece, and its leaving ends it", async () => {
  const asked = { pieces: 0 };
  const socket = new Stuck();
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  response.assignSocket(socket as unknown as Socket);
  const sending = sendAll(inTurn(asked), response);
  // Whatever would ask for more has had its turn.
  for (let turn = 0; turn < 100; turn++) await immediate();
  assert.equal(asked.pieces, 1);
  assert.ok(response.writableLength <= pieceBytes + 500, `${response.writableLength} bytes are held`);
  socket.destroy();
  await assert.rejects(sending, /the client left before it had all/);
});
