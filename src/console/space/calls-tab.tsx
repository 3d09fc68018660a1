/** One's own GPU calls of this Space. */
import type { ReactNode } from "react";
import type { CallView } from "../../contract/api.ts";
import { SignInLink } from "../asked.tsx";
import { CallTable } from "../calls.tsx";
import { useMe } from "../me.ts";
import { Paged } from "../pages.tsx";
import { useSpoken } from "../words/words.tsx";
import ui from "../ui.module.css";

export function CallsTab({ id }: { readonly id: string }): ReactNode {
  const { words } = useSpoken();
  const { data: me } = useMe();
  if (me === null)
    return (
      <p className={ui["panel"]}>
        <SignInLink>{words.signInFirst}</SignInLink>
      </p>
    );
  return (
    <>
      <p className={ui["muted"]}>{words.ownCalls}</p>
      <Paged<CallView> path="/api/calls" what={words.calls} empty={<p>{words.noCalls}</p>}>
        {(calls) => {
          const here = calls.filter(({ space }) => space === id);
          return here.length === 0 ? <p className={ui["panel"]}>{words.noCalls}</p> : <CallTable calls={here} />;
        }}
      </Paged>
    </>
  );
}
