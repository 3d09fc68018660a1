/** GPU calls of this Space: everybody's for who may change it, one's own for others. */
import type { ReactNode } from "react";
import type { CallView } from "../../contract/api.ts";
import { SignInLink } from "../asked.tsx";
import { CallTable } from "../calls.tsx";
import { callOf, Empty } from "../empty.tsx";
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
      <p className={ui["muted"]}>{words.callsHere}</p>
      <Paged<CallView>
        path={`/api/calls?space=${encodeURIComponent(id)}`}
        what={words.calls}
        empty={<Empty says={words.noCallsHere} command={callOf(id)} />}
      >
        {(calls) => <CallTable calls={calls} by="account" />}
      </Paged>
    </>
  );
}
