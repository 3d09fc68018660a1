/** Builds the heads that cross the edge: the request's to the app, and the answer's to the visitor. Pure. */
import { accountField } from "./account-field.ts";
import { consoleCookiePrefixes, fieldOf, headerName } from "./names.ts";
import type { CookieJar } from "./jar.ts";
import { requestIdMaxLength } from "./limits.ts";
import { connectionList } from "./screen.ts";
import type { Framing, Screened } from "./screen.ts";

/** What the edge adds to every request. */
export interface Additions extends OwnAdditions, SharedAdditions {}

/** What names the one request. */
export interface OwnAdditions {
  readonly request: string;
  readonly requestId: string;
  readonly traceparent: string;
  readonly ipToken: string;
}

/** What is the same of all requests of a connection whose client says the same of itself. */
export interface SharedAdditions {
  readonly address: string;
  readonly proto: "http" | "https";
  /** Of HTTP, as the visitor speaks it. */
  readonly version: "1.0" | "1.1" | "2";
  /** For `Via` (RFC 9110 §7.6.3) and `CDN-Loop`. */
  readonly deployment: string;
  /** `CDN-Loop` as it came. */
  readonly cdnLoop: string | undefined;
}

/** The whole head for the app, in latin1, ending with the empty line. Written anew from parsed parts, never copied as bytes. */
export function upstreamHead(method: string, screened: Screened, add: Additions): string {
  return `${method} ${screened.target}${sharedLines(method, screened, add)}${ownLines(add)}`;
}

/** From the target to the lines that name the one request. */
export function sharedLines(method: string, screened: Screened, add: SharedAdditions): string {
  return (
    ` HTTP/1.1\r\nHost: ${screened.hostAsSent}\r\n${screened.forwardable}` +
    framingLine(screened.framing) +
    (screened.websocket ? "Connection: Upgrade\r\nUpgrade: websocket\r\n" : "") +
    (isLast(method, screened) ? "Connection: close\r\n" : "") +
    `x-forwarded-for: ${add.address}\r\nx-forwarded-host: ${screened.hostAsSent}\r\nx-forwarded-proto: ${add.proto}\r\n` +
    `via: ${add.version} ${add.deployment}\r\ncdn-loop: ${add.cdnLoop === undefined ? "" : `${add.cdnLoop}, `}${add.deployment}\r\n`
  );
}

/** To the empty line that ends the head. */
export function ownLines(add: OwnAdditions): string {
  return ownParts(add).join("");
}

/** {@link ownLines}, not yet one text. */
export function ownParts({ requestId, request, traceparent, ipToken }: OwnAdditions): readonly string[] {
  const [id, work, trace] = ["x-request-id: ", "\r\nx-waybill-id: ", "\r\ntraceparent: "];
  return [id, requestId, work, request, trace, traceparent, "\r\nx-ip-token: ", ipToken, "\r\n\r\n"];
}

/**
 * Whether nothing may follow it on its connection: an app that overlooks a body takes it for the next request, and one that answers HEAD
 * as it does GET sends what would be the next answer. No framework's do; many a small server's does.
 */
export function isLast(method: string, { framing }: Pick<Screened, "framing">): boolean {
  return framing.kind !== "none" || method === "HEAD";
}

/** A caller's `X-Request-Id` where it is harmless to echo; else the work's own id. */
export function echoedRequestId(asSent: string | undefined, request: string): string {
  return asSent !== undefined && asSent.length <= requestIdMaxLength && /^[\w.:+/=@-]+$/.test(asSent)
    ? asSent
    : request;
}

/** A caller's trace context where it is valid (W3C Trace Context §3.2), else undefined: an invalid one is ignored whole. */
export function callersTrace(traceparent: string | undefined): string | undefined {
  if (traceparent === undefined || !/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/.test(traceparent))
    return undefined;
  const [version, trace, parent] = traceparent.split("-") as [string, string, string];
  if (version === "ff" || /^0+$/.test(trace) || /^0+$/.test(parent)) return undefined;
  return traceparent.slice(0, 55);
}

