/** What of the environment says how the platform is reached over a network. All problems are told at once. */
import { isIP } from "node:net";
import type { ProxyHeaders, TrustedProxies } from "../edge/index.ts";
import { parseRange } from "../egress/ranges.ts";
import { plainAddress } from "../http/visitor.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface NetworkConfig {
  /** Proxies in front whose word about a visitor counts; null: nobody's does. */
  readonly proxies: TrustedProxies | null;
  /** Where connections begin with the PROXY protocol, from those proxies. */
  readonly proxyProtocol: Place | null;
}

export interface Place {
  readonly address: string;
  readonly port: number;
}

const headerFamilies: readonly ProxyHeaders[] = ["x-forwarded", "forwarded"];

export function readNetwork(env: Environment, problems: string[]): NetworkConfig {
  const proxies = readProxies(env, problems);
  return { proxies, proxyProtocol: readProxyProtocol(env, proxies !== null, problems) };
}

/** `WAYBILL_TRUSTED_PROXIES`: addresses and ranges; `WAYBILL_PROXY_HEADERS`: which family of headers they write. */
function readProxies(env: Environment, problems: string[]): TrustedProxies | null {
  const named = (env["WAYBILL_TRUSTED_PROXIES"] ?? "").split(",").flatMap((part) => part.trim() || []);
  const ranges = named.flatMap((text) => {
    const range = parseRange(text);
    if (range !== undefined && !/\/0+$/.test(text)) return range;
    problems.push(
      range === undefined
        ? `WAYBILL_TRUSTED_PROXIES has "${text}"; write addresses and ranges such as 127.0.0.1,10.1.0.0/16`
        : `WAYBILL_TRUSTED_PROXIES has "${text}", which is everybody: each visitor could say to be another one; name the proxies alone`,
    );
    return [];
  });
  const asked = env["WAYBILL_PROXY_HEADERS"] || "x-forwarded";
  const headers = headerFamilies.find((family) => family === asked);
  if (headers === undefined)
    problems.push(
      `WAYBILL_PROXY_HEADERS is "${asked}"; write x-forwarded or forwarded, as the proxies in front write them`,
    );
  if (named.length === 0) {
    if (env["WAYBILL_PROXY_HEADERS"])
      problems.push(
        "WAYBILL_PROXY_HEADERS is of no use without WAYBILL_TRUSTED_PROXIES; name the proxies that write them",
      );
    return null;
  }
  const has = (address: string): boolean => ranges.some((range) => range.has(plainAddress(address) ?? ""));
  return { has, headers: headers ?? "x-forwarded" };
}

/** `WAYBILL_PROXY_PROTOCOL`: `ADDRESS:PORT`. */
function readProxyProtocol(env: Environment, isTrusting: boolean, problems: string[]): Place | null {
  const text = env["WAYBILL_PROXY_PROTOCOL"];
  if (!text) return null;
  const place = parsePlace(text);
  if (place === undefined)
    problems.push(`WAYBILL_PROXY_PROTOCOL is "${text}"; write an address and a port, such as 127.0.0.1:7071`);
  if (!isTrusting)
    problems.push(
      "WAYBILL_PROXY_PROTOCOL is for proxies that are named; name them with WAYBILL_TRUSTED_PROXIES, such as 127.0.0.1",
    );
  return place ?? null;
}

/** `192.0.2.1:80`, `[2001:db8::1]:80`. */
function parsePlace(text: string): Place | undefined {
  const [, v6, v4, digits] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d{1,5})$/i.exec(text) ?? [];
  const address = v6 ?? v4 ?? "";
  const port = Number(digits);
  return isIP(address) === (v6 === undefined ? 4 : 6) && port >= 1 && port <= 65_535 ? { address, port } : undefined;
}
