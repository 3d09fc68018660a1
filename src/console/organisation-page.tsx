/** `/o/NAME`: an organisation's Spaces and its members; for its administrators its webhooks. */
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { SpaceView } from "../contract/api.ts";
import type { MemberView } from "../contract/identity.ts";
import { Asked, looksEveryMs, useAsked } from "./asked.tsx";
import { deployTo, Empty } from "./empty.tsx";
import { spacesPath } from "./home.tsx";
import { useMe } from "./me.ts";
import { Paged } from "./pages.tsx";
import { PageTitle } from "./title.tsx";
import { Webhooks } from "./webhooks.tsx";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

export function OrganisationPage({ name }: { readonly name: string }): ReactNode {
  const { words, format } = useSpoken();
  const members = useAsked<readonly MemberView[]>(`/api/organizations/${name}/members`);
  const { data: me } = useMe();
  const isAdmin = me?.orgs.some((one) => one.name === name && one.roleInOrg === "admin") === true;
  return (
    <>
      <PageTitle title={name} />
      <h2>{words.spaces}</h2>
      <Paged<SpaceView>
        path={spacesPath({ author: name })}
        what={words.spaces}
        everyMs={looksEveryMs}
        empty={<Empty says={words.noSpaces} command={deployTo(`${name}/my-app`)} />}
      >
        {(spaces) => (
          <ul className={ui["list"]}>
            {spaces.map(({ id, state }) => (
              <li key={id}>
                <Link href={`/spaces/${id}`}>{id}</Link> {words.stateNames[state]}
              </li>
            ))}
          </ul>
        )}
      </Paged>
      <h2>{words.members}</h2>
      <Asked asked={members} what={words.members}>
        {(all) => (
          <ul className={ui["list"]}>
            {all.map(({ user, role, since, addedBy }) => (
              <li key={user}>
                <strong>{user}</strong> <code>{role}</code>{" "}
                <span className={ui["muted"]}>{words.memberSince(format.moment(since, Date.now()), addedBy)}</span>
              </li>
            ))}
          </ul>
        )}
      </Asked>
      <p className={ui["muted"]}>
        {words.changeMembers} <code>waybill member add {name} ACCOUNT --role write</code>
      </p>
      {isAdmin && <Webhooks owner={name} />}
    </>
  );
}
