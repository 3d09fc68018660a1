/** `GET /api/spaces/OWNER/NAME/logs`: the lines of the Space's newest replica, from its node; with `follow=1` also the ones to come. */
import { setTimeout as delay } from "node:timers/promises";
import type { LogLine } from "../../contract/agent.ts";
import type { Route } from "../api.ts";
import { lines, ownerOf, refuse, wholeNumber } from "../api.ts";
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

async function* read(server: Server, { space, from, follow, signal }: { space: string; from: number; follow: boolean; signal: AbortSignal }): AsyncGenerator<LogLine> {
  let replica: string | undefined;
  let next = from;
  while (!signal.aborted) {
    const newest = server.replicas.of(space).at(-1);
    if (newest && newest.status.replica !== replica) {
      if (replica !== undefined) {
        yield note(server, `-- replica ${newest.status.replica} follows ${replica} --`);
        next = 1;
      }
      replica = newest.status.replica;
    }
    if (!newest) {
      yield note(server, `-- ${space} has no replica yet --`);
      if (!follow) return;
      await delay(followEveryMs, undefined, { signal }).catch(() => undefined); // The reader went away: the loop ends.
      continue;
    }
    const page = await server.nodes.readLog({ node: newest.node, replica: newest.status.replica, from: next, limit: pageLines });
    if (!page) {
      yield note(server, `-- node ${newest.node} does not answer: lines from ${next} on are not shown --`);
      return;
    }
    yield* page.lines;
    next = page.next;
    if (page.lines.length === pageLines) continue;
    if (!follow) return;
    await delay(followEveryMs, undefined, { signal }).catch(() => undefined); // As above.
  }
}

function note(server: Server, text: string): LogLine {
  return { n: 0, at: new Date(server.clock.wall()).toISOString(), source: "runtime", stream: "note", text };
}
