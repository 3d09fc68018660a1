/**
 * Writes the head of an HTTP/2 request anew as HTTP/1.1, or says why it cannot be one: all that a reader of HTTP/1.1 could take for
 * another message is refused here (RFC 9113 §8.2, §8.3, §10.3), also where Node's library refuses it already. Pure.
 */
import { parseHost } from "../../http/host.ts";
import { framingLine } from "../headers.ts";
import type { Framing } from "../screen.ts";

/** How the body goes on in HTTP/1.1. `bytes` less than what comes is what smuggles a second request: it is counted. */
export type H2Body =
  | Framing
  /** RFC 8441: after the answer both ways are bytes of another protocol. */
  | { readonly kind: "tunnel" };

export interface H2Head {
  readonly ok: true;
  readonly method: string;
  /** In latin1, with the empty line. */
  readonly text: string;
  readonly body: H2Body;
}

export interface H2Malformed {
  readonly ok: false;
  /** Names the field, for the client. */
  readonly detail: string;
  readonly host: string;
}

export interface H2Request {
  /** name, value, name, value… as they came, the pseudo-header fields first. */
  readonly rawHeaders: readonly string[];
  /** The request has no body. */
  readonly ended: boolean;
  /** For a WebSocket, whose HTTP/1.1 form needs one (RFC 6455 §4.1): 16 random bytes in base64. */
  readonly key: () => string;
}

const token = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const methodToken = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// eslint-disable-next-line no-control-regex -- RFC 9110 §5.5: these are what a field value may not hold
const notInValue = /[\x00-\x08\x0a-\x1f\x7f]|^[ \t]|[ \t]$/;
/** RFC 9113 §8.3.1: path and query, without a fragment; characters of a URI only (RFC 3986 §2). */
const originForm = /^\/[\x21\x22\x24-\x7e]*$/;
/** RFC 9113 §8.2.2. */
const ofConnections: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
]);
const pseudoNames: ReadonlySet<string> = new Set([":method", ":scheme", ":authority", ":path", ":protocol"]);

interface Fields {
  readonly pseudo: ReadonlyMap<string, string>;
  readonly host: string | undefined;
  readonly length: string | undefined;
  readonly cookies: readonly string[];
  /** Whole lines. */
  readonly lines: string;
}

export function headOf({ rawHeaders, ended, key }: H2Request): H2Head | H2Malformed {
  const fields = fieldsOf(rawHeaders);
  const asked = typeof fields === "string" ? undefined : (fields.pseudo.get(":authority") ?? fields.host);
  const bad = (detail: string): H2Malformed => ({ ok: false, detail, host: asked ?? "" });
  if (typeof fields === "string") return bad(fields);
  const { pseudo, host } = fields;
  const method = pseudo.get(":method") ?? "";
  if (!methodToken.test(method)) return bad(":method: not a method");
  const protocol = pseudo.get(":protocol");
  if (method === "CONNECT" && protocol === undefined) return bad("CONNECT: not understood here");
  if (protocol !== undefined && (method !== "CONNECT" || protocol !== "websocket"))
    return bad(":protocol: only websocket, with CONNECT");
  const scheme = pseudo.get(":scheme");
  if (scheme !== "http" && scheme !== "https") return bad(":scheme: neither http nor https");
  if (asked === undefined || parseHost(asked) === undefined) return bad(":authority: not a host name");
  if (host !== undefined && host.toLowerCase() !== asked.toLowerCase()) return bad("Host: differs from :authority");
  const path = pseudo.get(":path") ?? "";
  if (!originForm.test(path) && !(path === "*" && method === "OPTIONS")) return bad(":path: not a path");
  const body = bodyOf(fields.length, ended, protocol !== undefined);
  if (typeof body === "string") return bad(body);
  const tunnel = body.kind === "tunnel";
  const text =
    `${tunnel ? "GET" : method} ${path} HTTP/1.1\r\nHost: ${asked}\r\n${fields.lines}` +
    (fields.cookies.length === 0 ? "" : `cookie: ${fields.cookies.join("; ")}\r\n`) +
    (tunnel
      ? `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: ${key()}\r\n`
      : `Connection: close\r\n${framingLine(body)}`);
  return { ok: true, method: tunnel ? "GET" : method, text: `${text}\r\n`, body };
}

/** A sentence where one of them is not allowed. */
function fieldsOf(raw: readonly string[]): Fields | string {
  const pseudo = new Map<string, string>();
  let host: string | undefined;
  let length: string | undefined;
  const cookies: string[] = [];
  let lines = "";
  let regular = false;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    if (notInValue.test(value)) return `${printable(name)}: a character that no value may have`;
    if (name.startsWith(":")) {
      if (regular || !pseudoNames.has(name) || pseudo.has(name))
        return `${printable(name)}: unknown, late, or given twice`;
      pseudo.set(name, value);
      continue;
    }
    regular = true;
    if (!token.test(name)) return "a field name that is none";
    if (ofConnections.has(name)) return `${name}: not in HTTP/2`;
    if (name === "te" && value.toLowerCase() !== "trailers") return "te: only trailers in HTTP/2";
    if (name === "host") {
      if (host !== undefined) return "Host: given twice";
      host = value;
    } else if (name === "content-length") {
      if (length !== undefined) return "Content-Length: given twice";
      length = value;
    } else if (name === "cookie") {
      // RFC 9113 §8.2.3: pieces of one field.
      cookies.push(value);
    } else if (name !== "sec-websocket-key" || !pseudo.has(":protocol")) lines += `${name}: ${value}\r\n`;
  }
  return { pseudo, host, length, cookies, lines };
}

function bodyOf(length: string | undefined, ended: boolean, tunnel: boolean): H2Body | string {
  if (tunnel)
    return length === undefined && !ended ? { kind: "tunnel" } : "CONNECT: a WebSocket has no length and no end";
  if (length === undefined) return { kind: ended ? "none" : "chunked" };
  if (!/^\d{1,15}$/.test(length)) return "Content-Length: not a whole number";
  const bytes = Number(length);
  if (ended && bytes > 0) return "Content-Length: more than the request has";
  return { kind: "length", bytes };
}

function printable(name: string): string {
  return name.replaceAll(/[^\x21-\x7e]/g, "?").slice(0, 40);
}
