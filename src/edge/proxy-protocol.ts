/**
 * The PROXY protocol, versions 1 and 2 (haproxy's doc/proxy-protocol.txt): what a proxy that carries connections says of each before its
 * bytes. Only a listener that was configured for it reads it, from peers that are named; nothing is guessed.
 */
import { isIPv4, isIPv6, type Socket } from "node:net";

import { plainAddress } from "../http/visitor.ts";
import type { Peer } from "./origin.ts";

/** What a connection's head says; `length`: its bytes, after which the visitor's own begin. `source`: null where it speaks of itself. */
export type ProxyHead =
  | { readonly kind: "more" }
  | { readonly kind: "bad"; readonly says: string }
  | {
      readonly kind: "done";
      readonly length: number;
      readonly source: string | null;
      readonly secure: boolean;
      readonly id?: string;
    };

/** Version 1 ends by then (§2.1). */
const lineMaxBytes = 107;
/** Version 2: addresses, and more than all fields together that proxies are known to add, a client's certificate included. */
export const headMaxBytes = 4_096;
/** §3: a sender writes it in one piece, at once. */
const headWithinMs = 5_000;
const uniqueIdMaxBytes = 128;

const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const fixedBytes = 16;
const lineStart = Buffer.from("PROXY ", "latin1");

export function parseProxyHead(bytes: Buffer): ProxyHead {
  if (startsAs(bytes, signature)) return bytes.length < fixedBytes ? more : parseBinary(bytes);
  if (startsAs(bytes, lineStart)) return parseLine(bytes);
  return bad("does not begin with a PROXY header");
}

/**
 * Reads it; `onPeer` is given who is at the other end of the proxy, and what follows is that one's. From a peer that is not named, or
 * not in time, or not as the protocol has it: the connection ends, and `onRefused` hears why.
 */
export function readProxyHead(
  socket: Socket,
  how: {
    readonly isTrusted: (address: string) => boolean;
    readonly onPeer: (peer: Peer) => void;
    readonly onRefused: (peer: string, says: string) => void;
  },
): void {
  const own = plainAddress(socket.remoteAddress) ?? "unknown";
  let read = Buffer.alloc(0);
  const refuse = (says: string): void => {
    socket.destroy();
    how.onRefused(own, says);
  };
  socket.on("error", () => socket.destroy());
  if (!how.isTrusted(own)) return refuse("not one of the trusted proxies");
  const late = setTimeout(() => refuse(`no whole PROXY header within ${headWithinMs / 1000} s`), headWithinMs);
  // As a check of whether the port answers does.
  const ended = (): void => {
    clearTimeout(late);
    socket.destroy();
  };
  const take = (bytes: Buffer): void => {
    read = Buffer.concat([read, bytes]);
    const head = parseProxyHead(read);
    if (head.kind === "more") return;
    clearTimeout(late);
    socket.off("data", take).off("end", ended).pause();
    if (head.kind === "bad") return refuse(head.says);
    if (head.length < read.length) socket.unshift(read.subarray(head.length));
    socket.resume();
    how.onPeer({ address: head.source ?? own, secure: head.secure, id: head.id });
  };
  socket.once("close", () => clearTimeout(late));
  socket.on("end", ended).on("data", take).resume();
}

/** §2.1: `PROXY TCP4 source destination port port\r\n`. */
function parseLine(bytes: Buffer): ProxyHead {
  const end = bytes.subarray(0, lineMaxBytes).indexOf("\r\n");
  if (end < 0) return bytes.length < lineMaxBytes ? more : bad("a line of more than 107 bytes");
  const text = bytes.toString("latin1", 0, end);
  const length = end + 2;
  if (/^PROXY UNKNOWN(?: [\x20-\x7e]*)?$/.test(text)) return { kind: "done", length, source: null, secure: false };
  const [, family, source = "", destination = "", ...ports] =
    /^PROXY (TCP4|TCP6) (\S+) (\S+) (\d{1,5}) (\d{1,5})$/.exec(text) ?? [];
  const isAddress = family === "TCP4" ? isIPv4 : isIPv6;
  const fits = family !== undefined && isAddress(source) && isAddress(destination) && ports.every(isPort);
  return fits
    ? { kind: "done", length, source: plainAddress(source.toLowerCase()), secure: false }
    : bad("a line that is not understood");
}

