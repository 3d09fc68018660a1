/** Names resolved and addresses dialled, each in bounded time. What is dialled is an address that was checked, never a name. */
import { connect, isIPv6, type Socket } from "node:net";
import { systemResolver, type Resolve } from "./resolve.ts";

export interface Dialler {
  /** All addresses of a name. Rejects with the resolver's `code`. */
  resolve(name: string, signal: AbortSignal): Promise<readonly string[]>;
  /** The first of these addresses that takes the connection. Rejects with {@link DialFailed}, or when `signal` is aborted. */
  dial(addresses: readonly string[], port: number, signal: AbortSignal): Promise<Dialled>;
}

export interface Dialled {
  /** Open, half-open allowed; whoever takes it listens for its errors. */
  readonly socket: Socket;
  readonly address: string;
}

export interface DialLimits {
  readonly resolveMs: number;
  readonly dialMs: number;
  /** RFC 8305 §5: how long one address is tried before the next one is tried beside it. */
  readonly nextAddressMs: number;
}

/** The resolver asks several servers twice, two seconds each; a handshake over the whole earth takes less than one. */
export const dialLimits: DialLimits = { resolveMs: 10_000, dialMs: 10_000, nextAddressMs: 250 };

/** A connection without traffic is asked for a sign of life so often: without, a peer that lost its power stays open for an hour. */
const aliveEveryMs = 60_000;

/** No address took the connection; `code` is the system's that says most, `tried` has each address's own. */
export class DialFailed extends Error {
  override readonly name = "DialFailed";
  readonly code: string;
  readonly tried: readonly Tried[];

  constructor(tried: readonly Tried[]) {
    const code =
      mostTelling.find((one) => tried.some(({ errno }) => errno === one)) ?? tried.at(-1)?.errno ?? "EHOSTUNREACH";
    super(`no address took the connection: ${code}`);
    this.code = code;
    this.tried = tried;
  }
}

export interface Tried {
  readonly address: string;
  readonly errno: string;
}

/** An answer says more than silence, and silence more than a machine without a route of that family. */
const mostTelling = ["ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EACCES", "EHOSTUNREACH"];

export function systemDialler(limits: DialLimits = dialLimits, resolve: Resolve = systemResolver()): Dialler {
  return {
    resolve: (name, signal) => within(resolve(name), limits.resolveMs, signal),
    dial: (addresses, port, signal) => dialFirst(addresses, port, limits, signal),
  };
}

/** One family after the other, each in its own order: an address of each is tried early. */
export function interleaved(addresses: readonly string[]): readonly string[] {
  const six = addresses.filter((address) => isIPv6(address));
  const four = addresses.filter((address) => !isIPv6(address));
  return Array.from({ length: Math.max(four.length, six.length) }, (_, at) => [four[at], six[at]])
    .flat()
    .filter((address) => address !== undefined);
}

function dialFirst(
  addresses: readonly string[],
  port: number,
  limits: DialLimits,
  signal: AbortSignal,
): Promise<Dialled> {
  return new Promise((resolve, reject) => {
    const waiting = [...interleaved(addresses)];
    const open = new Map<Socket, string>();
    const tried: Tried[] = [];
    let next: NodeJS.Timeout | undefined;
    const end = (): void => {
      clearTimeout(next);
      clearTimeout(late);
      signal.removeEventListener("abort", aborted);
      for (const socket of open.keys()) socket.destroy();
      open.clear();
    };
    const fail = (error: Error): void => {
      end();
      reject(error);
    };
    const late = setTimeout(
      () => fail(new DialFailed([...tried, ...[...open.values()].map((address) => ({ address, errno: "ETIMEDOUT" }))])),
      limits.dialMs,
    );
    const aborted = (): void => fail(signal.reason as Error);
    const tryNext = (): void => {
      clearTimeout(next);
      const address = waiting.shift();
      if (address === undefined) {
        if (open.size === 0) fail(new DialFailed(tried));
        return;
      }
      const socket = connect({
        host: address,
        port,
        noDelay: true,
        allowHalfOpen: true,
        keepAlive: true,
        keepAliveInitialDelay: aliveEveryMs,
      });
      open.set(socket, address);
      socket.once("connect", () => {
        open.delete(socket);
        end();
        resolve({ socket, address });
      });
      socket.on("error", (error) => {
        // Once connected, its errors are for whoever took it.
        if (!open.delete(socket)) return;
        tried.push({ address, errno: errnoOf(error) });
        tryNext();
      });
      next = setTimeout(tryNext, limits.nextAddressMs);
    };
    if (signal.aborted) return aborted();
    signal.addEventListener("abort", aborted, { once: true });
    tryNext();
  });
}

/** The system's name of an error, or its sentence. */
export function errnoOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}

async function within<T>(work: Promise<T>, ms: number, signal: AbortSignal): Promise<T> {
  const stopped = Promise.withResolvers<never>();
  const late = setTimeout(
    () => stopped.reject(Object.assign(new Error(`not within ${ms} ms`), { code: "ETIMEOUT" })),
    ms,
  );
  const aborted = (): void => stopped.reject(signal.reason as Error);
  signal.addEventListener("abort", aborted, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([work, stopped.promise]);
  } finally {
    clearTimeout(late);
    signal.removeEventListener("abort", aborted);
  }
}
