/** TLS at the edge's door: the certificate by the name that the visitor asks for or the address it called, the protocol by ALPN. */
import type { Socket } from "node:net";
import { createSecureContext, createServer } from "node:tls";
import type { SecureContext, Server, TLSSocket } from "node:tls";

import { plainAddress } from "../http/visitor.ts";

/** PEM. */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
}

/** Where certificates come from. */
export interface TlsPairs {
  /** `name`: the visitor's server name, in lower case. Undefined: none is to be shown. */
  pairFor(asked: { readonly name: string | undefined; readonly address: string }): Promise<TlsPair | undefined>;
  /** What an authority that asks for proof of a name is answered (RFC 8555 §8.3). */
  challenge(token: string): string | undefined | Promise<string | undefined>;
}

export interface TlsDoor {
  /** A connection whose first byte begins a handshake; nothing of it is read yet. */
  take(socket: Socket): void;
  close(): void;
}

export interface TlsDoorOptions {
  readonly pairs: TlsPairs;
  /** `carrier`: the connection below. */
  readonly onSecure: (socket: TLSSocket, carrier: Socket) => void;
  readonly onError: (error: unknown) => void;
}

/** A handshake is two round trips, and an order of a certificate that somebody waits for. */
const handshakeWithinMs = 35_000;

/** Addresses of ours that were called: a Space each at most, but whoever is on this machine may try all of 127.0.0.0/8. */
const addressesMax = 4_096;

export function openTls({ pairs, onSecure, onError }: TlsDoorOptions): TlsDoor {
  const contexts = new WeakMap<TlsPair, SecureContext>();
  const contextOf = (pair: TlsPair): SecureContext => {
    const made = contexts.get(pair) ?? createSecureContext({ cert: pair.cert, key: pair.key });
    contexts.set(pair, made);
    return made;
  };
  /** By the address that was called: what is shown to who names nobody. */
  const servers = new Map<string, { readonly server: Server; shown: TlsPair | undefined }>();
  /** Connections in their handshake, by both their ends. */
  const carriers = new Map<string, Socket>();

  const serverAt = (address: string) => {
    const known = servers.get(address);
    if (known !== undefined) return known;
    const server = createServer({
      ALPNProtocols: ["h2", "http/1.1"],
      handshakeTimeout: handshakeWithinMs,
      minVersion: "TLSv1.2",
      SNICallback: (name, done) => {
        pairs
          .pairFor({ name: name.toLowerCase(), address })
          .then((pair) => done(null, pair === undefined ? undefined : contextOf(pair)))
          .catch((error: unknown) => {
            onError(error);
            done(null, undefined);
          });
      },
    });
    // A handshake that fails is the visitor's to see; the connection is closed.
    server.on("tlsClientError", () => {});
    server.on("secureConnection", (socket) => {
      const carrier = carriers.get(endsOf(socket));
      carriers.delete(endsOf(socket));
      if (carrier === undefined) socket.destroy();
      else onSecure(socket, carrier);
    });
    const made = { server, shown: undefined as TlsPair | undefined };
    servers.set(address, made);
    if (servers.size > addressesMax) servers.delete(servers.keys().next().value as string);
    return made;
  };

  const handshake = async (socket: Socket): Promise<void> => {
    const address = plainAddress(socket.localAddress) ?? "";
    const pair = await pairs.pairFor({ name: undefined, address });
    if (socket.destroyed) return;
    const door = serverAt(address);
    if (pair !== undefined && pair !== door.shown) door.server.setSecureContext({ cert: pair.cert, key: pair.key });
    door.shown = pair ?? door.shown;
    const ends = endsOf(socket);
    carriers.set(ends, socket);
    socket.once("close", () => {
      if (carriers.get(ends) === socket) carriers.delete(ends);
    });
    door.server.emit("connection", socket);
  };

  return {
    take(socket) {
      const drop = (): void => void socket.destroy();
      socket.on("error", drop);
      handshake(socket).catch((error: unknown) => {
        drop();
        onError(error);
      });
    },
    close() {
      for (const { server } of servers.values()) server.close();
    },
  };
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
