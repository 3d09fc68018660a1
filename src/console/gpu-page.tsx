/** `/gpu`: who has the slots, who waits, and all that keeps each waiting. Names of others are the operators' to see. */
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { BoardView, QueueView } from "../contract/api.ts";
import { Asked, movesEveryMs, useAsked } from "./asked.tsx";
import { barOf } from "./bar.ts";
import { Empty } from "./empty.tsx";
import { PageTitle } from "./title.tsx";
import { WideTable } from "./table.tsx";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";
import styles from "./gpu.module.css";

export function GpuPage(): ReactNode {
  const { words } = useSpoken();
  const queue = useAsked<QueueView>("/api/gpu/queue", { everyMs: movesEveryMs });
  const board = useAsked<BoardView>("/api/gpu/board", { everyMs: movesEveryMs });
  return (
    <>
      <PageTitle title={words.gpu} />
      <h2>{words.board}</h2>
      <Asked asked={board} what={words.board}>
        {({ slots }) =>
          slots.length === 0 ? (
            <div className={ui["panel"]}>
              <Empty says={words.noSlots} command="waybill up --simulate-gpus 2x2" />
            </div>
          ) : (
            <Board slots={slots} />
          )
        }
      </Asked>
      <h2>{words.queue}</h2>
      <Asked asked={queue} what={words.queue}>
        {(view) => <Queue view={view} />}
      </Asked>
    </>
  );
}

function Board({ slots }: { readonly slots: BoardView["slots"] }): ReactNode {
  const { words, format } = useSpoken();
  return (
    <ul className={ui["list"]}>
      {slots.map(({ slot, device, simulated, trouble, drain, stage, space, account, call, forMs, leaseMs }) => (
        <li key={slot} className={styles["slot"]}>
          <span>
            <strong>{slot}</strong> <span className={ui["muted"]}>{device}</span>{" "}
            {simulated && <span className={ui["badge"]}>{words.simulated}</span>}
          </span>
          <span>
            <Bar share={barOf(forMs, leaseMs)} />
            {leaseMs === null ? "" : words.of(format.seconds(forMs), format.seconds(leaseMs))}
          </span>
          <span>
            <span lang="en">{stage}</span> {space !== null && <Link href={`/spaces/${space}`}>{space}</Link>} {account}{" "}
            {leaseMs !== null && account === null && words.byAnother}{" "}
            {call !== null && <Link href={`/w/${call}`}>{call}</Link>}
            {trouble !== null && (
              <strong className={ui["failed"]} lang="en">
                ✕ {trouble}
              </strong>
            )}
            {drain !== null && <span lang="en"> {drain}</span>}
          </span>
        </li>
      ))}
    </ul>
  );
}

function Bar({ share }: { readonly share: number | null }): ReactNode {
  if (share === null) return null;
  return (
    <svg className={styles["bar"]} aria-hidden="true">
      <rect className={styles["track"]} width="100%" height="12" rx="3" />
      <rect className={styles["fill"]} width={`${share * 100}%`} height="12" rx="3" />
    </svg>
  );
}

function Queue({ view: { pools, calls } }: { readonly view: QueueView }): ReactNode {
  const { words, format } = useSpoken();
  return (
    <>
      {pools.map((pool) => (
        <p key={pool.name}>
          <strong>{pool.name}</strong> {words.poolSays(pool.leased, pool.slots, pool.waiting)},{" "}
          {words.queueLimit(format.seconds(pool.queueLimitMs))}
        </p>
      ))}
      {calls.length === 0 ? (
        <p className={ui["panel"]}>{words.nobodyWaits}</p>
      ) : (
        <WideTable
          label={words.queue}
          names={[
            "#",
            words.call,
            words.accountName,
            words.space,
            words.size,
            words.held,
            words.waited,
            words.starts,
            words.waitsFor,
          ]}
        >
          {calls.map(({ call, pool, account, space, size, holdsMs, waitedMs, waiting }, at) => (
            <tr key={call === "-" ? `${pool} ${at}` : call}>
              <td className={ui["whole"]}>
                {waiting.position} <span className={ui["muted"]}>{pool}</span>
              </td>
              <td>{call === "-" ? "-" : <Link href={`/w/${call}`}>{call}</Link>}</td>
              <td>{account === "another" ? words.another : account}</td>
              <td>{space === "another" ? words.another : <Link href={`/spaces/${space}`}>{space}</Link>}</td>
              <td>{size}</td>
              <td className={ui["amount"]}>{format.seconds(holdsMs)}</td>
              <td className={ui["amount"]}>{format.seconds(waitedMs)}</td>
              <td className={ui["amount"]}>
                {waiting.estimateMs === null ? words.notKnown : `~${format.seconds(waiting.estimateMs)}`}
              </td>
              <td lang="en">{waiting.blockers.map(({ says }) => says).join("; ")}</td>
            </tr>
          ))}
        </WideTable>
      )}
    </>
  );
}
