/** What the one who pushes reads on the terminal, as the remote's messages. Pure. */
import { stripVTControlCharacters } from "node:util";
import type { BuildView } from "../contract/api.ts";
import type { LogLine } from "../contract/agent.ts";
import type { Verdict } from "../evidence/verdict.ts";

/** A line of a log on somebody's terminal; the whole of it is in the log. */
const lineMaxLength = 400;
/** Lines of a build's log that are shown; a build that says more is read where it can be searched. */
export const linesMax = 2_000;

export interface Story {
  /** The page that tells the build's story. */
  readonly page: string;
  readonly addresses: readonly string[];
  /** Whether a release of the Space answers. */
  readonly runs: boolean;
}

export function beginLines(build: Pick<BuildView, "id" | "space" | "commit">, page: string): readonly string[] {
  return [
    `build ${build.id} of ${build.space}, commit ${build.commit.slice(0, 7)}`,
    `Ctrl-C stops watching, not the build: ${page} tells how it goes on.`,
  ];
}

export function logText({ stream, text }: Pick<LogLine, "stream" | "text">): string {
  const plain = stripVTControlCharacters(text.slice(text.lastIndexOf("\r") + 1)).replace(/[\0-\x1f\x7f-\x9f]/g, " ");
  const cut = plain.length > lineMaxLength ? `${plain.slice(0, lineMaxLength)}…` : plain;
  return stream === "note" ? cut : `  | ${cut}`;
}

/** How the build ended. */
export function endLines(
  build: BuildView,
  verdict: Verdict | null,
  { page, addresses, runs }: Story,
): readonly string[] {
  if (build.outcome === "ok" && !runs) return [`${build.space}: ${build.says}`];
  if (build.outcome === "ok") return [`${build.space} runs:`, ...addresses.map((address) => `  ${address}`)];
  if (build.outcome === null) return [`build ${build.id} is ${build.stage}; ${page} tells how it goes on.`];
  return [
    ...failureLines(build, verdict),
    `  explain   ${page}   or: waybill explain ${build.id}`,
    ...(runs ? ["  The release before it still runs."] : []),
  ];
}

function failureLines({ code, says, because }: BuildView, verdict: Verdict | null): readonly string[] {
  const reasons = because.filter((reason) => reason !== says && !(verdict?.sentence ?? "").includes(reason));
  const told = reasons.map((reason) => `  because   ${logText({ stream: "note", text: reason })}`);
  if (verdict === null) return [`error[${code ?? "build"}]: ${says}`, ...told];
  return [
    `error[${verdict.boundary}/${verdict.code}]: ${logText({ stream: "note", text: verdict.sentence })}`,
    `  owner     ${verdict.owner}, ${verdict.certainty}`,
    ...told,
    `  try       ${verdict.next}`,
  ];
}
