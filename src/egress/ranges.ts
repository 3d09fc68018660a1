/**
 * Which addresses the gateway never dials by itself: what is not on the public internet, and what answers about the machine.
 * Source: IANA's special-purpose address registries (RFC 6890 and its updates), and the addresses that clouds document.
 */
import { BlockList, isIP, isIPv4 } from "node:net";

/** Addresses that an operator names. */
export interface AddressRange {
  /** As it was written: `10.1.0.0/16`, `fd12::/48`, `10.1.2.3`. */
  readonly text: string;
  /** One address and no other. */
  readonly single: boolean;
  has(address: string): boolean;
}

export interface AddressJudgement {
  readonly ok: boolean;
  /** What decided, in the operator's words or in those of the registry. */
  readonly rule: string;
}

/** What answers about the machine itself. Only an exception that names exactly this address opens it: no range does by accident. */
const machines: readonly Row[] = [
  ["169.254.169.254/32", "a cloud's metadata service"],
  ["169.254.170.2/32", "a cloud's credentials service"],
  ["169.254.170.23/32", "a cloud's credentials service"],
  ["169.254.42.42/32", "a cloud's metadata service"],
  ["100.100.100.200/32", "a cloud's metadata service"],
  ["192.0.0.192/32", "a cloud's metadata service"],
  ["168.63.129.16/32", "a cloud's host service"],
  ["fd00:ec2::254/128", "a cloud's metadata service"],
  ["fd00:ec2::23/128", "a cloud's credentials service"],
  ["fd20:ce::254/128", "a cloud's metadata service"],
  ["fd00:c1::a9fe:a9fe/128", "a cloud's metadata service"],
];

/** IPv4 is global minus these. The documentation ranges are not among them: docs/decisions/0008. */
const special4: readonly Row[] = [
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
  ["255.255.255.255/32", "broadcast"],
  ["240.0.0.0/4", "reserved"],
];

/** IPv6 is 2000::/3 minus the part of these that lies in it; the others are here for their names. */
const special6: readonly Row[] = [
  ["::/128", "no address"],
  ["::1/128", "loopback"],
  ["::ffff:0:0/96", "IPv4 within IPv6"],
  ["64:ff9b::/96", "NAT64, which hides an IPv4 address"],
  ["64:ff9b:1::/48", "NAT64, which hides an IPv4 address"],
  ["2001::/32", "Teredo, which hides an IPv4 address"],
  ["2001::/23", "protocol assignments"],
  ["2001:db8::/32", "documentation"],
  ["2002::/16", "6to4, which hides an IPv4 address"],
  ["3fff::/20", "documentation"],
  ["fc00::/7", "private"],
  ["fe80::/10", "link-local"],
  ["ff00::/8", "multicast"],
];

type Row = readonly [cidr: string, why: string];

const machineLists = machines.map(listed);
const special4Lists = special4.map(listed);
const special6Lists = special6.map(listed);
const globalUnicast = "2000::/3";
const globalUnicastList = listOf(globalUnicast);

/** `10.1.0.0/16`, `fd12::/48` or a single address; undefined where it is none. */
export function parseRange(text: string): AddressRange | undefined {
  const [address = "", prefix, ...rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || address.includes("%") || rest.length > 0) return undefined;
  const bits = version === 4 ? 32 : 128;
  if (prefix !== undefined && (!/^\d{1,3}$/.test(prefix) || Number(prefix) > bits)) return undefined;
  const length = Number(prefix ?? bits);
  const list = listOf(`${address}/${length}`);
  // A list of one family is asked about that family only.
  return { text, single: length === bits, has: (one) => isIP(one) === version && list.check(one, familyOf(one)) };
}

/** Whether this address may be dialled, and by which rule. `exceptions` are the operator's own. Whatever the text is, it is answered. */
export function judgeAddress(address: string, exceptions: readonly AddressRange[] = []): AddressJudgement {
  if (isIP(address) === 0 || address.includes("%")) return { ok: false, rule: "no address" };
  const plain = unmapped(address);
  const family = familyOf(plain);
  const machine = machineLists.find(({ list }) => list.check(plain, family));
  const exception = exceptions.find((range) => range.has(plain) && (machine === undefined || range.single));
  if (exception) return { ok: true, rule: `the operator's range ${exception.text}` };
  const found =
    machine ?? (family === "ipv4" ? special4Lists : special6Lists).find(({ list }) => list.check(plain, family));
  if (found) return { ok: false, rule: `${found.why}, ${found.cidr}` };
  if (family === "ipv6" && !globalUnicastList.check(plain, family))
    return { ok: false, rule: `not global unicast, ${globalUnicast}` };
  return { ok: true, rule: "a public address" };
}

/** An IPv4 address may also be written within IPv6, which says the same (RFC 4291 §2.5.5.2). In hexadecimal it stays IPv6, and is denied as such. */
function unmapped(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv4(address) ? "ipv4" : "ipv6";
}

function listed([cidr, why]: Row): { readonly list: BlockList; readonly cidr: string; readonly why: string } {
  return { list: listOf(cidr), cidr, why };
}

function listOf(cidr: string): BlockList {
  const [address = "", prefix = ""] = cidr.split("/");
  const list = new BlockList();
  list.addSubnet(address, Number(prefix), familyOf(address));
  return list;
}
