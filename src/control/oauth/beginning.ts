/** The first bytes of a request's body, for whoever has to know them to choose who answers; the body stays whole for that one. */
import type { IncomingMessage } from "node:http";

/** As much as `maxBytes` of it, or all that came before it ended or broke. */
export async function beginningOf(request: IncomingMessage, maxBytes: number): Promise<string> {
  const declared = Number(request.headers["content-length"] ?? Number.POSITIVE_INFINITY);
  const wanted = Math.min(declared, maxBytes);
  for (;;) {
    const there = (request.read() as Buffer | null) ?? Buffer.alloc(0);
    // Put back in the same turn: the stream does not notice that it was empty.
    if (there.length > 0) request.unshift(there);
    if (there.length >= wanted || request.readableEnded || request.complete || request.destroyed)
      return there.toString("utf8", 0, wanted);
    await more(request);
  }
}

function more(request: IncomingMessage): Promise<void> {
  return new Promise((done) => {
    const come = (): void => {
      for (const event of ["readable", "end", "close", "error"]) request.off(event, come);
      done();
    };
    for (const event of ["readable", "end", "close", "error"]) request.on(event, come);
  });
}
