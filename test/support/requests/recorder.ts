/** An app that keeps the exact bytes of each request, reads them strictly, and says in each answer what it saw. */
import { createHash } from "node:crypto";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { readRequests, strict } from "./reading.ts";
import type { Seen } from "./reading.ts";

/** What the judge needs of an app, whatever it is written in. */
export interface RecordingApp {
  /** Every whole request since the last time, in order. */
  seen(): Promise<readonly Seen[]>;
  /** The exact bytes of those requests, each from its first to its last, and of what was begun; none where the app cannot tell. */
  bytes(): { readonly whole: readonly string[]; readonly begun: readonly string[] };
}

export interface Recorder extends RecordingApp, AsyncDisposable {
  readonly port: number;
}

/** The header in which an app says which request it answers. */
export const seenHeader = "x-seen";

/** More than an answer's head has room for. */
const bodyMax = 20_000;

/** A body as it is seen: itself, or what stands for a long one. */
export function seenBody(body: string): string {
  if (body.length <= bodyMax) return body;
  return `${body.length} bytes, ${createHash("sha256").update(body, "latin1").digest("hex")}`;
}

export function seenText({ method, target, body }: Seen): string {
  return `${method} ${hex(target)} ${hex(body)}`;
}

export function parseSeen(text: string): Seen {
  const [method = "", target = "", body = ""] = text.split(" ");
  return { method, target: unhex(target), body: unhex(body) };
}

export async function recorder(): Promise<Recorder> {
  const begun = new Map<Socket, string>();
  let abandoned: string[] = [];
  let whole: string[] = [];
  let seen: Seen[] = [];
  const server: Server = createServer((socket) => {
    begun.set(socket, "");
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      const left = begun.get(socket) ?? "";
      if (left !== "") abandoned.push(left);
      begun.delete(socket);
    });
    socket.on("data", (part: Buffer) => {
      let bytes = `${begun.get(socket) ?? ""}${part.toString("latin1")}`;
      for (const request of readRequests(bytes, strict).requests) {
        const { rest } = readRequests(bytes, { ...strict, most: 1 });
        whole.push(bytes.slice(0, bytes.length - rest.length));
        bytes = rest;
        const own = { ...request, body: seenBody(request.body) };
        seen.push(own);
        socket.write(answerTo(own), "latin1");
      }
      begun.set(socket, bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    seen: () => {
      const all = seen;
      seen = [];
      return Promise.resolve(all);
    },
    bytes: () => {
      const all = { whole, begun: [...abandoned, ...begun.values()].filter((bytes) => bytes !== "") };
      whole = [];
      abandoned = [];
      return all;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of begun.keys()) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answerTo(request: Seen): string {
  const text = seenText(request);
  const body = request.method === "HEAD" ? "" : text;
  return `HTTP/1.1 200 OK\r\n${seenHeader}: ${text}\r\nContent-Length: ${text.length}\r\n\r\n${body}`;
}

function hex(text: string): string {
  return Buffer.from(text, "latin1").toString("hex");
}

function unhex(text: string): string {
  return Buffer.from(text, "hex").toString("latin1");
}
