/** Names resolved and addresses dialled, each in bounded time. */
import { lookup } from "node:dns/promises";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface Dialler {
  /** All addresses of a name. Rejects with the resolver's `code`. */
  resolve(name: string): Promise<readonly string[]>;
  /** Rejects with the system's `code`: ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH … */
  dial(address: string, port: number): Promise<Socket>;
}

export interface DialLimits {
  readonly resolveMs: number;
  readonly dialMs: number;
}

/** A resolver asks several servers for five seconds each; a handshake over the whole earth takes less than one. */
export const dialLimits: DialLimits = { resolveMs: 15_000, dialMs: 10_000 };

export function systemDialler(limits: DialLimits = dialLimits, resolve = systemLookup): Dialler {
  return {
    resolve: (name) => within(resolve(name), limits.resolveMs, "ETIMEOUT"),
    dial: (address, port) => dialAddress(address, port, limits.dialMs),
  };
}

async function systemLookup(name: string): Promise<readonly string[]> {
  const found = await lookup(name, { all: true, order: "ipv4first" });
  return found.map(({ address }) => address);
}

async function within<T>(work: Promise<T>, ms: number, code: string): Promise<T> {
  const stop = new AbortController();
  const late = delay(ms, undefined, { signal: stop.signal }).then(
    () => {
      throw Object.assign(new Error(`not within ${ms} ms`), { code });
    },
    () => new Promise<never>(() => undefined), // the work was done first
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    stop.abort();
  }
}

function dialAddress(address: string, port: number, ms: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, noDelay: true, allowHalfOpen: true });
    const late = setTimeout(
      () => socket.destroy(Object.assign(new Error(`not within ${ms} ms`), { code: "ETIMEDOUT" })),
      ms,
    );
    socket.once("error", (error) => {
      clearTimeout(late);
      reject(error);
    });
    socket.once("connect", () => {
      clearTimeout(late);
      socket.removeAllListeners("error");
      socket.on("error", () => socket.destroy());
      resolve(socket);
    });
  });
}
