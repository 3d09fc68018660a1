/** Whoever a request came from first, and what they asked for: as the connection has it, or a trusted proxy told it. The edge notes it, other readers ask. */
import type { IncomingMessage } from "node:http";

export interface Visitor {
  /** "" where nothing tells it. */
  readonly address: string;
  /** `https://host:port`, as the visitor wrote it. */
  readonly origin: string;
}

/** As it was told, `host` where that is not the request's own. */
export interface NotedVisitor {
  readonly address: string;
  readonly proto: "http" | "https";
  readonly host: string | undefined;
}

const key = Symbol("visitor");
type Noted = IncomingMessage & { [key]?: NotedVisitor };

export function noteVisitor(request: IncomingMessage, visitor: NotedVisitor): void {
  (request as Noted)[key] = visitor;
}

/** To be noted again where somebody else answers. */
export function notedVisitorOf(request: IncomingMessage): NotedVisitor {
  return (request as Noted)[key] ?? { address: visitorOf(request).address, proto: "http", host: undefined };
}

export function visitorOf(request: IncomingMessage): Visitor {
  const noted = (request as Noted)[key];
  return {
    address: noted?.address ?? plainAddress(request.socket.remoteAddress) ?? "",
    origin: `${noted?.proto ?? "http"}://${noted?.host ?? request.headers.host ?? "localhost"}`,
  };
}

/** An IPv4 address that a socket of both families shows within IPv6 (RFC 4291 §2.5.5.2) is the same one; a zone is no part of an address. */
export function plainAddress(address: string): string;
export function plainAddress(address: string | undefined): string | undefined;
export function plainAddress(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  const plain = address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
  const zone = plain.indexOf("%");
  return zone < 0 ? plain : plain.slice(0, zone);
}

/** Of a {@link plainAddress}. */
export function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}
