/** What the families of the corpus are written with. */
import type { RawCase } from "./judge.ts";
import type { Seen } from "./reading.ts";
import { seenBody } from "./recorder.ts";

/** It reaches the app only where somebody took a body for a request; then it eats the line of the canary behind it. */
export const hidden = "GET /smuggled HTTP/1.1\r\nX-Eats: ";

export function refused(name: string, bytes: string, status = 400, served: readonly Seen[] = []): RawCase {
  return { name, bytes, served, last: "refused", status };
}

export function served(name: string, bytes: string, ...seen: readonly Seen[]): RawCase {
  return { name, bytes, served: seen, last: "canary", status: 0 };
}

/** Its end never comes. */
export function unended(name: string, bytes: string): RawCase {
  return { ...refused(name, bytes), ends: true };
}

/** The last request on its connection, which ends without another answer. */
export function closed(name: string, bytes: string, ...seen: readonly Seen[]): RawCase {
  return { name, bytes, served: seen, last: "closed", status: 0 };
}

export function get(target: string, method = "GET"): Seen {
  return { method, target, body: "" };
}

export function post(target: string, body: string, method = "POST"): Seen {
  return { method, target, body: seenBody(body) };
}

export function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

/** A name for what cannot be seen. */
export function shown(text: string): string {
  const quoted = JSON.stringify(text);
  return quoted.length > 60 ? `${quoted.slice(0, 60)}…` : quoted;
}

/** Every octet that is neither a letter nor a digit, but for those named. */
export function octets(but = ""): string[] {
  const all: string[] = [];
  for (let code = 0; code < 256; code++) {
    const text = String.fromCharCode(code);
    if (/[0-9A-Za-z]/.test(text) || but.includes(text)) continue;
    // Of the upper half a few stand for all.
    if (code > 127 && ![0x80, 0x85, 0xa0, 0xad, 0xc2, 0xe2, 0xff].includes(code)) continue;
    all.push(text);
  }
  return all;
}

/** All control characters but those named. */
export function controls(but = ""): string[] {
  return octets(but).filter((text) => text < " " || text === "\x7f");
}
