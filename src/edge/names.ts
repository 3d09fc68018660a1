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
export const ownedOfResponses: ReadonlySet<string> = new Set([
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

/** Access tokens of the platform begin so (the Hub's clients insist on it): an app never receives one. */
export const platformBearer = /^bearer\s+hf_/i;
