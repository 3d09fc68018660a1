/** A connection to an agent whose paths are not the server's: each end says which of the other's it can reach, and by what. */
import type { ReplicaStatus, ToServer } from "../contract/agent.ts";
import type { AgentEnd, ServerEnd } from "./memory.ts";

export interface ApartServer {
  /** What stands in the server's own folder: an agent that says it is on the same disk. */
  readonly folderId: string;
  /** Where the edge reaches a replica of the agent's; null once it has ended. */
  socketOf(status: ReplicaStatus): string | null;
  /** Whether another node has told of this replica: there is no door to it here. */
  isOthers(replica: string): boolean;
  /** All that live on the node: what is kept for others goes. */
  only(replicas: readonly string[]): void;
}

/** The server's end. Until the agent has shown that it is on the same disk, no path that it names is used. */
export function apartServer(link: ServerEnd, { folderId, socketOf, isOthers, only }: ApartServer): ServerEnd {
  let shares = false;
  const status = (one: ReplicaStatus): ReplicaStatus => {
    if (shares) return one;
    return { ...one, socket: isOthers(one.replica) ? null : socketOf(one) };
  };
  const taken = (message: ToServer): ToServer => {
    if (message.type === "replica") return { ...message, status: status(message.status) };
    if (message.type !== "hello") return message;
    const { folder, ...hello } = message;
    shares = folder === folderId;
    const own = hello.replicas.flatMap(({ replica }) => (isOthers(replica) ? [] : replica));
    only(shares ? [] : own);
    return { ...hello, replicas: hello.replicas.map(status) };
  };
  return {
    send: (message) =>
      link.send(
        message.type === "build" && !shares
          ? { ...message, spec: { ...message.spec, repository: `/spaces/${message.spec.space}.git` } }
          : message,
      ),
    onMessage: (listener) => link.onMessage((message) => listener(taken(message))),
    onClose: (listener) => link.onClose(listener),
    close: () => link.close(),
  };
}

export interface ApartAgent {
  /** What stands in the server's folder; undefined where that is not on this machine. */
  readonly folder: string | undefined;
  onStatus(status: ReplicaStatus): void;
}

/** The agent's end. */
export function apartAgent(link: AgentEnd, { folder, onStatus }: ApartAgent): AgentEnd {
  return {
    send: (message) => {
      if (message.type === "replica") onStatus(message.status);
      if (message.type !== "hello") return link.send(message);
      message.replicas.forEach(onStatus);
      return link.send(folder === undefined ? message : { ...message, folder });
    },
    onMessage: (listener) => link.onMessage(listener),
    onClose: (listener) => link.onClose(listener),
    close: () => link.close(),
  };
}
