/**
 * Where a redirected connection wanted to go. NAT is invisible to the client's own row in `/proc/self/net/tcp{,6}`, which still
 * shows its destination; Node has no way to ask the socket (SO_ORIGINAL_DST). Source ports can repeat towards different
 * destinations, so it can name another of the sandbox's own destinations: a port that may be reached has a listener of its own.
 *
 * The kernel walks the whole machine's table of connections for each reading, some milliseconds long, so one reading serves all that
 * wait for it, and the next one does not follow at once: what comes this way is refused, and an app that tries every port costs little.
 */
import { promises } from "node:fs";
import type { Socket } from "node:net";

export interface Destination {
  /** IPv4 or IPv6 text. */
  readonly address: string;
  readonly port: number;
}

type Table = "tcp" | "tcp6";

/** From the end of one reading to the next. */
const pauseMs = 100;
const listenState = "0A";

export class OriginalDestinations {
  readonly #redirectedTo: number;
  #free: Promise<void> = Promise.resolve();
  #next: Promise<Tables> | undefined;

  constructor(redirectedTo: number) {
    this.#redirectedTo = redirectedTo;
  }

  /** Undefined where the client has gone without a trace. */
  async of(socket: Socket): Promise<Destination | undefined> {
    const clientPort = socket.remotePort ?? 0;
    // A reading that has begun may be past this connection's row already.
    const tables = await (this.#next ??= this.#readNext());
    for (const table of ["tcp", "tcp6"] as const) {
      const found = findDestination(await tables.read(table), clientPort, this.#redirectedTo);
      if (found) return found;
    }
    return undefined;
  }

  async #readNext(): Promise<Tables> {
    await this.#free;
    this.#next = undefined;
    const free = Promise.withResolvers<void>();
    this.#free = free.promise;
    try {
      const tables = new Tables();
      await tables.read("tcp");
      return tables;
    } finally {
      setTimeout(free.resolve, pauseMs).unref();
    }
  }
}

/** One reading; the second table is read where the first one was not enough. */
class Tables {
  readonly #read = new Map<Table, Promise<string>>();

  read(table: Table): Promise<string> {
    const text = this.#read.get(table) ?? readTable(table);
    this.#read.set(table, text);
    return text;
  }
}

/** Pure: the row whose local port is the client's and whose remote end is not our own listener. */
export function findDestination(table: string, clientPort: number, redirectedTo: number): Destination | undefined {
  const wanted = `:${clientPort.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const line of table.split("\n")) {
    const [, local, remote, state] = line.trim().split(/\s+/);
    if (local === undefined || remote === undefined || !local.endsWith(wanted) || state === listenState) continue;
    const [address = "", port = ""] = remote.split(":");
    const number = Number.parseInt(port, 16);
    if (number === redirectedTo || number === 0) continue;
    return { address: address.length === 8 ? ipv4(address) : ipv6(address), port: number };
  }
  return undefined;
}

/** Four bytes in host order (little endian on x86-64 and arm64), in hexadecimal. */
function ipv4(hex: string): string {
  return [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join(".");
}

/** Four words, each in host order; an IPv4 address within IPv6 as IPv4. */
function ipv6(hex: string): string {
  const bytes = [0, 8, 16, 24].flatMap((word) => [6, 4, 2, 0].map((at) => hex.slice(word + at, word + at + 2)));
  if (bytes.slice(0, 12).join("").toLowerCase() === "00000000000000000000ffff")
    return bytes.slice(12).map((byte) => Number.parseInt(byte, 16)).join("."); // prettier-ignore
  const groups = [0, 2, 4, 6, 8, 10, 12, 14].map((at) =>
    Number.parseInt(`${bytes[at]}${bytes[at + 1]}`, 16).toString(16),
  );
  return groups.join(":");
}

async function readTable(table: Table): Promise<string> {
  try {
    return await promises.readFile(`/proc/self/net/${table}`, "latin1");
  } catch (error) {
    // A kernel without IPv6 has no such table.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
