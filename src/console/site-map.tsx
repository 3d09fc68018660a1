/** Which page stands at which address; `src/control/routes/console.ts` serves all of these. */
import type { ReactNode } from "react";
import { Link, Route, Switch } from "wouter";
import { Home } from "./home.tsx";
import { Later } from "./later.tsx";
import { SpacePage } from "./space/space-page.tsx";
import { PageTitle } from "./title.tsx";
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
      <Route path="/spaces/:owner/:name">
        {({ owner, name }) => <SpacePage key={`${owner}/${name}`} owner={owner} name={name} />}
      </Route>
      <Route path="/gpu">
        <Later page="gpu" />
      </Route>
      <Route path="/me">
        <Later page="me" />
      </Route>
      <Route path="/admin/:part?">
        <Later page="admin" />
      </Route>
      <Route path="/status">
        <Later page="status" />
      </Route>
      <Route path="/verify">
        <Later page="verify" />
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
