/**
 * Reads the head of a visitor's request once: refuses what two servers could read differently (RFC 9112 §3.2, §6.1, §6.3),
 * and picks out what the edge decides by. Pure; Node's parser has already refused what is not HTTP at all.
 */
import { parseHost } from "../http/host.ts";
import { headLinesMax } from "../http/limits.ts";
import { headerName, holdsAccessToken, isOwnedFamily, ownedOfRequests, securityNames } from "./names.ts";
import type { HeaderName } from "./names.ts";

/** As node:http gives it. */
export interface RequestHead {
  readonly method: string;
  readonly url: string;
  readonly httpVersion: string;
  /** name, value, name, value… as they came. */
  readonly rawHeaders: readonly string[];
}

export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" };

export interface Screened {
  readonly ok: true;
  /** Lower case, without port. */
  readonly host: string;
  /** The `Host` that the app is shown, as it came. */
  readonly hostAsSent: string;
  /** Origin form (`/path?query`) or `*`. */
  readonly target: string;
  readonly framing: Framing;
  readonly websocket: boolean;
  readonly authorization: string | undefined;
  readonly xHfAuthorization: string | undefined;
  readonly ipToken: string | undefined;
  readonly requestId: string | undefined;
  readonly traceparent: string | undefined;
  /** `CDN-Loop` (RFC 8586): every proxy adds its name, and none takes one out. */
  readonly cdnLoop: string | undefined;
  readonly accept: string | undefined;
  /** All of its cookies, ours too. */
  readonly cookie: string | undefined;
  /** Lines that may go on to the app, `name: value\r\n` each; cookies of the console already taken out. */
  readonly forwardable: string;
}

/** Why the request cannot be understood in one way only; `detail` names the field and goes to the client. */
export interface Malformed {
  readonly ok: false;
  readonly detail: string;
  readonly host: string;
  /** Where HTTP has a narrower one than 400. */
  readonly status?: number;
}

export function screenRequest(head: RequestHead, withoutCookies: (cookie: string) => string): Screened | Malformed {
  const { rawHeaders } = head;
  let hostAsSent: string | undefined;
  let length: string | undefined;
  let coding: string | undefined;
  let connection: string | undefined;
  let upgrade: string | undefined;
  let authorization: string | undefined;
  let xHfAuthorization: string | undefined;
  let ipToken: string | undefined;
  let requestId: string | undefined;
  let traceparent: string | undefined;
  let cdnLoop: string | undefined;
  let accept: string | undefined;
  let cookie: string | undefined;
  let expect: string | undefined;
  const names: HeaderName[] = [];
  const bad = (detail: string, status = 400): Malformed => ({ ok: false, detail, host: hostAsSent ?? "", status });
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = headerName(rawHeaders[i] as string);
    const value = rawHeaders[i + 1] as string;
    names.push(name);
    switch (name.lower) {
      case "host":
        if (hostAsSent !== undefined) return bad("Host: given twice");
        hostAsSent = value;
        break;
      case "content-length":
        if (length !== undefined) return bad("Content-Length: given twice");
        length = value;
        break;
      case "transfer-encoding":
        if (coding !== undefined) return bad("Transfer-Encoding: given twice");
        coding = value;
        break;
      case "authorization":
        if (authorization !== undefined) return bad("Authorization: given twice");
        authorization = value;
        break;
      case "x-hf-authorization":
        if (xHfAuthorization !== undefined) return bad("X-HF-Authorization: given twice");
        xHfAuthorization = value;
        break;
      case "x-ip-token":
        if (ipToken !== undefined) return bad("X-IP-Token: given twice");
        ipToken = value;
        break;
      case "connection":
        connection = connection === undefined ? value : `${connection},${value}`;
        break;
      case "upgrade":
        upgrade = upgrade === undefined ? value : `${upgrade},${value}`;
        break;
      case "x-request-id":
        requestId ??= value;
        break;
      case "traceparent":
        traceparent ??= value;
        break;
      case "cdn-loop":
        cdnLoop = cdnLoop === undefined ? value : `${cdnLoop},${value}`;
        break;
      case "accept":
        accept = accept === undefined ? value : `${accept},${value}`;
        break;
      case "cookie":
        cookie = cookie === undefined ? value : `${cookie}; ${value}`;
        break;
      case "expect":
        expect = expect === undefined ? value : `${expect},${value}`;
        break;
      default:
    }
  }
  if (head.httpVersion !== "1.1" && head.httpVersion !== "1.0") return bad("HTTP version: neither 1.1 nor 1.0");
  if (names.length > headLinesMax) return bad(`request head: more than ${headLinesMax} lines`, 431);
  if (hostAsSent === undefined) return bad("Host: missing");
  const host = parseHost(hostAsSent);
  if (host === undefined) return bad("Host: not a host name");
  const target = targetOf(head.url, hostAsSent, head.method);
  if (target === undefined) return bad("request target: neither a path nor this host's");
  // RFC 9110 §10.1.1: HTTP/1.0 knows no expectations.
  if (expect !== undefined && head.httpVersion === "1.1" && expect.toLowerCase() !== "100-continue")
    return bad("Expect: only 100-continue is understood here", 417);
  const framing = framingOf(length, coding, head.httpVersion);
  if (typeof framing === "string") return bad(framing);
  const listed = connection === undefined ? none : connectionList(connection);
  const forbidden = listed.find(isSecurityName);
  if (forbidden !== undefined) return bad(`Connection: must not name ${forbidden}`);
  return {
    ok: true,
    host: host.name,
    hostAsSent,
    target,
    framing,
    websocket: upgrade?.toLowerCase() === "websocket" && listed.includes("upgrade"),
    authorization,
    xHfAuthorization,
    ipToken,
    requestId,
    traceparent,
    cdnLoop,
    accept,
    cookie,
    forwardable: forwardableLines(rawHeaders, names, listed, withoutCookies),
  };
}

