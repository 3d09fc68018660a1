/** `GET /api/spaces/OWNER/NAME/logs`: the lines of the Space's newest replica, from its node (where the one before ended by itself, also that one's); with `follow=1` also the ones to come. */
import { setTimeout as delay } from "node:timers/promises";
import type { LogLine } from "../../contract/agent.ts";
import type { Route } from "../api.ts";
import { lines, ownerOf, refuse, wholeNumber } from "../api.ts";
import type { KnownReplica } from "../replicas.ts";
import type { Server } from "../server.ts";

const pageLines = 500;
/** How often a followed log asks its node for more. */
const followEveryMs = 250;

export const logsRoute: Route = (api, server) => {
  api.get("/api/spaces/:owner/:name/logs", (c) => {
    const { owner, name } = c.req.param();
    const caller = ownerOf(c, owner);
    if (caller instanceof Response) return caller;
    const space = `${owner}/${name}`;
    if (!server.spaces.get(space)) return refuse(c, "control/not-found", { detail: `There is no Space ${space}.` });
    const from = wholeNumber(c.req.query("from"), { min: 1, max: 1_000_000_000, otherwise: 1 });
    return lines(read(server, { space, from, follow: c.req.query("follow") === "1", signal: c.req.raw.signal }));
  });
};

/** The newest replica's lines, and before them those of one that has ended by itself: they say why there is a new one. */
async function* read(
  server: Server,
  { space, from, follow, signal }: { space: string; from: number; follow: boolean; signal: AbortSignal },
): AsyncGenerator<LogLine> {
  let current: KnownReplica | undefined;
  let told = false;
  let next = from;
  while (!signal.aborted) {
    const known = server.replicas.of(space);
    current ??= firstShown(known, from);
    if (!current) {
      if (!told) yield note(server, `-- ${space} has no replica yet --`);
      told = true;
      if (!follow) return;
      await delay(followEveryMs, undefined, { signal }).catch(() => undefined); // The reader went away: the loop ends.
      continue;
    }
    const { replica } = current.status;
    // Looked up before the lines are read: where another follows already, what is read now is all that this one wrote.
    const follower = followerOf(known, replica);
    const page = await server.nodes.readLog({ node: current.node, replica, space, from: next, limit: pageLines });
    if (!page) {
      yield note(server, `-- node ${current.node} does not answer: lines from ${next} on are not shown --`);
      return;
    }
    yield* page.lines;
    next = page.next;
    if (page.more || page.lines.length === pageLines) continue;
    if (follower) {
      yield note(server, `-- replica ${follower.status.replica} follows ${replica} --`);
      current = follower;
      next = 1;
      continue;
    }
    if (!follow) return;
    await delay(followEveryMs, undefined, { signal }).catch(() => undefined); // As above.
  }
}

function firstShown(known: readonly KnownReplica[], from: number): KnownReplica | undefined {
  const before = known.at(-2);
  return from === 1 && before?.status.phase === "exited" ? before : known.at(-1);
}

/** The one after it; the newest where it is no longer remembered. */
function followerOf(known: readonly KnownReplica[], replica: string): KnownReplica | undefined {
  const at = known.findIndex(({ status }) => status.replica === replica);
  return at === -1 ? known.at(-1) : known[at + 1];
}

function note(server: Server, text: string): LogLine {
  return { n: 0, at: new Date(server.clock.wall()).toISOString(), source: "runtime", stream: "note", text };
}
