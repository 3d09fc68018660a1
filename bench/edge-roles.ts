/** The four processes of the edge's benchmark; `node edge-roles.ts ROLE FOLDER SPOOL BODY-BYTES`, spoken to over IPC. */
import { randomBytes } from "node:crypto";
import { Agent, createServer, request as httpRequest } from "node:http";
import { connect, createServer as createNetServer } from "node:net";
import type { Socket } from "node:net";
import { join } from "node:path";

import { openEdge } from "../src/edge/index.ts";
import type { Visitor } from "../src/edge/index.ts";
import { mintVisitorToken } from "../src/identity/visitor-token.ts";
import { openSpool } from "../src/record/spool.ts";
import { after, instant, seconds } from "../src/stdx/time.ts";

export type Asked =
  | { readonly ask: "cpu" }
  | { readonly ask: "run"; readonly port: number; readonly ms: number; readonly connections: number };

export interface Told {
  readonly port?: number;
  /** CPU time of the process so far, user and system. */
  readonly cpuUs?: number;
  readonly requests?: number;
}

const host = "alice-demo.localhost";
const space = "alice/demo";
const [role, folder, spool, bytes] = process.argv.slice(2) as [keyof typeof roles, string, string, string];
const bodyBytes = Number(bytes);
const backendSocket = join(folder, "in.sock");

const roles = { backend, edge, relay, load };

process.on("message", (asked: Asked) => {
  if (asked.ask === "cpu") {
    const { user, system } = process.cpuUsage();
    tell({ cpuUs: user + system });
  } else void runLoad(asked.port, asked.ms, asked.connections).then((requests) => tell({ requests }));
});
await roles[role]();

function tell(told: Told): void {
  process.send?.(told);
}

/** Answers each request head with the same bytes; takes the edge's preamble where there is one. */
async function backend(): Promise<void> {
  const answer = Buffer.from(
    `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nServer: bench\r\nContent-Length: ${bodyBytes}\r\n\r\n${"x".repeat(bodyBytes)}`,
  );
  const server = createNetServer((socket) => {
    let rest = "";
    let begun = false;
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes: Buffer) => {
      rest += bytes.toString("latin1");
      if (!begun && rest.startsWith("waybill/1 ")) rest = rest.slice(rest.indexOf("\n") + 1);
      begun = true;
      for (let end = rest.indexOf("\r\n\r\n"); end >= 0; end = rest.indexOf("\r\n\r\n")) {
        rest = rest.slice(end + 4);
        socket.write(answer);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(backendSocket, resolve));
  tell({});
}

/** The whole edge: evidence in a spool file, a token for each request. */
async function edge(): Promise<void> {
  const clock = { wall: () => instant(Date.now()), monotonic: () => Math.trunc(performance.now()) };
  const key = randomBytes(32);
  const visitor: Visitor = { account: "address:127.0.0.1", tier: "anonymous", billedBy: "address", user: null };
  const opened = await openEdge({
    listen: [{ address: "127.0.0.1", port: 0 }],
    directory: {
      find: (name) =>
        name === host
          ? { space, owner: "alice", state: { kind: "running", replicas: [{ id: "p_1", socket: backendSocket }] } }
          : undefined,
      wake: async () => undefined,
    },
    identity: {
      resolve: () => visitor,
      mint: ({ request, now }) =>
        mintVisitorToken({
          key,
          kid: "k1",
          space,
          user: null,
          account: "address:127.0.0.1",
          tier: "anonymous",
          billedBy: "address",
          request,
          issuedAt: now,
          expiresAt: after(now, seconds(3_600)),
        }),
    },
    emitter: await openSpool({ folder: spool, name: "edge", clock, onFailure: fails }),
    counter: { count: () => "n_0" },
    clock,
    random: (count) => randomBytes(count),
    console: (_, response) => response.end(),
    consoleHosts: ["localhost"],
    explainUrl: (id) => id,
  });
  tell({ port: opened.port });
}

/** An edge that keeps no evidence is not what is measured. */
function fails(error: Error): never {
  throw error;
}

/** What anyone would write first. */
async function relay(): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 512 });
  const server = createServer((visitor, answer) => {
    const { method, url, headers } = visitor;
    const upstream = httpRequest({ socketPath: backendSocket, agent, method, path: url, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    upstream.on("error", () => answer.destroy());
    visitor.pipe(upstream);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  tell({ port: typeof address === "object" && address !== null ? address.port : 0 });
}

async function load(): Promise<void> {
  tell({});
}

const request = [
  "GET /assets/page?v=1 HTTP/1.1",
  `Host: ${host}`,
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "Accept-Language: en-GB,en;q=0.9",
  "Accept-Encoding: gzip, deflate, br",
  "Cookie: theme=dark; session=0123456789abcdef",
  "Sec-Fetch-Mode: navigate",
  "Sec-Fetch-Site: none",
  "Cache-Control: no-cache",
  "",
  "",
].join("\r\n");

/** Each connection sends its next request when the answer before is whole. Resolves with the answers that came in time. */
function runLoad(port: number, ms: number, connections: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let answered = 0;
    let over = false;
    const sockets: Socket[] = [];
    for (let i = 0; i < connections; i++) {
      const socket = connect({ host: "127.0.0.1", port, noDelay: true });
      let text = "";
      socket.on("error", reject);
      socket.on("data", (bytes: Buffer) => {
        text += bytes.toString("latin1");
        const head = text.indexOf("\r\n\r\n");
        if (head < 0 || text.length < head + 4 + bodyBytes) return;
        if (!text.startsWith("HTTP/1.1 200 ")) return reject(new Error(text.slice(0, 300)));
        text = "";
        answered += 1;
        if (!over) socket.write(request);
      });
      socket.write(request);
      sockets.push(socket);
    }
    setTimeout(() => {
      over = true;
      for (const socket of sockets) socket.destroy();
      resolve(answered);
    }, ms);
  });
}
