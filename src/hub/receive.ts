/** What a client sends, in pieces whose memory is given back as soon as they were used. */
import type { IncomingMessage } from "node:http";
import { giveBack } from "../stdx/give-back.ts";

/**
 * A piece is good until the next is asked for. Whoever breaks off leaves the rest with the request, paused, so that it can still be
 * answered. Rejects where the client leaves before it has sent all.
 */
export async function* receiveAll(request: IncomingMessage): AsyncGenerator<Uint8Array, void, void> {
  const pieces: Buffer[] = [];
  let wake = (): void => undefined;
  let failure: Error | undefined;
  const onPiece = (piece: Buffer): void => {
    pieces.push(piece);
    request.pause();
    wake();
  };
  const onEnd = (): void => wake();
  const onClose = (): void => {
    if (!request.readableEnded) failure ??= new Error("the client left before it had sent all");
    wake();
  };
  const onError = (error: Error): void => {
    failure ??= error;
    wake();
  };
  request.on("data", onPiece).once("end", onEnd).once("close", onClose).once("error", onError);
  if (request.destroyed) onClose();
  try {
    for (;;) {
      const piece = pieces.shift();
      if (piece !== undefined) {
        yield piece;
        giveBack(piece);
        continue;
      }
      if (failure !== undefined) throw failure;
      if (request.readableEnded) return;
      const moved = new Promise<void>((done) => (wake = done));
      request.resume();
      await moved;
    }
  } finally {
    request.off("data", onPiece).off("end", onEnd).off("close", onClose);
    request.off("error", onError).on("error", ignore); // Of one that leaves later, its answer's close tells.
    request.pause();
  }
}

function ignore(): void {}
