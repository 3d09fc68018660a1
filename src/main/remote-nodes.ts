/** The server's side of nodes on other machines: a door here for each replica there, and a way in for what their apps call. */
import { mkdirSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import type { WebSocket } from "ws";
import { encodeInside, type InsideCaller } from "../contract/egress.ts";
import type { ReplicaStatus } from "../contract/agent.ts";
import { readInsideCaller } from "../edge/index.ts";
import { apartServer } from "../link/apart.ts";
import type { ServerEnd } from "../link/memory.ts";
import { accept, acceptStreams, refuse, StreamOpener, streamsMax } from "../link/streams.ts";
import type { StreamKind } from "../link/terms.ts";
import { socketFolder } from "../runtime/folder.ts";

export interface RemoteNodesOptions {
  readonly data: string;
  readonly folderId: string;
  /** The edge's socket for callers from inside; null: there is none. */
  readonly insidePath: string | null;
  /** Whether this replica or build is of that Space, and the node has it now. */
  has(node: string, caller: InsideCaller): boolean;
  /** The node that has told of this replica. */
  nodeOf(replica: string): string | undefined;
  onFailure(what: string, error: unknown): void;
}

interface RemoteNode {
  readonly opener: StreamOpener;
  /** By replica. */
  readonly doors: Map<string, { readonly path: string; readonly server: Server }>;
}

/** Of one node: more replicas than a machine runs. Each is a file that the server has open. */
const doorsMax = 500;
/** Of one replica: more than the edge keeps to it with its questions, and half of what its node may have. */
const visitsMax = streamsMax / 2;

export class RemoteNodes implements Disposable {
  readonly #options: RemoteNodesOptions;
  readonly #folder: string;
  readonly #nodes = new Map<string, RemoteNode>();
  #opened = 0;

  constructor(options: RemoteNodesOptions) {
    this.#options = options;
    const own = join(options.data, "visits");
    // What an earlier server left; nobody but the platform's own user connects there.
    rmSync(own, { recursive: true, force: true });
    mkdirSync(own, { mode: 0o700 });
    this.#folder = socketFolder(own);
  }

  /** An agent's connection, whose replicas are reached by doors here unless it is on this machine. */
  link(link: ServerEnd, node: string): ServerEnd {
    const { folderId, nodeOf } = this.#options;
    return apartServer(link, {
      folderId,
      isOthers: (replica) => (nodeOf(replica) ?? node) !== node,
      socketOf: (status) => this.#socketOf(node, status),
      only: (replicas) => {
        for (const replica of this.#node(node).doors.keys())
          if (!replicas.includes(replica)) this.#close(node, replica);
      },
    });
  }

  streams(socket: WebSocket, node: string, kind: StreamKind): void {
    if (kind === "visits") this.#node(node).opener.attach(socket);
    else acceptStreams(socket, (stream) => this.#inside(node, stream));
  }

  /** What its connections go over now, by number; undefined while the line to its node is lost. 0: it is on this machine, or has ended. */
  line(replica: string): number | undefined {
    const node = this.#nodes.get(this.#options.nodeOf(replica) ?? "");
    return node?.doors.has(replica) ? node.opener.line : 0;
  }

  [Symbol.dispose](): void {
    for (const { opener, doors } of this.#nodes.values()) {
      opener[Symbol.dispose]();
      for (const { server } of doors.values()) server.close();
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #node(name: string): RemoteNode {
    const node = this.#nodes.get(name) ?? { opener: new StreamOpener(), doors: new Map() };
    this.#nodes.set(name, node);
    return node;
  }

  #socketOf(name: string, { replica, socket }: ReplicaStatus): string | null {
    if (socket === null) return this.#close(name, replica);
    const { doors, opener } = this.#node(name);
    const known = doors.get(replica);
    if (known) return known.path;
    if (doors.size >= doorsMax) {
      this.#options.onFailure(`the replica ${replica} on ${name}`, new Error(`${doorsMax} have doors already`));
      return null;
    }
    const path = join(this.#folder, (++this.#opened).toString(36));
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (visit) => {
      opener.carry(visit, replica).catch((error: unknown) => {
        visit.destroy();
        this.#options.onFailure(`a connection to ${replica} on ${name}`, error);
      });
    });
    // One app that keeps all that comes leaves room for the others of its node.
    server.maxConnections = visitsMax;
    server.on("error", (error) => {
      doors.delete(replica);
      this.#options.onFailure(`the door of ${replica} on ${name}`, error);
    });
    server.listen(path);
    doors.set(replica, { path, server });
    return path;
  }

  #close(name: string, replica: string): null {
    const { doors } = this.#node(name);
    doors.get(replica)?.server.close();
    doors.delete(replica);
    return null;
  }

  /** The node's gateway says which of its sandboxes calls; it is asked whether it has that one. */
  #inside(node: string, stream: Parameters<typeof accept>[0]): void {
    const { insidePath, has } = this.#options;
    readInsideCaller(stream, (_stream, caller) => {
      if (insidePath === null || !has(node, caller)) return refuse(stream);
      stream.pause(); // What it said already is for the edge, and waits for it.
      const local = connect({ path: insidePath, allowHalfOpen: true });
      local.once("error", () => refuse(stream));
      local.once("connect", () => {
        local.write(encodeInside(caller));
        accept(stream, local);
      });
    });
  }
}
