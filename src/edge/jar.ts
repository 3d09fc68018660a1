/**
 * Cookies ignore ports (RFC 6265 §8.5): of Spaces that share a host, each would get the others'. Where a Space has a port of its own, its
 * cookies have a mark before their names on the way to the visitor, which is taken off on the way back, and no other cookie reaches it.
 * Pure.
 */

export interface CookieJar {
  /** The Space's own cookies of a `Cookie` value, as it set them; "" where there are none. */
  toApp(cookie: string): string;
  /** A `Set-Cookie` value under the Space's mark. */
  toVisitor(setCookie: string): string;
}

/**
 * `mark`: characters of a cookie's name that no page can guess: a script that knew it could set cookies for its neighbours. So that none
 * can read it either, every cookie is HttpOnly.
 */
export function cookieJar(mark: string): CookieJar {
  return {
    toApp: (cookie) =>
      cookie
        .split(";")
        .map((pair) => pair.trim())
        .filter((pair) => pair.startsWith(mark))
        .map((pair) => unmarked(pair.slice(mark.length)))
        .join("; "),
    toVisitor: (setCookie) => {
      const [pair = "", ...attributes] = setCookie.split(";");
      const kept = attributes.filter((attribute) => !isHttpOnly(attribute));
      const named = pair.includes("=") ? pair.trim() : `=${pair.trim()}`;
      return [`${mark}${named}`, ...kept, " HttpOnly"].join(";");
    },
  };
}

/** A cookie without a name comes back as its value alone (RFC 6265bis §5.7). */
function unmarked(pair: string): string {
  return pair.startsWith("=") ? pair.slice(1) : pair;
}

function isHttpOnly(attribute: string): boolean {
  return /^\s*httponly\s*(=|$)/i.test(attribute);
}
