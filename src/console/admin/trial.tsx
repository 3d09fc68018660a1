/** Settings tried on the record: what a past span's calls would have become under them, beside what they come to as settings are. */
import { useState } from "react";
import type { FormEvent, ReactNode } from "react";
import { Link } from "wouter";
import type { BeforeAfterView, CodeCountView, TrialRequest, TrialSumsView, TrialView } from "../../contract/trials.ts";
import { accountPath } from "../find.ts";
import { Said } from "../said.tsx";
import { Sent, useSending } from "../sending.tsx";
import { WideTable } from "../table.tsx";
import { useSpoken } from "../words/words.tsx";
import { localInput } from "./audit-filter.ts";
import { SettingsFields } from "./settings-form.tsx";
import { changesIn, textsOf } from "./settings.ts";
import type { Field, Settings } from "./settings.ts";
import ui from "../ui.module.css";
import styles from "./admin.module.css";

export function TrialPart({
  of,
  name,
  fields,
  labels,
  was,
}: {
  readonly of: "tiers" | "pools";
  readonly name: string;
  readonly fields: readonly Field[];
  readonly labels: Readonly<Record<string, string>>;
  readonly was: Settings;
}): ReactNode {
  const { words } = useSpoken();
  const { ofTrials } = words;
  const sending = useSending();
  const [isSame, setSame] = useState(false);
  const onSubmit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const texts = textsOf(new FormData(event.currentTarget));
    const change = changesIn(fields, was, texts);
    const hasNone = Object.keys(change).length === 0;
    setSame(hasNone);
    if (hasNone) return;
    const [from, to] = [texts["from"], texts["to"]].map((text) => new Date(text ?? "").toISOString()) as [
      string,
      string,
    ];
    const body: TrialRequest = { from, to, [of]: { [name]: change } };
    sending.mutate({ method: "POST", path: "/api/trials", body });
  };
  return (
    <details>
      <summary>{ofTrials.tryIt(name)}</summary>
      <form onSubmit={onSubmit}>
        <SettingsFields fields={fields} labels={labels} was={was} />
        <div className={styles["fields"]}>
          {(["from", "to"] as const).map((side) => (
            <label key={side} className={ui["field"]}>
              {ofTrials[side]}
              <input
                name={side}
                type="datetime-local"
                required
                defaultValue={localInput(midnight(side).toISOString())}
              />
            </label>
          ))}
        </div>
        <button type="submit" className={ui["button"]} disabled={sending.isPending}>
          {ofTrials.run}
        </button>
        {sending.isPending && <p role="status">{ofTrials.runs}</p>}
        {isSame ? (
          <p role="status">{ofTrials.nothingOther}</p>
        ) : (
          !sending.isPending && <Sent sending={sending} done={ofTrials.nothingIsChanged} />
        )}
      </form>
      {sending.isSuccess && <Trial trial={sending.data as TrialView} />}
    </details>
  );
}

/** Yesterday, by the reader's clock. */
function midnight(side: "from" | "to"): Date {
  const day = new Date();
  day.setHours(0, 0, 0, 0);
  if (side === "from") day.setDate(day.getDate() - 1);
  return day;
}

function Trial({ trial }: { readonly trial: TrialView }): ReactNode {
  const { words, format } = useSpoken();
  const { ofTrials } = words;
  const { recorded, newlyRefused, newlyServed, leftOut, accounts, tiers } = trial;
  return (
    <section aria-label={ofTrials.outcome}>
      <p>
        {ofTrials.recorded(
          format.number(recorded.served),
          format.number(recorded.calls),
          format.seconds(recorded.gpuMs),
        )}{" "}
        {leftOut > 0 && ofTrials.leftOut(leftOut)}
      </p>
      <Sides
        label={ofTrials.outcome}
        sides={[{ ...trial, name: ofTrials.all }, ...tiers.map((one) => ({ ...one, name: one.tier }))]}
      />
      <Codes title={ofTrials.newlyRefused} codes={newlyRefused} />
      <Codes title={ofTrials.newlyServed} codes={newlyServed} />
      {accounts.length === 0 ? (
        <p>{ofTrials.noAccount}</p>
      ) : (
        <>
          <h3>{ofTrials.accounts}</h3>
          <Sides label={ofTrials.accounts} sides={accounts.map((one) => ({ ...one, name: one.account }))} isAccounts />
        </>
      )}
      <h3>{ofTrials.limits}</h3>
      <ul className={ui["list"]}>
        {trial.limits.map((says) => (
          <li key={says} className={ui["muted"]}>
            <Said text={says} />
          </li>
        ))}
      </ul>
    </section>
  );
}

type Side = BeforeAfterView & { readonly name: string };

function Sides({
  label,
  sides,
  isAccounts = false,
}: {
  readonly label: string;
  readonly sides: readonly Side[];
  readonly isAccounts?: boolean;
}): ReactNode {
  const { words, format } = useSpoken();
  const { columns, beforeAfter } = words.ofTrials;
  const cells: readonly ((sums: TrialSumsView) => string)[] = [
    ({ served }) => format.number(served),
    ({ calls, served }) => format.number(calls - served),
    ({ gpuMs }) => format.seconds(gpuMs),
    ({ waitMs }) => format.seconds(waitMs.median),
    ({ waitMs }) => format.seconds(waitMs.p95),
    ({ clipped }) => format.number(clipped),
  ];
  return (
    <WideTable label={label} names={[isAccounts ? words.accountName : words.ofAdmin.tier, ...columns]}>
      {sides.map(({ name, before, after }) => (
        <tr key={name}>
          <th scope="row">{isAccounts ? <Link href={accountPath(name)}>{name}</Link> : name}</th>
          {cells.map((cell, at) => (
            <td key={columns[at]} className={ui["amount"]}>
              {cell(before) === cell(after) ? cell(after) : beforeAfter(cell(before), cell(after))}
            </td>
          ))}
        </tr>
      ))}
    </WideTable>
  );
}

function Codes({ title, codes }: { readonly title: string; readonly codes: readonly CodeCountView[] }): ReactNode {
  const { format } = useSpoken();
  if (codes.length === 0) return null;
  return (
    <p>
      {title}{" "}
      {codes.map(({ code, calls }, at) => (
        <span key={code}>
          {at > 0 && ", "}
          {format.number(calls)} <code>{code}</code>
        </span>
      ))}
    </p>
  );
}
