/** git's face behind a server of its own, with its evidence in memory, and clients that stand still. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createConnection, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GitFace, type GitDesk, type GitFaceLimits } from "../../src/hub/git-face.ts";
import { openRepositories } from "../../src/hub/repository.ts";
import { clock, random } from "./commits.ts";
import { GitClient } from "./git-client.ts";
import { openDesk } from "./open-desk.ts";
import { memoryTransfers, type MemoryTransfers } from "./transfers.ts";

export interface GitFaceWorld extends AsyncDisposable, MemoryTransfers {
  readonly client: GitClient;
  readonly folder: string;
  readonly port: number;
  readonly url: (name: string) => string;
  /** What the desk heard of. */
  readonly heard: readonly string[];
  /** Clients that are connected now. */
  readonly connections: () => number;
  /** As the platform stops: the face first. */
  readonly stop: () => Promise<void>;
  /** Sockets of clients, closed with the world. */
  readonly sockets: Socket[];
}

export interface Desk {
  readonly built?: Promise<void>;
  readonly made?: Promise<void>;
  /** Until then it is decided whether a push is taken; `heard` says that it was asked for. */
  readonly decided?: Promise<void>;
  /** Why no push is taken. */
  readonly refused?: readonly string[];
  /** The folder in which its own is made. */
  readonly within?: string;
}

/** A face whose Spaces are alice's, there when `made` is, and whose builds say two lines and end when `built` does. */
export async function gitFaceWorld(
  limits: Partial<GitFaceLimits>,
  { built, made, decided, refused = [], within = tmpdir() }: Desk = {},
): Promise<GitFaceWorld> {
  const folder = mkdtempSync(join(within, "wb-face-"));
  const heard: string[] = [];
  const told = memoryTransfers();
  const desk: GitDesk = {
    ...openDesk,
    ensure: async () => {
      await made;
      return { ok: true };
    },
    inTurn: (_, work) => work(),
    refuse: async () => {
      if (decided) heard.push("a push is decided");
      await decided;
      return refused;
    },
    tooLarge: async () => [],
    pushed: async ({ updates }) => ({ lines: [], build: updates[0]?.to ?? null }),
    watch: async function* (build) {
      yield `building ${build.slice(0, 7)}`;
      await built;
      yield "built";
    },
    onFailure: (what, error) => void heard.push(`${what}: ${String(error)}`),
  };
  const repositories = openRepositories({ folder: join(folder, "repositories"), clock, random });
  const face = await GitFace.open({
    ...{ repositories, desk, transfers: told.transfers, clock, random },
    ...{ folder: join(folder, "git"), limits },
  });
  const server = createServer((request, response) => {
    if (!face.serve(request, response)) response.writeHead(404).end();
  });
  const sockets: Socket[] = [];
  let connections = 0;
  server.on("connection", (socket) => {
    connections += 1;
    socket.once("close", () => (connections -= 1));
  });
  const port = await listening(server);
  const client = new GitClient();
  return {
    client,
    folder,
    port,
    heard,
    ...told,
    connections: () => connections,
    stop: () => face[Symbol.asyncDispose](),
    sockets,
    url: (name) => `http://alice:hf_x@127.0.0.1:${port}/spaces/alice/${name}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await face[Symbol.asyncDispose]();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      client[Symbol.dispose]();
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)));
}

export interface Asking {
  readonly by?: string;
  readonly service?: "git-receive-pack" | "git-upload-pack";
  /** Its first bytes; more may come. */
  readonly body?: string;
}

/** One who sends the first bytes of a request and then nothing more; of what comes back nothing is read. */
export function stall(
  { port, sockets }: GitFaceWorld,
  name: string,
  { by, service = "git-receive-pack", body = "00a0" }: Asking = {},
) {
  const socket = createConnection(port, "127.0.0.1");
  sockets.push(socket);
  socket.on("error", () => undefined); // Given up by the other side, as it should be.
  const token = by === undefined ? "" : `Authorization: Basic ${Buffer.from(`${by}:x`).toString("base64")}\r\n`;
  socket.write(
    `POST /spaces/alice/${name}/${service} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${token}` +
      `Content-Type: application/x-${service}-request\r\nTransfer-Encoding: chunked\r\n\r\n` +
      `${body.length.toString(16)}\r\n${body}\r\n`,
  );
  return socket;
}

/** git's own processes that serve this world's clients; `what`: of which command lines, their words apart by NUL. */
export function gits({ folder }: GitFaceWorld, what = /^/): readonly number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      const isOurs = readFileSync(`/proc/${pid}/environ`, "latin1").includes(`PATH_TRANSLATED=${folder}`);
      return isOurs && what.test(readFileSync(`/proc/${pid}/cmdline`, "latin1"));
    } catch {
      return false; // It has ended meanwhile.
    }
  });
}
