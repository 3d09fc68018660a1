/** The parent's connection to the server: dialled for ever, and its copy, which outlives it. */
import { createConnection } from "node:net";
import type { Socket } from "node:net";
import { edgeProtocol } from "../contract/edge.ts";
import type { FromEdge } from "../contract/edge.ts";
import type { Clock } from "../stdx/time.ts";
import { EdgeCopy } from "./edge-copy.ts";
import type { ForEdge } from "./edge-copy.ts";
import { readLines, writeLine } from "./edge-lines.ts";

/** A server that starts is met soon, and one that is away costs nothing. */
const dialEveryMs = 200;
/** The server says something every second: one that says nothing for so long is away, or as good as. */
const silentMs = 5_000;
/** Visitors who left while no server was there: each has a call that waits, and no pool's line is longer. */
const leftMax = 10_000;

export interface EdgeLineParts {
  readonly path: string;
  readonly version: string;
  readonly clock: Clock;
  /** What a server that is there anew has to be told first. */
  readonly greeting: () => readonly FromEdge[];
  readonly onMessage: (message: ForEdge) => void;
  /** `since`: milliseconds since 1970; null: it is there. */
  readonly onAway: (since: number | null) => void;
  readonly onFailure: (error: Error) => void;
}

/** Nothing of it stays. */
function isPassing(
  message: ForEdge,
): message is Extract<ForEdge, { type: "tick" | "woken" | "tell" | "synced" | "session" | "challenge" }> {
  return ["tick", "woken", "tell", "synced", "session", "challenge"].includes(message.type);
}

export class EdgeLine implements Disposable {
  readonly #parts: EdgeLineParts;
  #socket: Socket | undefined;
  #copy: EdgeCopy | undefined;
  #awaySince: number | null;
  #left: FromEdge[] = [];
  #redial: NodeJS.Timeout | undefined;
  #isOver = false;
  #told = "";

  constructor(parts: EdgeLineParts) {
    this.#parts = parts;
    this.#awaySince = parts.clock.wall();
  }

  get copy(): EdgeCopy | undefined {
    return this.#copy;
  }

  get awaySince(): number | null {
    return this.#awaySince;
  }

  dial(): void {
    const socket = createConnection(this.#parts.path);
    socket.setTimeout(silentMs, () => socket.destroy(new Error("the server says nothing")));
    socket.once("connect", () => {
      writeLine(socket, { type: "hello", protocol: edgeProtocol, version: this.#parts.version } satisfies FromEdge);
    });
    readLines(socket, (document) => this.#take(socket, document as ForEdge));
    socket.on("error", (error: NodeJS.ErrnoException) => this.#trouble(error));
    socket.once("close", () => {
      if (this.#socket === socket) this.#lost();
      if (!this.#isOver) this.#redial = setTimeout(() => this.dial(), dialEveryMs);
    });
  }

  /** Said now; that a visitor has left or a worker ended is kept until there is somebody to hear of it. */
  say(message: FromEdge): void {
    if (this.#socket !== undefined) return writeLine(this.#socket, message);
    if (message.type !== "visitor-gone" && message.type !== "worker-ended") return;
    if (this.#left.length < leftMax) this.#left.push(message);
    else this.#trouble(new Error(`${leftMax} leaves and ends wait for the server to hear of them; more are not kept`));
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#redial);
    this.#socket?.destroy();
  }

  #take(socket: Socket, message: ForEdge): void {
    if (message.type === "copy") this.#found(socket, new EdgeCopy(message));
    else if (message.type === "token") {
      if (message.found !== null) this.#copy?.keep(message.hash, message.found);
    } else if (message.type === "pair") {
      if (message.found !== null) this.#copy?.keepPair(message.asked, message.found);
    } else if (!isPassing(message)) this.#copy?.apply(message);
    this.#parts.onMessage(message);
  }

  #found(socket: Socket, copy: EdgeCopy): void {
    this.#copy = copy;
    this.#socket = socket;
    this.#awaySince = null;
    this.#told = "";
    for (const message of [...this.#left.splice(0), ...this.#parts.greeting()]) writeLine(socket, message);
    this.#parts.onAway(null);
  }

  #lost(): void {
    this.#socket = undefined;
    this.#awaySince = this.#parts.clock.wall();
    this.#parts.onAway(this.#awaySince);
  }

  /** Each trouble is told once until the server is there again. */
  #trouble(error: NodeJS.ErrnoException): void {
    const says = error.code ?? error.message;
    if (says === this.#told) return;
    this.#told = says;
    this.#parts.onFailure(error);
  }
}
