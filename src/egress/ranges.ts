/**
 * Which addresses the gateway never dials by itself: what is not on the public internet, and what answers about the machine.
 * Source: IANA's special-purpose address registries (RFC 6890 and its updates), and the addresses that clouds document.
 */
import { BlockList, isIP, isIPv4 } from "node:net";

export type AddressFamily = "ipv4" | "ipv6";

/** Why, by range. The documentation ranges are not among them: they are not private, and mirrors of package indexes use them. */
const denied: readonly (readonly [cidr: string, why: string])[] = [
  ["169.254.169.254/32", "a cloud's metadata service"],
  ["169.254.170.2/32", "a cloud's credentials service"],
  ["169.254.170.23/32", "a cloud's credentials service"],
  ["100.100.100.200/32", "a cloud's metadata service"],
  ["192.0.0.192/32", "a cloud's metadata service"],
  ["168.63.129.16/32", "a cloud's host service"],
  ["fd00:ec2::254/128", "a cloud's metadata service"],
  ["fd20:ce::254/128", "a cloud's metadata service"],
  ["0.0.0.0/8", "this network"],
  ["10.0.0.0/8", "private"],
  ["100.64.0.0/10", "shared address space"],
  ["127.0.0.0/8", "loopback"],
  ["169.254.0.0/16", "link-local"],
  ["172.16.0.0/12", "private"],
  ["192.0.0.0/24", "protocol assignments"],
  ["192.88.99.0/24", "6to4 relays"],
  ["192.168.0.0/16", "private"],
  ["198.18.0.0/15", "benchmarks"],
  ["224.0.0.0/4", "multicast"],
  ["240.0.0.0/4", "reserved"],
  ["2001::/32", "Teredo, which hides an IPv4 address"],
  ["2002::/16", "6to4, which hides an IPv4 address"],
  ["2001:10::/28", "ORCHID"],
  ["2001:20::/28", "ORCHIDv2"],
];

const deniedLists = denied.map(([cidr, why]) => ({ list: rangeOf(cidr), why, cidr }));
const globalUnicast6 = rangeOf("2000::/3");

export interface Ranges {
  has(address: string): boolean;
}

/** `10.1.0.0/16`, `fd12::/48` or a single address; undefined where it is none. */
export function parseRange(text: string): Ranges | undefined {
  const [address = "", prefix, ...rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return undefined;
  const bits = version === 4 ? 32 : 128;
  if (prefix !== undefined && (!/^\d{1,3}$/.test(prefix) || Number(prefix) > bits)) return undefined;
  const list = rangeOf(`${address}/${prefix ?? bits}`);
  return { has: (one) => isIP(one) !== 0 && list.check(one, familyOf(one)) };
}

/** Why this address is not dialled; null: it may be. `exceptions` are the operator's own. */
export function deniedBecause(address: string, exceptions: readonly Ranges[] = []): string | null {
  if (isIP(address) === 0) return "no address";
  // An address may also be written as IPv4 within IPv6, which says the same: RFC 4291 §2.5.5.2.
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const plain = mapped ?? address;
  if (exceptions.some((range) => range.has(plain))) return null;
  const family = familyOf(plain);
  const found = deniedLists.find(({ list }) => list.check(plain, family));
  if (found) return `${found.why}, ${found.cidr}`;
  // What embeds an IPv4 address by NAT64 (64:ff9b::/96) or otherwise is outside of global unicast too.
  if (family === "ipv6" && !globalUnicast6.check(plain, family)) return "not global unicast, 2000::/3";
  return null;
}

function familyOf(address: string): AddressFamily {
  return isIPv4(address) ? "ipv4" : "ipv6";
}

function rangeOf(cidr: string): BlockList {
  const [address = "", prefix = ""] = cidr.split("/");
  const list = new BlockList();
  list.addSubnet(address, Number(prefix), familyOf(address));
  return list;
}
