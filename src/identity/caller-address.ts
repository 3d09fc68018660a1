/** The account of a caller without one: their network address, as coarse as one household or machine gets them. */
import { addressGroup } from "../http/address-group.ts";

/** `address:` is no name that an account can have. */
const prefix = "address:";

/** `127.0.0.1` → `address:127.0.0.1`; an IPv6 address by its /64. */
export function addressAccount(remote: string | undefined): string {
  return `${prefix}${addressGroup(remote) ?? "unknown"}`;
}

/** Whether the account stands for an address. */
export function isAddressAccount(account: string): boolean {
  return account.startsWith(prefix);
}
