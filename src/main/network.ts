/** What of the environment says how the platform is reached over a network. All problems are told at once. */
import { isIP, isIPv6 } from "node:net";
import type { NetworkOptions } from "../cli/world.ts";
import type { ListenAddress, ProxyHeaders, TrustedProxies } from "../edge/index.ts";
import { parseRange } from "../egress/ranges.ts";
import { parseHost } from "../http/host.ts";
import { isLoopback, plainAddress } from "../http/visitor.ts";
import { openingProblems } from "./opening.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface NetworkConfig {
  /** The address that console and apps listen on. */
  readonly address: string;
  /** Whether other machines reach it there. */
  readonly isOpen: boolean;
  /** The edge speaks TLS by itself. */
  readonly hasTls: boolean;
  /** Of other machines the proxies in front alone may come: what others send could be read on the way. */
  readonly isProxiesAlone: boolean;
  /** Spaces have names under it. */
  readonly appsDomain: string;
  /** A name or address of the console's beside its own ones; null: none. */
  readonly consoleHost: string | null;
  /** How visitors come, where that is not as it listens; null: as it listens. */
  readonly visited: { readonly scheme: "http" | "https"; readonly port: number } | null;
  /** Spaces are told apart by ports out of it; null: by names. */
  readonly ports: PortRange | null;
  /** Proxies in front whose word about a visitor counts; null: nobody's does. */
  readonly proxies: TrustedProxies | null;
  /** Where connections begin with the PROXY protocol, from those proxies. */
  readonly proxyProtocol: ListenAddress | null;
  /** Who is asked about people's domains; none: whom the machine asks. */
  readonly dnsServers: readonly string[];
}

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

const headerFamilies: readonly ProxyHeaders[] = ["x-forwarded", "forwarded"];
const loopback = "127.0.0.1";
/** Beside the console's own; room for more Spaces than one machine runs. */
const defaultPorts: PortRange = { from: 7_100, to: 7_999 };
/** 253 characters of a name, less the label of a Space and its dot. */
const domainMaxLength = 189;

/** For what was said and cannot be read, which is told already: that it is missing is not told beside that. Names that nobody has (RFC 6761). */
const standIn = { domain: "apps.invalid", console: "console.invalid" } as const;

/** `hasTls`: the edge speaks TLS by itself. */
export function readNetwork(
  env: Environment,
  options: NetworkOptions,
  { hasTls, problems }: { readonly hasTls: boolean; readonly problems: string[] },
): NetworkConfig {
  const proxies = readProxies(env, problems);
  const address = readAddress(given(env, "--host", options.host), problems);
  const publicUrl = readPublicUrl(given(env, "--public-url", options.publicUrl), problems);
  const appsDomain = readDomain(given(env, "--apps-domain", options.appsDomain), problems);
  const named = readConsole(given(env, "--console-host", options.consoleHost), problems);
  const ports = readPorts(given(env, "--addresses", options.addresses), problems);
  const consoleHost = named ?? publicUrl?.host ?? null;
  const isOpen = !isLoopback(address);
  problems.push(
    ...openingProblems({
      ...{ address, isOpen, hasTls, appsDomain, consoleHost, named, publicHost: publicUrl?.host ?? null },
      ...{ hasProxies: proxies !== null, isByPorts: ports !== null },
    }),
  );
  return {
    ...{ address, isOpen, hasTls, isProxiesAlone: isOpen && !hasTls },
    ...{ appsDomain: appsDomain ?? "localhost", consoleHost, ports, proxies },
    visited: publicUrl && { scheme: publicUrl.scheme, port: publicUrl.port },
    proxyProtocol: readProxyProtocol(env, proxies !== null, problems),
    dnsServers: readDnsServers(env, problems),
  };
}

function readAddress(said: Given | undefined, problems: string[]): string {
  if (said === undefined || said.text === "localhost") return loopback;
  if (isIP(said.text) !== 0) return said.text;
  problems.push(
    `${said.name} is "${said.text}"; write an address of this machine, such as 192.168.1.5, or 0.0.0.0 for all of them`,
  );
  return loopback;
}

