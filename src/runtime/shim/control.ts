/** `ctl.sock`: the agent's line to the shim. The newest agent that says `hello` is the one that is told things. */
import { createServer, type Server, type Socket } from "node:net";
import type { AgentToShim, ShimToAgent } from "../../contract/shim.ts";
import { readFrames, writeFrame } from "../frames.ts";

export interface Control {
  readonly server: Server;
  /** Whether an agent that said `hello` is connected. */
  readonly connected: boolean;
  /** Tells the agent; false where there is none. What must arrive is kept by its owner and told again after the next `hello`. */
  send(message: ShimToAgent): boolean;
  /** Cuts the agent off, and takes no other. */
  close(): void;
}

export interface ControlHandlers {
  /** An agent is here (again): all that it must know is sent from here. */
  hello(): void;
  message(message: Exclude<AgentToShim, { type: "hello" }>): void;
  /** The agent is gone. */
  left(): void;
}

/** A peer that stops reading is cut off before we hold more than this for it. */
const waitingMaxBytes = 1 << 24;

export function controlServer(handlers: ControlHandlers): Control {
  let agent: Socket | undefined;
  let closed = false;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    // A broken connection closes itself; `close` is what we act on.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      sockets.delete(socket);
      if (agent !== socket) return;
      agent = undefined;
      handlers.left();
    });
    readFrames<AgentToShim>(socket, (message) => {
      if (closed) return;
      if (message.type === "hello") {
        const before = agent;
        agent = socket;
        if (before !== socket) before?.destroy();
        handlers.hello();
      } else if (socket === agent) {
        handlers.message(message);
      }
    });
  });
  return {
    server,
    get connected() {
      return agent !== undefined;
    },
    send(message) {
      if (!agent) return false;
      if (agent.writableLength > waitingMaxBytes) agent.destroy(new Error("the agent does not read"));
      return writeFrame(agent, message);
    },
    close() {
      closed = true;
      server.close();
      for (const socket of sockets) socket.end();
    },
  };
}
