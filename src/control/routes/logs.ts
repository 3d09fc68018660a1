/**
 * Logs, for a Space's owner and the operator. `GET /api/spaces/OWNER/NAME/logs`: the newest replica's from its node (where the one before
 * ended by itself, also that one's), or that of `replica=`; `GET /api/builds/ID/log`. Both as JSON Lines, as server-sent events where
 * those are asked for, or with `download=1` as a text; and in the Hub's form `…/logs/run` and `…/logs/build`.
 */
import type { LogFind, LogLine } from "../../contract/agent.ts";
import type { ApiContext, Route } from "../api.ts";
import { refuse, wholeNumber } from "../api.ts";
import { answerLog, events, hubEvents, jsonLines, textFile, type LogFormat } from "../log-answers.ts";
import { buildLogStream, findReplica, spaceLogStream, tailMax, type LogWish, type Shown } from "../log-streams.ts";
import type { Server } from "../server.ts";
import { trimmedSays } from "../build-story.ts";
import { askedSpace } from "./asked-space.ts";
import { buildOf } from "./builds.ts";

/** Logs that are read at once: each follows with four questions a second to its node. */
const readersMax = 500;
const grepMaxChars = 200;
const lastNumber = 1_000_000_000;
const sources: readonly LogLine["source"][] = ["app", "build", "gpu", "edge", "egress", "runtime"];
const hubWish: LogWish = { find: {}, from: 1, tail: undefined, limit: Number.POSITIVE_INFINITY, follow: true };

type Parts = AsyncIterable<readonly LogLine[]>;

export const logsRoute: Route = (api, server) => {
  const readers = { count: 0 };
  /** Answers with what `open` reads, unless too many read already. */
  const answer = (
    c: ApiContext,
    open: (signal: AbortSignal) => Parts,
    { format, limit }: { format: LogFormat; limit: number },
  ): Response => {
    if (readers.count >= readersMax)
      return refuse(c, "capacity/rate-limited", {
        detail: `${readersMax} logs are being read; try again in a moment.`,
      });
    const gone = new AbortController();
    const parts = open(AbortSignal.any([c.req.raw.signal, gone.signal]));
    return answerLog(parts, {
      format,
      limit,
      now: () => server.clock.monotonic(),
      begun: () => void (readers.count += 1),
      ended() {
        readers.count -= 1;
        gone.abort();
      },
    });
  };

  api.get("/api/spaces/:owner/:name/logs", async (c) => {
    const named = askedSpace(c, server, "write");
    if (named instanceof Response) return named;
    const { space } = named;
    const wish = wishOf(c);
    if (wish instanceof Response) return wish;
    const asked = c.req.query("replica");
    const before = placeOf(c.req.header("last-event-id"))?.replica;
    const start = await replicaOf(server, space, before ?? asked);
    const awaited = start || !wish.follow ? undefined : before;
    if (!start && asked !== undefined) {
      // Not before a node was heard of it can be told that none has it.
      const isStarting = server.nodes.all.length === 0;
      if (!isStarting) return refuse(c, "control/not-found", { detail: `${space} has no replica ${asked} any more.` });
      const detail = `No node has come back yet since the platform was started, so nobody knows of ${space}'s replica ${asked}.`;
      if (awaited === undefined) return refuse(c, "route/control-down", { detail });
    }
    // Who comes back for a replica that is forgotten begins anew.
    const from = !start && before !== undefined && awaited === undefined ? 1 : wish.from;
    const all = { ...wish, from, space, start, awaited, only: asked !== undefined };
    return answer(c, (signal) => spaceLogStream(server, all, signal), {
      format: formatOf(c, space),
      limit: wish.limit,
    });
  });
  api.get("/api/builds/:id/log", async (c) => {
    const found = await buildOf(c, server);
    if (found instanceof Response) return found;
    const wish = wishOf(c);
    if (wish instanceof Response) return wish;
    if (found.row.trimmedAt !== undefined)
      return refuse(c, "control/not-found", { detail: trimmedSays(found.row.id, found.row.trimmedAt) });
    const log = await server.builds.log(found.row.id);
    const format = formatOf(c, found.row.id);
    return answer(c, (signal) => buildLogStream(log, wish, signal), { format, limit: wish.limit });
  });
  api.get("/api/spaces/:owner/:name/logs/run", (c) => {
    const named = askedSpace(c, server, "write");
    if (named instanceof Response) return named;
    const { space } = named;
    const wish = { ...hubWish, space, start: undefined, only: false, untilDown: true };
    return answer(c, (signal) => spaceLogStream(server, wish, signal), { format: hubEvents, limit: wish.limit });
  });
  api.get("/api/spaces/:owner/:name/logs/build", async (c) => {
    const named = askedSpace(c, server, "write");
    if (named instanceof Response) return named;
    const { space } = named;
    const [build] = await server.catalog.builds.list(space, 1);
    const log = build && (await server.builds.log(build.id));
    const open = (signal: AbortSignal): Parts => (log ? buildLogStream(log, hubWish, signal) : nothing());
    return answer(c, open, { format: hubEvents, limit: hubWish.limit });
  });
};

