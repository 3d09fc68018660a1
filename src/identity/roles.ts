/** What members of an organisation may do to what it owns: the one table, read by every route and by git's addresses. */

/** As the Hub names them. */
export const memberRoles = ["read", "contributor", "write", "admin"] as const;
export type MemberRole = (typeof memberRoles)[number];

/**
 * `read`: its Spaces with their builds, releases and events. `write`: change, start and stop them, read their logs, requests and the
 * names of their secrets. `admin`: their budgets, the organisation's quota and calls, and its members.
 */
export type Right = "read" | "write" | "admin";

export const rightsOf: Readonly<Record<MemberRole, readonly Right[]>> = {
  read: ["read"],
  // And `write` to the Spaces that it made.
  contributor: ["read"],
  write: ["read", "write"],
  admin: ["read", "write", "admin"],
};

/** `made`: the Space is its own work, or is not there yet. */
export function roleMay(role: MemberRole, right: Right, { made }: { readonly made: boolean }): boolean {
  return rightsOf[role].includes(right) || (role === "contributor" && right === "write" && made);
}
