/** The account of a caller without one: their network address, as coarse as one household or machine gets them. */
import { isIP } from "node:net";

/** `address:` is no name that an account can have. */
const prefix = "address:";
/** A connection that closed before it was asked tells no address. */
const unknown = `${prefix}unknown`;

/**
 * `127.0.0.1` → `address:127.0.0.1`; an IPv4 address written as IPv6 is the same caller; other IPv6 addresses count by /64,
 * since one line has all of it: `2001:db8:1:2:3::4` → `address:2001:db8:1:2::/64`.
 */
export function addressAccount(remote: string | undefined): string {
  const address = remote?.replace(/%.*$/, "") ?? "";
  const family = isIP(address);
  if (family === 4) return `${prefix}${address}`;
  if (family === 0) return unknown;
  const groups = expand(address);
  const [mapped, high = 0, low = 0] = [groups.slice(0, 6), groups[6], groups[7]];
  if (mapped.join() === "0,0,0,0,0,65535") {
    return `${prefix}${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  }
  return `${prefix}${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(":")}::/64`;
}

/** Whether the account stands for an address. */
export function isAddressAccount(account: string): boolean {
  return account.startsWith(prefix);
}

/** The eight groups of a valid IPv6 address. */
function expand(address: string): number[] {
  const [head = "", tail] = dotless(address).split("::");
  const front = groupsOf(head);
  const back = groupsOf(tail ?? "");
  return [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back];
}

function groupsOf(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

/** `::ffff:1.2.3.4` → `::ffff:102:304`. */
function dotless(address: string): string {
  return address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_whole, a, b, c, d) => {
    const pair = (high: string, low: string): string => ((Number(high) << 8) | Number(low)).toString(16);
    return `${pair(a, b)}:${pair(c, d)}`;
  });
}
