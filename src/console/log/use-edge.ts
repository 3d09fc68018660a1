/** The edge's lines in a Space's log: those of its newest failures, and what comes after them. */
import { useEffect, useState } from "react";
import type { LogLine } from "../../contract/agent.ts";
import { edgeLinesMost, readEdgeLines } from "../../contract/edge-lines.ts";
import type { RequestPage } from "../../contract/requests.ts";
import { saysOf } from "../../evidence/codes.ts";
import { ask, isRefused } from "../api.ts";
import { movesEveryMs } from "../asked.tsx";
import { addressOf } from "../find.ts";
import { withEdgeLines } from "./rows.ts";

/** Before the newest request; what came into the record later than others that were later is asked for again. */
const againMs = 30_000;

export interface EdgeLines {
  /** By their times. */
  readonly lines: readonly LogLine[];
  readonly error: Error | null;
}

const nothing: EdgeLines = { lines: [], error: null };

/**
 * `since`: the time of the log's first line; nothing is asked before that is known. A browser has six connections to a platform, and each
 * log that is followed takes one: so these lines are asked for again and again instead.
 */
export function useEdge(space: string | null, since: string | null): EdgeLines {
  const [edge, setEdge] = useState(nothing);
  useEffect(() => {
    setEdge(nothing);
    if (space === null || since === null) return undefined;
    const gone = new AbortController();
    void follow(space, since, setEdge, gone.signal);
    return () => gone.abort();
  }, [space, since]);
  return edge;
}

async function follow(
  space: string,
  since: string,
  setEdge: (change: (now: EdgeLines) => EdgeLines) => void,
  signal: AbortSignal,
): Promise<void> {
  const path = `/api/spaces/${space}/requests`;
  let from = since;
  while (!signal.aborted) {
    try {
      // By the platform's times: this browser's clock may be another.
      const [newest] = (await ask<RequestPage>(addressOf(path, { limit: "1" }), signal)).items;
      const { lines } = await readEdgeLines(
        ({ filter, page }) => {
          const query = { failed: "1", since: filter.since ?? null, page: page ?? null };
          return ask<RequestPage>(addressOf(path, query), signal);
        },
        { since: from },
        saysOf,
      );
      if (newest !== undefined) from = laterOf(since, new Date(Date.parse(newest.at) - againMs).toISOString());
      setEdge((now) => ({ lines: withEdgeLines(now.lines, lines, edgeLinesMost), error: null }));
    } catch (error) {
      if (signal.aborted) return;
      setEdge((now) => ({ ...now, error: error as Error }));
      if (isRefused(error as Error)) return;
    }
    await new Promise((done) => setTimeout(done, movesEveryMs));
  }
}

function laterOf(a: string, b: string): string {
  return a > b ? a : b;
}
