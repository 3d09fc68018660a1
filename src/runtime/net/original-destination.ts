/**
 * Where a redirected connection wanted to go. NAT is invisible to the client's own row in `/proc/self/net/tcp{,6}`, which still
 * shows its destination; Node has no way to ask the socket (SO_ORIGINAL_DST). Source ports can repeat towards different
 * destinations, so it can name another of the sandbox's own destinations; what is granted goes by the ports' own listeners.
 */
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";

export interface Destination {
  readonly address: string;
  readonly port: number;
}

const listenState = "0A";

export function originalDestination(socket: Socket, redirectedTo: number): Destination | undefined {
  for (const table of ["tcp", "tcp6"]) {
    const found = findDestination(read(`/proc/self/net/${table}`), socket.remotePort ?? 0, redirectedTo);
    if (found) return found;
  }
  return undefined;
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

/** Four words, each in host order. */
function ipv6(hex: string): string {
  const bytes = [0, 8, 16, 24].flatMap((word) => [6, 4, 2, 0].map((at) => hex.slice(word + at, word + at + 2)));
  if (bytes.slice(0, 12).join("") === "00000000000000000000ffff".toUpperCase())
    return bytes
      .slice(12)
      .map((byte) => Number.parseInt(byte, 16))
      .join(".");
  const groups = [0, 2, 4, 6, 8, 10, 12, 14].map((at) =>
    `${bytes[at]}${bytes[at + 1]}`.replace(/^0{1,3}/, "").toLowerCase(),
  );
  return groups.join(":");
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    // A kernel without IPv6 has no such table.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
