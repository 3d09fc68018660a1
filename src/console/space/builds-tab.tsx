/** A Space's builds and releases: what became of each, and the way back to what ran before. */
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { BuildView, ReleaseView } from "../../contract/api.ts";
import { Doing } from "../doing.tsx";
import { deployTo, Empty } from "../empty.tsx";
import { Paged } from "../pages.tsx";
import { SaidInline } from "../said.tsx";
import { WideTable } from "../table.tsx";
import { useSpoken } from "../words/words.tsx";
import ui from "../ui.module.css";

export function BuildsTab({ id }: { readonly id: string }): ReactNode {
  const { words } = useSpoken();
  return (
    <>
      <h2>{words.builds}</h2>
      <Paged<BuildView>
        path={`/api/spaces/${id}/builds`}
        what={words.builds}
        empty={<Empty says={words.noBuilds} command={deployTo(id)} />}
      >
        {(builds) => (
          <WideTable label={words.builds} names={[words.buildOf, words.state, words.time, words.duration]}>
            {builds.map((build) => (
              <BuildRow key={build.id} build={build} />
            ))}
          </WideTable>
        )}
      </Paged>
      <h2>{words.releases}</h2>
      <Paged<ReleaseView> path={`/api/spaces/${id}/releases`} what={words.releases} empty={<p>{words.noReleases}</p>}>
        {(releases) => (
          <ul className={ui["list"]}>
            {releases.map((release) => (
              <ReleaseItem key={release.id} space={id} release={release} />
            ))}
          </ul>
        )}
      </Paged>
    </>
  );
}

function BuildRow({ build }: { readonly build: BuildView }): ReactNode {
  const { words, format } = useSpoken();
  const { id, stage, outcome, says, code, commit, queuedAt, tookMs, waiting } = build;
  return (
    <tr>
      <td>
        <Link href={`/w/${id}`}>{id}</Link>
        <br />
        <code className={ui["muted"]}>{commit.slice(0, 12)}</code>
      </td>
      <td>
        <span className={outcome === "failed" ? ui["failed"] : undefined}>
          {outcome === "failed" && "✕ "}
          {words.buildStages[stage]}
        </span>{" "}
        {code !== null && <code>{code}</code>}
        <br />
        <span className={ui["muted"]}>
          <SaidInline text={waiting?.says ?? says} />
        </span>
      </td>
      <td className={ui["whole"]}>{format.moment(queuedAt, Date.now())}</td>
      <td className={ui["whole"]}>
        {format.short(tookMs)}
        {outcome === null && <Doing method="POST" path={`/api/builds/${id}/cancel`} body={{}} name={words.cancel} />}
        {(outcome === "failed" || outcome === "cancelled") && (
          <Doing method="POST" path={`/api/builds/${id}/retry`} body={{}} name={words.again} />
        )}
      </td>
    </tr>
  );
}

function ReleaseItem({ space, release }: { readonly space: string; readonly release: ReleaseView }): ReactNode {
  const { words, format } = useSpoken();
  const { id, build, publishedAt, current, removedAt } = release;
  return (
    <li className={ui["spread"]}>
      <span>
        <code>{id}</code> {words.ofBuild} <Link href={`/w/${build}`}>{build}</Link>,{" "}
        {format.moment(publishedAt, Date.now())}
        {current && <strong> {words.currentRelease}</strong>}
        {removedAt !== undefined && (
          <span className={ui["muted"]}> {words.removedRelease(format.moment(removedAt, Date.now()))}</span>
        )}
      </span>
      {!current && removedAt === undefined && (
        <Doing
          method="POST"
          path={`/api/spaces/${space}/rollback`}
          body={{ release: id }}
          name={words.restore}
          asks={words.restoreAsks(id)}
        />
      )}
    </li>
  );
}
