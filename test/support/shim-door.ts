/** The shim's door in this process, before an app at a port of 127.0.0.1. */
import { connect } from "node:net";
import type { Server } from "node:net";
import { inboundServer } from "../../src/runtime/shim/inbound.ts";

/** At the path, when it resolves; whoever opens it closes it. */
export async function shimDoor(path: string, port: number): Promise<Server> {
  const door = inboundServer({
    connect: (onread) => connect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true, onread }),
    incoming: () => {},
    answered: () => {},
    stopping: () => false,
    onFailure: (error) => {
      throw error;
    },
    evidence: {
      write: (draft) => ({
        ...draft,
        id: "shim/1/1",
        emitter: "shim",
        epoch: 1,
        seq: 1,
        at: "2026-01-01T00:00:00.000Z",
      }),
      sync: () => Promise.resolve(),
    },
  });
  await new Promise<void>((resolve) => door.listen(path, resolve));
  return door;
}
