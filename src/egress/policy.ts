/** What apps and builds may reach: decided here, by name and port and address, with the rule that decided. Pure. */
import type { OutboundRules } from "../contract/egress.ts";
import { judgeAddress, type AddressRange } from "./ranges.ts";

/** `api.example.com`, `*.example.com` (and not example.com itself), `*`; with a port, only that one. */
export interface NameRule {
  readonly pattern: string;
  readonly port: number | null;
}

export interface EgressPolicy {
  /** Names that may be reached; `*` by default. */
  readonly allow: readonly NameRule[];
  /** Wins over `allow`. */
  readonly deny: readonly NameRule[];
  /** Ports without a rule of their own. */
  readonly ports: readonly number[];
  /** Ranges that may be dialled although they are private. */
  readonly addresses: readonly AddressRange[];
  /** Names, each with its port, that the operator's own settings name: reached whatever else is said, at whichever address. */
  readonly vouched?: readonly NameRule[];
}

/** Every name, on the ports of the web; no private address. */
export const openPolicy: EgressPolicy = {
  allow: [{ pattern: "*", port: null }],
  deny: [],
  ports: [80, 443],
  addresses: [],
};

/** As its operator wrote them. */
export function rulesOf({ allow, deny, ports, addresses }: EgressPolicy): OutboundRules {
  const written = ({ pattern, port }: NameRule): string => (port === null ? pattern : `${pattern}:${port}`);
  return {
    allow: allow.map(written),
    deny: deny.map(written),
    ports,
    addresses: addresses.map(({ text }) => text),
  };
}

export type Decision =
  | { readonly ok: true; readonly rule: string }
  | {
      readonly ok: false;
      readonly code: "egress/name-denied" | "egress/port-denied" | "egress/address-denied";
      readonly rule: string;
      readonly says: string;
    };

const vouchedRule = "named by the operator's settings for builds";
/** A list of an operator is shown up to here. */
const shownMax = 200;

/** `name` or `name:port`; undefined where it is no rule. */
export function parseNameRule(text: string): NameRule | undefined {
  const match = /^(\*|(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?)(?::(\d{1,5}))?$/i.exec(text.trim());
  if (!match) return undefined;
  const port = match[2] === undefined ? null : Number(match[2]);
  if (port !== null && (port < 1 || port > 65_535)) return undefined;
  return { pattern: (match[1] as string).toLowerCase(), port };
}

/** Ports that something may be reached on: a sandbox's network listens on each of them, since only so the destination is exact. */
export function portsOf({ allow, ports, vouched = [] }: EgressPolicy): readonly number[] {
  return [...new Set([...ports, ...[...allow, ...vouched].flatMap(({ port }) => port ?? [])])].sort((a, b) => a - b);
}

/** May this name be reached at all, on whichever port? */
export function decideName(policy: EgressPolicy, name: string): Decision {
  const denied = policy.deny.find((rule) => rule.port === null && matches(rule.pattern, name));
  if (denied) return nameDenied(name, `deny ${denied.pattern}`);
  const allowed = policy.allow.find((rule) => matches(rule.pattern, name));
  if (!allowed) return nameDenied(name, `allow only ${shown(policy.allow)}`);
  return { ok: true, rule: `allow ${allowed.pattern}` };
}

/** May this name be reached on this port? */
export function decidePort(policy: EgressPolicy, name: string, port: number): Decision {
  if (isVouched(policy, name, port)) return { ok: true, rule: vouchedRule };
  const byName = decideName(policy, name);
  if (!byName.ok) return byName;
  const denied = policy.deny.find((rule) => rule.port === port && matches(rule.pattern, name));
  if (denied) return portDenied(name, port, `deny ${denied.pattern}:${port}`);
  const own = policy.allow.find((rule) => rule.port === port && matches(rule.pattern, name));
  if (own) return { ok: true, rule: `allow ${own.pattern}:${port}` };
  const any = policy.allow.find((rule) => rule.port === null && matches(rule.pattern, name));
  if (any && policy.ports.includes(port)) return { ok: true, rule: `allow ${any.pattern} on port ${port}` };
  const ports = any
    ? policy.ports
    : policy.allow.flatMap((rule) => (matches(rule.pattern, name) ? (rule.port ?? []) : []));
  return portDenied(name, port, `allow only ${ports.length === 1 ? "port" : "ports"} ${clipped(ports.join(", "))}`);
}

/** May this address, to which `name` resolved, be dialled for this port? */
export function decideAddress(policy: EgressPolicy, name: string, port: number, address: string): Decision {
  if (isVouched(policy, name, port)) return { ok: true, rule: vouchedRule };
  const { ok, rule } = judgeAddress(address, policy.addresses);
  if (ok) return { ok, rule };
  return {
    ok,
    code: "egress/address-denied",
    rule,
    says: `${name} resolves to ${address}, which may not be reached from here: ${rule}`,
  };
}

function isVouched({ vouched = [] }: EgressPolicy, name: string, port: number): boolean {
  return vouched.some((rule) => rule.pattern === name && rule.port === port);
}

function matches(pattern: string, name: string): boolean {
  if (pattern === "*" || pattern === name) return true;
  return pattern.startsWith("*.") && name.endsWith(pattern.slice(1)) && name.length > pattern.length - 1;
}

function nameDenied(name: string, rule: string): Decision {
  return {
    ok: false,
    code: "egress/name-denied",
    rule,
    says: `${name} may not be reached from here, by the rule "${rule}"`,
  };
}

function portDenied(name: string, port: number, rule: string): Decision {
  return {
    ok: false,
    code: "egress/port-denied",
    rule,
    says: `port ${port} of ${name} may not be reached from here, by the rule "${rule}"`,
  };
}

function shown(rules: readonly NameRule[]): string {
  return clipped(rules.map(({ pattern, port }) => (port === null ? pattern : `${pattern}:${port}`)).join(", "));
}

function clipped(text: string): string {
  if (text === "") return "nothing";
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
}
