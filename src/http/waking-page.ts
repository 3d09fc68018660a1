/**
 * The page of a Space that wakes up, in the pieces in which it is sent: what has come so far, each stage as it is reached, and its end.
 * Without script a page can only grow, so the line of a stage begins with what is usual and ends with what it took.
 */
import type { StartStage, StartTimes } from "../contract/starts.ts";
import { pageEnd, pageTop } from "./page.ts";

const stageSays: Readonly<Record<StartStage, string>> = {
  placed: "a machine has it",
  started: "its process runs",
  listening: "it accepts connections",
  healthy: "it answers",
};

/** Up to the list's first line. `withinMs`: when it is given up; null where it is not known. */
export function wakingTop(withinMs: number | null): string {
  const until = withinMs === null ? "" : ` It has ${lengthOf(withinMs)} for that.`;
  return `${pageTop("The Space is waking up")}<h1>The Space is waking up</h1>
<p>It was asleep, and your visit starts it.${until} This page opens it when it answers. Nothing is charged for that.</p>
<ol class="steps" aria-label="How far it has come" aria-live="polite">
`;
}

/** A stage that is waited for, with when it usually comes. */
export function stageBegins(stage: StartStage, usual: StartTimes): string {
  const at = usual[stage];
  const says = at === undefined ? "usual time not known yet" : `usually after ${lengthOf(at)}`;
  return `<li>${stage}: ${stageSays[stage]} <span>(${says})</span> `;
}

/** `atMs`: since the start began; undefined where it is not known. */
export function stageEnds(atMs: number | undefined): string {
  return `<b>✓${atMs === undefined ? "" : ` after ${lengthOf(atMs)}`}</b></li>\n`;
}

/** What was begun of it will not come: a replica ended, and another one is started. */
export const startedAgain = "<b>✕ it ended, and is started again</b></li>\n";

/** It is over, whatever follows. */
export const wakingListEnds = "</ol>\n";

/** The app answers: the browser asks again by itself, or its reader does. */
export const wakingOpens = `${wakingListEnds}<p>It answers: this page opens it now.</p><p class="links"><a href="">Open it</a></p>
<meta http-equiv="refresh" content="0">${pageEnd}`;

function lengthOf(ms: number): string {
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 120) return `${seconds} s`;
  return `${Math.floor(seconds / 60)} min${seconds % 60 === 0 ? "" : ` ${seconds % 60} s`}`;
}
