/** `/admin`: what operators see to. Everybody else is told which role it needs. */
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Page } from "../../contract/api.ts";
import type { RuleView } from "../../contract/pools.ts";
import { ApiRefusal } from "../api.ts";
import { Asked, useAsked } from "../asked.tsx";
import { useMe } from "../me.ts";
import { PageTitle } from "../title.tsx";
import { useSpoken } from "../words/words.tsx";
import { AccountsPart } from "./accounts.tsx";
import { AuditPart } from "./audit.tsx";
import { IncidentsPart } from "./incidents.tsx";
import { NodesPart } from "./nodes.tsx";
import { PoliciesPart } from "./policies.tsx";
import { PoolsPart } from "./pools.tsx";
import { Webhooks } from "../webhooks.tsx";
import ui from "../ui.module.css";

const parts = {
  nodes: NodesPart,
  pools: PoolsPart,
  policies: PoliciesPart,
  accounts: AccountsPart,
  incidents: IncidentsPart,
  webhooks: PlatformWebhooks,
  audit: AuditPart,
} as const;
type Part = keyof typeof parts;
const names = Object.keys(parts) as readonly Part[];

/** Answered to operators alone, and small: who is refused it is none. */
const forOperators = "/api/rules";

export function AdminPage({ part: asked = "nodes" }: { readonly part?: string | undefined }): ReactNode {
  const { words } = useSpoken();
  const { ofAdmin } = words;
  const may = useAsked<Page<RuleView>>(forOperators);
  const part = names.find((one) => one === asked);
  const Shown = part && parts[part];
  const isRefused = may.error instanceof ApiRefusal && may.error.status === 403;
  return (
    <>
      <PageTitle title={part === undefined ? words.admin : `${words.admin}: ${ofAdmin.parts[part]}`} />
      {isRefused ? (
        <Forbidden />
      ) : (
        <Asked asked={may} what={words.admin}>
          {() => (
            <>
              <nav aria-label={words.admin}>
                <ul className={ui["tabs"]}>
                  {names.map((one) => (
                    <li key={one}>
                      <Link href={`/admin/${one}`} {...(one === part && { "aria-current": "page" as const })}>
                        {ofAdmin.parts[one]}
                      </Link>
                    </li>
                  ))}
                </ul>
              </nav>
              {Shown === undefined ? <p className={ui["panel"]}>{words.noPage}</p> : <Shown />}
            </>
          )}
        </Asked>
      )}
    </>
  );
}

function PlatformWebhooks(): ReactNode {
  return <Webhooks owner={null} />;
}

function Forbidden(): ReactNode {
  const { words } = useSpoken();
  const { data: me } = useMe();
  return (
    <section className={ui["panel"]} role="alert">
      <h2 className={ui["failed"]}>✕ {words.forbiddenTitle}</h2>
      <p>{words.ofAdmin.forbidden}</p>
      {me && (
        <p className={ui["muted"]}>
          {words.signedInAs} {me.name}
        </p>
      )}
    </section>
  );
}
