/** git-lfs' face behind a server of its own, with alice's Space, which has one large file; a token is the account's name. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createConnection, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LfsFace, type LfsFaceLimits } from "../../src/hub/lfs-face.ts";
import type { LfsPointer } from "../../src/hub/lfs-pointer.ts";
import { LfsStore, type LfsLimits } from "../../src/hub/lfs-store.ts";
import { openRepositories } from "../../src/hub/repository.ts";
import { largeWorld } from "../../src/hub/xet/world.suite.ts";
import { clock, random } from "./commits.ts";
import { openDesk } from "./open-desk.ts";
import { pointerTo } from "./sha256.ts";
import { memoryTransfers, type MemoryTransfers } from "./transfers.ts";

/** More than sockets hold on the way. */
const large = randomBytes(24 << 20);
/** What the Space has from the beginning. */
export const largeFile = pointerTo(large);

export interface LfsWorld extends MemoryTransfers, AsyncDisposable {
  readonly port: number;
  /** What tickets are signed with. */
  readonly key: Uint8Array;
  /** Where the file of this SHA-256 lies, or would. */
  objectFile(oid: string): string;
  /** `by`: null for nobody. Empty where it is there already. */
  addressOf(operation: "upload" | "download", pointer: LfsPointer, by: string | null): Promise<string>;
  /** One who asks, and then reads and sends nothing. */
  stall(href: string, method?: "GET" | "PUT", length?: number): Socket;
  /** How many of those who stall are connected still. */
  stalled(): number;
}

/** `within`: where its repositories lie, in place of the machine's folder for temporary files. */
export async function lfsWorld(
  limits: Partial<LfsFaceLimits> = {},
  room: Partial<LfsLimits> = {},
  within = tmpdir(),
): Promise<LfsWorld> {
  const folder = mkdtempSync(join(within, "wb-lfs-"));
  const repositories = openRepositories({ folder: join(folder, "repositories"), clock, random });
  await repositories.createRepository("alice/app");
  const repository = repositories.repositoryOf("alice/app");
  const store = new LfsStore(random, { freeMinBytes: 0, ...room });
  const whole = async function* () {
    yield large;
  };
  await store.put(repository, largeFile, whole(), "alice");
  const world = await largeWorld();
  const told = memoryTransfers();
  const key = randomBytes(32);
  const face = new LfsFace({
    ...{ repositories, store, transfers: told.transfers, key, clock, random, limits },
    ...{ large: world.files, storage: world.storage, xet: { key, instance: "here" } },
    proposers: { addProposer: async () => undefined },
    desk: {
      ...openDesk,
      mayWrite: async (_path, account) => account !== "proposer",
      ensure: async () => ({ ok: true }),
      onFailure: (_, error) => void told.failures.push(error),
    },
  });
  const server = createServer((request, response) => void face.serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const sockets: Socket[] = [];
  const served = new Set<number | undefined>();
  server.on("connection", (socket) => {
    const { remotePort } = socket;
    served.add(remotePort);
    socket.once("close", () => served.delete(remotePort));
  });
  return {
    ...told,
    ...{ port, key },
    objectFile: (oid) => join(repository, "lfs/objects", oid.slice(0, 2), oid.slice(2, 4), oid),
    async addressOf(operation, pointer, by) {
      const answer = await fetch(`http://127.0.0.1:${port}/spaces/alice/app.git/info/lfs/objects/batch`, {
        method: "POST",
        headers: by === null ? {} : { authorization: `Bearer ${by}` },
        body: JSON.stringify({ operation, objects: [pointer] }),
      });
      const { objects } = (await answer.json()) as { objects: [{ actions: Record<string, { href: string }> }] };
      return objects[0].actions[operation]?.href ?? "";
    },
    stall(href, method = "GET", length = 0) {
      const socket = createConnection(port, "127.0.0.1");
      sockets.push(socket);
      socket.on("error", () => undefined); // Given up by the other side, as it should be.
      const { pathname, search } = new URL(href);
      socket.write(`${method} ${pathname}${search} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`);
      return socket;
    },
    stalled: () => sockets.filter(({ localPort }) => served.has(localPort)).length,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      await world[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
