/** Sockets in the data folder that the platform's own user alone may open. */
import { chmodSync, rmSync } from "node:fs";
import type { Server } from "node:net";

/** Rejects where the socket cannot be made; what goes wrong with it later is told. What lies there is an earlier server's: the data folder is ours alone. */
export function listenOnOwn(server: Server, path: string, onError: (error: unknown) => void): Promise<void> {
  rmSync(path, { force: true });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      server.off("error", reject).on("error", onError);
      resolve();
    });
  });
}
