/** The rule book: each rule with a record by which it is seen, and what `explain` says of just that record. */
import { builds } from "../builds.suite.ts";
import type { Case } from "../builds.suite.ts";
import { calls } from "../calls.suite.ts";
import type { Entry, Json } from "../entry.ts";
import { explain } from "../explain.ts";
import { joins } from "../joins.suite.ts";
import { connections, transfers } from "../moves.suite.ts";
import { replicas } from "../replicas.suite.ts";
import { requests } from "../requests.suite.ts";
import type { Verdict } from "../verdict.ts";
import type { WorkRecord } from "../work-record.ts";
import { inferences } from "./inferences.ts";

/** What a chapter is of, and its examples. */
export const chapters: readonly (readonly [title: string, examples: readonly Case[]])[] = [
  ["Requests", requests],
  ["Joins: what became of a Gradio event", joins],
  ["GPU calls", calls],
  ["Builds", builds],
  ["Replicas", replicas],
  ["Outbound connections", connections],
  ["Transfers", transfers],
];

/** Facts by which rules decide; all others only fill sentences. */
const deciding = [
  ...["code", "cause", "connected", "acceptedBytes", "final", "closed", "shim", "errno", "again", "fence", "by"],
  ...["brokenStream", "unexpected", "appTitle", "appSays", "waitingFor", "stopping", "answeredBy"],
];

/** The page, as it stands in `docs/rules.md`. */
export function ruleBook(): string {
  return `${[opening, inferencesTable(), ...chapters.map(chapter)].join("\n\n")}\n`;
}

const opening = `# The rules of explain

Made by \`npm run rule-book\` from the rules' own tables and examples in \`src/evidence\`; a test says when it is not current. Each row of a
chapter is a record, and what \`explain\` says of just that record. How evidence is kept, and what every fact means: [FACTS.md](../src/evidence/FACTS.md).

What holds of all of them:

- The part where work stopped writes the code, with what it saw. \`explain\` renders that; it decides nothing again.
- *Proved*: recorded by who decided it, or by both sides of the hand-over. *Likely*: by one of the inferences below. *Unknown*: what is missing is named, and nobody is blamed.
- That something is not recorded is evidence only where the emitter's answer covers it: without its answer, or with a hole in its numbers, it is unknown.
- Two parts of the record that exclude each other are the platform's own fault: unknown, whoever they blame.
- Evidence that is lost makes a verdict less certain, and never another one: \`src/evidence/losses.test.ts\` takes it away from records that real processes made.`;

function inferencesTable(): string {
  const rows = Object.entries(inferences).map(([name, { concludes, from }]) => `| ${name} | ${concludes} | ${from} |`);
  return ["## Inferences", "", "| Name | It concludes that | From |", "| --- | --- | --- |", ...rows].join("\n");
}

function chapter([title, examples]: (typeof chapters)[number]): string {
  const rows = examples.map(({ record }) => {
    const { verdict } = explain(record);
    if (!verdict) throw new Error(`there is no verdict for an example of ${title}`);
    return `| ${cell(recorded(record))} | ${said(verdict)} | ${cell(verdict.sentence)} |`;
  });
  return [`## ${title}`, "", "| Recorded | Verdict | It is said |", "| --- | --- | --- |", ...rows].join("\n");
}

function said({ boundary, code, certainty, owner, inferred }: Verdict): string {
  const name = boundary === "unknown" ? "unknown" : `\`${boundary}/${code}\``;
  const by = inferred.length === 0 ? "" : `, by ${inferred.map(({ rule }) => rule).join(", ")}`;
  return `${name} ${certainty}${by}; ${owner}`;
}

/** All that the rule saw, in the order of the hops. */
function recorded({ entries, neighbours = [], gaps, epochs, links }: WorkRecord): string {
  return [
    ...entries.map(entrySays),
    ...neighbours.map((entry) => `beside it ${entrySays(entry)}`),
    ...gaps.map(({ emitter, from, to }) => `numbers ${from} to ${to} of ${emitter} are missing`),
    ...epochs.filter(({ state }) => state === "dead").map(({ emitter }) => `${emitter} is dead`),
    ...links.map(({ id, kind, outcome, code }) => `its ${kind} ${id} ${code ?? outcome}`),
  ].join("; ");
}

function entrySays({ hop, mark, facts }: Entry): string {
  const shown = deciding.flatMap((name) => {
    const value = facts[name];
    return value === undefined || value === null ? [] : [`${name} ${valueSays(value)}`];
  });
  return `${hop} ${mark}${shown.length === 0 ? "" : ` (${shown.join(", ")})`}`;
}

function valueSays(value: Json): string {
  const text = JSON.stringify(value);
  return text.replaceAll(/[{}"]/g, "").replaceAll(/([:,])/g, "$1 ");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}
