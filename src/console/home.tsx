/** `/`: the Spaces that one may know of, one's own first, with what needs somebody; and how full the pools are. */
import type { ReactNode } from "react";
import { Link, useSearch } from "wouter";
import type { Page, SpaceView } from "../contract/api.ts";
import { handOverPaths } from "../contract/hand-over.ts";
import type { StatusView } from "../contract/status.ts";
import { Asked, looksEveryMs, useAsked } from "./asked.tsx";
import { isNamed } from "./find.ts";
import { ownersOf, useMe } from "./me.ts";
import { needsSomebody } from "./needs.ts";
import { SaidInline } from "./said.tsx";
import { PageTitle } from "./title.tsx";
import { TableHead } from "./table.tsx";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

export const spacesPath = "/api/spaces?form=views";
const statusPath = "/api/status";

export function Home(): ReactNode {
  const { words } = useSpoken();
  const text = new URLSearchParams(useSearch()).get("find") ?? "";
  const spaces = useAsked<Page<SpaceView>>(spacesPath, { everyMs: looksEveryMs });
  const { data: me } = useMe();
  return (
    <>
      <PageTitle title={words.homeTitle} />
      <Pools />
      <Asked asked={spaces} what={words.spaces}>
        {({ items }) => {
          const found = text === "" ? items : items.filter(({ id }) => isNamed(id, text));
          const owners = ownersOf(me);
          const own = found.filter(({ owner }) => owners.has(owner));
          const others = found.filter(({ owner }) => !owners.has(owner));
          return (
            <>
              {me && text === "" && <NeedsMe spaces={own} />}
              {items.length === 0 && <NoSpaces />}
              {items.length > 0 && found.length === 0 && <p className={ui["panel"]}>{words.noMatch(text)}</p>}
              {own.length > 0 && <SpaceList title={words.mySpaces} spaces={own} isSignedIn />}
              {others.length > 0 && (
                <SpaceList title={me ? words.otherSpaces : words.spaces} spaces={others} isSignedIn={Boolean(me)} />
              )}
            </>
          );
        }}
      </Asked>
    </>
  );
}

function NoSpaces(): ReactNode {
  const { words } = useSpoken();
  return (
    <p className={ui["panel"]}>
      {words.noSpaces} <code>waybill deploy ./my-app --space OWNER/my-app</code>
    </p>
  );
}

function NeedsMe({ spaces }: { readonly spaces: readonly SpaceView[] }): ReactNode {
  const { words } = useSpoken();
  const needing = spaces.filter(needsSomebody);
  return (
    <section aria-labelledby="needs">
      <h2 id="needs">{words.needsMe}</h2>
      {needing.length === 0 ? (
        <p className={ui["muted"]}>{words.nothingNeedsMe}</p>
      ) : (
        <ul className={ui["list"]}>
          {needing.map(({ id, state, says, build }) => (
            <li key={id}>
              <strong>
                <Link href={`/spaces/${id}`}>{id}</Link>
              </strong>{" "}
              <span className={ui["failed"]}>✕ {words.stateNames[state]}</span> <SaidInline text={says} />{" "}
              {build?.code && <Link href={`/w/${build.id}`}>{build.id}</Link>}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function SpaceList({
  title,
  spaces,
  isSignedIn,
}: {
  readonly title: string;
  readonly spaces: readonly SpaceView[];
  readonly isSignedIn: boolean;
}): ReactNode {
  const { words } = useSpoken();
  return (
    <section>
      <h2>{title}</h2>
      <table className={`${ui["table"]} ${ui["stacked"]}`}>
        <TableHead names={[words.space, words.state, words.addresses]} />
        <tbody>
          {spaces.map((space) => (
            <SpaceRow key={space.id} space={space} isSignedIn={isSignedIn} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function SpaceRow({ space, isSignedIn }: { readonly space: SpaceView; readonly isSignedIn: boolean }): ReactNode {
  const { words, format } = useSpoken();
  const { id, sdk, state, since, says, build, addresses } = space;
  return (
    <tr>
      <td>
        <strong>
          <Link href={`/spaces/${id}`}>{id}</Link>
        </strong>
        <br />
        <span className={ui["muted"]}>{sdk ?? words.noRelease}</span>
      </td>
      <td>
        <span className={needsSomebody(space) ? ui["failed"] : undefined}>{words.stateNames[state]}</span>{" "}
        <span className={ui["muted"]}>{words.since(format.moment(since, Date.now()))}</span>
        <br />
        <span className={ui["muted"]}>
          <SaidInline text={says} />
        </span>{" "}
        {build && (
          <Link href={`/w/${build.id}`}>
            {words.buildOf} {build.id}
          </Link>
        )}
      </td>
      <td className={ui["whole"]}>
        <AppLinks addresses={addresses} isSignedIn={isSignedIn} />
      </td>
    </tr>
  );
}

/** To each address. Who is signed in here is so there too by the first, which is for people. */
export function AppLinks({
  addresses,
  isSignedIn,
}: {
  readonly addresses: readonly string[];
  readonly isSignedIn: boolean;
}): ReactNode {
  return addresses.map((address, at) => (
    <div key={address}>
      <a href={isSignedIn && at === 0 ? `${address}${handOverPaths.signIn}` : address}>{address}</a>
    </div>
  ));
}

function Pools(): ReactNode {
  const { words } = useSpoken();
  const status = useAsked<StatusView>(statusPath, { everyMs: looksEveryMs });
  return (
    <Asked asked={status} what={words.pools}>
      {({ pools }) =>
        pools.length === 0 ? (
          <p className={ui["panel"]}>{words.noPools}</p>
        ) : (
          <ul className={ui["list"]} aria-label={words.pools}>
            {pools.map((pool) => (
              <li key={pool.name}>
                <Link href="/gpu">
                  <strong>{pool.name}</strong>
                </Link>{" "}
                {words.poolSays(pool.leased, pool.slots, pool.waiting)}{" "}
                {pool.simulated && <span className={ui["badge"]}>{words.simulated}</span>}
              </li>
            ))}
          </ul>
        )
      }
    </Asked>
  );
}