/** Takes the console's cookies out of a `Cookie` value; the others stay as they came. */
export function withoutConsoleCookies(cookie: string): string {
  if (!/waybill/i.test(cookie)) return cookie;
  return cookie
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => !isConsoleCookie(pair))
    .join("; ");
}

/** What the edge adds to every answer of an app. */
export interface AnswerAdditions {
  readonly request: string;
  readonly requestId: string;
  readonly proxyStatus: string;
  readonly deployment: string;
  /** {@link accountFieldOf} the visitor. */
  readonly account: string | undefined;
  /** What the Space's settings put on its answers, by names in lower case. */
  readonly ofSpace: Readonly<Record<string, string>> | undefined;
  /** A `Set-Cookie` of ours. */
  readonly cookie?: string | undefined;
  /** Keeps the Space's cookies apart where it shares a host with others. */
  readonly jar: CookieJar | undefined;
}

/** The app's headers that may reach the visitor, flat: name, value, name, value… `raw` is flat too. */
export function passedHeaders(raw: readonly string[], host: string, jar?: CookieJar): string[] {
  const out: string[] = [];
  const listed = listedByConnection(raw);
  for (let i = 0; i < raw.length; i += 2) {
    const { lower, toVisitor } = headerName(raw[i] as string);
    const value = raw[i + 1] as string;
    if (!toVisitor || (listed.length > 0 && listed.includes(lower))) continue;
    if (lower === "clear-site-data" && clearsOthers.test(value)) continue;
    // It counts for all ports of the name (RFC 6797 §8.3), and those are the console's and other Spaces'.
    if (lower === "strict-transport-security" && jar !== undefined) continue;
    if (lower === "set-cookie") {
      if (maySetCookie(value, host)) out.push(raw[i] as string, jar === undefined ? value : jar.toVisitor(value));
      continue;
    }
    out.push(raw[i] as string, value);
  }
  return out;
}

/** Cookies are cleared for the whole registered domain (Clear Site Data §3.1.2): the console's and all Spaces'. */
const clearsOthers = /"(?:cookies|\*)"/i;

/** {@link passedHeaders}, and what the Space's settings put there. A 204 has no length (RFC 9110 §8.6), whatever the app says: a reader might wait for that many bytes. */
export function visibleHeaders(
  raw: readonly string[],
  host: string,
  { ofSpace, jar }: Pick<AnswerAdditions, "ofSpace" | "jar">,
  status: number,
): string[] {
  const passed = passedHeaders(status === 204 ? withoutLength(raw) : raw, host, jar);
  return ofSpace === undefined ? passed : withSpaces(passed, ofSpace);
}

/** {@link visibleHeaders} and ours. */
export function visitorHeaders(raw: readonly string[], host: string, add: AnswerAdditions, status = 200): string[] {
  const out = visibleHeaders(raw, host, add, status);
  out.push(
    "proxy-status",
    add.proxyStatus,
    "via",
    `1.1 ${add.deployment}`,
    "x-request-id",
    add.requestId,
    "x-waybill-id",
    add.request,
  );
  if (add.account !== undefined) out.push(accountField, add.account);
  if (add.cookie !== undefined)
    out.push("set-cookie", add.jar === undefined ? add.cookie : add.jar.toVisitor(add.cookie));
  return out;
}

/** The head of an answer for its visitor, in parts: the request's own id stands behind `before`, the work's before `after`. */
export interface ShownHead {
  readonly rawHeaders: readonly string[];
  readonly host: string;
  readonly add: ShownAdditions;
  readonly before: string;
  readonly after: string;
  /** The app says when. */
  readonly isDated: boolean;
}

export type ShownAdditions = Pick<AnswerAdditions, "proxyStatus" | "deployment" | "account" | "ofSpace" | "jar">;