/** What the query asks for, or the answer that says what is wrong with it. */
function wishOf(c: ApiContext): LogWish | Response {
  const { grep, source, since, tail } = c.req.query();
  const wrong = (detail: string): Response => refuse(c, "control/invalid", { detail });
  if (grep !== undefined && (grep === "" || grep.length > grepMaxChars))
    return wrong(`grep is a text of 1 to ${grepMaxChars} characters.`);
  const known = sources.find((one) => one === source);
  if (source !== undefined && known === undefined)
    return wrong(`source is "${source}"; it is one of ${sources.join(", ")}.`);
  const at = Date.parse(since ?? "");
  if (since !== undefined && Number.isNaN(at))
    return wrong(`since is "${since}"; write an instant as 2026-11-22T12:00:00Z.`);
  const find: LogFind = {
    ...(grep === undefined ? {} : { grep }),
    ...(known === undefined ? {} : { source: known }),
    ...(since === undefined ? {} : { since: new Date(at).toISOString() }),
  };
  const before = placeOf(c.req.header("last-event-id"));
  const otherwise = before ? before.n + 1 : 1;
  return {
    find,
    from: before ? otherwise : wholeNumber(c.req.query("from"), { min: 1, max: lastNumber, otherwise }),
    tail: tail === undefined || before ? undefined : wholeNumber(tail, { min: 1, max: tailMax, otherwise: tailMax }),
    limit: wholeNumber(c.req.query("limit"), { min: 1, max: lastNumber, otherwise: lastNumber }),
    follow: c.req.query("follow") === "1",
  };
}

/** `12`, or in a Space's log `p_…:12`, as our own events are numbered; anything else is nobody's. */
function placeOf(
  lastEventId: string | undefined,
): { readonly replica: string | undefined; readonly n: number } | undefined {
  const [, replica, n] = /^(?:(p_\w{1,40}):)?(\d{1,10})$/.exec(lastEventId ?? "") ?? [];
  return n === undefined ? undefined : { replica, n: Number(n) };
}

function formatOf(c: ApiContext, name: string): LogFormat {
  if (c.req.query("download") === "1") return textFile(name);
  return c.req.header("accept")?.includes("text/event-stream") ? events : jsonLines;
}

/** The replica that is asked for, if it is this Space's: `previous`, the newest that has ended, or by its id. */
async function replicaOf(server: Server, space: string, asked: string | undefined): Promise<Shown | undefined> {
  if (asked === undefined) return undefined;
  if (asked !== "previous") return findReplica(server, space, asked);
  const ended = server.replicas
    .of(space)
    .findLast(({ status }) => ["exited", "lost", "stopped"].includes(status.phase));
  return ended && { replica: ended.status.replica, node: ended.node };
}

async function* nothing(): AsyncGenerator<readonly LogLine[]> {}
