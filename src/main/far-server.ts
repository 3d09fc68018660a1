/** The agent's side of a server on another machine: what the edge opens ends at its replicas, what its apps open goes to the edge. */
import { rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { ReplicaStatus } from "../contract/agent.ts";
import { dialStreams, type StreamDialOptions } from "../link/dial-streams.ts";
import { accept, acceptStreams, refuse, StreamOpener } from "../link/streams.ts";

export interface FarServerOptions extends Omit<StreamDialOptions, "kind" | "onSocket"> {
  /** Where the gateway brings callers from inside. */
  readonly insidePath: string;
  onFailure(what: string, error: unknown): void;
}

/** Where replicas of this node are reached, by id. */
export class ReplicaSockets {
  readonly #sockets = new Map<string, string>();

  take({ replica, socket }: ReplicaStatus): void {
    if (socket === null) this.#sockets.delete(replica);
    else this.#sockets.set(replica, socket);
  }

  of(replica: string): string | undefined {
    return this.#sockets.get(replica);
  }
}

/** Carries connections both ways until it is closed. */
export function carryFor(sockets: ReplicaSockets, options: FarServerOptions): Disposable {
  const { insidePath, onFailure } = options;
  using stack = new DisposableStack();
  const opener = stack.use(new StreamOpener());
  rmSync(insidePath, { force: true });
  const door = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (caller) => {
    opener.carry(caller, "edge").catch((error: unknown) => {
      caller.destroy();
      onFailure("a call from inside", error);
    });
  });
  door.on("error", (error) => onFailure("the door for callers from inside", error));
  door.listen(insidePath);
  stack.defer(() => door.close());
  stack.use(dialStreams({ ...options, kind: "inside", onSocket: (socket) => opener.attach(socket) }));
  stack.use(
    dialStreams({
      ...options,
      kind: "visits",
      onSocket: (socket) =>
        acceptStreams(socket, (stream, replica) => {
          const path = sockets.of(replica);
          if (path === undefined) return refuse(stream);
          const local = connect({ path, allowHalfOpen: true });
          local.once("error", () => refuse(stream));
          local.once("connect", () => accept(stream, local));
        }),
    }),
  );
  return stack.move();
}
