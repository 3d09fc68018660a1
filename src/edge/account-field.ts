/** `X-Waybill-Account`: as whom a request was counted, for whoever made it. Pure. */
import { isShared } from "./replica-cookie.ts";
import type { IdentityRefusal, Visitor } from "./ports.ts";

export const accountField = "x-waybill-account";

/**
 * An item of RFC 9651: the account, with how it is known. A name is a token where it begins as one may (§3.3.4), else a string, as names
 * in `Proxy-Status` are; names and addresses have no character that either could not have.
 */
export function accountValue({ account, billedBy }: Pick<Visitor, "account" | "billedBy">): string {
  return `${/^[a-z]/.test(account) ? account : `"${account}"`};by=${billedBy}`;
}

/** Undefined where nobody was made out, and where caches may keep the answer for others (`rawHeaders`): it is for the caller alone. */
export function accountFieldOf(
  visitor: Visitor | IdentityRefusal | undefined,
  rawHeaders: readonly string[] = [],
): string | undefined {
  if (visitor === undefined || "refused" in visitor || isShared(rawHeaders)) return undefined;
  return accountValue(visitor);
}
