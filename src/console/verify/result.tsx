/** What was found: one sentence, what was looked at, and what the receipt says was charged to whom. */
import type { ReactNode } from "react";
import { Link } from "wouter";
import { storyPath } from "../find.ts";
import { SaidInline } from "../said.tsx";
import { useSpoken } from "../words/words.tsx";
import type { Found } from "./checking.ts";
import { shownOf } from "./reading.ts";
import ui from "../ui.module.css";
import styles from "./verify.module.css";

export function Result({
  document,
  found: { outcome, verified },
}: {
  readonly document: unknown;
  readonly found: Found;
}): ReactNode {
  const { words } = useSpoken();
  const { ofVerify } = words;
  const shown = shownOf(document);
  const isGood = outcome === "genuine" || outcome === "vouched";
  return (
    <section className={ui["panel"]} aria-label={ofVerify.result}>
      <h2 className={isGood ? undefined : ui["failed"]}>
        {isGood ? "✓" : "✕"} {ofVerify.outcomes[outcome]}
      </h2>
      <ul className={ui["list"]}>
        {verified.checks.map(({ name, ok, says }) => (
          <li key={name}>
            <strong className={ok ? undefined : ui["failed"]}>
              {ok ? "✓" : "✕"} {ofVerify.checks[name]}
            </strong>{" "}
            {!ok && <span className={ui["failed"]}>{ofVerify.notSo}</span>} <SaidInline text={says} />
          </li>
        ))}
      </ul>
      {shown !== null && (
        <>
          <h3 className={styles["sub"]}>{isGood ? ofVerify.says : ofVerify.claims}</h3>
          <Facts shown={shown} />
        </>
      )}
    </section>
  );
}

function Facts({ shown: { receipt, log } }: { readonly shown: NonNullable<ReturnType<typeof shownOf>> }): ReactNode {
  const { words, format } = useSpoken();
  const { ofVerify } = words;
  const time = (ms: unknown): string => (typeof ms === "number" ? format.seconds(ms) : String(ms));
  const size = typeof log?.checkpoint === "string" ? log.checkpoint.split("\n", 2)[1] : undefined;
  const { account, billedBy, paidBy, space, call, gpu, node, pool, simulated } = receipt;
  const rows: readonly (readonly [label: string, value: ReactNode])[] = [
    [ofVerify.account, ofVerify.knownBy(String(account), String(billedBy))],
    [
      ofVerify.charge,
      `${words.chargedSays(time(receipt.chargedMs), time(receipt.heldMs))}; ${words.givenBack(time(receipt.releasedMs))}`,
    ],
    [ofVerify.paid, paidBy === undefined ? null : String(paidBy)],
    [ofVerify.used, time(receipt.usedMs)],
    [ofVerify.queued, time(receipt.queuedMs)],
    [words.space, String(space)],
    [
      ofVerify.call,
      <Link key="call" href={storyPath(String(call))}>
        {String(call)}
      </Link>,
    ],
    [words.gpu, gpu === null ? ofVerify.noGpu : `${String(gpu)}, ${String(node)}`],
    [ofVerify.pool, `${String(pool)}${simulated ? ` (${words.simulated})` : ""}`],
    [ofVerify.rule, <code key="rule">{String(receipt.rule)}</code>],
    [ofVerify.outcome, [String(receipt.outcome), receipt.code].filter(Boolean).join(", ")],
    [ofVerify.ended, whenOf(receipt.endedAt, (at) => `${format.day(at)}, ${format.exact(at)}`)],
    [ofVerify.leaf, log === undefined ? null : words.of(format.number(Number(log.leaf) + 1), String(size))],
  ];
  return (
    <dl className={ui["facts"]}>
      {rows
        .filter(([, value]) => value !== null)
        .map(([label, value]) => (
          <div key={label} className={styles["fact"]}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** A file that is not genuine may hold anything there. */
function whenOf(at: unknown, written: (at: string) => string): string {
  return typeof at === "string" && !Number.isNaN(Date.parse(at)) ? written(at) : String(at);
}
