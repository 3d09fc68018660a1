/** Spaces, what happened to them, and their releases, as people read them. */
import type { ReleaseView, SpaceEventView, SpaceView } from "../../contract/api.ts";
import { outboundSay } from "../../contract/egress.ts";
import { limitsSay } from "../../contract/isolation.ts";
import type { Paper } from "./paper.ts";
import { dayTimeOf, tone } from "./paper.ts";
import { drawTable } from "./table.ts";
import { drawRows, stateSays } from "./views.ts";

export function drawSpaces(paper: Paper, spaces: readonly SpaceView[]): string {
  if (spaces.length === 0) return "No Spaces yet. Make one: waybill deploy DIR --space OWNER/NAME\n";
  return drawTable(
    paper,
    [
      { head: "SPACE", cell: (space) => space.id, drop: 0 },
      { head: "STATE", cell: (space) => space.state, drop: 0 },
      { head: "SINCE", cell: (space) => dayTimeOf(paper, space.since), drop: 2 },
      { head: "SDK", cell: (space) => space.sdk ?? "-", drop: 3 },
      { head: "ADDRESS", cell: (space) => space.addresses[0] ?? "-", drop: 1 },
    ],
    spaces,
  );
}

/** The state first: why, since when, by whom, and what ends it. */
export function drawSpace(paper: Paper, space: SpaceView): string {
  const until = space.deadline === null ? "" : ` At the latest at ${dayTimeOf(paper, space.deadline)}.`;
  const rows: (readonly [string, string])[] = [
    ["state", `${space.state} since ${dayTimeOf(paper, space.since)}, by ${actorSays(space.actor)}`],
    ["", space.says],
    ["", `${space.ends}${until}`],
    ...space.addresses.map((address, i) => [i === 0 ? "address" : "", address] as const),
    ...Object.entries(space.settings).map(
      ([name, value], i) => [i === 0 ? "settings" : "", `${name}=${value}`] as const,
    ),
  ];
  if (space.build)
    rows.push(["build", `${space.build.id}  ${stateSays(space.build.outcome ?? space.build.stage, space.build.says)}`]);
  if (space.release) rows.push(["release", space.release]);
  for (const [i, replica] of space.replicas.entries()) {
    rows.push([i === 0 ? "replicas" : "", `${replica.id}  ${stateSays(replica.phase, replica.says)}`]);
  }
  const says = space.limits === null ? [] : limitsSay(space.limits);
  rows.push(...says.map(([name, what], i) => [i === 0 ? "limits" : "", `${name}: ${what}`] as const));
  if (space.isolation) rows.push(["sandbox", space.isolation.says.replace(/^sandbox /, "")]);
  if (space.outbound) rows.push(["reaches", outboundSay(space.outbound.apps)]);
  return `${tone(paper, "strong", space.id)}  ${space.sdk ?? "no SDK known yet"}\n${drawRows(paper, rows)}`;
}

export function drawSpaceEvents(paper: Paper, space: string, events: readonly SpaceEventView[]): string {
  if (events.length === 0)
    return `Nothing has happened to ${space} yet. Deploy to it: waybill deploy DIR --space ${space}\n`;
  return drawTable(
    paper,
    [
      { head: "#", cell: (event) => String(event.seq), right: true, drop: 3 },
      { head: "TIME", cell: (event) => dayTimeOf(paper, event.at), drop: 1 },
      { head: "STATE", cell: (event) => event.to, drop: 0 },
      { head: "BY", cell: (event) => actorSays(event.actor), drop: 0 },
      { head: "CODE", cell: (event) => event.reason.code ?? "", drop: 2 },
      { head: "WHY", cell: (event) => event.reason.says, drop: 4 },
    ],
    events,
  );
}

export function drawReleases(paper: Paper, space: string, releases: readonly ReleaseView[]): string {
  if (releases.length === 0) return `${space} has no release yet. Its builds: waybill builds ${space}\n`;
  return drawTable(
    paper,
    [
      { head: "", cell: (release) => (release.current ? ">>" : ""), drop: 0 },
      { head: "RELEASE", cell: (release) => release.id, drop: 0 },
      { head: "BUILT", cell: (release) => dayTimeOf(paper, release.publishedAt), drop: 1 },
      { head: "SDK", cell: (release) => release.sdk, drop: 3 },
      { head: "COMMIT", cell: (release) => release.commit, drop: 4 },
      {
        head: "REMOVED",
        cell: ({ removedAt }) => (removedAt === undefined ? "" : dayTimeOf(paper, removedAt)),
        drop: 1,
      },
      { head: "BUILD", cell: (release) => release.build, drop: 2 },
    ],
    releases,
  );
}

/** `alice`, or what brought it there where no account is known. */
function actorSays({ kind, account }: SpaceView["actor"]): string {
  return (
    account ?? (kind === "app" || kind === "platform" ? `the ${kind}` : kind === "owner" ? "its owner" : `a ${kind}`)
  );
}
