/** `/o/NAME`: an organisation's Spaces and its members; for its administrators its webhooks. */
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Page, SpaceView } from "../contract/api.ts";
import type { MemberView } from "../contract/identity.ts";
import { Asked, useAsked } from "./asked.tsx";
import { spacesPath } from "./home.tsx";
import { useMe } from "./me.ts";
import { PageTitle } from "./title.tsx";
import { Webhooks } from "./webhooks.tsx";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

export function OrganisationPage({ name }: { readonly name: string }): ReactNode {
  const { words, format } = useSpoken();
  const members = useAsked<readonly MemberView[]>(`/api/organizations/${name}/members`);
  const spaces = useAsked<Page<SpaceView>>(spacesPath);
  const { data: me } = useMe();
  const isAdmin = me?.orgs.some((one) => one.name === name && one.roleInOrg === "admin") === true;
  return (
    <>
      <PageTitle title={name} />
      <h2>{words.spaces}</h2>
      <Asked asked={spaces} what={words.spaces}>
        {({ items }) => {
          const own = items.filter(({ owner }) => owner === name);
          return (
            <ul className={ui["list"]}>
              {own.length === 0 && <li className={ui["muted"]}>{words.none}</li>}
              {own.map(({ id, state }) => (
                <li key={id}>
                  <Link href={`/spaces/${id}`}>{id}</Link> {words.stateNames[state]}
                </li>
              ))}
            </ul>
          );
        }}
      </Asked>
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
      {isAdmin && <Webhooks account={name} />}
    </>
  );
}
