/** Builds as lists: those of a Space, the queue, and one line for the status. */
import type { BuildQueueView, BuildView } from "../../contract/api.ts";
import type { BuildsStatus } from "../../contract/status.ts";
import { buildLimitsSay } from "../../contract/isolation.ts";
import { count } from "../../evidence/words.ts";
import type { Paper } from "./paper.ts";
import { dayTimeOf, lengthOf, tone } from "./paper.ts";
import { drawTable } from "./table.ts";
import { drawRows } from "./views.ts";

export function drawBuilds(paper: Paper, space: string, builds: readonly BuildView[]): string {
  if (builds.length === 0) return `No builds of ${space} yet. Make one: waybill deploy DIR --space ${space}\n`;
  return drawTable(
    paper,
    [
      { head: "TIME", cell: (build) => dayTimeOf(paper, build.queuedAt), drop: 3 },
      { head: "BUILD", cell: (build) => build.id, drop: 0 },
      { head: "COMMIT", cell: (build) => build.commit.slice(0, 12), drop: 2 },
      { head: "STAGE", cell: (build) => build.code ?? build.stage, drop: 0 },
      { head: "QUEUED", cell: (build) => lengthOf(build.queuedMs), right: true, drop: 5 },
      { head: "TOOK", cell: (build) => (build.builder === null ? "-" : lengthOf(build.tookMs)), right: true, drop: 4 },
      { head: "BY", cell: (build) => build.by, drop: 6 },
      { head: "SAYS", cell: (build) => build.says, drop: 7 },
    ],
    builds,
  );
}

/** One build and what it says, for what was just done to it. */
export function drawBuild(build: BuildView): string {
  const what = build.code === null ? build.stage : `${build.stage}, ${build.code}`;
  return `${build.id}  ${build.space}  ${what}: ${build.says}\n`;
}

export function drawWholeBuild(paper: Paper, build: BuildView): string {
  const { builder, queuedMs, tookMs, steps, because, release, limits } = build;
  const says = limits === null ? [] : buildLimitsSay(limits);
  const rows: (readonly [name: string, what: string])[] = [
    ["stage", `${build.stage}${build.code === null ? "" : `, ${build.code}`}: ${build.says}`],
    ...because.map((line) => ["", line] as const),
    ["commit", build.commit],
    ["queued", `${dayTimeOf(paper, build.queuedAt)}, for ${lengthOf(queuedMs)}`],
    ...(builder === null ? [] : [["builder", `${builder}, ${lengthOf(tookMs)}`] as const]),
    ...steps.map(
      (step, i) => [i === 0 ? "steps" : "", `${step.name} ${step.state}, ${lengthOf(step.tookMs)}`] as const,
    ),
    ...(release === null ? [] : [["release", release] as const]),
    ...says.map(([name, what], i) => [i === 0 ? "limits" : "", `${name}: ${what}`] as const),
  ];
  return `${tone(paper, "strong", build.id)}  ${build.space}\n${drawRows(paper, rows)}`;
}

export function drawBuildQueue(paper: Paper, { builders, building, waiting, waitingMax }: BuildQueueView): string {
  const seats = builders.map(({ name, sdks, parallel, builds, awaySince }) => {
    const away = awaySince === null ? "" : `, not connected since ${dayTimeOf(paper, awaySince)}`;
    return `builder ${name} (${sdks.join(", ")}): ${builds.length} of ${count(parallel, "build")}${away}\n`;
  });
  const head = builders.length === 0 ? "no builder is connected\n" : seats.join("");
  const busy = building.length === 0 ? "" : drawBuilding(paper, building);
  const says = waiting.length === 0 ? "Nobody waits.\n" : `${waiting.length} of at most ${waitingMax} wait\n`;
  return head + busy + says + (waiting.length === 0 ? "" : drawWaiting(paper, waiting));
}

/** `1 queued, 2 under way; 24 h: 41 ok, 2 failed (app 2), 3 dropped`. */
export function buildsSay({ queued, building, day }: BuildsStatus): string {
  const owners = Object.entries(day.failedBy)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([owner, failed]) => `${owner} ${failed}`);
  const failed = `${day.failed} failed${owners.length > 0 ? ` (${owners.join(", ")})` : ""}`;
  const dropped = day.dropped > 0 ? `, ${day.dropped} cancelled or superseded` : "";
  return `${queued} queued, ${building} under way; 24 h: ${day.ok} ok, ${failed}${dropped}`;
}

function drawBuilding(paper: Paper, builds: readonly BuildView[]): string {
  return drawTable(
    paper,
    [
      { head: "BUILD", cell: (build) => build.id, drop: 0 },
      { head: "SPACE", cell: (build) => build.space, drop: 1 },
      { head: "STAGE", cell: (build) => build.stage, drop: 0 },
      { head: "BUILDER", cell: (build) => build.builder ?? "-", drop: 2 },
      { head: "ATTEMPT", cell: (build) => String(build.attempts), right: true, drop: 4 },
      { head: "FOR", cell: (build) => lengthOf(build.tookMs), right: true, drop: 3 },
    ],
    builds,
  );
}

function drawWaiting(paper: Paper, builds: readonly BuildView[]): string {
  const starts = ({ waiting }: BuildView): string =>
    waiting === null || waiting.estimateMs === null ? "unknown" : `~${lengthOf(waiting.estimateMs)}`;
  return drawTable(
    paper,
    [
      { head: "#", cell: (build) => String(build.waiting?.position ?? "-"), right: true, drop: 0 },
      { head: "BUILD", cell: (build) => build.id, drop: 0 },
      { head: "SPACE", cell: (build) => build.space, drop: 2 },
      { head: "PRIORITY", cell: (build) => String(build.priority), right: true, drop: 5 },
      { head: "WAITED", cell: (build) => lengthOf(build.queuedMs), right: true, drop: 4 },
      { head: "STARTS", cell: starts, right: true, drop: 3 },
      { head: "WAITS FOR", cell: (build) => build.waiting?.reasons.map(({ says }) => says).join("; ") ?? "", drop: 1 },
    ],
    builds,
  );
}
