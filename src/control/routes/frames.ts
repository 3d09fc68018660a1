/**
 * An app in a frame of the console knows who is signed in there. `POST /api/spaces/OWNER/NAME/frame` gives the console the frame's address,
 * with a ticket; `/.waybill/frame` at the app's address takes it for a cookie of that frame, unseen by the app, and goes on by itself: a
 * step of the address's own, where a redirect would still be the console's. The app refuses what other pages ask (edge/visit-cookie.ts),
 * so nobody else's frame gets there.
 */
import { z } from "zod";
import {
  cookieIn,
  frameCookieAttributes,
  frameCookieName,
  framePlace,
  handOverPaths,
} from "../../contract/hand-over.ts";
import type { FrameView } from "../../contract/hand-over.ts";
import type { Code } from "../../evidence/codes.ts";
import { escapeHtml, problemOf, proseHtml, wholeHtml } from "../../http/index.ts";
import type { ApiContext, Route } from "../api.ts";
import { originOf, refuse, signedIn } from "../api.ts";
import { jsonBody } from "../json-body.ts";
import { page, pageHeaders } from "../pages.ts";
import type { Server } from "../server.ts";
import { knownSpace, noSpace } from "./asked-space.ts";
import { noPlace, placeOf, sent } from "./hand-over.ts";
import { isInsecureAt } from "./login.ts";

/** Which of the Space's addresses stands in the frame. */
export const frameBody = z.strictObject({ address: z.string().min(1).max(300) });

export const framesRoute: Route = (api, server) => {
  api.post("/api/spaces/:owner/:name/frame", async (c) => {
    const caller = signedIn(c);
    if (caller instanceof Response) return caller;
    const wish = await jsonBody(c, frameBody);
    if (wish instanceof Response) return wish;
    if (caller.via.kind !== "session")
      return refuse(c, "control/conflict", {
        detail: "A token has no frame: it is for who is signed in at the console.",
      });
    const { owner, name } = c.req.param();
    const row = knownSpace(c, server);
    if (row === undefined) return noSpace(c, `${owner}/${name}`);
    const at = placeOf(server, wish.address);
    if (at === undefined || server.spaces.at(at.place) !== row.id)
      return refuse(c, "control/invalid", { detail: `${wish.address} is no address of ${row.id}.` });
    if (at.place.startsWith(":"))
      return refuse(c, "control/conflict", {
        detail: "A Space that is told apart by its port shares the console's host.",
      });
    if (isInsecureAt(at.origin))
      return refuse(c, "identity/insecure", {
        detail: `Browsers keep no cookie of a frame at ${at.origin}, without TLS.`,
      });
    const console = new URL(originOf(c)).origin;
    const ticket = server.handOvers.giveFrame({ session: caller.via.id, place: at.place, console });
    const url = `${at.origin}${handOverPaths.frame}?${new URLSearchParams({ ticket, console }).toString()}`;
    return c.json({ url } satisfies FrameView);
  });

  api.get(handOverPaths.frame, (c) => {
    const at = placeOf(server, originOf(c));
    const ticket = c.req.query("ticket");
    const console = consoleOf(server, c.req.query("console"));
    if (at === undefined || console === undefined) return noPlace(c);
    // Who sends somebody else's browser here with a ticket of their own would have it visit as them: the console's page says that it did.
    if (!isFrame(c))
      return framed(c, { code: "identity/cross-site", says: "It is for a frame of the console.", console });
    if (ticket === undefined) {
      const isKept = cookieIn(c.req.header("cookie"), frameCookieName) !== undefined;
      return isKept ? sent("/") : notKept(console);
    }
    const from = c.req.header("referer");
    const isOurs = from !== undefined && URL.canParse(from) && new URL(from).origin === console;
    const session = server.handOvers.takeFrame(ticket, { place: at.place, console });
    if (session === undefined || !isOurs)
      return framed(c, {
        code: "identity/bad-ticket",
        says: "Its ticket was for another frame, or is over: show the app again.",
        console,
      });
    const visit = server.signVisit({ session, place: framePlace(at.place) });
    const onward = `${handOverPaths.frame}?${new URLSearchParams({ console }).toString()}`;
    const headers = new Headers(framedBy(console));
    headers.append("set-cookie", `${frameCookieName}=${visit}; ${frameCookieAttributes}`);
    return new Response(page("Waybill", `<p><a href="${wholeHtml(onward)}">Go on</a></p>`, { onward }), { headers });
  });
};

/** As browsers say it that keep such a cookie (W3C Fetch Metadata §2.1). */
function isFrame(c: ApiContext): boolean {
  return c.req.header("sec-fetch-mode") === "navigate" && c.req.header("sec-fetch-dest") === "iframe";
}

/** One of the console's own origins; nobody else may have our pages in a frame. */
function consoleOf(server: Server, asked = ""): string | undefined {
  const console = new URL(server.consoleUrl());
  const at = URL.canParse(asked) ? new URL(asked) : undefined;
  if (at?.protocol !== console.protocol || at.port !== console.port || !server.isConsole(at.hostname)) return undefined;
  return at.origin;
}

/** The browser keeps no cookies of frames at all. */
function notKept(console: string): Response {
  const says =
    "This browser keeps no cookies of frames, so in this one the app counts you by your address. *Own tab*, above, opens it where it knows you.";
  const body = `<h1>Not signed in in this frame</h1><p class="panel">${proseHtml(says)}</p><p><a href="/">Go on as a stranger</a></p>`;
  return new Response(page("Waybill", body), { headers: framedBy(console) });
}

function framed(
  c: ApiContext,
  { code, says, console }: { readonly code: Code; readonly says: string; readonly console: string },
): Response {
  const { title, status } = problemOf(code);
  const body = `<h1>${escapeHtml(title)}</h1><p class="panel failed">${proseHtml(says)}</p><p class="muted"><code>${escapeHtml(code)}</code>, <code>${escapeHtml(c.get("requestId"))}</code></p>`;
  return new Response(page("Waybill", body), { status, headers: framedBy(console) });
}

function framedBy(console: string): Readonly<Record<string, string>> {
  const policy = pageHeaders["content-security-policy"] ?? "";
  return {
    ...pageHeaders,
    "content-security-policy": policy.replace("frame-ancestors 'none'", `frame-ancestors ${console}`),
    // The ticket in an address is for nobody's record of where a visitor came from.
    "referrer-policy": "no-referrer",
  };
}
