/** Which page stands at which address; `src/control/routes/console.ts` serves all of these. */
import type { ReactNode } from "react";
import { Link, Route, Switch } from "wouter";
import { AdminPage } from "./admin/admin-page.tsx";
import { Home } from "./home.tsx";
import { GpuPage } from "./gpu-page.tsx";
import { MePage } from "./me-page.tsx";
import { OrganisationPage } from "./organisation-page.tsx";
import { isTab } from "./space/tabs.ts";
import { SpacePage } from "./space/space-page.tsx";
import { StatusPage } from "./status/status-page.tsx";
import { PageTitle } from "./title.tsx";
import { VerifyPage } from "./verify/verify-page.tsx";
import { useSpoken } from "./words/words.tsx";
import { WorkPage } from "./work/work-page.tsx";
import ui from "./ui.module.css";

export function SiteMap(): ReactNode {
  return (
    <Switch>
      <Route path="/">
        <Home />
      </Route>
      <Route path="/w/*">{({ "*": id }) => <WorkPage key={id} id={id} />}</Route>
      <Route path="/spaces/:owner/:name/:tab?">
        {({ owner, name, tab = "app" }) =>
          isTab(tab) ? <SpacePage key={`${owner}/${name}`} owner={owner} name={name} tab={tab} /> : <Nothing />
        }
      </Route>
      <Route path="/gpu">
        <GpuPage />
      </Route>
      <Route path="/me">
        <MePage />
      </Route>
      <Route path="/o/:name">{({ name }) => <OrganisationPage key={name} name={name} />}</Route>
      <Route path="/admin/:part?">{({ part }) => <AdminPage part={part} />}</Route>
      <Route path="/status">
        <StatusPage />
      </Route>
      <Route path="/verify">
        <VerifyPage />
      </Route>
      <Route>
        <Nothing />
      </Route>
    </Switch>
  );
}

function Nothing(): ReactNode {
  const { words } = useSpoken();
  return (
    <>
      <PageTitle title={words.notFoundTitle} />
      <p className={ui["panel"]}>{words.noPage}</p>
      <p>
        <Link href="/">{words.spaces}</Link>
      </p>
    </>
  );
}
