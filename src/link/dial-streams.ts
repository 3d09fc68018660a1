/** The agent's side of what carries connections: one socket of a kind, dialled again whenever it is lost. */
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { addressOf, livedMs, pauseMs, type DialOptions } from "./dial.ts";
import { streamPaths, type StreamKind } from "./terms.ts";
import { keepAlive, socketMaxBytes, wireTiming } from "./wire.ts";

export interface StreamDialOptions extends Pick<DialOptions, "servers" | "token" | "random" | "now" | "timing"> {
  readonly kind: StreamKind;
  /** Each socket when it opens; to be attached in the same turn. */
  onSocket(socket: WebSocket): void;
}

/** Dials until it is closed. Why a server does not answer is said by the link, which dials the same. */
export function dialStreams(options: StreamDialOptions): Disposable {
  const stop = new AbortController();
  void run(options, stop.signal);
  return { [Symbol.dispose]: () => stop.abort() };
}

async function run(options: StreamDialOptions, stopped: AbortSignal): Promise<void> {
  const { servers, random } = options;
  for (let tries = 0; !stopped.aborted;) {
    const lived = await once(options, servers[tries % servers.length] as string, stopped);
    tries = lived ? 0 : tries + 1;
    await delay(pauseMs(tries, random), undefined, { signal: stopped }).catch(() => undefined); // told to stop
  }
}

/** Resolves when the socket is over, or never was: whether it lived for {@link livedMs}. */
function once(
  { kind, token, now, timing = wireTiming, onSocket }: StreamDialOptions,
  server: string,
  stopped: AbortSignal,
): Promise<boolean> {
  const socket = new WebSocket(addressOf(server, streamPaths[kind]), {
    headers: { authorization: `Bearer ${token()}` },
    handshakeTimeout: timing.silentMs,
    maxPayload: socketMaxBytes,
    perMessageDeflate: false,
  });
  const stop = (): void => socket.terminate();
  stopped.addEventListener("abort", stop, { once: true });
  return new Promise((resolve) => {
    let openedAt: number | undefined;
    socket.once("open", () => {
      openedAt = now();
      keepAlive(socket, timing, now);
      onSocket(socket);
    });
    socket.on("error", () => socket.terminate());
    socket.once("close", () => {
      stopped.removeEventListener("abort", stop);
      resolve(openedAt !== undefined && now() - openedAt >= livedMs);
    });
  });
}