function readDomain(said: Given | undefined, problems: string[]): string | null {
  if (said === undefined) return null;
  const domain = said.text.toLowerCase();
  const host = parseHost(domain);
  const fits = host?.name === domain && isIP(domain) === 0 && domain.length <= domainMaxLength && /[a-z]/.test(domain);
  if (fits) return domain;
  problems.push(
    `${said.name} is "${said.text}"; write a domain such as apps.example.com, in A-labels (xn--…) where it has other letters, of at most ${domainMaxLength} characters`,
  );
  return standIn.domain;
}

function readConsole(said: Given | undefined, problems: string[]): string | null {
  if (said === undefined) return null;
  const host = parseHost(isIPv6(said.text) ? `[${said.text}]` : said.text);
  if (host !== undefined && host.port === undefined) return host.name;
  problems.push(`${said.name} is "${said.text}"; write a name or address without a port, such as waybill.example.com`);
  return standIn.console;
}

function readPublicUrl(
  said: Given | undefined,
  problems: string[],
): { readonly scheme: "http" | "https"; readonly host: string; readonly port: number } | null {
  if (said === undefined) return null;
  const [, scheme, place = ""] = /^(https?):\/\/([^/?#]+)\/?$/i.exec(said.text) ?? [];
  const host = parseHost(place);
  if (scheme === undefined || host === undefined) {
    problems.push(
      `${said.name} is "${said.text}"; write the console's address as visitors type it, such as https://waybill.example.com`,
    );
    return { scheme: "https", host: standIn.console, port: 443 };
  }
  const known = scheme.toLowerCase() === "https" ? "https" : "http";
  return { scheme: known, host: host.name, port: host.port ?? (known === "https" ? 443 : 80) };
}

/** `names`, `ports` or `ports:7100-7199`. */
function readPorts(said: Given | undefined, problems: string[]): PortRange | null {
  if (said === undefined || said.text === "names") return null;
  if (said.text === "ports") return defaultPorts;
  const [, from, to] = /^ports:(\d{1,5})-(\d{1,5})$/.exec(said.text)?.map(Number) ?? [];
  if (from !== undefined && to !== undefined && from >= 1 && from <= to && to <= 65_535) return { from, to };
  problems.push(
    `${said.name} is "${said.text}"; write names, ports, or ports with a range such as ports:${defaultPorts.from}-${defaultPorts.to}`,
  );
  return defaultPorts;
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
  const has = (address: string): boolean => ranges.some((range) => range.has(plainAddress(address)));
  return { has, headers: headers ?? "x-forwarded" };
}

/** `WAYBILL_PROXY_PROTOCOL`: `ADDRESS:PORT`. */
function readProxyProtocol(env: Environment, isTrusting: boolean, problems: string[]): ListenAddress | null {
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

/** `WAYBILL_DNS_SERVERS`: addresses, with a port where it is not 53. */
function readDnsServers(env: Environment, problems: string[]): string[] {
  const named = (env["WAYBILL_DNS_SERVERS"] ?? "").split(",").flatMap((part) => part.trim() || []);
  for (const text of named)
    if (isIP(text) === 0 && parsePlace(text) === undefined)
      problems.push(`WAYBILL_DNS_SERVERS has "${text}"; write addresses such as 192.168.1.1 or 127.0.0.1:5353`);
  return named;
}

/** `192.0.2.1:80`, `[2001:db8::1]:80`. */
function parsePlace(text: string): ListenAddress | undefined {
  const [, v6, v4, digits] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d{1,5})$/i.exec(text) ?? [];
  const address = v6 ?? v4 ?? "";
  const port = Number(digits);
  return isIP(address) === (v6 === undefined ? 4 : 6) && port >= 1 && port <= 65_535 ? { address, port } : undefined;
}

/** What was said, and where. */
interface Given {
  readonly name: string;
  readonly text: string;
}

/** A flag goes before its variable. */
function given(env: Environment, flag: string, value: string | undefined): Given | undefined {
  if (value !== undefined) return { name: flag, text: value };
  const name = `WAYBILL_${flag.slice(2).replaceAll("-", "_").toUpperCase()}`;
  const text = env[name];
  return text ? { name, text } : undefined;
}
