/** Nodes and their cards, for people. */
import type { CardView, NodesView } from "../../contract/nodes.ts";
import type { Paper } from "./paper.ts";
import { drawTable } from "./table.ts";

interface Row {
  readonly node: string;
  readonly lost: boolean;
  readonly card: CardView;
}

export function drawNodes(paper: Paper, { nodes }: NodesView): string {
  const rows = nodes.flatMap(({ name, state, cards }) =>
    cards.map((card): Row => ({ node: name, lost: state === "lost", card })),
  );
  if (rows.length === 0) return "No cards: no node has brought a GPU.\n";
  const warnings = rows.flatMap(({ node, card }) =>
    [card.warning, unseenSays(card), strangersSay(card)].flatMap((says) =>
      says === null ? [] : `Card ${card.index} of ${node}: ${says}.\n`,
    ),
  );
  const table = drawTable(
    paper,
    [
      { head: "NODE", cell: ({ node }) => node, drop: 0 },
      { head: "CARD", cell: ({ card }) => String(card.index), right: true, drop: 0 },
      { head: "POOL", cell: ({ card }) => card.pool, drop: 4 },
      { head: "MODEL", cell: ({ card }) => card.name, drop: 2 },
      { head: "MEMORY", cell: ({ card }) => memorySays(card), right: true, drop: 5 },
      { head: "DRIVER", cell: ({ card }) => card.driver ?? "", drop: 6 },
      { head: "LEASED", cell: ({ card }) => `${card.leased} of ${card.slots}`, right: true, drop: 3 },
      { head: "STATE", cell: stateSays, drop: 0 },
    ],
    rows,
  );
  return [table, ...warnings].join("");
}

function memorySays({ memoryMiB }: CardView): string {
  return memoryMiB === null ? "" : `${Math.round(memoryMiB / 1024)} GB`;
}

function unseenSays({ unseen }: CardView): string | null {
  return unseen === null ? null : `nobody sees which processes use it: ${unseen}`;
}

function strangersSay({ strangers }: CardView): string | null {
  if (strangers.length === 0) return null;
  const each = strangers.map(({ pid, program, memoryMiB }) => {
    const memory = memoryMiB === null ? "" : `, ${memoryMiB} MiB`;
    return `${program} (pid ${pid}${memory})`;
  });
  return `also used by what is no app of ours: ${each.join(", ")}`;
}

/** The worst first; `drained` is one on which nothing runs or idles any more. */
function stateSays({ lost, card }: Row): string {
  const drained = card.drain?.says.replace(/^draining/, card.free === card.slots ? "drained" : "draining");
  const parts = [lost ? "node lost" : null, card.trouble && `in trouble: ${card.trouble.says}`, drained];
  const says = parts.filter((part) => part !== null && part !== undefined).join("; ");
  return says === "" ? "in use" : says;
}
