/** `/`: the Spaces that one may know of, one's own first, with what needs somebody; and how full the pools are. */
import type { ReactNode } from "react";
import { Link, useSearch } from "wouter";
import type { SpaceView } from "../contract/api.ts";
import { handOverPaths } from "../contract/hand-over.ts";
import type { StatusView } from "../contract/status.ts";
import { Asked, looksEveryMs, useAsked } from "./asked.tsx";
import { deployTo, Empty } from "./empty.tsx";
import { addressOf } from "./find.ts";
import { useMe } from "./me.ts";
import { Paged } from "./pages.tsx";
import { needsSomebody } from "../contract/needs.ts";
import { SaidInline } from "./said.tsx";
import { PageTitle } from "./title.tsx";
import { TableHead } from "./table.tsx";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

/** Rows that come at once; others as somebody asks for more. */
const rowsOfPage = 50;
const statusPath = "/api/status";

/** Of the list of Spaces, a page at a time. */
export function spacesPath(asked: Readonly<Record<string, string | null>>): string {
  return addressOf("/api/spaces", { form: "views", limit: String(rowsOfPage), ...asked });
}

export function Home(): ReactNode {
  const { words } = useSpoken();
  const text = new URLSearchParams(useSearch()).get("find") ?? "";
  const who = useMe();
  const noneYet = (owner: string): ReactNode => <Empty says={words.noSpaces} command={deployTo(`${owner}/my-app`)} />;
  return (
    <>
      <PageTitle title={words.homeTitle} />
      <Pools />
      <Asked asked={who} what={words.spaces}>
        {(me) =>
          me === null ? (
            <SpaceList title={words.spaces} text={text} empty={noneYet("OWNER")} isSignedIn={false} />
          ) : (
            <>
              {text === "" && <NeedsMe />}
              <SpaceList title={words.mySpaces} of="me" text={text} empty={noneYet(me.name)} isSignedIn />
              <SpaceList
                title={words.otherSpaces}
                of="others"
                text={text}
                empty={<p>{words.noOtherSpaces}</p>}
                isSignedIn
              />
            </>
          )
        }
      </Asked>
    </>
  );
}

function NeedsMe(): ReactNode {
  const { words } = useSpoken();
  return (
    <section aria-labelledby="needs">
      <h2 id="needs">{words.needsMe}</h2>
      <Paged<SpaceView>
        path={spacesPath({ of: "me", needs: "1" })}
        what={words.needsMe}
        everyMs={looksEveryMs}
        empty={<p>{words.nothingNeedsMe}</p>}
      >
        {(needing) => (
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
      </Paged>
    </section>
  );
}

/** `of`: whose; all that one may know of where it is not said. `text`: words of their names. */
function SpaceList({
  title,
  of = null,
  text,
  empty,
  isSignedIn,
}: {
  readonly title: string;
  readonly of?: "me" | "others" | null;
  readonly text: string;
  readonly empty: ReactNode;
  readonly isSignedIn: boolean;
}): ReactNode {
  const { words } = useSpoken();
  return (
    <section>
      <h2>{title}</h2>
      <Paged<SpaceView>
        path={spacesPath({ of, search: text })}
        what={words.spaces}
        everyMs={looksEveryMs}
        empty={text === "" ? empty : <p>{words.noMatch(text)}</p>}
      >
        {(spaces) => (
          <table className={`${ui["table"]} ${ui["stacked"]} ${ui["spaces"]}`}>
            <TableHead names={[words.space, words.state, words.addresses]} />
            <tbody>
              {spaces.map((space) => (
                <SpaceRow key={space.id} space={space} isSignedIn={isSignedIn} />
              ))}
            </tbody>
          </table>
        )}
      </Paged>
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
      <AppLink address={address} isSignedIn={isSignedIn && at === 0} />
    </div>
  ));
}

/** Who is signed in here is so there too. */
export function AppLink({
  address,
  isSignedIn,
}: {
  readonly address: string;
  readonly isSignedIn: boolean;
}): ReactNode {
  return <a href={isSignedIn ? `${address}${handOverPaths.signIn}` : address}>{address}</a>;
}

function Pools(): ReactNode {
  const { words } = useSpoken();
  const status = useAsked<StatusView>(statusPath, { everyMs: looksEveryMs });
  return (
    <Asked asked={status} what={words.pools}>
      {({ pools }) =>
        pools.length === 0 ? (
          <div className={ui["panel"]}>
            <Empty says={words.noPools} command="waybill pool add NAME" />
          </div>
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
