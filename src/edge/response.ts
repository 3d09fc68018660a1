/**
 * Reads an app's answers from the bytes of one connection, strictly: what two readers could frame differently is a fault that
 * ends the connection (RFC 9112 §6.3, §11.2). Pure: bytes in, callbacks out.
 *
 *   head → length | chunked | until-close | upgraded → done        (interim 1xx heads come before; HEAD, 204, 304: head → done)
 */
import type { ProxyError } from "../contract/proxy-status.ts";
import { interimMax, responseHeadMaxBytes } from "./limits.ts";

export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  /** name, value, name, value… */
  readonly rawHeaders: readonly string[];
  /** Bytes of the body where they were declared. */
  readonly length: number | undefined;
  /** Whether another request may follow on this connection once the answer is whole. */
  readonly keepAlive: boolean;
}

export interface ResponseSink {
  onInterim(status: number, rawHeaders: readonly string[]): void;
  onHead(head: ResponseHead): void;
  onBody(bytes: Buffer): void;
  /** Fields behind a chunked body, flat as those of a head; just before the end. */
  onTrailers?(rawTrailers: readonly string[]): void;
  /** The answer is whole. Comes at most once for each `begin`, and after 101 never. */
  onEnd(): void;
}

type State =
  | "idle"
  | "head"
  | "length"
  | "until-close"
  | "chunk-size"
  | "chunk-data"
  | "chunk-end"
  | "trailers"
  | "upgraded"
  | "fault";

/** What is wrong with an answer, and its error type where RFC 9209 has a narrower one than `http_protocol_error`. */
export const faults: ReadonlyMap<string, ProxyError> = new Map([
  ["a head that does not end", "http_response_header_section_size"],
  ["a head that is too long", "http_response_header_section_size"],
  ["trailers that do not end", "http_response_trailer_section_size"],
  ["a chunk size that does not end", "http_response_transfer_coding"],
  ["a chunk size that is no number", "http_response_transfer_coding"],
  ["a chunk that is longer than its size", "http_response_transfer_coding"],
  ["a transfer coding other than chunked", "http_response_transfer_coding"],
]);

/** Characters of a chunk's size line, extensions included: none that we know sends any. */
const chunkLineMax = 256;
/** Of a head that is kept for the next one: nearly all are shorter, and each connection to an app may keep one. */
const rememberedMaxLength = 2_048;
const headEnd = Buffer.from("\r\n\r\n");

export class ResponseParser {
  /** What is wrong with the answer, once `push` has returned -1. */
  fault: string | undefined;
  readonly #sink: ResponseSink;
  #state: State = "idle";
  #pending: Buffer | undefined;
  #left = 0;
  #headOnly = false;
  #mayUpgrade = false;
  #interim = 0;
  #trailerBytes = 0;
  #trailers: string[] = [];
  #before: { readonly text: string; readonly parsed: ParsedHead } | undefined;

  constructor(sink: ResponseSink) {
    this.#sink = sink;
  }

  /** Whether a 101 ended HTTP on this connection. */
  get upgraded(): boolean {
    return this.#state === "upgraded";
  }

  /** An answer is expected from here on. */
  begin(request: { readonly method: string; readonly upgrade: boolean }): void {
    this.#state = "head";
    this.#headOnly = request.method === "HEAD";
    this.#mayUpgrade = request.upgrade;
    this.#interim = 0;
    this.#trailerBytes = 0;
    this.#trailers = [];
  }

