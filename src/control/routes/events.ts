/** `GET /api/events`: what changed, for whoever shows the platform; strangers hear of what anybody may know. */
import type { Change } from "../../contract/changes.ts";
import { addressOf, knownCaller, mayKnowOf, refuse } from "../api.ts";
import type { ApiContext, Route } from "../api.ts";
import { changeStream, type Listener } from "../change-stream.ts";
import { answerLog, events } from "../log-answers.ts";
import type { LogFormat } from "../log-answers.ts";
import type { Server } from "../server.ts";

/** Each holds a connection; a browser has one, however many of its tabs show the console. */
const listenersMax = 500;
/** Of one account, or of one address without one. */
const listenersOfOneMax = 20;

const format: LogFormat<Change> = {
  headers: events.headers,
  lines: (changes) => changes.map(eventOf).join(""),
  alive: events.alive,
  end: "",
};

export const eventsRoute: Route = (api, server) => {
  const open = new Map<string, number>();
  api.get("/api/events", (c) => {
    const caller = knownCaller(c);
    const who = caller === null ? `address:${addressOf(c) ?? ""}` : caller.account;
    if (server.changes.listening >= listenersMax || (open.get(who) ?? 0) >= listenersOfOneMax)
      return refuse(c, "capacity/rate-limited", {
        detail: `${listenersMax} listen to events, ${listenersOfOneMax} of one account or address, are the most.`,
      });
    const gone = new AbortController();
    const signal = AbortSignal.any([c.req.raw.signal, gone.signal]);
    const listener: Listener = { caller, knowsOf: (space) => knowsOf(c, server, space) };
    return answerLog(changeStream(server, listener, afterOf(c), signal), {
      format,
      limit: Number.POSITIVE_INFINITY,
      now: () => server.clock.monotonic(),
      begun: () => void open.set(who, (open.get(who) ?? 0) + 1),
      ended() {
        gone.abort();
        const left = (open.get(who) ?? 1) - 1;
        if (left > 0) open.set(who, left);
        else open.delete(who);
      },
    });
  });
};

/** Also of one that is there no more: its name is gone by then, and nothing is left to know. */
function knowsOf(c: ApiContext, server: Server, space: string): boolean {
  const row = server.spaces.get(space);
  return row !== undefined && mayKnowOf(c, row);
}

function afterOf(c: ApiContext): number | null {
  const asked = c.req.header("last-event-id") ?? c.req.query("after") ?? "";
  return /^\d{1,15}$/.test(asked) ? Number(asked) : null;
}

function eventOf({ type, ...change }: Change): string {
  const id = "index" in change ? `id: ${change.index}\n` : "";
  return `${id}event: ${type}\ndata: ${JSON.stringify(change)}\n\n`;
}
