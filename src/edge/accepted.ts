/** A request as the edge accepted it, and what its head alone decides. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import type { Code } from "../evidence/codes.ts";
import type { InsideCaller } from "../contract/egress.ts";
import { StreamSocket } from "./h2/stream-socket.ts";
import { callersTrace } from "./headers.ts";
import type { CookieJar } from "./jar.ts";
import type { Origin } from "./origin.ts";
import type { Pool, Reuse } from "./pool.ts";
import type { Asked, Credentials, SpaceRoute } from "./ports.ts";
import type { Screened } from "./screen.ts";
import { targetFacts } from "./redact.ts";
import type { Story } from "./story.ts";
import type { Upstream } from "./upstream.ts";
import { visitShown } from "./visit-cookie.ts";

/** The client's socket where the request asked for an upgrade, with the bytes that came after its head. */
export interface UpgradeEnd {
  readonly socket: Socket;
  readonly first: Buffer;
}

export interface Accepted {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly screened: Screened;
  readonly origin: Origin;
  /** What the directory was asked by: the host, or the Space's own port. */
  readonly asked: string;
  readonly jar: CookieJar | undefined;
  readonly route: SpaceRoute;
  readonly upgrade: UpgradeEnd | undefined;
  /** The replica that calls, where it came through the door for callers from inside. */
  readonly inside: InsideCaller | undefined;
  /** Answers as at a name that is nobody's: whoever may not know of a Space learns nothing. */
  readonly turnAway: TurnAway;
}

/** What a request on the direct way has done by the time that it becomes an exchange. */
export interface Begun {
  readonly story: Story;
  readonly pool: Pool;
  /** Undefined where its answer is written. */
  readonly upstream: Upstream | undefined;
  readonly line: number | undefined;
  readonly receivedBefore: number;
}

export type TurnAway = (code: Code, extra: TurnedAway) => void;

export interface TurnedAway {
  readonly detail?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly status?: number | undefined;
  readonly close?: boolean | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Asking extends Pick<Accepted, "screened" | "origin" | "asked" | "inside"> {
  readonly request: { readonly method?: string | undefined; readonly rawHeaders: readonly string[] };
}

/** What its head says of who sends it. */
export function credentialsOf(
  { request, screened, origin, asked, inside }: Asking,
  to: Asked | undefined,
): Credentials {
  const { authorization, xHfAuthorization, ipToken, cookie } = screened;
  const visit =
    cookie === undefined
      ? undefined
      : visitShown({
          ...{ method: request.method ?? "GET", rawHeaders: request.rawHeaders, cookie, place: asked },
          origin: `${origin.proto}://${screened.hostAsSent}`,
        });
  return { authorization, xHfAuthorization, ipToken, visit, address: origin.address, inside, to };
}

/** Of HTTP, as the visitor speaks it (for `Via`, RFC 9110 §7.6.3). */
export function versionOf({ socket, httpVersion }: IncomingMessage): "1.0" | "1.1" | "2" {
  if (socket instanceof StreamSocket) return "2";
  return httpVersion === "1.0" ? "1.0" : "1.1";
}

export function storyOf(
  { request, screened, origin, route, upgrade, inside }: Accepted,
  began: Pick<Story, "work" | "startedAt" | "acceptedAt">,
): Story {
  return {
    ...began,
    method: request.method ?? "GET",
    ...targetFacts(screened.target),
    host: screened.host,
    protocol: upgrade === undefined ? `HTTP/${versionOf(request)}` : "websocket",
    trace: callersTrace(screened.traceparent),
    space: route.space,
    ...(inside !== undefined && { inside }),
    ...(origin.proxy !== undefined && { proxy: origin.proxy }),
    ...(origin.id !== undefined && { proxyId: origin.id }),
    received: 0,
    bytes: 0,
    retried: 0,
    opened: false,
  };
}

/** Which connection may carry it. */
export function reuseOf(accepted: Accepted): Reuse {
  if (accepted.upgrade !== undefined) return "never";
  return isRepeatable(accepted) ? "any" : "recent";
}

/** RFC 9110 §9.2.2: it may be sent a second time when nothing of an answer came; without a body, since that is gone once read. */
function isRepeatable({ request, screened }: Accepted): boolean {
  const { method = "GET" } = request;
  return screened.framing.kind === "none" && (method === "GET" || method === "HEAD" || method === "OPTIONS");
}
