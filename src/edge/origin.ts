/**
 * Where a request came from first, as far as anybody who is believed tells it: the connection itself, and the proxies in front that the
 * operator named. What others write into such headers is dropped with all of the family (names.ts). Pure.
 */
import { isIP } from "node:net";

import { parseHost } from "../http/host.ts";
import { isLoopback, plainAddress } from "../http/visitor.ts";

/** One end of a connection. */
export interface Peer {
  /** Without a port; "unknown" where there is none, as on a unix socket. */
  readonly address: string;
  readonly secure: boolean;
  /** What the proxy in front calls this connection. */
  readonly id?: string | undefined;
}

export interface TrustedProxies {
  has(address: string): boolean;
  /** The one family that they write. The other one they pass on as the visitor wrote it, so it is never read. */
  readonly headers: ProxyHeaders;
}

/** `Forwarded` (RFC 7239), or `X-Forwarded-For`, `-Proto` and `-Host`. */
export type ProxyHeaders = "forwarded" | "x-forwarded";

export interface Origin {
  readonly address: string;
  readonly proto: "http" | "https";
  /** As the visitor wrote it; undefined: as `Host` says. */
  readonly host: string | undefined;
  /** The trusted proxy that told it. */
  readonly proxy: string | undefined;
  readonly id: string | undefined;
}

/** What a trusted proxy sent cannot be read in one way only. */
export interface OriginUnclear {
  readonly detail: string;
}

/** Proxies in a row that are looked at; a longer chain is somebody's loop, and counts as its nearest part. */
const hopsMax = 32;

/** One hop as it was told: the nearest last. */
interface Told {
  readonly address: string | undefined;
  readonly proto: string | undefined;
  readonly host: string | undefined;
}

/** `raw`: name, value, name, value… as node:http gives them. */
export function originOf(
  peer: Peer,
  raw: readonly string[],
  trusted: TrustedProxies | undefined,
): Origin | OriginUnclear {
  const { address, id } = peer;
  const proto = peer.secure ? "https" : "http";
  if (trusted === undefined || !trusted.has(address)) return { address, proto, host: undefined, proxy: undefined, id };
  const hops = trusted.headers === "forwarded" ? forwardedHops(raw) : xForwardedHops(raw);
  if (hops === undefined) return { detail: "Forwarded: not as RFC 7239 has it" };
  const { seen, told } = furthest(address, hops, trusted);
  if (told?.host !== undefined && parseHost(told.host) === undefined)
    return { detail: `${trusted.headers === "forwarded" ? "Forwarded" : "X-Forwarded-Host"}: not a host name` };
  return { address: seen, proto: protoOf(told?.proto) ?? proto, host: told?.host, proxy: address, id };
}

/** Whether the other end is on this machine: over loopback, or at the address that was called. One that has no address is nowhere. */
export function isOwnMachine(ends: {
  readonly remoteAddress?: string | undefined;
  readonly localAddress?: string | undefined;
}): boolean {
  const from = plainAddress(ends.remoteAddress);
  if (from === undefined) return false;
  return isLoopback(from) || from === plainAddress(ends.localAddress);
}

/**
 * From the nearest hop on: the first that is no trusted proxy is the visitor. A hop that says nothing readable ends the walk: the last
 * one that was believed stands for whoever is behind it.
 */
function furthest(
  peer: string,
  hops: readonly Told[],
  trusted: TrustedProxies,
): { readonly seen: string; readonly told: Told | undefined } {
  let seen = peer;
  let told: Told | undefined;
  for (const hop of hops.slice(-hopsMax).toReversed()) {
    if (hop.address === undefined) return { seen, told: told ?? hop };
    seen = hop.address;
    told = hop;
    if (!trusted.has(seen)) break;
  }
  return { seen, told };
}

/** Lists of several proxies stand beside each other. One that has neither one value nor as many as there are hops says nothing. */
function xForwardedHops(raw: readonly string[]): Told[] {
  const addresses = listOf(raw, "x-forwarded-for").map(nodeAddress);
  const protos = listOf(raw, "x-forwarded-proto");
  const hosts = listOf(raw, "x-forwarded-host");
  if (addresses.length === 0)
    return protos.length + hosts.length === 0 ? [] : [{ address: undefined, proto: protos.at(-1), host: hosts.at(-1) }];
  const at = (list: readonly string[], i: number): string | undefined =>
    list.length === 1 || list.length === addresses.length ? list[list.length === 1 ? 0 : i] : undefined;
  return addresses.map((address, i) => ({ address, proto: at(protos, i), host: at(hosts, i) }));
}

/** Undefined where it cannot be read: a quote that a visitor left open must not swallow what the proxy wrote behind it. */
function forwardedHops(raw: readonly string[]): Told[] | undefined {
  const hops: Told[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    if ((raw[i] as string).toLowerCase() !== "forwarded") continue;
    const elements = forwardedElements(raw[i + 1] as string);
    if (elements === undefined) return undefined;
    hops.push(...elements);
  }
  return hops;
}

/** RFC 7239 §4: `for=…;proto=…;host=…` of each hop, commas between them. A name that is given twice makes all of it unreadable. */
function forwardedElements(value: string): Told[] | undefined {
  const pair = /\s*(?:([!#$%&'*+.^_`|~0-9a-z-]+)=(?:([!#$%&'*+.^_`|~0-9a-z-]+)|"((?:[^"\\]|\\.)*)"))?\s*([;,]|$)/iy;
  const hops: Told[] = [];
  let parts = new Map<string, string>();
  for (;;) {
    const match = pair.exec(value);
    if (match === null) return undefined;
    const [, name, token, quoted, separator] = match;
    if (name !== undefined) {
      if (parts.has(name.toLowerCase())) return undefined;
      parts.set(name.toLowerCase(), token ?? (quoted as string).replaceAll(/\\(.)/g, "$1"));
    }
    if (separator === ";") continue;
    if (parts.size > 0)
      hops.push({ address: nodeAddress(parts.get("for") ?? ""), proto: parts.get("proto"), host: parts.get("host") });
    if (separator === "") return hops;
    parts = new Map();
  }
}

function listOf(raw: readonly string[], wanted: string): string[] {
  let value = "";
  for (let i = 0; i < raw.length; i += 2)
    if ((raw[i] as string).toLowerCase() === wanted) value += `,${raw[i + 1] as string}`;
  return value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/** `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]:443`; undefined for `unknown`, `_hidden` and all else (RFC 7239 §6). */
function nodeAddress(text: string): string | undefined {
  const bare =
    /^\[([0-9a-f:.]+)\](?::\d{1,5})?$/i.exec(text)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/.exec(text)?.[1] ?? text;
  const address = plainAddress(bare.toLowerCase());
  return isIP(address) === 0 ? undefined : address;
}

function protoOf(told: string | undefined): "http" | "https" | undefined {
  const proto = told?.toLowerCase();
  return proto === "http" || proto === "https" ? proto : undefined;
}
