/** Header names with a role at this hop, all in lower case. */

/** RFC 9110 §7.6.1 and its older kin: about one connection, never passed on. */
export const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Ours on the way to the app: what a visitor sends under these names is dropped, and set anew where we have a value. */
export const ownedOfRequests: ReadonlySet<string> = new Set([
  "proxy-status",
  "x-ip-token",
  "forwarded",
  "via",
  "x-real-ip",
  "x-request-id",
  "x-hf-authorization",
  "cdn-loop",
  "traceparent",
  "tracestate",
  "expect",
  "client-ip",
  "x-client-ip",
  "true-client-ip",
  "x-cluster-client-ip",
  "cf-connecting-ip",
  "fastly-client-ip",
  "x-original-url",
  "x-rewrite-url",
  "x-forwarded",
  "x-host",
  "x-original-host",
  "x-http-host-override",
  "x-scheme",
  "x-url-scheme",
  "front-end-https",
]);

/** Ours on the way to the visitor; and what a server in front of us would take for an order to send one of its own files. */
const ownedOfResponses: ReadonlySet<string> = new Set([
  "proxy-status",
  "x-ip-token",
  "via",
  "x-request-id",
  "x-accel-redirect",
  "x-sendfile",
  "x-lighttpd-send-file",
  "x-reproxy-url",
]);

/** Families of which every member is ours, in both directions. */
export function isOwnedFamily(name: string): boolean {
  return name.startsWith("x-waybill-") || name.startsWith("x-forwarded-");
}

/** What decides who somebody is, or where a message ends: a `Connection` that names one of these wants it dropped on the way. */
export const securityNames: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "host",
  "content-length",
  "transfer-encoding",
  "content-encoding",
  "content-type",
  "origin",
  "referer",
  "range",
  "expect",
  "set-cookie",
]);

/** Cookies of the console begin so; they reach no app, and no app may set one. */
export const consoleCookiePrefixes: readonly string[] = ["__Host-waybill", "__Secure-waybill", "waybill_"];

/**
 * Whether a value of `Authorization` holds an access token, of the platform or of the hosted service: those begin with `hf_`, since the
 * Hub's clients insist on it. An app never receives one, in whatever scheme it came.
 */
export function holdsAccessToken(authorization: string): boolean {
  if (/\bhf_/i.test(authorization)) return true;
  const basic = /^\s*basic\s+(\S+)/i.exec(authorization)?.[1];
  return basic !== undefined && /(?:^|:)hf_/i.test(Buffer.from(basic, "base64").toString());
}

/** What is decided by a header's name alone. */
export interface HeaderName {
  readonly lower: string;
  /** On the way to the app, unless `Connection` lists it. Not the length and the host, which the edge writes itself. */
  readonly toApp: boolean;
  /** On the way to the visitor, unless `Connection` lists it. */
  readonly toVisitor: boolean;
  /** It says where a message ends, what follows it, or anything of the connection. */
  readonly framing: boolean;
}

const framing: ReadonlySet<string> = new Set(["content-length", "expect", "http2-settings"]);

/** Names that nearly every message has, by the spellings that browsers, clients and servers use: looked up instead of worked out. */
const common: ReadonlyMap<string, HeaderName> = new Map(
  [
    ...["Accept", "Accept-Encoding", "Accept-Language", "Accept-Ranges", "Access-Control-Allow-Origin", "Age", "Allow"],
    ...["Authorization", "Cache-Control", "Connection", "Content-Disposition", "Content-Encoding", "Content-Length"],
    ...["Content-Type", "Cookie", "DNT", "Date", "ETag", "Expires", "Host", "If-Modified-Since", "If-None-Match"],
    ...["Keep-Alive", "Last-Modified", "Link", "Location", "Origin", "Pragma", "Priority", "Range", "Referer"],
    ...["Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User", "Server", "Set-Cookie"],
    ...["Strict-Transport-Security", "TE", "Transfer-Encoding", "Upgrade", "Upgrade-Insecure-Requests", "User-Agent"],
    ...[
      "Vary",
      "Via",
      "X-Accel-Buffering",
      "X-Content-Type-Options",
      "X-Forwarded-For",
      "X-Powered-By",
      "X-Request-Id",
    ],
    ...["sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform"],
  ].flatMap((name) => [name, name.toLowerCase()].map((spelt) => [spelt, describe(name)] as const)),
);

export function headerName(name: string): HeaderName {
  return common.get(name) ?? describe(name);
}

/** The first field of that name (in lower case). `raw`: name, value, name, value… */
export function fieldOf(raw: readonly string[], name: string): string | undefined {
  for (let i = 0; i < raw.length; i += 2)
    if ((raw[i] as string).length === name.length && (raw[i] as string).toLowerCase() === name) return raw[i + 1];
  return undefined;
}

/** To the app no name with `_`: CGI-style servers read `X_Forwarded_For` as `X-Forwarded-For`. */
function describe(name: string): HeaderName {
  const lower = name.toLowerCase();
  const ours = hopByHop.has(lower) || isOwnedFamily(lower);
  const written = lower === "host" || lower === "content-length";
  return {
    lower,
    toApp: !ours && !written && !ownedOfRequests.has(lower) && !lower.includes("_"),
    toVisitor: !ours && !ownedOfResponses.has(lower),
    framing: hopByHop.has(lower) || framing.has(lower),
  };
}
