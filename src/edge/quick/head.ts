/**
 * Reads the head of a request that leaves no room for two readings: GET or HEAD of a plain path, HTTP/1.1, no body, nothing about the
 * connection but that it lives on. All else is undefined, and node:http's parser reads it. Pure.
 */
import { headerName } from "../names.ts";

export interface QuickHead {
  readonly method: "GET" | "HEAD";
  readonly url: string;
  /** name, value, name, value… as they came. */
  readonly rawHeaders: readonly string[];
}

// Characters of RFC 3986 in the path; names of letters, digits and hyphens; one space before a value, which is printable ASCII. No line
// can be folded, none is empty, and no character of a line can end it.
const plainLine = /^(?:GET|HEAD) \/[\w\-.~:/?@!$&'()*+,;=%[\]]* HTTP\/1\.1$/;
const plainFields = /^(?:\r\n[A-Za-z0-9-]+: [!-~][ -~]*)+$/;

/** The heads of one connection: a client that asks again mostly says the same of itself, and what was read once is not read again. */
export class QuickHeads {
  #fields = "";
  #rawHeaders: readonly string[] = [];

  /** `text`: up to the empty line, without it. */
  read(text: string): QuickHead | undefined {
    const lineEnd = text.indexOf("\r\n");
    const line = text.slice(0, Math.max(lineEnd, 0));
    if (!plainLine.test(line)) return undefined;
    const fields = text.slice(lineEnd);
    if (fields !== this.#fields) {
      const rawHeaders = readFields(fields);
      if (rawHeaders === undefined) return undefined;
      this.#fields = fields;
      this.#rawHeaders = rawHeaders;
    }
    const method = line.startsWith("G") ? "GET" : "HEAD";
    return { method, url: line.slice(method.length + 1, -" HTTP/1.1".length), rawHeaders: this.#rawHeaders };
  }
}

/** Each line with the line end before it. */
function readFields(text: string): string[] | undefined {
  if (!plainFields.test(text)) return undefined;
  const rawHeaders: string[] = [];
  for (let at = 2; at > 1;) {
    const end = text.indexOf("\r\n", at);
    const colon = text.indexOf(":", at);
    const name = text.slice(at, colon);
    const value = end < 0 ? text.slice(colon + 2) : text.slice(colon + 2, end);
    // RFC 9112 §5: what stands around a value is not of it; whoever pads values is read by the other parser.
    if (value.endsWith(" ")) return undefined;
    const { lower, framing } = headerName(name);
    if (framing && !(lower === "connection" && value.toLowerCase() === "keep-alive")) return undefined;
    rawHeaders.push(name, value);
    at = end < 0 ? 0 : end + 2;
  }
  return rawHeaders;
}
