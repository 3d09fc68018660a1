/** For programs that have to be told their port, and for those that come back to theirs. */
import { once } from "node:events";
import { createServer } from "node:net";

/** Below those that systems give to whoever asks for any, listeners and outgoing connections alike (Linux: from 32768, others from 49152). */
const first = 10_000;
const last = 32_767;
/** Each process has ports of its own, so that two of a run do not choose the same one before either listens on it. */
const each = 20;
const shares = Math.floor((last - first + 1) / each);
let taken = 0;

/** A port on which nobody listens, and which nobody is given by the system in a moment when its program is down. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < each; tries++) {
    const port = first + (process.pid % shares) * each + (taken++ % each);
    if (await isFree(port)) return port;
  }
  throw new Error(`all ${each} ports from ${first + (process.pid % shares) * each} on are taken`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, "127.0.0.1"), "listening");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    return false;
  }
  await new Promise((resolve) => server.close(resolve));
  return true;
}
