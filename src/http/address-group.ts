/** What counts as one address: as coarse as one household or machine gets them. */
import { isIP } from "node:net";

/**
 * `127.0.0.1` → `127.0.0.1`; an IPv4 address written as IPv6 is the same caller; other IPv6 addresses count by /64, since one line has
 * all of it: `2001:db8:1:2:3::4` → `2001:db8:1:2::/64`. Undefined where it is no address.
 */
export function addressGroup(remote: string | undefined): string | undefined {
  const address = remote?.replace(/%.*$/, "") ?? "";
  const family = isIP(address);
  if (family === 4) return address;
  if (family === 0) return undefined;
  const groups = expand(address);
  const [mapped, high = 0, low = 0] = [groups.slice(0, 6), groups[6], groups[7]];
  if (mapped.join() === "0,0,0,0,0,65535") return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  const network = groups.slice(0, 4).map((group) => group.toString(16));
  return `${network.join(":")}::/64`;
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
