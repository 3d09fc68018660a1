/** What an account has used and may use, and what operators gave it beyond its tier. */
import { useState } from "react";
import type { FormEvent, ReactNode } from "react";
import { Link } from "wouter";
import type { AllowanceView, GiveAllowance, LiftablePolicy } from "../../contract/allowances.ts";
import type { QuotaView } from "../../contract/api.ts";
import { Asked, useAsked } from "../asked.tsx";
import { addressOf } from "../find.ts";
import { useSpoken } from "../words/words.tsx";
import { Sent, useSending } from "../sending.tsx";
import { textsOf } from "./settings.ts";
import ui from "../ui.module.css";
import styles from "./admin.module.css";

const kinds = ["window", "credits", "lift"] as const;
const policies: readonly LiftablePolicy[] = ["window", "runs", "calls", "duration"];
const allowancesPath = "/api/quota/allowances";
const reasonMaxChars = 500;

export function AllowancesPart({ account }: { readonly account: string }): ReactNode {
  const { words, format } = useSpoken();
  const { ofAdmin } = words;
  const quota = useAsked<QuotaView>(addressOf("/api/quota", { account }));
  return (
    <section className={ui["panel"]} aria-label={account}>
      <h2>{account}</h2>
      <Asked asked={quota} what={account}>
        {({ tier, usedMs, heldMs, limitMs, leftMs, creditsMs, resetsAt, allowances }) => (
          <>
            <dl className={ui["facts"]}>
              <dt>{ofAdmin.tier}</dt>
              <dd>
                <Link href="/admin/policies">{tier}</Link>
              </dd>
              <dt>{ofAdmin.window}</dt>
              <dd>
                {words.quotaAdds({
                  limit: limitMs === null ? ofAdmin.noLimit : format.seconds(limitMs),
                  used: format.seconds(usedMs),
                  held: format.seconds(heldMs),
                  left: leftMs === null ? ofAdmin.noLimit : format.seconds(leftMs),
                })}
                {resetsAt !== null && `; ${ofAdmin.resets(format.moment(resetsAt, Date.now()))}`}
              </dd>
              <dt>{ofAdmin.kinds.credits}</dt>
              <dd>{format.seconds(creditsMs)}</dd>
            </dl>
            <h3 className={styles["sub"]}>{ofAdmin.allowances}</h3>
            {allowances.length === 0 && <p className={ui["muted"]}>{ofAdmin.noAllowances}</p>}
            <ul className={ui["list"]}>
              {allowances.map((allowance) => (
                <li key={allowance.id}>
                  <Allowance account={account} allowance={allowance} />
                </li>
              ))}
            </ul>
          </>
        )}
      </Asked>
      <Give account={account} />
      <p className={ui["links"]}>
        <Link href={addressOf("/admin/audit", { target: `account/${account}` })}>{ofAdmin.auditOf(account)}</Link>
      </p>
    </section>
  );
}

function Allowance({
  account,
  allowance: { id, kind, ms, usedMs, policy, until, by, reason, at, revoked },
}: {
  readonly account: string;
  readonly allowance: AllowanceView;
}): ReactNode {
  const { words, format } = useSpoken();
  const { ofAdmin } = words;
  const sending = useSending();
  const now = Date.now();
  const onSubmit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const { why = "" } = textsOf(new FormData(event.currentTarget));
    const path = `${allowancesPath}/${encodeURIComponent(id)}/revoke`;
    sending.mutate({ method: "POST", path, body: { account, reason: why } });
  };
  return (
    <>
      <p>
        <strong>{ofAdmin.kinds[kind]}</strong> {policy !== null && ofAdmin.policies[policy]}{" "}
        {ms !== null && format.seconds(ms)} {usedMs !== null && ofAdmin.usedOf(format.seconds(usedMs))}{" "}
        {until !== null && ofAdmin.until(format.moment(until, now))}
      </p>
      <p className={ui["muted"]}>
        <code>{id}</code> {by}, {format.moment(at, now)}: <bdi>{reason}</bdi>
      </p>
      {revoked === null ? (
        <details>
          <summary>{ofAdmin.takeBack(id)}</summary>
          <form onSubmit={onSubmit}>
            <label className={ui["field"]}>
              {ofAdmin.reason}
              <input name="why" required maxLength={reasonMaxChars} />
            </label>
            <button type="submit" className={ui["button"]} disabled={sending.isPending}>
              {ofAdmin.takeBack(id)}
            </button>
          </form>
        </details>
      ) : (
        <p className={ui["muted"]}>{ofAdmin.takenBack(revoked.by, format.moment(revoked.at, now), revoked.reason)}</p>
      )}
      <Sent sending={sending} />
    </>
  );
}

function Give({ account }: { readonly account: string }): ReactNode {
  const { words } = useSpoken();
  const { ofAdmin } = words;
  const sending = useSending();
  const [kind, setKind] = useState<(typeof kinds)[number]>("window");
  const onSubmit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = event.currentTarget;
    const body = wishOf(account, kind, textsOf(new FormData(form)));
    sending.mutate({ method: "POST", path: allowancesPath, body }, { onSuccess: () => form.reset() });
  };
  return (
    <details>
      <summary>{ofAdmin.give(account)}</summary>
      <form onSubmit={onSubmit} onReset={() => setKind("window")}>
        <div className={styles["fields"]}>
          <label className={ui["field"]}>
            {ofAdmin.what}
            <select value={kind} onChange={({ target }) => setKind(target.value as typeof kind)}>
              {kinds.map((one) => (
                <option key={one} value={one}>
                  {ofAdmin.kinds[one]}
                </option>
              ))}
            </select>
          </label>
          {kind === "lift" ? (
            <label className={ui["field"]}>
              {ofAdmin.policy}
              <select name="policy">
                {policies.map((one) => (
                  <option key={one} value={one}>
                    {ofAdmin.policies[one]}
                  </option>
                ))}
              </select>
            </label>
          ) : (
            <label className={ui["field"]}>
              {ofAdmin.gpuSeconds}
              <input name="seconds" type="number" required min={0.001} step="any" />
            </label>
          )}
          {kind !== "window" && (
            <label className={ui["field"]}>
              {kind === "lift" ? ofAdmin.liftUntil : ofAdmin.creditsUntil}
              <input name="until" type="datetime-local" required={kind === "lift"} />
            </label>
          )}
        </div>
        <label className={ui["field"]}>
          {ofAdmin.reason}
          <input name="reason" required maxLength={reasonMaxChars} />
        </label>
        <button type="submit" className={ui["button"]} disabled={sending.isPending}>
          {ofAdmin.give(account)}
        </button>
      </form>
      <Sent sending={sending} />
    </details>
  );
}

function wishOf(
  account: string,
  kind: (typeof kinds)[number],
  { seconds = "", until = "", policy, reason = "" }: Readonly<Record<string, string>>,
): GiveAllowance {
  const ms = Math.round(Number(seconds) * 1000);
  const at = until === "" ? null : new Date(until).toISOString();
  if (kind === "window") return { account, reason, kind, ms };
  if (kind === "credits") return { account, reason, kind, ms, expiresAt: at };
  return { account, reason, kind, policy: policies.find((one) => one === policy) ?? "window", until: at ?? "" };
}
