/** What accounts of each tier may use. */
import type { ReactNode } from "react";
import type { TiersView, TierView } from "../../contract/api.ts";
import { Asked, useAsked } from "../asked.tsx";
import { useSpoken } from "../words/words.tsx";
import { SettingsForm } from "./settings-form.tsx";
import { tierFields } from "./settings.ts";
import { TrialPart } from "./trial.tsx";
import ui from "../ui.module.css";
import styles from "./admin.module.css";

const tiersPath = "/api/tiers";

export function PoliciesPart(): ReactNode {
  const { words } = useSpoken();
  const tiers = useAsked<TiersView>(tiersPath);
  return (
    <Asked asked={tiers} what={words.ofAdmin.parts.policies}>
      {({ tiers: all }) => all.map((tier) => <TierPart key={tier.name} tier={tier} />)}
    </Asked>
  );
}

function TierPart({ tier }: { readonly tier: TierView }): ReactNode {
  const { words, format } = useSpoken();
  const { ofAdmin } = words;
  const { name, windowLimitMs, windowMs, durationMaxMs, runsMax, callsMax, weight } = tier;
  const time = (ms: number | null): string => (ms === null ? ofAdmin.noLimit : format.seconds(ms));
  const count = (value: number | null): string => (value === null ? ofAdmin.noLimit : format.number(value));
  return (
    <section className={ui["panel"]} aria-label={name}>
      <h2>{name}</h2>
      <dl className={`${ui["facts"]} ${styles["facts"]}`}>
        <dt>{ofAdmin.tierSettings.windowLimitMs}</dt>
        <dd>
          {time(windowLimitMs)} {windowLimitMs !== null && ofAdmin.eachWindow(format.hours(windowMs))}
        </dd>
        <dt>{ofAdmin.tierSettings.durationMaxMs}</dt>
        <dd>{time(durationMaxMs)}</dd>
        <dt>{ofAdmin.tierSettings.runsMax}</dt>
        <dd>{count(runsMax)}</dd>
        <dt>{ofAdmin.tierSettings.callsMax}</dt>
        <dd>{count(callsMax)}</dd>
        <dt>{ofAdmin.tierSettings.weight}</dt>
        <dd>{format.number(weight)}</dd>
      </dl>
      <details>
        <summary>{ofAdmin.change(name)}</summary>
        <SettingsForm
          fields={tierFields}
          labels={ofAdmin.tierSettings}
          was={{ ...tier }}
          path={`${tiersPath}/${encodeURIComponent(name)}`}
        />
      </details>
      <TrialPart of="tiers" name={name} fields={tierFields} labels={ofAdmin.tierSettings} was={{ ...tier }} />
    </section>
  );
}
