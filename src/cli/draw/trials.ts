/** What came of a trial, for people: before and after side by side. */
import type { BeforeAfterView, CodeCountView, TrialView } from "../../contract/trials.ts";
import { count } from "../../evidence/words.ts";
import { dayTimeOf, secondsOf, tone, wrap, type Paper } from "./paper.ts";
import { drawTable } from "./table.ts";

export function drawTrial(paper: Paper, trial: TrialView): string {
  const { from, to, recorded, accounts, newlyRefused, newlyServed, leftOut, limits } = trial;
  const span = `${dayTimeOf(paper, from)} to ${dayTimeOf(paper, to)}: ${count(trial.before.calls, "call")} replayed`;
  const real = `In the record ${recorded.served} of ${recorded.calls} had a GPU, for ${secondsOf(recorded.gpuMs)}`;
  const parts = [
    `${wrap(`${span}. ${real}.`, paper.width, 0)}\n`,
    ...(leftOut > 0 ? [`${count(leftOut, "call")} of nodes that are there no more left out.\n`] : []),
    sidesTable(paper, "ALL", [{ name: "all", ...trial }, ...trial.tiers.map((one) => ({ ...one, name: one.tier }))]),
    codesSay(paper, "refused that was served", newlyRefused),
    codesSay(paper, "served that was refused", newlyServed),
    ...(accounts.length === 0
      ? ["No account would have had anything else.\n"]
      : [
          sidesTable(
            paper,
            "CHANGE MOST",
            accounts.map((one) => ({ ...one, name: one.account })),
          ),
        ]),
    ...limits.map((says) => tone(paper, "muted", wrap(says, paper.width, 0)) + "\n"),
  ];
  return parts.join("");
}

type Side = BeforeAfterView & { readonly name: string };

function sidesTable(paper: Paper, head: string, sides: readonly Side[]): string {
  const both = (of: (sums: BeforeAfterView["before"]) => string) => (side: Side) =>
    of(side.before) === of(side.after) ? of(side.before) : `${of(side.before)} > ${of(side.after)}`;
  const column = (name: string, drop: number, of: (sums: BeforeAfterView["before"]) => string) => ({
    ...{ head: name, cell: both(of), right: true, drop },
  });
  return drawTable(
    paper,
    [
      { head, cell: ({ name }) => name, drop: 0 },
      column("SERVED", 0, ({ served }) => String(served)),
      column("REFUSED", 0, ({ calls, served }) => String(calls - served)),
      column("GPU TIME", 1, ({ gpuMs }) => secondsOf(gpuMs)),
      column("WAIT, HALF", 3, ({ waitMs }) => secondsOf(waitMs.median)),
      column("19 OF 20", 2, ({ waitMs }) => secondsOf(waitMs.p95)),
      column("CLIPPED", 4, ({ clipped }) => String(clipped)),
    ],
    sides,
  );
}

function codesSay(paper: Paper, what: string, codes: readonly CodeCountView[]): string {
  if (codes.length === 0) return "";
  const says = codes.map(({ code, calls }) => `${calls} by ${code}`).join(", ");
  return `${tone(paper, "strong", what)}: ${says}\n`;
}
