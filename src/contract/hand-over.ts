/** A session at the console handed over to an app's address: the paths there that are the platform's, and the cookie that is left. */

/** On every address of a Space, and where there is none: they never reach an app. */
export const handOverPaths = {
  /** Begins it, `?to=/PATH` afterwards. */
  signIn: "/.waybill/sign-in",
  /** Comes back with a ticket. */
  enter: "/.waybill/enter",
  signOut: "/.waybill/sign-out",
  /** Takes the console's ticket for a frame; without one, goes on to the app where its cookie was kept. */
  frame: "/.waybill/frame",
} as const;

/** Of the console: gives the ticket to who is signed in there. */
export const ticketPath = "/hand-over";

const ofHandOver: ReadonlySet<string> = new Set(Object.values(handOverPaths));

/** By the exact path: what would be another one after it is normalised is the app's. */
export function isHandOver(target: string): boolean {
  if (!target.startsWith("/.waybill/")) return false;
  const query = target.indexOf("?");
  return ofHandOver.has(query < 0 ? target : target.slice(0, query));
}

/** Cookies know no ports (RFC 6265 §8.5): where Spaces share a host, each has its own. `place`: a host, or `:PORT`. */
export function visitCookieName(place: string): string {
  return place.startsWith(":") ? `${visitCookie}-${place.slice(1)}` : visitCookie;
}

/** Of an app in a frame of the console: the place that its visit is signed for, which no other cookie's is. */
export function framePlace(place: string): string {
  return `frame ${place}`;
}

/** An address by which a frame of the console shows a Space to whoever is signed in there. Good once, for a minute, in that frame. */
export interface FrameView {
  readonly url: string;
}

/** As it begins: the edge takes all of those out of what apps see. */
const visitCookie = "__Host-waybill-visit";

/** What a browser demands of a cookie whose name begins with `__Host-` (RFC 6265bis §4.1.3.2), and what keeps it from scripts and other sites. */
export const hostCookieAttributes = "Path=/; Secure; HttpOnly; SameSite=Lax";

export const frameCookieName = "__Host-waybill-frame";
/** A frame's is another site's: it is kept apart for each site of the window's (CHIPS), and no script reads it. */
export const frameCookieAttributes = "Path=/; Secure; HttpOnly; SameSite=None; Partitioned";

/**
 * The one cookie of that name; two of them say two things, which is none that we set: `""`. Undefined where there is none. What other
 * programs take for a space (a byte A0 is one to `trim`) is part of a name: browsers keep such a name for whoever is beside this host.
 */
export function cookieIn(cookies: string | undefined, name: string): string | undefined {
  if (cookies === undefined || !cookies.includes(name)) return undefined;
  const values = cookies
    .split(";")
    .map((pair) => pair.replace(/^[ \t]+/, ""))
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
  return values.length > 1 ? "" : values[0];
}
