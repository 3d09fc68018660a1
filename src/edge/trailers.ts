/** Fields behind a body (RFC 9110 §6.5): which of them cross the edge. Pure. */
import { headerName, securityNames } from "./names.ts";

/** Behind a body, what says who somebody is or how to read the message comes too late, or hides from who looked at the head. */
function mayTrail(name: string): boolean {
  const { lower, toApp, toVisitor } = headerName(name);
  return toApp && toVisitor && !securityNames.has(lower) && !lower.startsWith("content-") && !tooLate.has(lower);
}

const tooLate: ReadonlySet<string> = new Set(["cache-control", "age", "expires", "location", "vary", "retry-after"]);

/** As node:http takes them. `raw`: name, value, name, value… */
export function passedTrailers(raw: readonly string[]): [string, string][] {
  const out: [string, string][] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    if (mayTrail(name)) out.push([name, raw[i + 1] as string]);
  }
  return out;
}

/** For the app, behind the last chunk. */
export function trailerLines(raw: readonly string[]): string {
  return passedTrailers(raw)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
}
