/** Gives a client what it asked for, in pieces whose memory is used again: who reads slowly holds the piece that it has not taken, and no more. */
import type { ServerResponse } from "node:http";

/** Each piece is with the system before the next is asked for. Rejects where the client leaves before it has all. */
export async function sendAll(bytes: AsyncIterable<Uint8Array>, response: ServerResponse): Promise<void> {
  let wake = (): void => undefined;
  const onClose = (): void => wake();
  response.once("close", onClose);
  const given = async (give: (done: () => void) => void): Promise<void> => {
    await new Promise<void>((done) => {
      wake = done;
      if (response.destroyed) done();
      else give(done);
    });
    if (response.destroyed && !response.writableFinished) throw new Error("the client left before it had all");
  };
  try {
    for await (const piece of bytes) await given((done) => response.write(piece, () => done()));
    await given((done) => response.end(() => done()));
  } catch (error) {
    response.destroy();
    throw error;
  } finally {
    response.off("close", onClose);
  }
}
