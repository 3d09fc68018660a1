/**
 * A Space's requests, for its owner and the operator. `GET /api/spaces/OWNER/NAME/requests`: what visitors asked and who answered, newest
 * first, or with `follow=1` as they end, as JSON Lines or server-sent events; `…/counts`: what is left of those that are no longer there.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { RequestFilter, RequestLine } from "../../contract/requests.ts";
import type { ApiContext, Route } from "../api.ts";
import { refuse, wholeNumber } from "../api.ts";
import { answerLog, events as logEvents, jsonLines } from "../log-answers.ts";
import type { LogFormat } from "../log-answers.ts";
import type { Server } from "../server.ts";
import { askedSpace } from "./asked-space.ts";

const pageSize = 50;
const pageMost = 500;
/** Logs of requests that are followed at once. */
const followersMax = 200;
const followEveryMs = 250;
/** Lines of one part. */
const partLines = 500;
const textMaxChars = 200;
const lastNumber = 999_999_999_999;

export const requestsRoute: Route = (api, server) => {
  const followers = { count: 0 };
  api.get("/api/spaces/:owner/:name/requests", async (c) => {
    const asked = askedSpace(c, server, "write");
    if (asked instanceof Response) return asked;
    const { space } = asked;
    const filter = filterOf(c);
    if (filter instanceof Response) return filter;
    if (c.req.query("follow") === "1") return follow(c, server, { space, filter, followers });
    const limit = wholeNumber(c.req.query("limit"), { min: 1, max: pageMost, otherwise: pageSize });
    return c.json(await server.listRequests({ space, filter, page: c.req.query("page"), limit }));
  });
  api.get("/api/spaces/:owner/:name/requests/counts", async (c) => {
    const asked = askedSpace(c, server, "write");
    if (asked instanceof Response) return asked;
    const { space } = asked;
    return c.json(await server.countsOfRequests({ space, page: c.req.query("page"), limit: pageMost }));
  });
};

const answerers = ["app", "edge", "nobody"] as const;

/** What the query asks for, or the answer that says what is wrong with it. */
function filterOf(c: ApiContext): RequestFilter | Response {
  const { status, who, account, method, since, until, path, grep, failed } = c.req.query();
  const wrong = (detail: string): Response => refuse(c, "control/invalid", { detail });
  if (status !== undefined && !/^[0-5]xx$/.test(status))
    return wrong(`status is "${status}"; write its first digit as in 5xx, or 0xx for what nobody answered.`);
  const by = answerers.find((one) => one === who);
  if (who !== undefined && by === undefined) return wrong(`who is "${who}"; it is one of ${answerers.join(", ")}.`);
  for (const [name, text] of Object.entries({ account, method, path, grep }))
    if (text !== undefined && (text === "" || text.length > textMaxChars))
      return wrong(`${name} is a text of 1 to ${textMaxChars} characters.`);
  for (const [name, text] of Object.entries({ since, until }))
    if (text !== undefined && Number.isNaN(Date.parse(text)))
      return wrong(`${name} is "${text}"; write an instant as 2026-11-22T12:00:00Z.`);
  return {
    ...(status !== undefined && { status: Number(status[0]) }),
    ...(by !== undefined && { who: by }),
    ...(account !== undefined && { account }),
    ...(method !== undefined && { method }),
    ...(since !== undefined && { since: new Date(since).toISOString() }),
    ...(until !== undefined && { until: new Date(until).toISOString() }),
    ...(path !== undefined && { path }),
    ...(grep !== undefined && { grep }),
    ...(failed === "1" && { failed: true }),
  };
}

interface Following {
  readonly space: string;
  readonly filter: RequestFilter;
  readonly followers: { count: number };
}

function follow(c: ApiContext, server: Server, { space, filter, followers }: Following): Response {
  if (followers.count >= followersMax)
    return refuse(c, "capacity/rate-limited", {
      detail: `${followersMax} logs of requests are being followed; try again in a moment.`,
    });
  const asked = c.req.header("last-event-id") ?? c.req.query("after") ?? "";
  const after = /^\d{1,12}$/.test(asked) ? Number(asked) : null;
  const gone = new AbortController();
  const signal = AbortSignal.any([c.req.raw.signal, gone.signal]);
  return answerLog(requestStream(server, { space, filter, after }, signal), {
    format: c.req.header("accept")?.includes("text/event-stream") === true ? events : jsonLines,
    limit: lastNumber,
    now: () => server.clock.monotonic(),
    begun: () => void (followers.count += 1),
    ended() {
      followers.count -= 1;
      gone.abort();
    },
  });
}

/** Read as fast as they are taken; a part without lines is a sign of life. */
async function* requestStream(
  server: Server,
  { space, filter, after }: { space: string; filter: RequestFilter; after: number | null },
  signal: AbortSignal,
): AsyncGenerator<readonly RequestLine[]> {
  let place = after;
  let readAt = -1;
  while (!signal.aborted) {
    const index = server.evidenceIndex();
    if (index !== readAt) {
      const found = await server.followRequests({ space, filter, after: place, limit: partLines });
      const first: RequestLine[] = place === null ? [{ type: "from", n: found.upTo }] : [];
      if (found.gone) first.push({ type: "note", n: place ?? 0, says: goneSays });
      place = found.upTo;
      yield [...first, ...found.items.map((view) => ({ type: "request", ...view }) as const)];
      if (found.more) continue;
      readAt = index;
    }
    await delay(followEveryMs, undefined, { signal }).catch(() => undefined); // The reader went away: the loop ends.
    yield [];
  }
}

const goneSays =
  "Some requests after this number are no longer there one by one: they are in the counts (waybill requests SPACE --counts).";

/** Who comes back with the last id as `Last-Event-ID` goes on after that request. */
const events: LogFormat<RequestLine> = {
  ...logEvents,
  lines: (lines) =>
    lines.map((line) => `id: ${line.n}\nevent: ${line.type}\ndata: ${JSON.stringify(line)}\n\n`).join(""),
};
