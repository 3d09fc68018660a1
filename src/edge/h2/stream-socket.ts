/**
 * One stream of HTTP/2 as a connection of HTTP/1.1 with one request: what is read from it is that request, what is written to it is
 * parsed as the answer and leaves on the stream. So all behind the edge's door meets every visitor in one form, WebSockets included.
 */
import { constants } from "node:http2";
import type { ServerHttp2Stream } from "node:http2";
import { Duplex } from "node:stream";

import { hopByHop } from "../names.ts";
import { ResponseParser } from "../response.ts";
import { trailerLines } from "../trailers.ts";
import type { ResponseHead, ResponseSink } from "../response.ts";
import type { H2Body, H2Head } from "./head.ts";

const { NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR, NGHTTP2_PROTOCOL_ERROR, NGHTTP2_CANCEL } = constants;

export interface StreamPeer {
  readonly address: string | undefined;
  readonly port: number | undefined;
  /** Of ours, which it called. */
  readonly called: string | undefined;
  readonly encrypted: boolean;
}

export class StreamSocket extends Duplex implements ResponseSink {
  // As of a net.Socket, where node:http and the edge look at them.
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly localAddress: string | undefined;
  readonly encrypted: boolean;
  readonly #stream: ServerHttp2Stream;
  readonly #parser: ResponseParser;
  #body: H2Body = { kind: "none" };
  #bodyBytes = 0;
  /** Writes that have not left this process. */
  #unsent = 0;
  #onSent: (() => void) | undefined;
  /** The answer is whole, or what followed its 101 has ended. */
  #answered = false;
  #answerTrailers: Record<string, string | string[]> = {};
  /** Whole lines. */
  #requestTrailers = "";
  #failure: number = NGHTTP2_INTERNAL_ERROR;

  constructor(stream: ServerHttp2Stream, peer: StreamPeer) {
    super({ allowHalfOpen: true, autoDestroy: true });
    this.remoteAddress = peer.address;
    this.remotePort = peer.port;
    this.localAddress = peer.called;
    this.encrypted = peer.encrypted;
    this.#stream = stream;
    this.#parser = new ResponseParser(this);
    // They may come in the packet that opens the stream, and are told then, while what is before them waits to be read.
    stream.on("trailers", (_fields, _flags, raw: readonly string[]) => {
      this.#requestTrailers = trailerLines(raw);
    });
    stream.on("close", () => this.destroy());
    // A stream that is reset closes with it.
    stream.on("error", () => this.destroy());
  }

  /** Bytes of the answer wait for the visitor: a window that never opens shows in it. */
  get stalled(): boolean {
    return this.#unsent > 0;
  }

  /** The request becomes readable. */
  begin(head: H2Head): void {
    this.#body = head.body;
    this.#parser.begin({ method: head.method, upgrade: head.body.kind === "tunnel" });
    this.push(head.text, "latin1");
    if (head.body.kind === "none" || (head.body.kind === "length" && head.body.bytes === 0)) this.#stream.resume();
    this.#stream.on("data", (bytes: Buffer) => this.#onData(bytes)).on("end", () => this.#onRequestEnd());
  }

  /** Only an answer will be written: the request is none. */
  refuse(method: string): void {
    this.#parser.begin({ method, upgrade: false });
    this.#stream.resume();
  }

  /** The visitor's fault, or its slowness: the stream is reset. */
  reset(code: number): void {
    this.#failure = code;
    this.destroy();
  }

