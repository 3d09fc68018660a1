/** The addresses that the edge listens at, and what is said where it cannot. */
import type { Server } from "node:net";

export interface ListenAddress {
  readonly address: string;
  /** 0: any free one; then all others take the port of the first. */
  readonly port: number;
}

/** Gives the listening socket of a place that a parent process has opened, for several workers to take connections from. */
export type SharedSockets = (place: ListenAddress | { readonly path: string }) => Promise<object>;

/** Thrown by {@link openEdge}: the message is a sentence for the operator, `code` the system's (`EADDRINUSE`, `EACCES`, …). */
export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly code: string;

  constructor(code: string, says: string, cause: unknown) {
    super(says, { cause });
    this.code = code;
  }
}

/** Resolves with the port. What fails later (no file descriptor for a new connection) goes to `onError`; the server lives on. */
export async function listen(
  server: Server,
  { address, port }: ListenAddress,
  onError: (error: unknown) => void,
  sockets: SharedSockets | undefined,
): Promise<number> {
  const shared = await sockets?.({ address, port });
  return new Promise((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException): void => reject(listenError(error, address, port));
    server.once("error", refused);
    server.listen(shared ?? { host: address, port, exclusive: true }, () => {
      server.off("error", refused).on("error", onError);
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : port);
    });
  });
}

export function listenError(error: NodeJS.ErrnoException, address: string, port: number): ListenError {
  const code = error.code ?? "UNKNOWN";
  if (code === "EADDRINUSE")
    return new ListenError(
      code,
      `Port ${port} on ${address} is in use by another program; stop it, or choose another port with --port.`,
      error,
    );
  if (code === "EACCES")
    return new ListenError(
      code,
      `This user may not listen on port ${port} of ${address}; choose one above 1023 with --port.`,
      error,
    );
  if (code === "EADDRNOTAVAIL") return new ListenError(code, `This machine has no address ${address}.`, error);
  return new ListenError(code, `Could not listen on ${address}:${port}: ${error.message}`, error);
}