/** §2.2. */
function parseBinary(bytes: Buffer): ProxyHead {
  const version = bytes.readUInt8(12) >> 4;
  const command = bytes.readUInt8(12) & 15;
  const kind = bytes.readUInt8(13);
  const length = fixedBytes + bytes.readUInt16BE(14);
  if (version !== 2) return bad(`version ${version}`);
  if (command > 1) return bad(`command ${command}`);
  if (length > headMaxBytes) return bad(`a header of ${length} bytes, at most ${headMaxBytes}`);
  const addresses = addressBytes[kind];
  if (addresses === undefined) return bad(`family and protocol 0x${kind.toString(16)}`);
  // What a LOCAL connection says of addresses and fields is of no meaning (§2.2).
  if (bytes.length < length) return more;
  if (command === 0) return { kind: "done", length, source: null, secure: false };
  if (fixedBytes + addresses > length) return bad("a header that ends within its addresses");
  const fields = fieldsOf(bytes.subarray(0, length), fixedBytes + addresses);
  if (typeof fields === "string") return bad(fields);
  return { kind: "done", length, source: sourceOf(kind, bytes), ...fields };
}

/** Length of the addresses by family and protocol: none, TCP over IPv4, over IPv6, a unix socket. Datagrams are nothing for HTTP. */
const addressBytes: Readonly<Record<number, number>> = { 0x00: 0, 0x11: 12, 0x21: 36, 0x31: 216 };

function sourceOf(kind: number, bytes: Buffer): string | null {
  if (kind === 0x11) return bytes.subarray(16, 20).join(".");
  if (kind !== 0x21) return null;
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(16 + 2 * i));
  // An IPv4 address within IPv6 is the same caller as the bare one.
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) return bytes.subarray(28, 32).join(".");
  return groups.map((group) => group.toString(16)).join(":");
}

/** §2.2.7: type, length, value. What is not ours to know is passed over. */
function fieldsOf(head: Buffer, from: number): { readonly secure: boolean; readonly id?: string } | string {
  let at = from;
  let secure = false;
  let id: string | undefined;
  while (at < head.length) {
    if (at + 3 > head.length) return "a field that ends too early";
    const type = head.readUInt8(at);
    const end = at + 3 + head.readUInt16BE(at + 1);
    if (end > head.length) return "a field that is longer than its header";
    const value = head.subarray(at + 3, end);
    if (type === fieldTypes.crc32c && !isWhole(head, at + 3, value)) return "a checksum that is wrong";
    if (type === fieldTypes.uniqueId) {
      if (value.length > uniqueIdMaxBytes) return `a UNIQUE_ID of more than ${uniqueIdMaxBytes} bytes`;
      id = /^[\x21-\x7e]+$/.test(value.toString("latin1")) ? value.toString("latin1") : value.toString("hex");
    }
    // PP2_CLIENT_SSL: the visitor came over TLS.
    if (type === fieldTypes.ssl && value.length > 0) secure = (value.readUInt8(0) & 1) === 1;
    at = end;
  }
  return id === undefined ? { secure } : { secure, id };
}

const fieldTypes = { crc32c: 0x03, uniqueId: 0x05, ssl: 0x20 } as const;

/** The checksum of all of the header, its own four bytes taken as zero. */
function isWhole(head: Buffer, at: number, value: Buffer): boolean {
  if (value.length !== 4) return false;
  const told = value.readUInt32BE(0);
  const zeroed = Buffer.from(head);
  zeroed.fill(0, at, at + 4);
  return crc32c(zeroed) === told;
}

/** Castagnoli's polynomial (RFC 3720 appendix B.4), which node:zlib does not have. A header is short and seldom: bit by bit will do. */
export function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function startsAs(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.subarray(0, length).equals(start.subarray(0, length));
}

function isPort(text: string): boolean {
  return Number(text) <= 65_535;
}

const more: ProxyHead = { kind: "more" };

function bad(says: string): ProxyHead {
  return { kind: "bad", says };
}
