/** The app behind the edge's tests: each fault by its path, everything else echoed; and how a test asks it. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { request as httpRequest } from "node:http";
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Problem } from "../../src/contract/problem.ts";
import { appHost } from "./edge-world.ts";
import type { EdgeWorld } from "./edge-world.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

/** As browsers ask: a connection that lives on, so that what is plain goes by the edge's quick lane. */
export function open(world: EdgeWorld, path: string, headers: OutgoingHttpHeaders = {}, method = "GET"): ClientRequest {
  return httpRequest(`${world.url}${path}`, {
    method,
    headers: { host: appHost, connection: "keep-alive", ...headers },
    agent: false,
  });
}

export async function ask(
  world: EdgeWorld,
  path: string,
  headers: OutgoingHttpHeaders = {},
  method = "GET",
  body?: string,
): Promise<Answer> {
  const request = open(world, path, headers, method);
  request.end(body);
  return read(await answerOf(request));
}

export function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => request.on("response", resolve).on("error", reject));
}

export async function read(response: IncomingMessage): Promise<Answer> {
  let text = "";
  for await (const part of response.setEncoding("utf8")) text += part as string;
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

/** What the fault paths of the test app do, by path; everything else is echoed as JSON. */
export function app(request: IncomingMessage, response: ServerResponse): void {
  const { url = "/" } = request;
  if (url === "/sse") return sse(response);
  if (url === "/reset-before") return void request.socket.destroy();
  if (url === "/reset-after") {
    response.writeHead(200, { "content-length": "100" });
    response.write("only this", () => request.socket.destroy());
    return;
  }
  if (url === "/silent") return;
  if (url === "/hints") return response.writeEarlyHints({ link: "</a.css>; rel=preload" }, () => response.end("after"));
  if (url === "/deaf") return void request.pause();
  if (url === "/flood") return flood(response);
  if (url === "/long") return void response.writeHead(200).write("begun");
  if (url === "/early") return void response.writeHead(413, { "content-length": "3" }).end("no\n");
  if (url === "/forged") {
    response.writeHead(200, {
      "proxy-status": "waybill; error=connection_refused",
      "x-waybill-id": "q_forged",
      "x-forwarded-for": "6.6.6.6",
      "keep-alive": "timeout=1",
      connection: "x-secret",
      "x-secret": "1",
      "set-cookie": ["a=1; Path=/", "b=2; Domain=localhost", "__Host-waybill-console=stolen; Secure; Path=/"],
    });
    return void response.end("forged");
  }
  const hash = createHash("sha256");
  let bytes = 0;
  request.on("data", (part: Buffer) => {
    bytes += part.length;
    hash.update(part);
  });
  request.on("end", () => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(
      JSON.stringify({ method: request.method, url, raw: request.rawHeaders, bytes, sha256: hash.digest("hex") }),
    );
  });
}

/** Events leave one at a time: the next only after the test has pulled. */
export const pulls: (() => void)[] = [];
function sse(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.flushHeaders();
  let n = 0;
  pulls.push(() => response.write(`data: ${++n}\n\n`));
}

/** 100 MiB as fast as they are taken; `stopped` once they were not. */
export const floods: { sent: number; stopped: boolean }[] = [];
function flood(response: ServerResponse): void {
  const piece = Buffer.alloc(1 << 20);
  const state = { sent: 0, stopped: false };
  floods.push(state);
  response.writeHead(200, { "content-length": String(100 * piece.length) });
  let left = 100;
  const push = (): void => {
    while (left > 0) {
      left -= 1;
      const more = response.write(piece, () => (state.sent += piece.length));
      if (more) continue;
      const timer = setTimeout(() => (state.stopped = true), 200);
      return void response.once("drain", () => {
        clearTimeout(timer);
        push();
      });
    }
    response.end();
  };
  push();
}

/** The headers that the app was shown. */
export function shown(text: string): Map<string, string> {
  const { raw } = JSON.parse(text) as { raw: string[] };
  const headers = new Map<string, string>();
  for (let i = 0; i < raw.length; i += 2) headers.set((raw[i] as string).toLowerCase(), raw[i + 1] as string);
  return headers;
}

export function problemIn(answer: Answer): Problem {
  assert.equal(answer.headers["content-type"], "application/problem+json");
  return JSON.parse(answer.text) as Problem;
}

export function marks(world: EdgeWorld, work: string): string[] {
  return world.emitter
    .of(work)
    .map(({ hop, mark, facts }) => `${hop} ${mark}${typeof facts["code"] === "string" ? ` ${facts["code"]}` : ""}`);
}
