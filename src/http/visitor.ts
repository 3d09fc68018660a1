/** Whoever a request came from first, and what they asked for: as the connection has it, or a trusted proxy told it. The edge notes it, other readers ask. */
import type { IncomingMessage } from "node:http";

export interface Visitor {
  /** "" where nothing tells it. */
  readonly address: string;
  /** `https://host:port`, as the visitor wrote it. */
  readonly origin: string;
}

const key = Symbol("visitor");
type Noted = IncomingMessage & { [key]?: Visitor };

export function noteVisitor(request: IncomingMessage, visitor: Visitor): void {
  (request as Noted)[key] = visitor;
}

export function visitorOf(request: IncomingMessage): Visitor {
  return (
    (request as Noted)[key] ?? {
      address: plainAddress(request.socket.remoteAddress) ?? "",
      origin: `http://${request.headers.host ?? "localhost"}`,
    }
  );
}

/** An IPv4 address that a socket of both families shows within IPv6 (RFC 4291 §2.5.5.2) is the same one; a zone is no part of an address. */
export function plainAddress(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  const plain = address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
  const zone = plain.indexOf("%");
  return zone < 0 ? plain : plain.slice(0, zone);
}
