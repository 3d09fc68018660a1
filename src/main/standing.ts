/** How the platform stands: plugs its parts into the desk that knows it, and into those that tell it beside the API. */
import type { Clock } from "../stdx/time.ts";
import type { PlatformConfig } from "./config.ts";
import { keepStatus } from "./last-status.ts";
import { openMetricsDoor } from "./metrics-door.ts";
import type { Engine } from "../control/engine.ts";
import { nodeViews } from "../control/node-views.ts";
import type { Nodes } from "../control/nodes.ts";
import { StandingDesk, type StandingParts } from "../control/standing.ts";
import type { Server } from "../control/server.ts";
import { Tracing } from "../control/tracing.ts";
import type { EvidenceStore } from "../record/store.ts";

export interface ToldBeside {
  readonly config: Pick<PlatformConfig, "data" | "metrics" | "otlp">;
  readonly server: Server;
  readonly engine: Engine;
  readonly evidence: EvidenceStore;
  readonly clock: Clock;
  readonly version: string;
  /** Tells this platform from others of one collector. */
  readonly url: string;
  onFailure(what: string, error: unknown): void;
}

/** Metrics on an address of their own, works to a collector of traces, and the status for an edge that goes on without us. */
export async function tellStanding(
  stack: AsyncDisposableStack,
  { config, server, engine, evidence, clock, version, url, onFailure }: ToldBeside,
): Promise<void> {
  stack.use(await openMetricsDoor(config.metrics, { metrics: () => server.metrics(), onFailure }));
  stack.use(keepStatus({ data: config.data, status: () => server.status("stranger"), onFailure }));
  if (config.otlp === null) return;
  const tracing = stack.use(
    new Tracing({
      ...{ url: config.otlp, version, clock },
      instance: url,
      onDropped: (says, dropped) => onFailure(`${dropped} spans were not sent`, new Error(says)),
    }),
  );
  server.spansDropped = () => tracing.dropped;
  evidence.onStored = (batch) => tracing.takeBatch(batch);
  stack.defer(engine.subscribe((record) => tracing.takeRecord(record)));
}

export interface StandingWish extends Omit<StandingParts, "record" | "nodes" | "isConnected"> {
  readonly evidence: EvidenceStore;
  readonly engine: Engine;
  readonly nodes: Nodes;
}

export async function openStanding(
  stack: AsyncDisposableStack,
  { evidence, nodes, ...parts }: StandingWish,
): Promise<StandingDesk> {
  const { engine } = parts;
  return stack.use(
    await StandingDesk.open({
      ...parts,
      record: evidence.status,
      nodes: () =>
        engine.read((state) => ({
          views: nodeViews(state, (node) => ({ devices: nodes.cards(node), use: nodes.cardUse(node) })),
          drains: [...state.drains.values()],
        })),
      isConnected: (node) => nodes.isConnected(node),
    }),
  );
}
