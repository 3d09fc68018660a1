/**
 * Reads the head of a request that leaves no room for two readings: GET or HEAD of a plain path, HTTP/1.1, no body, nothing about the
 * connection but that it lives on. All else is undefined, and node:http's parser reads it. Pure.
 */

export interface QuickHead {
  readonly method: "GET" | "HEAD";
  readonly url: string;
  /** name, value, name, value… as they came. */
  readonly rawHeaders: string[];
}

// Characters of RFC 3986 in the path; names of letters, digits and hyphens; one space before a value, which is printable ASCII. No line
// can be folded, none is empty, and no character of a line can end it.
const plain = /^(?:GET|HEAD) \/[\w\-.~:/?@!$&'()*+,;=%[\]]* HTTP\/1\.1(?:\r\n[A-Za-z0-9-]+: [!-~][ -~]*)+$/;

/** `text`: up to the empty line, without it. */
export function readQuickHead(text: string): QuickHead | undefined {
  if (!plain.test(text)) return undefined;
  const method = text.startsWith("G") ? "GET" : "HEAD";
  const rawHeaders: string[] = [];
  const first = text.indexOf("\r\n");
  for (let at = first + 2; at > 1;) {
    const end = text.indexOf("\r\n", at);
    const colon = text.indexOf(":", at);
    const name = text.slice(at, colon);
    const value = end < 0 ? text.slice(colon + 2) : text.slice(colon + 2, end);
    // RFC 9112 §5: what stands around a value is not of it; whoever pads values is read by the other parser.
    if (value.endsWith(" ") || !isPlain(name, value)) return undefined;
    rawHeaders.push(name, value);
    at = end < 0 ? 0 : end + 2;
  }
  return { method, url: text.slice(method.length + 1, first - " HTTP/1.1".length), rawHeaders };
}

/** False of what says where a message ends, or anything of the connection (RFC 9110 §7.6.1). */
function isPlain(name: string, value: string): boolean {
  // Lengths of the names below: most headers have another, or are looked at once.
  switch (name.length) {
    case 10:
      return !/^(?:connection|keep-alive)$/i.test(name) || /^(?:connection:)keep-alive$/i.test(`${name}:${value}`);
    case 2:
    case 6:
    case 7:
    case 14:
    case 16:
    case 17:
      return !framing.has(name.toLowerCase());
    default:
      return true;
  }
}

const framing: ReadonlySet<string> = new Set([
  "te",
  "expect",
  "trailer",
  "upgrade",
  "content-length",
  "http2-settings",
  "proxy-connection",
  "transfer-encoding",
]);
