/** The console's own HTTP socket: requests that an edge in a process of its own carries here, with its word on who asks. */
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { carriedHeader } from "../contract/edge.ts";
import type { InsideCaller } from "../contract/egress.ts";
import { responseOn } from "../edge/index.ts";
import type { EdgeOptions } from "../edge/index.ts";
import { headMaxBytes, headWithinMs, requestWithinMs } from "../http/index.ts";
import { noteVisitor } from "../http/visitor.ts";
import type { NotedVisitor } from "../http/visitor.ts";
import { listenOnOwn } from "./own-socket.ts";

/** Who asks, as the edge knows it. */
export interface Carried {
  readonly visitor: NotedVisitor;
  readonly inside?: InsideCaller;
}

/** What the edge adds to a head. */
const carriedMaxBytes = 4_096;

/** Rejects where the socket cannot be made. Only the platform's own user may connect: who can open it can name any caller. */
export async function openConsoleDoor(
  path: string,
  serve: EdgeOptions["console"],
  onError: (error: unknown) => void,
): Promise<AsyncDisposable> {
  const server = createServer({
    headersTimeout: headWithinMs,
    requestTimeout: requestWithinMs,
    maxHeaderSize: headMaxBytes + carriedMaxBytes,
  });
  server.on("request", (request, response) => serve(request, response, insideOf(request), undefined));
  server.on("upgrade", (request, socket, first) => {
    const client = socket as Socket;
    serve(request, responseOn(request, client), insideOf(request), { socket: client, first });
  });
  await listenOnOwn(server, path, onError);
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeAllConnections();
      await closed;
    },
  };
}

export function encodeCarried(carried: Carried): string {
  return Buffer.from(JSON.stringify(carried)).toString("base64url");
}

/** Notes who asks. Throws where the head does not say it: nobody but an edge has this socket. */
function insideOf(request: IncomingMessage): InsideCaller | undefined {
  const said = request.headers[carriedHeader];
  delete request.headers[carriedHeader];
  const { visitor, inside } = JSON.parse(Buffer.from(String(said), "base64url").toString()) as Carried;
  noteVisitor(request, visitor);
  return inside;
}
