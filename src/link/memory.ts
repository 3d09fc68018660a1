/** A connection within one process that carries the same encoded frames as a network would, in order, and never in the caller's own turn. */
import { decode, encode, type Link, type ToAgent, type ToServer } from "../contract/agent.ts";

/** What the server holds of a connection to an agent. */
export type ServerEnd = Link<ToAgent, ToServer>;
/** What the agent holds of it. */
export type AgentEnd = Link<ToServer, ToAgent>;

/** Frames kept for an end that has no listener yet: more means that nobody will ever listen. */
const heldMax = 10_000;

/** Both ends of a fresh connection. Closing either closes both, after what was sent before has arrived. */
export function memoryLink(): { readonly server: ServerEnd; readonly agent: AgentEnd } {
  const toServer = new Pipe();
  const toAgent = new Pipe();
  return {
    server: new End<ToAgent, ToServer>(toAgent, toServer),
    agent: new End<ToServer, ToAgent>(toServer, toAgent),
  };
}

/** Frames on their way in one direction. */
class Pipe {
  #frames: string[] = [];
  #onFrame: ((frame: string) => void) | undefined;
  #onClose: (() => void)[] = [];
  #state: "open" | "closing" | "closed" = "open";
  #scheduled = false;

  send(frame: string): void {
    if (this.#state !== "open") return;
    if (this.#frames.length >= heldMax) return this.close();
    this.#frames.push(frame);
    this.#schedule();
  }

  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#schedule();
  }

  onFrame(listener: (frame: string) => void): void {
    this.#onFrame = listener;
    this.#schedule();
  }

  onClose(listener: () => void): void {
    if (this.#state === "closed") queueMicrotask(listener);
    else this.#onClose.push(listener);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#deliver());
  }

  #deliver(): void {
    this.#scheduled = false;
    if (this.#onFrame) {
      const frames = this.#frames;
      this.#frames = [];
      for (const frame of frames) this.#onFrame(frame);
    }
    if (this.#state === "closing" && (this.#frames.length === 0 || !this.#onFrame)) {
      this.#state = "closed";
      for (const listener of this.#onClose) listener();
    }
  }
}

class End<Out extends ToAgent | ToServer, In extends ToAgent | ToServer> implements Link<Out, In> {
  readonly #out: Pipe;
  readonly #in: Pipe;

  constructor(out: Pipe, incoming: Pipe) {
    this.#out = out;
    this.#in = incoming;
  }

  send(message: Out): void {
    this.#out.send(encode(message));
  }

  onMessage(listener: (message: In) => void): void {
    this.#in.onFrame((frame) => listener(decode<In>(frame)));
  }

  onClose(listener: () => void): void {
    this.#in.onClose(listener);
  }

  close(): void {
    this.#out.close();
    this.#in.close();
  }
}
