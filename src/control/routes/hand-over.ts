/**
 * From the console to an app's address without a cookie that both could read. At the app's address `/.waybill/sign-in` keeps a state in a
 * cookie of its own and sends the browser to `/hand-over` at the console, which sends who is signed in there back with a ticket;
 * `/.waybill/enter` takes the ticket for a cookie of the app's address, unseen by the app. `/.waybill/sign-out` takes that away.
 */
import {
  cookieIn,
  frameCookieAttributes,
  frameCookieName,
  handOverPaths,
  hostCookieAttributes,
  ticketPath,
  visitCookieName,
} from "../../contract/hand-over.ts";
import { portName } from "../../edge/ports.ts";
import { secretHash } from "../../identity/secret-text.ts";
import { lastsMs } from "../../identity/sessions.ts";
import type { ApiContext, Route } from "../api.ts";
import { originOf, refuse } from "../api.ts";
import type { Server } from "../server.ts";

const stateCookie = "__Host-waybill-state";
/** A person may have to sign in at the console meanwhile. */
const stateSeconds = 900;
/** SHA-256 in hexadecimal. */
const stateHash = /^[0-9a-f]{64}$/;
const pathMaxLength = 1_000;

export const handOverRoute: Route = (api, server) => {
  api.get(handOverPaths.signIn, (c) => {
    const at = placeOf(server, originOf(c));
    if (at === undefined) return noPlace(c);
    const state = `${server.handOvers.newState()}.${Buffer.from(pathOf(c.req.query("to"))).toString("base64url")}`;
    const to = new URL(ticketPath, server.consoleUrl());
    to.searchParams.set("at", at.origin);
    to.searchParams.set("state", secretHash(state));
    return sent(to.href, [`${stateCookie}=${state}; Max-Age=${stateSeconds}; ${hostCookieAttributes}`]);
  });

  api.get(ticketPath, (c) => {
    const [at, state] = [placeOf(server, c.req.query("at") ?? ""), c.req.query("state") ?? ""];
    if (at === undefined) return noPlace(c);
    if (!stateHash.test(state))
      return refuse(c, "control/invalid", { detail: "`state` is not what an app's address sends." });
    // In a frame, or by a script, it would be handed over without anybody's seeing it (W3C Fetch Metadata §2.1).
    if ((c.req.header("sec-fetch-dest") ?? "document") !== "document")
      return refuse(c, "identity/cross-site", { detail: "A session is handed over in a window of its own alone." });
    const caller = c.get("caller");
    if (caller?.via.kind !== "session") {
      const back = `${ticketPath}?${new URLSearchParams({ at: at.origin, state }).toString()}`;
      return sent(`/login?${new URLSearchParams({ next: back }).toString()}`);
    }
    const ticket = server.handOvers.give({ session: caller.via.id, place: at.place, stateHash: state });
    return sent(`${at.origin}${handOverPaths.enter}?${new URLSearchParams({ ticket }).toString()}`);
  });

  api.get(handOverPaths.enter, (c) => {
    const at = placeOf(server, originOf(c));
    if (at === undefined) return noPlace(c);
    const state = cookieIn(c.req.header("cookie"), stateCookie) ?? "";
    const session = server.handOvers.take(c.req.query("ticket") ?? "", { place: at.place, state });
    if (session === undefined) return refuse(c, "identity/bad-ticket");
    const visit = server.signVisit({ session, place: at.place });
    const [, path = ""] = state.split(".");
    return sent(pathOf(Buffer.from(path, "base64url").toString()), [
      `${stateCookie}=; Max-Age=0; ${hostCookieAttributes}`,
      `${visitCookieName(at.place)}=${visit}; Max-Age=${lastsMs / 1000}; ${hostCookieAttributes}`,
      noFrameCookie,
    ]);
  });

  api.get(handOverPaths.signOut, (c) => {
    const at = placeOf(server, originOf(c));
    if (at === undefined) return noPlace(c);
    return sent("/", [`${visitCookieName(at.place)}=; Max-Age=0; ${hostCookieAttributes}`, noFrameCookie]);
  });
};

/** Where console and apps are one site, a frame's cookie is a window's too. */
const noFrameCookie = `${frameCookieName}=; Max-Age=0; ${frameCookieAttributes}`;

/** An address of this platform's where a Space is or might be; `place` is what the edge finds it by. Nowhere else is anybody sent. */
export function placeOf(server: Server, text: string): { readonly origin: string; readonly place: string } | undefined {
  const console = new URL(server.consoleUrl());
  const at = URL.canParse(text) ? new URL(text) : undefined;
  if (at === undefined || at.protocol !== console.protocol) return undefined;
  const port = portName(Number(at.port));
  // A port of the console's own host is a Space's, where that has one.
  if (at.hostname === console.hostname)
    return server.spaces.at(port) === undefined ? undefined : { origin: at.origin, place: port };
  if (at.port !== console.port || server.isConsole(at.hostname)) return undefined;
  const isOurs = at.hostname.endsWith(`.${server.appsDomain}`) || server.spaces.at(at.hostname) !== undefined;
  return isOurs ? { origin: at.origin, place: at.hostname } : undefined;
}

/** A path of the same address: what browsers would read as another host's is none (WHATWG URL: `//`, and `\` as `/`). */
function pathOf(wished: string | undefined): string {
  return wished !== undefined && wished.length <= pathMaxLength && /^\/(?![/\\])[\x21-\x7e]*$/.test(wished)
    ? wished
    : "/";
}

export function noPlace(c: ApiContext): Response {
  return refuse(c, "control/not-found", { detail: "That is no address of a Space of this platform." });
}

/** 303: a GET, whatever led here. The ticket in an address is for nobody's record of where a visitor came from. */
export function sent(location: string, cookies: readonly string[] = []): Response {
  const headers = new Headers({ location, "cache-control": "no-store", "referrer-policy": "no-referrer" });
  for (const cookie of cookies) headers.append("set-cookie", cookie);
  return new Response(null, { status: 303, headers });
}
