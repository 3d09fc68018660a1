/** The way from a sandbox's network to its gateway, which may be away for a moment while the agent is restarted. */
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

/** An agent that is restarted serves its sandboxes again within a second or two. */
const awayMs = 3_000;
const againMs = 100;
/** Nobody listens there, for now; and more wait to be taken than the listener's queue holds. */
const retried = ["ENOENT", "ECONNREFUSED", "EAGAIN"];

/** A connection to the gateway, half-open allowed. Rejects with the system's `code`, or when `signal` is aborted. */
export async function reachGateway(path: string, signal: AbortSignal): Promise<Socket> {
  const until = performance.now() + awayMs;
  for (;;) {
    const socket = connect({ path, allowHalfOpen: true });
    try {
      await once(socket, "connect", { signal });
      return socket;
    } catch (error) {
      socket.destroy();
      const { code } = error as NodeJS.ErrnoException;
      if (!retried.includes(code ?? "") || performance.now() + againMs > until) throw error;
    }
    await delay(againMs, undefined, { signal });
  }
}
