/** Pools with their settings, and the rules by which calls come into them. */
import type { ReactNode } from "react";
import { Link, useSearch } from "wouter";
import type { Page } from "../../contract/api.ts";
import type { NodesView } from "../../contract/nodes.ts";
import type { PoolsView, PoolView, RuleView } from "../../contract/pools.ts";
import { Asked, looksEveryMs, useAsked } from "../asked.tsx";
import { Empty } from "../empty.tsx";
import { accountPath, addressOf } from "../find.ts";
import { useSpoken } from "../words/words.tsx";
import { DrainPart } from "./drain.tsx";
import { Pages } from "../page-links.tsx";
import { SettingsForm } from "./settings-form.tsx";
import { poolFields } from "./settings.ts";
import { TrialPart } from "./trial.tsx";
import ui from "../ui.module.css";

const poolsPath = "/api/pools";

export function PoolsPart(): ReactNode {
  const { words } = useSpoken();
  const pools = useAsked<PoolsView>(poolsPath, { everyMs: looksEveryMs });
  return (
    <>
      <Asked asked={pools} what={words.pools}>
        {({ pools: all }) =>
          all.length === 0 ? (
            <div className={ui["panel"]}>
              <Empty says={words.noPools} command="waybill pool add NAME" />
            </div>
          ) : (
            all.map((pool) => <PoolPart key={pool.name} pool={pool} />)
          )
        }
      </Asked>
      <Rules />
    </>
  );
}

function PoolPart({ pool }: { readonly pool: PoolView }): ReactNode {
  const { words } = useSpoken();
  const { ofAdmin } = words;
  const { name, simulated, leased, slots, waiting, devices, drained, troubled } = pool;
  const nodes = useAsked<NodesView>("/api/nodes");
  const path = `${poolsPath}/${encodeURIComponent(name)}`;
  const cards = nodes.data?.nodes.flatMap((node) => node.cards) ?? [];
  const drain = cards.find((card) => card.pool === name && card.drain?.of === "pool")?.drain ?? null;
  return (
    <section className={ui["panel"]} aria-label={name}>
      <h2>{name}</h2>
      <p>
        {words.poolSays(leased, slots, waiting)}; {ofAdmin.cards(devices, drained, troubled)}{" "}
        {simulated && <span className={ui["badge"]}>{words.simulated}</span>} <Link href="/gpu">{words.gpu}</Link>
      </p>
      <details>
        <summary>{ofAdmin.settings}</summary>
        <SettingsForm fields={poolFields} labels={ofAdmin.poolSettings} was={{ ...pool }} path={path} />
      </details>
      <TrialPart of="pools" name={name} fields={poolFields} labels={ofAdmin.poolSettings} was={{ ...pool }} />
      {devices > 0 && (
        <DrainPart path={`${path}/drain`} what={ofAdmin.poolNamed(name)} drain={drain} isIts={drain !== null} />
      )}
    </section>
  );
}

function Rules(): ReactNode {
  const { words } = useSpoken();
  const page = new URLSearchParams(useSearch()).get("page");
  const rules = useAsked<Page<RuleView>>(addressOf("/api/rules", { page }));
  return (
    <section>
      <h2>{words.ofAdmin.rules}</h2>
      <Asked asked={rules} what={words.ofAdmin.rules}>
        {({ items, next }) =>
          items.length === 0 ? (
            <div className={ui["muted"]}>
              <Empty says={words.ofAdmin.noRules} command="waybill pool rule ACCOUNT POOL" />
            </div>
          ) : (
            <>
              <ul className={ui["list"]}>
                {items.map((rule) => (
                  <Rule key={`${rule.kind} ${rule.name}`} rule={rule} />
                ))}
              </ul>
              <Pages page={page} next={next} here="/admin/pools" />
            </>
          )
        }
      </Asked>
    </section>
  );
}

function Rule({ rule: { kind, name, pools, moveAfterMs } }: { readonly rule: RuleView }): ReactNode {
  const { words, format } = useSpoken();
  return (
    <li>
      <strong>
        {kind === "space" ? <Link href={`/spaces/${name}`}>{name}</Link> : <Link href={accountPath(name)}>{name}</Link>}
      </strong>{" "}
      {words.ofAdmin.servedBy(pools.join(", "))}
      {moveAfterMs !== null && `; ${words.ofAdmin.movesAfter(format.seconds(moveAfterMs))}`}
    </li>
  );
}
