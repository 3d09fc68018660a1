/** Where a browser goes once it has signed in: a page of the console's own, whatever a link said. Pure. */

/** What is longer is not gone back to. */
export const returnPathMaxLength = 2_000;

/** The path and query that `next` names; `/` where it names anything but a page of `origin`, or the way in and out themselves. */
export function returnPath(next: string | undefined, origin: string): string {
  // "//host" and, to browsers, "/\host" are other sites; what they drop from an address (tabs, newlines) could make one of the rest.
  if (next === undefined || next.length > returnPathMaxLength || !/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(next))
    return "/";
  const url = URL.parse(next, origin);
  if (url === null || url.origin !== new URL(origin).origin) return "/";
  if (url.pathname === "/login" || url.pathname === "/logout" || url.pathname.startsWith("//")) return "/";
  return `${url.pathname}${url.search}`;
}