/** The host alone, of a head that is not screened yet; undefined where it is not one host. */
export function screenedHost(rawHeaders: readonly string[]): string | undefined {
  let found: string | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length !== 4 || name.toLowerCase() !== "host") continue;
    if (found !== undefined) return undefined;
    found = rawHeaders[i + 1];
  }
  return found === undefined ? undefined : parseHost(found)?.name;
}

const none: readonly string[] = [];

/** What `Connection` lists, in lower case (RFC 9110 §7.6.1). */
export function connectionList(value: string): string[] {
  return value
    .toLowerCase()
    .split(",")
    .map((option) => option.trim())
    .filter((option) => option !== "");
}

function isSecurityName(name: string): boolean {
  return securityNames.has(name) || ownedOfRequests.has(name) || isOwnedFamily(name);
}

/**
 * RFC 9112 §3.2.2: of an absolute form the authority counts, so it must be what `Host` says. A fragment is of no request (RFC 3986 §3.5),
 * and what is not printable ASCII of no URI: some apps end a path there, others do not.
 */
function targetOf(url: string, host: string, method: string): string | undefined {
  if (!/^[\x21\x22\x24-\x7e]+$/.test(url)) return undefined;
  if (url.startsWith("/")) return url;
  if (url === "*") return method === "OPTIONS" ? url : undefined;
  const absolute = /^http:\/\/([^/?#]+)(\/.*|\?.*)?$/i.exec(url);
  if (absolute === null || absolute[1]?.toLowerCase() !== host.toLowerCase()) return undefined;
  const rest = absolute[2] ?? "/";
  return rest.startsWith("/") ? rest : `/${rest}`;
}

/** RFC 9112 §6.3, narrowed: one length, or one `chunked`, and neither twice. A sentence where it is refused. */
function framingOf(length: string | undefined, coding: string | undefined, version: string): Framing | string {
  if (coding !== undefined) {
    if (version === "1.0") return "Transfer-Encoding: not in HTTP/1.0";
    if (length !== undefined) return "Transfer-Encoding: together with Content-Length";
    if (coding.toLowerCase() !== "chunked") return "Transfer-Encoding: only chunked is understood here";
    return { kind: "chunked" };
  }
  if (length === undefined) return { kind: "none" };
  if (!/^\d{1,15}$/.test(length)) return "Content-Length: not a whole number";
  return { kind: "length", bytes: Number(length) };
}

/** An access token stays here; any other `Authorization` is the app's own affair. */
function forwardableLines(
  raw: readonly string[],
  names: readonly HeaderName[],
  listed: readonly string[],
  withoutCookies: (cookie: string) => string,
): string {
  let lines = "";
  for (let i = 0; i < names.length; i++) {
    const { lower, toApp } = names[i] as HeaderName;
    let value = raw[2 * i + 1] as string;
    if (!toApp || (listed.length > 0 && listed.includes(lower))) continue;
    if (lower === "authorization" && holdsAccessToken(value)) continue;
    if (lower === "cookie") {
      value = withoutCookies(value);
      if (value === "") continue;
    }
    lines += `${raw[2 * i] as string}: ${value}\r\n`;
  }
  return lines;
}
