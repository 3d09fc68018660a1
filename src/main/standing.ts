/** Plugs the platform's parts into the desk that knows how it stands. */
import type { Engine } from "../control/engine.ts";
import { nodeViews } from "../control/node-views.ts";
import type { Nodes } from "../control/nodes.ts";
import { StandingDesk, type StandingParts } from "../control/standing.ts";
import type { EvidenceStore } from "../record/store.ts";

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
