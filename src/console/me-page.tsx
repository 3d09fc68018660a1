/** `/me`: what of one's window is used, held and left; one's calls with their receipts; one's tokens and webhooks. */
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { CallView, Page, QuotaView } from "../contract/api.ts";
import type { TokenView } from "../contract/identity.ts";
import { Asked, SignInLink, useAsked } from "./asked.tsx";
import { quotaShares } from "./bar.ts";
import { CallTable } from "./calls.tsx";
import { Doing } from "./doing.tsx";
import { callOf, Empty } from "./empty.tsx";
import { useMe } from "./me.ts";
import { Paged } from "./pages.tsx";
import { PageTitle } from "./title.tsx";
import { Webhooks } from "./webhooks.tsx";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";
import styles from "./gpu.module.css";

export function MePage(): ReactNode {
  const { words } = useSpoken();
  const me = useMe();
  return (
    <>
      <PageTitle title={words.me} />
      <Asked asked={me} what={words.me}>
        {(who) =>
          who === null ? (
            <p className={ui["panel"]}>
              <SignInLink>{words.signInFirst}</SignInLink>
            </p>
          ) : (
            <>
              <p className={ui["row"]}>
                <strong>{who.name}</strong> <a href="/settings">{words.account}</a>
              </p>
              {who.orgs.length > 0 && (
                <p className={ui["row"]}>
                  {words.organisations}
                  {who.orgs.map(({ name, roleInOrg }) => (
                    <span key={name}>
                      <Link href={`/o/${name}`}>{name}</Link> <code>{roleInOrg}</code>
                    </span>
                  ))}
                </p>
              )}
              <Quota />
              <h2>{words.calls}</h2>
              <Paged<CallView>
                path="/api/calls"
                what={words.calls}
                empty={<Empty says={words.noCalls} command={callOf("OWNER/NAME")} />}
              >
                {(calls) => <CallTable calls={calls} />}
              </Paged>
              <Tokens />
              <Webhooks owner={who.name} />
            </>
          )
        }
      </Asked>
    </>
  );
}

function Quota(): ReactNode {
  const { words } = useSpoken();
  const quota = useAsked<QuotaView>("/api/quota");
  return (
    <>
      <h2>{words.quota}</h2>
      <Asked asked={quota} what={words.quota}>
        {(view) => <QuotaBar quota={view} />}
      </Asked>
    </>
  );
}

function QuotaBar({ quota }: { readonly quota: QuotaView }): ReactNode {
  const { words, format } = useSpoken();
  const { tier, usedMs, heldMs, limitMs, leftMs, creditsMs, resetsAt, runs, runsMax, index } = quota;
  const shares = quotaShares(quota);
  const used = format.seconds(usedMs);
  const held = format.seconds(heldMs);
  return (
    <div className={ui["panel"]}>
      {shares !== null && (
        <svg className={styles["quota"]} aria-hidden="true">
          <rect className={styles["fill"]} width={`${shares.used * 100}%`} height="18" />
          <rect className={styles["held"]} x={`${shares.used * 100}%`} width={`${shares.held * 100}%`} height="18" />
        </svg>
      )}
      <p>
        {limitMs === null || leftMs === null
          ? words.quotaWithout(used, held)
          : words.quotaAdds({ limit: format.seconds(limitMs), used, held, left: format.seconds(leftMs) })}
      </p>
      <p className={ui["muted"]}>
        {words.tier(tier)}.{" "}
        {resetsAt === null ? words.windowBegins : words.windowResets(format.moment(resetsAt, Date.now()))}{" "}
        {creditsMs > 0 && words.creditsLeft(format.seconds(creditsMs))}{" "}
        {runsMax !== null && words.runsOf(runs, runsMax)} {words.holdsAt(index)}
      </p>
    </div>
  );
}

function Tokens(): ReactNode {
  const { words, format } = useSpoken();
  const tokens = useAsked<Page<TokenView>>("/api/tokens");
  return (
    <>
      <h2>{words.tokens}</h2>
      <p className={ui["muted"]}>
        {words.newToken} <code>waybill token create</code>
      </p>
      <Asked asked={tokens} what={words.tokens}>
        {({ items }) => (
          <ul className={ui["list"]}>
            {items.length === 0 && <li className={ui["muted"]}>{words.none}</li>}
            {items.map(({ id, name, scopes, app, createdAt, lastUsedAt, expiresAt, revokedAt }) => (
              <li key={id} className={ui["spread"]}>
                <span>
                  <strong>
                    <bdi>{name}</bdi>
                  </strong>{" "}
                  <code>{id}</code> {scopes.join(", ")} {app !== null && words.ofApp(app)}
                  <br />
                  <span className={ui["muted"]}>
                    {words.madeAt(format.moment(createdAt, Date.now()))},{" "}
                    {lastUsedAt === null ? words.neverUsed : words.usedAt(format.moment(lastUsedAt, Date.now()))}
                    {expiresAt !== null && `, ${words.endsAt(format.moment(expiresAt, Date.now()))}`}
                  </span>
                </span>
                {revokedAt === null ? (
                  <Doing
                    method="DELETE"
                    path={`/api/tokens/${id}`}
                    body={{}}
                    name={words.revoke}
                    asks={words.revokeAsks(name)}
                  />
                ) : (
                  <span className={ui["muted"]}>{words.revokedAt(format.moment(revokedAt, Date.now()))}</span>
                )}
              </li>
            ))}
          </ul>
        )}
      </Asked>
    </>
  );
}