  /** As a net.Socket's. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }

  // ---- the request

  #onData(bytes: Buffer): void {
    if (this.destroyed || bytes.length === 0) return;
    this.#bodyBytes += bytes.length;
    const body = this.#body;
    if (body.kind === "none" || (body.kind === "length" && this.#bodyBytes > body.bytes))
      return this.reset(NGHTTP2_PROTOCOL_ERROR);
    let more: boolean;
    if (body.kind === "chunked") {
      this.push(`${bytes.length.toString(16)}\r\n`, "latin1");
      this.push(bytes);
      more = this.push("\r\n", "latin1");
    } else more = this.push(bytes);
    if (!more) this.#stream.pause();
  }

  #onRequestEnd(): void {
    if (this.destroyed) return;
    const body = this.#body;
    if (body.kind === "length" && this.#bodyBytes < body.bytes) return this.reset(NGHTTP2_PROTOCOL_ERROR);
    if (body.kind === "chunked") this.push(`0\r\n${this.#requestTrailers}\r\n`, "latin1");
    // Else not: a connection that ends its own side gives its request up.
    if (body.kind === "tunnel" && this.#parser.upgraded) this.push(null);
    else if (body.kind === "tunnel") this.reset(NGHTTP2_CANCEL);
  }

  override _read(): void {
    this.#stream.resume();
  }

  // ---- the answer

  /** Done when all of it has left: what is called delivered was not only buffered here. */
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#stream.destroyed) return done();
    let taken = 0;
    if (!this.#parser.upgraded) {
      taken = this.#parser.push(chunk);
      if (taken < 0) return done(new Error(`not an answer: ${this.#parser.fault ?? ""}`));
    }
    if (this.#parser.upgraded && taken < chunk.length) this.#send(chunk.subarray(taken));
    if (this.#unsent === 0) done();
    else this.#onSent = done;
  }

  #send(bytes: Buffer): void {
    this.#unsent += 1;
    this.#stream.write(bytes, () => {
      this.#unsent -= 1;
      if (this.#unsent > 0) return;
      const done = this.#onSent;
      this.#onSent = undefined;
      done?.();
    });
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#parser.upgraded || this.#parser.finish()) this.#end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const stream = this.#stream;
    if (!this.#answered && !stream.closed) stream.close(this.#failure);
    // Its last frame is on its way, and a reset in the same breath would overtake it. What the visitor still sends is not wanted
    // (RFC 9113 §8.1); a stream that is whole on both sides closes by itself.
    if (this.#answered) setImmediate(closeUnread, stream);
    done(error);
  }

  onInterim(status: number, rawHeaders: readonly string[]): void {
    if (!this.#stream.destroyed) this.#stream.additionalHeaders({ ":status": status, ...fields(rawHeaders) });
  }

  onHead(head: ResponseHead): void {
    if (this.#stream.destroyed) return;
    // RFC 8441 §5: a WebSocket is opened by a 200.
    const status = head.status === 101 ? 200 : head.status;
    const stream = this.#stream;
    // Node ends a stream before it resets it, and an end reads as a whole answer: so the end waits until it is known to be one.
    stream.on("wantTrailers", () => {
      if (this.#answered) stream.sendTrailers(this.#answerTrailers);
    });
    stream.respond({ ":status": status, ...fields(head.rawHeaders, head.status === 101) }, { waitForTrailers: true });
  }

  onBody(bytes: Buffer): void {
    this.#send(bytes);
  }

  onTrailers(rawTrailers: readonly string[]): void {
    this.#answerTrailers = fields(rawTrailers);
  }

  onEnd(): void {
    this.#end();
  }

  #end(): void {
    this.#answered = true;
    if (!this.#stream.destroyed) this.#stream.end();
  }
}

function closeUnread(stream: ServerHttp2Stream): void {
  stream.removeAllListeners("data").resume();
  if (!stream.closed && !stream.readableEnded && !stream.endAfterHeaders) stream.close(NGHTTP2_NO_ERROR);
}

/** What RFC 9113 §8.2.2 does not know is left out; repeated fields stay apart. */
function fields(raw: readonly string[], switching = false): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase();
    const value = raw[i + 1] as string;
    if (hopByHop.has(name) || (switching && name === "sec-websocket-accept")) continue;
    const before = out[name];
    if (before === undefined) out[name] = value;
    else if (Array.isArray(before)) before.push(value);
    else out[name] = [before, value];
  }
  return out;
}
