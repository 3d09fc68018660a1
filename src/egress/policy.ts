/** What apps and builds may reach: decided here, by name and port and address, with the rule that decided. Pure. */
import type { OutboundRules } from "../contract/egress.ts";
import { matchesName, reachWords, ruleSays, type NameRule } from "../contract/reach.ts";
import { judgeAddress, type AddressRange } from "./ranges.ts";

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
  return {
    allow: allow.map(ruleSays),
    deny: deny.map(ruleSays),
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

/** Ports that something may be reached on: a sandbox's network listens on each of them, since only so the destination is exact. */
export function portsOf({ allow, ports, vouched = [] }: EgressPolicy): readonly number[] {
  return [...new Set([...ports, ...[...allow, ...vouched].flatMap(({ port }) => port ?? [])])].sort((a, b) => a - b);
}

/** May this name be reached at all, on whichever port? */
export function decideName(policy: EgressPolicy, name: string): Decision {
  const denied = policy.deny.find((rule) => rule.port === null && matchesName(rule.pattern, name));
  if (denied) return nameDenied(name, `deny ${denied.pattern}`);
  const allowed = policy.allow.find((rule) => matchesName(rule.pattern, name));
  if (!allowed) return nameDenied(name, `allow only ${shown(policy.allow)}`);
  return { ok: true, rule: `allow ${allowed.pattern}` };
}

/** May this name be reached on this port? */
export function decidePort(policy: EgressPolicy, name: string, port: number): Decision {
  if (isVouched(policy, name, port)) return { ok: true, rule: vouchedRule };
  const byName = decideName(policy, name);
  if (!byName.ok) return byName;
  const denied = policy.deny.find((rule) => rule.port === port && matchesName(rule.pattern, name));
  if (denied) return portDenied(name, port, `deny ${denied.pattern}:${port}`);
  const own = policy.allow.find((rule) => rule.port === port && matchesName(rule.pattern, name));
  if (own) return { ok: true, rule: `allow ${own.pattern}:${port}` };
  const any = policy.allow.find((rule) => rule.port === null && matchesName(rule.pattern, name));
  if (any && policy.ports.includes(port)) return { ok: true, rule: `allow ${any.pattern} on port ${port}` };
  const ports = any
    ? policy.ports
    : policy.allow.flatMap((rule) => (matchesName(rule.pattern, name) ? (rule.port ?? []) : []));
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

/** Does the app's own Space keep to this name and port? Null: to all that the operator allows. */
export function decideReach(reach: readonly NameRule[] | null, name: string, port: number): Decision {
  if (reach === null) return { ok: true, rule: "" };
  const named = reach.filter(({ pattern }) => matchesName(pattern, name));
  if (named.some((rule) => rule.port === null || rule.port === port)) return { ok: true, rule: "" };
  const rule = `reach ${reach.length === 0 ? reachWords.none : shown(reach)}`;
  const what = named.length === 0 ? name : `port ${port} of ${name}`;
  return {
    ok: false,
    code: named.length === 0 ? "egress/name-denied" : "egress/port-denied",
    rule,
    says: `${what} may not be reached from here, by the Space's own setting "${rule}"`,
  };
}

function isVouched({ vouched = [] }: EgressPolicy, name: string, port: number): boolean {
  return vouched.some((rule) => rule.pattern === name && rule.port === port);
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
  return clipped(rules.map(ruleSays).join(", "));
}

function clipped(text: string): string {
  if (text === "") return "nothing";
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
}
