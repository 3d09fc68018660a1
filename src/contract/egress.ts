/**
 * Between what stands in a sandbox's network namespace (a replica's shim, a build's bench) and the node's gateway. Each sandbox has
 * a unix socket of its own, so the channel says who calls. A connection carries one thing:
 *
 *   {"connect":{"address":"100.64.0.3","port":443}}\n     the app wants to go there   → {"ok":true,"connection":"x_…","name":"…"}\n, then bytes both ways
 *                                                                                      → {"ok":false,"connection":"x_…","code":"egress/…","says":"…"}\n, end
 *   {"dns":true}\n, then 2-byte big-endian length frames of DNS messages, any number   → frames, one answer each
 *
 * The gateway answers A questions with synthetic addresses of 100.64.0.0/10, one for each (sandbox, name): an address that it did not
 * give out stands for no name and is refused. What it refuses is in the spool before it is answered, and `says` is what the app's
 * owner reads in the app's log.
 *
 * A side that has no more bytes shuts its half down. Where the other side broke the connection, the gateway closes without that: an
 * empty write after the last byte then fails (EPIPE), and the app sees its connection reset, not an end that looks whole.
 */

export interface ConnectRequest {
  /** Where the app wanted to go, as its namespace saw it: IPv4 or IPv6 text. */
  readonly address: string;
  readonly port: number;
}

export type GatewayRequest = { readonly connect: ConnectRequest } | { readonly dns: true };

export type ConnectAnswer =
  | { readonly ok: true; readonly connection: string; readonly name: string }
  | { readonly ok: false; readonly connection: string; readonly code: string; readonly says: string };

/** What the gateway lets out of a node's sandboxes, as its operator has set it; rules as they are written. */
export interface OutboundRules {
  /** Names that may be reached, with a port where only that one. */
  readonly allow: readonly string[];
  /** Names that may not, whatever is allowed. */
  readonly deny: readonly string[];
  /** Of names without a port of their own. */
  readonly ports: readonly number[];
  /** Ranges of private addresses that may be reached all the same. */
  readonly addresses: readonly string[];
}

export interface Outbound {
  readonly apps: OutboundRules;
  readonly builds: OutboundRules;
}

/** The rules in words, for people. */
export function outboundSay({ allow, deny, ports, addresses }: OutboundRules): string {
  const all = allow.length === 1 && allow[0] === "*";
  const names = all ? "every name" : allow.length === 0 ? "no name" : allow.join(", ");
  const but = deny.length === 0 ? "" : ` but ${deny.join(", ")}`;
  const privately =
    addresses.length === 0 ? "no private address" : `of private addresses ${addresses.join(", ")} alone`;
  return `${names}${but}, on ${ports.length === 1 ? "port" : "ports"} ${ports.join(", ")}; ${privately}`;
}

/** The first line of either side, newline included. */
export const egressLineMaxBytes = 2_048;
/** RFC 1035 §4.2.2: the length field's own bound is larger; our resolver's questions and answers never are. */
export const dnsMessageMaxBytes = 4_096;

/** The gateway's socket in a sandbox's socket folder. */
export const gatewaySocketName = "egress.sock";

/** A replica that calls the platform's own edge, and its Space. */
export interface InsideCaller {
  /** `p_…`, or `b_…`: a build. */
  readonly replica: string;
  /** `owner/name`. */
  readonly space: string;
}

/** An id, and a Space's id of at most 64 + 1 + 64 characters. */
export const insideLineMaxBytes = 200;

/** What the gateway says first on a connection to the edge that it opened for an app: the replica that calls, and its Space. */
export function encodeInside({ replica, space }: InsideCaller): string {
  return `waybill/1 inside ${replica} ${space}\n`;
}

/** Parses that line without its newline; undefined where it is another one. */
export function parseInside(line: string): InsideCaller | undefined {
  const match = /^waybill\/1 inside ([a-z]{1,4}_[0-9a-z]{1,32}) ([a-z0-9._-]{1,64}\/[a-z0-9._-]{1,64})$/.exec(line);
  return match ? { replica: match[1] as string, space: match[2] as string } : undefined;
}
