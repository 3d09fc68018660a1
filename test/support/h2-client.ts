/** Asks over HTTP/2 with Node's own client, and keeps what came. */
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { appHost } from "./edge-world.ts";

export interface H2Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly text: string;
  /** The code of the stream's reset; 0: it ended in order. */
  readonly reset: number;
}

export function askH2(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string): Promise<H2Answer> {
  const stream = session.request({ ":authority": appHost, ...headers }, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  return readH2(stream);
}

export async function readH2(stream: ClientHttp2Stream): Promise<H2Answer> {
  let text = "";
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  stream
    .on("response", (got) => (headers = got))
    .on("trailers", (got) => (trailers = got))
    // How it ended is in its code.
    .on("error", () => {})
    .setEncoding("utf8")
    .on("data", (part: string) => (text += part));
  await new Promise((resolve) => stream.on("close", resolve));
  return { status: Number(headers[":status"] ?? 0), headers, trailers, text, reset: stream.rstCode };
}

/** A text of less than 126 bytes as a masked frame of RFC 6455 §5.2; and what a server's frame holds. */
export function wsText(text: string): Buffer {
  const bytes = Buffer.from(text);
  const mask = Buffer.from([1, 2, 3, 4]);
  return Buffer.concat([
    Buffer.from([0x81, 0x80 | bytes.length]),
    mask,
    Buffer.from(bytes.map((byte, i) => byte ^ (mask[i % 4] as number))),
  ]);
}

export const wsClose = Buffer.from([0x88, 0x80, 0, 0, 0, 0]);
