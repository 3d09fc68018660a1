/** All connections of an edge, whichever place they came by: so that it can leave without breaking one. */
import type { Server as HttpServer } from "node:http";
import { Server } from "node:net";
import type { Socket } from "node:net";

export class Connections {
  readonly #server: HttpServer;
  readonly #open = new Set<Socket>();
  #onEmpty: () => void = () => {};

  constructor(server: HttpServer) {
    this.#server = server;
    server.prependListener("connection", (socket: Socket) => {
      this.#open.add(socket);
      socket.once("close", () => {
        this.#open.delete(socket);
        if (this.#open.size === 0) this.#onEmpty();
      });
    });
  }

  /**
   * Takes no more; resolves when the last one has closed, at the latest after `withinMs`. One that idles is not closed at once: a
   * request may be on its way on it. The server's own time for those that idle ends it.
   */
  async drained(withinMs: number): Promise<void> {
    // The HTTP server's own `close` ends those that idle.
    Server.prototype.close.call(this.#server);
    if (this.#open.size === 0) return;
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, withinMs);
      this.#onEmpty = () => {
        clearTimeout(late);
        resolve();
      };
    });
  }

  /** Those too that nobody has taken yet: they have said nothing, or are in their handshake. */
  destroy(): void {
    for (const socket of this.#open) socket.destroy();
  }
}
