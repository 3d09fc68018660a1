/** `/spaces/OWNER/NAME`. */
import type { ReactNode } from "react";
import type { SpaceView } from "../../contract/api.ts";
import { Asked, useAsked } from "../asked.tsx";
import { needsSomebody } from "../needs.ts";
import { Said } from "../said.tsx";
import { PageTitle } from "../title.tsx";
import { useSpoken } from "../words/words.tsx";
import ui from "../ui.module.css";
import { AppTab } from "./app-tab.tsx";

const spaceEveryMs = 15_000;

export function SpacePage({ owner, name }: { readonly owner: string; readonly name: string }): ReactNode {
  const { words, format } = useSpoken();
  const id = `${owner}/${name}`;
  const space = useAsked<SpaceView>(`/api/spaces/${id}`, { everyMs: spaceEveryMs });
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
            <AppTab space={view} />
          </>
        )}
      </Asked>
    </>
  );
}
