/**
 * Reads the head of a request that leaves no room for two readings: of a plain path, HTTP/1.1, GET or HEAD without a body, POST, PUT or
 * PATCH with one whose length is said once, nothing about the connection but that it lives on, or that it is to be a WebSocket's. All else
 * is undefined, and node:http's parser reads it. Pure.
 */
import { headerName } from "../names.ts";

export interface QuickHead {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH";
  readonly url: string;
  /** Of its body, in bytes; undefined where it has none. */
  readonly length: number | undefined;
  /** It asks for a WebSocket. */
  readonly upgrade: boolean;
  /** name, value, name, value… as they came. */
  readonly rawHeaders: readonly string[];
}

// Characters of RFC 3986 in the path; names of letters, digits and hyphens; one space before a value, which is printable ASCII. No line
// can be folded, none is empty, and no character of a line can end it.
const plainLine = /^(?:GET|HEAD|POST|PUT|PATCH) \/[\w\-.~:/?@!$&'()*+,;=%[\]]* HTTP\/1\.1$/;
const plainFields = /^(?:\r\n[A-Za-z0-9-]+: [!-~][ -~]*)+$/;
/** As browsers and clients of WebSockets write it. */
const plainUpgrade = /^(?:keep-alive, )?upgrade$/;
/** No sign, no zero before it, no list; as many digits as the screen takes. */
const plainLength = /^(?:0|[1-9]\d{0,14})$/;

/** The heads of one connection: a client that asks again mostly says the same of itself, and what was read once is not read again. */
export class QuickHeads {
  #fields = "";
  #said: Fields = { rawHeaders: [], length: undefined, upgrade: false };

  /** `text`: up to the empty line, without it. */
  read(text: string): QuickHead | undefined {
    const lineEnd = text.indexOf("\r\n");
    const line = text.slice(0, Math.max(lineEnd, 0));
    if (!plainLine.test(line)) return undefined;
    const fields = text.slice(lineEnd);
    if (fields !== this.#fields) {
      const said = readFields(fields);
      if (said === undefined) return undefined;
      this.#fields = fields;
      this.#said = said;
    }
    const method = line.slice(0, line.indexOf(" ")) as QuickHead["method"];
    const { rawHeaders, length, upgrade } = this.#said;
    // A GET with a body is read otherwise by many a server, and one of the others without a length has none that was said.
    if ((method === "GET" || method === "HEAD") !== (length === undefined)) return undefined;
    if (upgrade && method !== "GET") return undefined;
    return { method, url: line.slice(method.length + 1, -" HTTP/1.1".length), length, upgrade, rawHeaders };
  }
}

type Fields = Pick<QuickHead, "rawHeaders" | "length" | "upgrade">;

/** Each line with the line end before it. */
function readFields(text: string): Fields | undefined {
  if (!plainFields.test(text)) return undefined;
  const rawHeaders: string[] = [];
  let length: number | undefined;
  let connection: string | undefined;
  let upgrade = false;
  for (let at = 2; at > 1;) {
    const end = text.indexOf("\r\n", at);
    const colon = text.indexOf(":", at);
    const name = text.slice(at, colon);
    const value = end < 0 ? text.slice(colon + 2) : text.slice(colon + 2, end);
    // RFC 9112 §5: what stands around a value is not of it; whoever pads values is read by the other parser.
    if (value.endsWith(" ")) return undefined;
    const { lower, framing } = headerName(name);
    if (lower === "content-length") {
      if (length !== undefined || !plainLength.test(value)) return undefined;
      length = Number(value);
    } else if (lower === "connection") {
      if (connection !== undefined) return undefined;
      connection = value.toLowerCase();
    } else if (lower === "upgrade") {
      if (upgrade || value.toLowerCase() !== "websocket") return undefined;
      upgrade = true;
    } else if (framing) return undefined;
    rawHeaders.push(name, value);
    at = end < 0 ? 0 : end + 2;
  }
  const isPlain = upgrade
    ? plainUpgrade.test(connection ?? "")
    : connection === undefined || connection === "keep-alive";
  return isPlain ? { rawHeaders, length, upgrade } : undefined;
}
