/** The cookie of a handed-over session in a request, and whether a page of somebody else's makes the browser send it. Pure. */
import { cookieIn, frameCookieName, framePlace, visitCookieName } from "../contract/hand-over.ts";
import { fieldOf } from "./names.ts";

export interface VisitShown {
  readonly value: string;
  /** What it has to be signed for: the host or the Space's own port, or {@link framePlace}. */
  readonly place: string;
  /** Why the request is not taken for the app's own or its visitor's; undefined where it is. */
  readonly foreign: string | undefined;
}

export interface FromBrowser {
  readonly method: string;
  /** name, value, name, value… */
  readonly rawHeaders: readonly string[];
  readonly cookie: string | undefined;
  /** `https://host:port`, as the visitor wrote it. */
  readonly origin: string;
  readonly place: string;
}

/** That of a frame goes before that of a window: where a browser sends both, it was given last. */
export function visitShown(request: FromBrowser): VisitShown | undefined {
  const { cookie, place, rawHeaders } = request;
  const framed = cookieIn(cookie, frameCookieName);
  const foreign = (): string | undefined => foreignSays(request);
  if (framed !== undefined) {
    // Other sites' requests carry it (`SameSite=None`): a browser that does not say where a request comes from has no use of it.
    const isTold = fieldOf(rawHeaders, "sec-fetch-site") !== undefined;
    return { value: framed, place: framePlace(place), foreign: isTold ? foreign() : noSite };
  }
  const value = cookieIn(cookie, visitCookieName(place));
  return value === undefined ? undefined : { value, place, foreign: foreign() };
}

const noSite = "The visitor's cookie of a frame came without `Sec-Fetch-Site`, so nobody knows which page asked.";

/**
 * Other Spaces' pages are of the same site where the apps' domain is on no public suffix list, so `SameSite` does not keep them apart; and
 * a WebSocket is read by whoever opens it. Browsers say where a request comes from (W3C Fetch Metadata §2.3; Fetch §3.2): from the app's
 * own pages, from nowhere, or it is a link that somebody follows in a window of its own (in a frame others' pages could have it clicked at).
 */
function foreignSays({ method, rawHeaders, origin }: FromBrowser): string | undefined {
  const site = fieldOf(rawHeaders, "sec-fetch-site");
  const from = fieldOf(rawHeaders, "origin");
  if (site === "same-origin" || site === "none") return undefined;
  if (site !== undefined && method === "GET" && isOfWindow(rawHeaders)) return undefined;
  if (site === undefined && (from === undefined || from === origin)) return undefined;
  return `A page of ${from ?? site ?? "another site"} asked with the visitor's cookie.`;
}

/** A page that a browser is to show in a window of its own: in no frame, and no script's. */
export function isOfWindow(rawHeaders: readonly string[]): boolean {
  return fieldOf(rawHeaders, "sec-fetch-mode") === "navigate" && fieldOf(rawHeaders, "sec-fetch-dest") === "document";
}
