/** Nodes and their cards: in which state, in which pool, how much is leased, and what is out of use. */
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { CardView, NodesView, NodeView } from "../../contract/nodes.ts";
import { Asked, looksEveryMs, useAsked } from "../asked.tsx";
import { Empty } from "../empty.tsx";
import { storyPath } from "../find.ts";
import { SaidInline } from "../said.tsx";
import { TableHead } from "../table.tsx";
import { useSpoken } from "../words/words.tsx";
import { DrainPart } from "./drain.tsx";
import { Sent, useSending } from "../sending.tsx";
import ui from "../ui.module.css";

const nodesPath = "/api/nodes";

export function NodesPart(): ReactNode {
  const { words } = useSpoken();
  const nodes = useAsked<NodesView>(nodesPath, { everyMs: looksEveryMs });
  return (
    <Asked asked={nodes} what={words.ofAdmin.parts.nodes}>
      {({ nodes: all }) =>
        all.length === 0 ? (
          <div className={ui["panel"]}>
            <Empty says={words.ofAdmin.noNodes} command="waybill node token NAME" />
          </div>
        ) : (
          all.map((node) => <NodePart key={node.name} node={node} />)
        )
      }
    </Asked>
  );
}

function NodePart({ node: { name, pool, state, drain, waiting, cards } }: { readonly node: NodeView }): ReactNode {
  const { words, format } = useSpoken();
  const { ofAdmin } = words;
  const checking = useSending();
  const path = `${nodesPath}/${encodeURIComponent(name)}`;
  return (
    <section className={ui["panel"]} aria-label={name}>
      <h2>
        <Link href={storyPath(name)}>{name}</Link>
      </h2>
      <p>
        <strong className={state === "lost" ? ui["failed"] : undefined}>
          {state === "lost" ? "✕ " : "✓ "}
          {ofAdmin.nodeStates[state]}
        </strong>{" "}
        {ofAdmin.inPool(pool)}, {words.ofStatus.waiting(waiting)}
      </p>
      {cards.length === 0 ? (
        <Empty says={ofAdmin.noCards} command="waybill doctor" />
      ) : (
        <table className={`${ui["table"]} ${ui["stacked"]}`}>
          <TableHead names={[ofAdmin.card, ofAdmin.pool, ofAdmin.slots, words.state]} />
          <tbody>
            {cards.map((card) => (
              <CardRow key={card.index} card={card} node={name} path={`${path}/cards/${card.index}`} />
            ))}
          </tbody>
        </table>
      )}
      <DrainPart path={`${path}/drain`} what={ofAdmin.node(name)} drain={drain} isIts={drain?.of === "node"} />
      {cards.length > 0 && (
        <button
          type="button"
          className={ui["button"]}
          disabled={checking.isPending || state === "lost"}
          onClick={() => checking.mutate({ method: "POST", path: `${path}/check`, body: {} })}
        >
          {ofAdmin.lookAgain}
        </button>
      )}
      <Sent sending={checking} done={ofAdmin.looked(format.number(cards.length))} />
    </section>
  );
}

function CardRow({
  card,
  node,
  path,
}: {
  readonly card: CardView;
  readonly node: string;
  readonly path: string;
}): ReactNode {
  const { words } = useSpoken();
  const { ofAdmin } = words;
  const { index, name, simulated, pool, slots, leased, trouble, drain, warning, unseen, strangers } = card;
  return (
    <tr>
      <td>
        {index} {name} {simulated && <span className={ui["badge"]}>{words.simulated}</span>}
      </td>
      <td>{ofAdmin.inPool(pool)}</td>
      <td>{ofAdmin.leased(leased, slots)}</td>
      <td>
        {trouble === null ? (
          drain === null && `✓ ${words.ofStatus.states.ok}`
        ) : (
          <div>
            <span className={ui["failed"]}>✕ </span>
            <code>{trouble.code}</code> <SaidInline text={trouble.says} />
          </div>
        )}
        {[warning, unseen].map(
          (says) =>
            says !== null && (
              <div key={says}>
                <SaidInline text={says} />
              </div>
            ),
        )}
        {strangers.length > 0 && (
          <div>{ofAdmin.strangers(strangers.map(({ program, pid }) => `${program} (${pid})`).join(", "))}</div>
        )}
        <DrainPart
          path={`${path}/drain`}
          what={ofAdmin.cardOf(index, node)}
          drain={drain}
          isIts={drain?.of === "card"}
        />
      </td>
    </tr>
  );
}