  /**
   * Takes the next bytes. Returns how many belong to the answer: fewer than all when bytes follow its end (or the 101 that ended
   * HTTP), -1 when they are no answer at all.
   */
  push(chunk: Buffer): number {
    let bytes = chunk;
    let before = 0;
    if (this.#pending !== undefined) {
      before = this.#pending.length;
      bytes = Buffer.concat([this.#pending, chunk]);
      this.#pending = undefined;
    }
    let at = 0;
    while (at < bytes.length) {
      const next = this.#step(bytes, at);
      if (next < 0) return -1;
      if (next === at) break;
      at = next;
    }
    if (this.#state === "idle" || this.#state === "upgraded") return at - before;
    // What comes next may be read into the same memory.
    if (at < bytes.length) this.#pending = Buffer.from(bytes.subarray(at));
    return chunk.length;
  }

  /** The connection ended. True where that is how this answer ends. */
  finish(): boolean {
    if (this.#state !== "until-close") return this.#state === "idle";
    this.#state = "idle";
    this.#sink.onEnd();
    return true;
  }

  /** One element; the index after it, the same index where more bytes are needed or wanted no more, -1 at a fault. */
  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case "head":
        return this.#head(bytes, at);
      case "length":
      case "chunk-data":
        return this.#data(bytes, at);
      case "until-close":
        this.#sink.onBody(at === 0 ? bytes : bytes.subarray(at));
        return bytes.length;
      case "chunk-size":
        return this.#chunkSize(bytes, at);
      case "chunk-end":
        return this.#chunkEnd(bytes, at);
      case "trailers":
        return this.#trailer(bytes, at);
      case "idle":
      case "upgraded":
        return at;
      case "fault":
        return -1;
    }
  }

  #head(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(headEnd, at);
    if (end < 0) return bytes.length - at > responseHeadMaxBytes ? this.#fail("a head that does not end") : at;
    if (end - at > responseHeadMaxBytes) return this.#fail("a head that is too long");
    const parsed = this.#parsed(bytes.toString("latin1", at, end));
    if (typeof parsed === "string") return this.#fail(parsed);
    const after = end + 4;
    const { status } = parsed;
    if (status < 200 && status !== 101) {
      if (++this.#interim > interimMax) return this.#fail("too many interim answers");
      this.#sink.onInterim(status, parsed.rawHeaders);
      return after;
    }
    if (status === 101) {
      if (!this.#mayUpgrade) return this.#fail("101 to a request that asked for no upgrade");
      this.#state = "upgraded";
      this.#sink.onHead({ ...parsed, length: undefined, keepAlive: false });
      return after;
    }
    return this.#begin(parsed, after);
  }

  /** A head that says what the one before said is not read again. */
  #parsed(text: string): ParsedHead | string {
    if (this.#before?.text === text) return this.#before.parsed;
    const parsed = parseHead(text);
    if (typeof parsed !== "string" && text.length <= rememberedMaxLength) this.#before = { text, parsed };
    return parsed;
  }

  #begin(head: ParsedHead, after: number): number {
    const { status, length, chunked } = head;
    const bodiless = this.#headOnly || status === 204 || status === 304;
    const untilClose = !bodiless && !chunked && length === undefined;
    // RFC 9110 §8.6, §15.4.5: a 204 has no length and a 304 another answer's; whoever says one may send that much as well.
    const mayFollow = (status === 204 || status === 304) && (chunked || (length ?? 0) > 0);
    this.#state = bodiless ? "idle" : chunked ? "chunk-size" : length === undefined ? "until-close" : "length";
    this.#left = length ?? 0;
    this.#sink.onHead({
      status,
      reason: head.reason,
      rawHeaders: head.rawHeaders,
      length,
      keepAlive: head.keepAlive && !untilClose && !mayFollow,
    });
    if (bodiless) this.#sink.onEnd();
    else if (this.#state === "length" && this.#left === 0) this.#end();
    return after;
  }

  #data(bytes: Buffer, at: number): number {
    const take = Math.min(this.#left, bytes.length - at);
    this.#left -= take;
    this.#sink.onBody(at === 0 && take === bytes.length ? bytes : bytes.subarray(at, at + take));
    if (this.#left === 0) {
      if (this.#state === "length") this.#end();
      else this.#state = "chunk-end";
    }
    return at + take;
  }

  // RFC 9112 §7.1. Only CRLF ends a line: a bare LF is where readers begin to differ.
  #chunkSize(bytes: Buffer, at: number): number {
    const end = bytes.indexOf("\r\n", at, "latin1");
    if (end < 0) return bytes.length - at > chunkLineMax ? this.#fail("a chunk size that does not end") : at;
    const line = bytes.toString("latin1", at, end);
    const match = /^([0-9a-fA-F]{1,12})(?:[ \t]*;.*)?$/.exec(line);
    if (match === null || line.length > chunkLineMax || notInValue.test(line))
      return this.#fail("a chunk size that is no number");
    this.#left = Number.parseInt(match[1] as string, 16);
    this.#state = this.#left === 0 ? "trailers" : "chunk-data";
    return end + 2;
  }

  #chunkEnd(bytes: Buffer, at: number): number {
    if (bytes.length - at < 2) return at;
    if (bytes[at] !== 13 || bytes[at + 1] !== 10) return this.#fail("a chunk that is longer than its size");
    this.#state = "chunk-size";
    return at + 2;
  }