/** `last`: of the answer before on the same connection, which is the same one as a rule. */
export function shownHead(
  last: ShownHead | undefined,
  {
    status,
    reason,
    rawHeaders,
  }: { readonly status: number; readonly reason: string; readonly rawHeaders: readonly string[] },
  host: string,
  add: ShownAdditions,
): ShownHead {
  if (last?.rawHeaders === rawHeaders && last.host === host && isSame(last.add, add)) return last;
  const headers = visibleHeaders(rawHeaders, host, add, status);
  let before = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (let i = 0; i < headers.length; i += 2) before += `${headers[i] as string}: ${headers[i + 1] as string}\r\n`;
  before += `proxy-status: ${add.proxyStatus}\r\nvia: 1.1 ${add.deployment}\r\nx-request-id: `;
  const after = add.account === undefined ? "\r\n" : `\r\n${accountField}: ${add.account}\r\n`;
  return { rawHeaders, host, add, before, after, isDated: fieldOf(headers, "date") !== undefined };
}

/** The deployment's name never changes, and the status is in the head. */
function isSame(a: ShownAdditions, b: ShownAdditions): boolean {
  return a.account === b.account && a.ofSpace === b.ofSpace && a.jar === b.jar;
}

/** The whole head of a 101 for the visitor; the app's own headers name the protocol's key. */
export function switchingHead(raw: readonly string[], host: string, add: AnswerAdditions): string {
  const headers = visitorHeaders(raw, host, add);
  let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i] as string}: ${headers[i + 1] as string}\r\n`;
  return `${head}\r\n`;
}

/** An app sets cookies for its own host alone: a wider `Domain` would reach the console and the other Spaces. */
export function maySetCookie(setCookie: string, host: string): boolean {
  // A cookie without a name is sent as its value alone, which may look like a name and a value (RFC 6265bis §5.7).
  if (isConsoleCookie(setCookie.replace(/^[\s=]+/, ""))) return false;
  const domain = /;\s*domain\s*=\s*([^;]*)/gi;
  for (const [, value] of setCookie.matchAll(domain)) {
    const named = (value as string).trim().replace(/^\./, "").toLowerCase();
    if (named !== "" && named !== host) return false;
  }
  return true;
}

/** In place of the app's own; but policies of content add up (Content Security Policy Level 3, §3.1): the app's stands beside ours. */
function withSpaces(passed: readonly string[], ofSpace: Readonly<Record<string, string>>): string[] {
  const out: string[] = [];
  for (let i = 0; i < passed.length; i += 2) {
    const name = (passed[i] as string).toLowerCase();
    if (name === "content-security-policy" || !Object.hasOwn(ofSpace, name))
      out.push(passed[i] as string, passed[i + 1] as string);
  }
  for (const [name, value] of Object.entries(ofSpace)) out.push(name, value);
  return out;
}

function isConsoleCookie(pair: string): boolean {
  return consoleCookiePrefixes.some((prefix) => pair.toLowerCase().startsWith(prefix.toLowerCase()));
}

export function framingLine(framing: Framing): string {
  if (framing.kind === "none") return "";
  return framing.kind === "chunked" ? "Transfer-Encoding: chunked\r\n" : `Content-Length: ${framing.bytes}\r\n`;
}

function withoutLength(raw: readonly string[]): readonly string[] {
  return raw.filter((_, i) => raw[i - (i % 2)]?.toLowerCase() !== "content-length");
}

/** What the app's own `Connection` lists. It cannot list away what frames the message. */
function listedByConnection(raw: readonly string[]): readonly string[] {
  let value = "";
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    if (name.length === 10 && name.toLowerCase() === "connection") value += `,${raw[i + 1] as string}`;
  }
  return value === "" ? nothing : connectionList(value).filter((option) => option !== "content-length");
}

const nothing: readonly string[] = [];
