/** `/spaces/OWNER/NAME`: a Space in its parts, each under a tab with an address of its own. */
import { lazy, Suspense } from "react";
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { SpaceView } from "../../contract/api.ts";
import { Asked, Loading, looksEveryMs, useAsked } from "../asked.tsx";
import { needsSomebody } from "../../contract/needs.ts";
import { deployTo, Empty } from "../empty.tsx";
import { Said } from "../said.tsx";
import { PageTitle } from "../title.tsx";
import { useSpoken } from "../words/words.tsx";
import ui from "../ui.module.css";
import { AppTab } from "./app-tab.tsx";
import { BuildsTab } from "./builds-tab.tsx";
import { CallsTab } from "./calls-tab.tsx";
import { FilesTab } from "./files-tab.tsx";
import { RequestsTab } from "./requests-tab.tsx";
import { SettingsTab } from "./settings-tab.tsx";
import { tabs } from "./tabs.ts";
import type { Tab } from "./tabs.ts";

/** With what draws a million lines: loaded when somebody reads a log. */
const LogsTab = lazy(() => import("./logs-tab.tsx"));

export function SpacePage({
  owner,
  name,
  tab,
}: {
  readonly owner: string;
  readonly name: string;
  readonly tab: Tab;
}): ReactNode {
  const { words, format } = useSpoken();
  const id = `${owner}/${name}`;
  const space = useAsked<SpaceView>(`/api/spaces/${id}`, { everyMs: looksEveryMs });
  return (
    <>
      <PageTitle title={id} />
      <Asked asked={space} what={id}>
        {(view) => (
          <>
            <p>
              <strong className={needsSomebody(view) ? ui["failed"] : undefined}>{words.stateNames[view.state]}</strong>{" "}
              <span className={ui["muted"]}>{words.since(format.moment(view.since, Date.now()))}</span>
            </p>
            <Said text={view.says} />
            <div className={ui["muted"]}>
              <Said text={view.ends} />
            </div>
            {view.state === "no-release" && tab !== "builds" && (
              <Empty says={words.deployHere} command={deployTo(id)} />
            )}
            <nav aria-label={id}>
              <ul className={ui["tabs"]}>
                {tabs.map((one) => (
                  <li key={one}>
                    <Link
                      href={one === "app" ? `/spaces/${id}` : `/spaces/${id}/${one}`}
                      {...(one === tab && { "aria-current": "page" as const })}
                    >
                      {words[one]}
                    </Link>
                  </li>
                ))}
              </ul>
            </nav>
            <TabOf space={view} tab={tab} />
          </>
        )}
      </Asked>
    </>
  );
}

function TabOf({ space, tab }: { readonly space: SpaceView; readonly tab: Tab }): ReactNode {
  const { words } = useSpoken();
  const { id } = space;
  switch (tab) {
    case "app":
      return <AppTab space={space} />;
    case "builds":
      return <BuildsTab id={id} />;
    case "logs":
      return (
        <Suspense fallback={<Loading what={words.logs} />}>
          <LogsTab space={space} />
        </Suspense>
      );
    case "requests":
      return <RequestsTab space={space} />;
    case "calls":
      return <CallsTab id={id} />;
    case "files":
      return <FilesTab id={id} />;
    case "settings":
      return <SettingsTab space={space} />;
  }
}
