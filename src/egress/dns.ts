/** The few messages of DNS (RFC 1035) that a sandbox's resolver and the gateway say to each other. Pure; garbage is a null. */

export interface Question {
  readonly id: number;
  readonly recursion: boolean;
  /** Lower case, without a dot at its end; null where it is no name of a host: such a name is nobody's. */
  readonly name: string | null;
  readonly type: number;
  /** The question's own bytes, repeated in the answer. */
  readonly bytes: Uint8Array;
}

export const types = { a: 1, aaaa: 28, svcb: 64, https: 65 } as const;
/** RFC 1035 §4.1.1: the response codes that are said here. */
export const outcome = { ok: 0, formatError: 1, noSuchName: 3, notImplemented: 4 } as const;

const classInternet = 1;
const headerBytes = 12;
const labelMax = 63;
const nameMax = 253;
const flags = { answer: 0x8000, recursionDesired: 0x0100, recursionAvailable: 0x0080 } as const;
/** A resolver may keep it so long; the name's own addresses are looked up at each connection anyway. */
const ttlSeconds = 30;
/** RFC 952 and 1123, with the underscore that many names have: what cannot be mistaken for anything else in a log or a rule. */
const hostName = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/** The one question of a query; null where it is anything else. */
export function parseQuestion(message: Uint8Array): Question | null {
  if (message.length < headerBytes + 5) return null;
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const head = view.getUint16(2);
  const isQuery = (head & flags.answer) === 0 && ((head >> 11) & 0xf) === 0;
  if (!isQuery || view.getUint16(4) !== 1) return null;
  const labels: string[] = [];
  let at = headerBytes;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > labelMax) return null;
    if (length === 0) break;
    const label = message.subarray(at + 1, at + 1 + length);
    if (label.length < length) return null;
    labels.push(latin(label));
    at += 1 + length;
  }
  const end = at + 5;
  if (end > message.length || view.getUint16(at + 3) !== classInternet) return null;
  const name = labels.join(".").toLowerCase();
  return {
    id: view.getUint16(0),
    recursion: (head & flags.recursionDesired) !== 0,
    name: name.length <= nameMax && hostName.test(name) ? name : null,
    type: view.getUint16(at + 1),
    bytes: message.slice(headerBytes, end),
  };
}

/** An answer with one A record, or without any. */
export function answerOf(question: Question, code: number, address?: string): Uint8Array {
  const record = address === undefined ? 0 : 16;
  const out = new Uint8Array(headerBytes + question.bytes.length + record);
  const view = new DataView(out.buffer);
  view.setUint16(0, question.id);
  view.setUint16(2, flags.answer | flags.recursionAvailable | (question.recursion ? flags.recursionDesired : 0) | code);
  view.setUint16(4, 1);
  view.setUint16(6, address === undefined ? 0 : 1);
  out.set(question.bytes, headerBytes);
  if (address === undefined) return out;
  const at = headerBytes + question.bytes.length;
  view.setUint16(at, 0xc000 | headerBytes); // the name: the question's own
  view.setUint16(at + 2, types.a);
  view.setUint16(at + 4, classInternet);
  view.setUint32(at + 6, ttlSeconds);
  view.setUint16(at + 10, 4);
  address.split(".").forEach((part, index) => (out[at + 12 + index] = Number(part)));
  return out;
}

/** For what is no question that we read: its id, where it has one. */
export function formatError(message: Uint8Array): Uint8Array | null {
  if (message.length < headerBytes) return null;
  const out = new Uint8Array(headerBytes);
  out.set(message.subarray(0, 2));
  new DataView(out.buffer).setUint16(2, flags.answer | outcome.formatError);
  return out;
}

function latin(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
