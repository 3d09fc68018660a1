/**
 * Ways in which servers are known to read HTTP/1.1, as one reader with switches. The same bytes read in every way must give the same
 * requests: where two readings differ, a proxy and an app could disagree about where a request ends. It shares nothing with the edge.
 */

/** A request as somebody read it. */
export interface Seen {
  readonly method: string;
  readonly target: string;
  readonly body: string;
}

export interface Reading {
  /** What ends a line. */
  readonly lines: "crlf" | "lf" | "any";
  /** `trimmed`: spaces and controls around a name do not count; `cgi`: nor does the difference of `_` and `-`. */
  readonly names: "exact" | "trimmed" | "cgi";
  readonly framedBy: "length" | "coding";
  readonly length: "first" | "last";
  /** `contains`: any value with `chunked` in it is chunked. */
  readonly coding: "exact" | "contains";
  /** Stops after so many requests. */
  readonly most?: number;
}

export interface Read {
  readonly requests: readonly Seen[];
  /** From the first byte that is of no whole request. */
  readonly rest: string;
}

export const strict: Reading = { lines: "crlf", names: "exact", framedBy: "coding", length: "first", coding: "exact" };

export const readings: readonly Reading[] = (["crlf", "lf", "any"] as const).flatMap((lines) =>
  (["exact", "trimmed", "cgi"] as const).flatMap((names) =>
    (["length", "coding"] as const).flatMap((framedBy) =>
      (["first", "last"] as const).flatMap((length) =>
        (["exact", "contains"] as const).map((coding) => ({ lines, names, framedBy, length, coding })),
      ),
    ),
  ),
);

export function readRequests(bytes: string, reading: Reading): Read {
  const requests: Seen[] = [];
  let at = 0;
  for (;;) {
    const next = requests.length === reading.most ? undefined : readOne(bytes, at, reading);
    if (next === undefined) return { requests, rest: bytes.slice(at) };
    requests.push(next.seen);
    at = next.after;
  }
}

/** Sentences about what the readings make differently of these bytes; none where all agree. */
export function disagreements(bytes: string): string[] {
  const expected = JSON.stringify(readRequests(bytes, strict));
  return readings.flatMap((reading) => {
    const got = JSON.stringify(readRequests(bytes, reading));
    return got === expected ? [] : [`${JSON.stringify(reading)} reads ${got} where a strict reader has ${expected}`];
  });
}

function readOne(bytes: string, from: number, reading: Reading): { seen: Seen; after: number } | undefined {
  const head = readHead(bytes, from, reading);
  if (head === undefined) return undefined;
  const [method = "", target = ""] = (head.lines[0] ?? "").split(" ");
  const lengths = head.fields.filter(([name]) => name === "content-length").map(([, value]) => value);
  const codings = head.fields.filter(([name]) => name === "transfer-encoding").map(([, value]) => value.toLowerCase());
  const length = reading.length === "first" ? lengths[0] : lengths.at(-1);
  const chunked = codings.some((coding) =>
    reading.coding === "exact" ? coding === "chunked" : coding.includes("chunked"),
  );
  const body =
    chunked && (reading.framedBy === "coding" || length === undefined)
      ? readChunks(bytes, head.after, reading)
      : readLength(bytes, head.after, length);
  return body && { seen: { method, target, body: body.text }, after: body.after };
}

function readHead(
  bytes: string,
  from: number,
  reading: Reading,
): { lines: string[]; fields: [string, string][]; after: number } | undefined {
  const lines: string[] = [];
  for (let at = from; ;) {
    const line = readLine(bytes, at, reading);
    if (line === undefined) return undefined;
    at = line.after;
    if (line.text !== "") lines.push(line.text);
    else if (lines.length > 0)
      return { lines, fields: lines.slice(1).map((text) => readField(text, reading)), after: at };
  }
}

function readField(line: string, { names }: Reading): [string, string] {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(0, colon)).toLowerCase();
  const value = trimmed(line.slice(colon + 1));
  if (names === "exact") return [name, value];
  const bare = trimmed(name);
  return [names === "cgi" ? bare.replaceAll("_", "-") : bare, value];
}

function readLine(bytes: string, from: number, { lines }: Reading): { text: string; after: number } | undefined {
  const crlf = bytes.indexOf("\r\n", from);
  if (lines === "crlf") return crlf < 0 ? undefined : { text: bytes.slice(from, crlf), after: crlf + 2 };
  const lf = bytes.indexOf("\n", from);
  const cr = lines === "any" ? bytes.indexOf("\r", from) : -1;
  const end = Math.min(...[lf, cr].filter((index) => index >= 0));
  if (!Number.isFinite(end)) return undefined;
  if (bytes[end] === "\r") return { text: bytes.slice(from, end), after: bytes[end + 1] === "\n" ? end + 2 : end + 1 };
  return { text: bytes.slice(from, bytes[end - 1] === "\r" && end > from ? end - 1 : end), after: end + 1 };
}

function readLength(bytes: string, from: number, length: string | undefined): Body | undefined {
  const count = length === undefined ? 0 : Number.parseInt(length, 10);
  if (Number.isNaN(count) || count < 0) return { text: "", after: from };
  return from + count > bytes.length ? undefined : { text: bytes.slice(from, from + count), after: from + count };
}

interface Body {
  readonly text: string;
  readonly after: number;
}

function readChunks(bytes: string, from: number, reading: Reading): Body | undefined {
  let text = "";
  for (let at = from; ;) {
    const size = readLine(bytes, at, reading);
    if (size === undefined) return undefined;
    const count = Number.parseInt(size.text, 16);
    if (Number.isNaN(count) || count < 0) return undefined;
    if (count === 0) {
      const trailers = readTrailers(bytes, size.after, reading);
      return trailers === undefined ? undefined : { text, after: trailers };
    }
    if (size.after + count > bytes.length) return undefined;
    text += bytes.slice(size.after, size.after + count);
    const end = readLine(bytes, size.after + count, reading);
    if (end === undefined) return undefined;
    at = end.after;
  }
}

function readTrailers(bytes: string, from: number, reading: Reading): number | undefined {
  for (let at = from; ;) {
    const line = readLine(bytes, at, reading);
    if (line === undefined) return undefined;
    at = line.after;
    if (line.text === "") return at;
  }
}

/** Spaces and controls on either side. */
function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text.charCodeAt(start) <= 32) start++;
  while (end > start && text.charCodeAt(end - 1) <= 32) end--;
  return text.slice(start, end);
}