  /** A line behind the last chunk, or the empty one that ends them. */
  #trailer(bytes: Buffer, at: number): number {
    const end = bytes.indexOf("\r\n", at, "latin1");
    const length = (end < 0 ? bytes.length : end) - at;
    if (this.#trailerBytes + length > responseHeadMaxBytes) return this.#fail("trailers that do not end");
    if (end < 0) return at;
    this.#trailerBytes += length;
    if (length > 0) {
      const line = bytes.toString("latin1", at, end);
      const colon = Math.max(line.indexOf(":"), 0);
      const [name, value] = [line.slice(0, colon), trimmed(line, colon + 1)];
      if (!fieldName.test(name) || notInValue.test(value)) return this.#fail("a trailer that is none");
      this.#trailers.push(name, value);
      return end + 2;
    }
    if (this.#trailers.length > 0) this.#sink.onTrailers?.(this.#trailers);
    this.#end();
    return end + 2;
  }

  #end(): void {
    this.#state = "idle";
    this.#sink.onEnd();
  }

  #fail(fault: string): -1 {
    this.#state = "fault";
    this.fault = fault;
    return -1;
  }
}

interface ParsedHead {
  readonly status: number;
  readonly reason: string;
  readonly rawHeaders: readonly string[];
  readonly length: number | undefined;
  readonly chunked: boolean;
  readonly keepAlive: boolean;
}

const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const fieldName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// eslint-disable-next-line no-control-regex -- RFC 9110 §5.5: these are what a field value may not hold
const notInValue = /[\x00-\x08\x0a-\x1f\x7f]/;

/** A head of which no line needs a second look: names of letters, digits and hyphens, values of printable ASCII. */
const plainHead = /^[ -~]+(?:\r\n[A-Za-z0-9-]+:[ -~]*)*$/;

/** The text of a head without its empty line; a sentence where it is not one. */
function parseHead(text: string): ParsedHead | string {
  const plain = plainHead.test(text);
  const lines = text.split("\r\n");
  const match = statusLine.exec(lines[0] as string);
  if (match === null) return "a status line that is none";
  const old = match[1] === "0";
  const rawHeaders: string[] = [];
  let length: number | undefined;
  let chunked = false;
  let keepAlive = !old;
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] as string;
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0));
    const value = trimmed(line, colon + 1);
    if (!plain && !fieldName.test(name)) return "a header line without a name";
    if (!plain && notInValue.test(value)) return "a control character in a header";
    rawHeaders.push(name, value);
    switch (name.length === 14 || name.length === 17 || name.length === 10 ? name.toLowerCase() : "") {
      case "content-length": {
        const bytes = /^\d{1,15}$/.test(value) ? Number(value) : -1;
        if (bytes < 0 || length !== undefined) return "a length that is none, or two";
        length = bytes;
        break;
      }
      case "transfer-encoding":
        if (chunked || old || value.toLowerCase() !== "chunked") return "a transfer coding other than chunked";
        chunked = true;
        break;
      case "connection": {
        const options = value.toLowerCase();
        if (/(?:^|[\s,])close(?:$|[\s,])/.test(options)) keepAlive = false;
        else if (old && options.includes("keep-alive")) keepAlive = true;
        break;
      }
      default:
    }
  }
  if (chunked && length !== undefined) return "both a length and chunks";
  return { status: Number(match[2]), reason: match[3] ?? "", rawHeaders, length, chunked, keepAlive };
}

/** RFC 9110 §5.6.3: spaces and tabs around a value are not of it; `trim` would take more. */
function trimmed(line: string, from: number): string {
  let start = from;
  let end = line.length;
  while (start < end && (line.charCodeAt(start) === 32 || line.charCodeAt(start) === 9)) start++;
  while (end > start && (line.charCodeAt(end - 1) === 32 || line.charCodeAt(end - 1) === 9)) end--;
  return line.slice(start, end);
}
