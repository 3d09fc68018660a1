/** Gathers what `GET /api/status` tells: how each boundary stands, and what runs. */
import type { Isolation } from "../contract/isolation.ts";
import type { StatusView } from "../contract/status.ts";
import { poolsOf } from "../core/views.ts";
import { iso } from "../stdx/time.ts";
import type { Reader } from "./incidents.ts";
import { poolView } from "./pool-views.ts";
import type { ServerParts } from "./server.ts";
import { unnamed } from "./standing.ts";

export type StatusParts = Pick<
  ServerParts,
  "engine" | "about" | "spaces" | "standing" | "nodes" | "builds" | "edgeWorkers" | "clock"
> & { readonly isolation: Isolation };

/** For strangers without names of nodes and how they close apps off. */
export async function tellStatus(parts: StatusParts, reader: Reader): Promise<StatusView> {
  const { engine, about, spaces, standing, nodes, builds, clock, isolation } = parts;
  const isStranger = reader === "stranger";
  const stood = await standing?.view(reader);
  const pools = await engine.read((state) => poolsOf(state).map(poolView));
  return {
    version: about.version,
    url: about.url(),
    node: about.node,
    bootMs: about.bootMs(),
    pools,
    strangers: nodes.all.reduce((sum, { use }) => sum + (use?.strangers.length ?? 0), 0),
    isolation: isStranger ? null : isolation,
    journalIndex: engine.durable,
    spaces: spaces.count,
    builds: await builds.views.status(),
    tls: await about.tls(),
    edge: (isStranger ? undefined : parts.edgeWorkers?.()) ?? null,
    asOf: iso(clock.wall()),
    ...(stood && (isStranger ? unnamed(stood) : stood)),
  };
}
