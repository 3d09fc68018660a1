/** The server's side of connections over a network: who an agent is, which session it goes on with, and the end of those that do not come back. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import type { ToAgent, ToServer } from "../contract/agent.ts";
import type { ServerEnd } from "./memory.ts";
import { parseToServer } from "./messages.ts";
import { parseOpening } from "./session.ts";
import type { StreamKind, Terms } from "./terms.ts";
import { keepAlive, socketMaxBytes, textOf, WireEnd, wireTiming, type WireTiming } from "./wire.ts";

export interface AcceptOptions {
  /** On a clock that never steps back. */
  now(): number;
  terms(node: string): Terms;
  /** Each fresh connection, before any message of it. */
  onLink(link: ServerEnd, node: string): void;
  /** A socket that carries connections; to be attached at once. Absent: there are none. */
  onStreams?(socket: WebSocket, node: string, kind: StreamKind): void;
  /** A node said what cannot be taken: its connection is over. */
  onFailure(what: string, error: unknown): void;
  readonly timing?: WireTiming;
}

/** Sessions of one node that wait to be gone on with: an agent has one, and one that it gave up. */
const sessionsMax = 4;

type End = WireEnd<ToAgent, ToServer>;

export class Links implements Disposable {
  readonly #options: AcceptOptions;
  readonly #timing: WireTiming;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: socketMaxBytes, perMessageDeflate: false });
  /** By node, then by session. */
  readonly #nodes = new Map<string, Map<string, End>>();
  /** Sockets that have not said yet which session they are for, with their nodes. */
  readonly #opening = new Map<WebSocket, string>();
  /** By node, then by what they carry: an agent has one of each, and the newest is it. */
  readonly #streams = new Map<string, Map<StreamKind, WebSocket>>();

  constructor(options: AcceptOptions) {
    this.#options = options;
    this.#timing = options.timing ?? wireTiming;
  }

  /** Takes the socket of a request that asked for an upgrade and whose sender is this node's agent. */
  take(node: string, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#sockets.handleUpgrade(request, socket, head, (opened) => this.#opened(node, opened));
  }

  /** The same, of a socket that carries connections. */
  takeStreams(
    { node, kind }: { readonly node: string; readonly kind: StreamKind },
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): void {
    this.#sockets.handleUpgrade(request, socket, head, (opened) => {
      opened.on("error", () => opened.terminate());
      keepAlive(opened, this.#timing, this.#options.now);
      const kinds = this.#streams.get(node) ?? new Map<StreamKind, WebSocket>();
      this.#streams.set(node, kinds);
      kinds.get(kind)?.terminate();
      kinds.set(kind, opened);
      opened.once("close", () => {
        if (kinds.get(kind) === opened) kinds.delete(kind);
        if (kinds.size === 0 && this.#streams.get(node) === kinds) this.#streams.delete(node);
      });
      this.#options.onStreams?.(opened, node, kind);
    });
  }

  /** Ends all connections of a node, also those that are only being opened. */
  drop(node: string): void {
    for (const [socket, of] of this.#opening) if (of === node) socket.terminate();
    for (const end of this.#nodes.get(node)?.values() ?? []) end.close();
    for (const socket of this.#streams.get(node)?.values() ?? []) socket.terminate();
  }

  [Symbol.dispose](): void {
    for (const node of this.#nodes.keys()) this.drop(node);
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#sockets.close();
  }

  #opened(node: string, socket: WebSocket): void {
    // What breaks it ends it: `close` follows.
    socket.on("error", () => socket.terminate());
    keepAlive(socket, this.#timing, this.#options.now);
    const late = setTimeout(() => socket.terminate(), this.#timing.silentMs);
    const opened = (): void => {
      clearTimeout(late);
      this.#opening.delete(socket);
    };
    this.#opening.set(socket, node);
    socket.once("close", opened);
    socket.once("message", (data) => {
      opened();
      const opening = parseOpening(textOf(data));
      const end = opening && this.#sessionOf(node, opening.session, opening.begins);
      if (!opening || !end) return gone(socket);
      const terms = this.#options.terms(node);
      if (!end.attach(socket, opening.got, JSON.stringify({ got: end.got, terms }))) gone(socket);
    });
  }

  #sessionOf(node: string, session: string, begins: boolean): End | undefined {
    const ends = this.#nodes.get(node) ?? new Map<string, End>();
    const known = ends.get(session);
    if (known || !begins) return known;
    this.#nodes.set(node, ends);
    const [oldest] = ends.values();
    if (ends.size >= sessionsMax) oldest?.close();
    const onMisfit = (error: unknown): void =>
      this.#options.onFailure(`a message of ${node}, whose connection is over`, error);
    const end = new WireEnd<ToAgent, ToServer>({ parse: parseToServer, onMisfit }, this.#timing);
    ends.set(session, end);
    end.onClose(() => {
      ends.delete(session);
      if (ends.size === 0 && this.#nodes.get(node) === ends) this.#nodes.delete(node);
    });
    this.#options.onLink(end, node);
    return end;
  }
}

function gone(socket: WebSocket): void {
  socket.send(JSON.stringify({ gone: true }));
  socket.close();
}
