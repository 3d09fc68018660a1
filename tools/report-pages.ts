/** The pages of docs/reports/, from their rows and from what real processes recorded when the fault injector ran. Pure. */
import { drawExplanation } from "../src/cli/draw/explain.ts";
import type { Paper } from "../src/cli/draw/paper.ts";
import { explain } from "../src/evidence/explain.ts";
import type { Explanation } from "../src/evidence/verdict.ts";
import type { Recorded } from "../test/faults/looking.ts";
import { reportRows } from "./report-rows.ts";
import type { ReportRow } from "./report-rows.ts";

export interface ReportPage {
  /** In docs/reports/. */
  readonly file: string;
  readonly text: string;
}

/** What a page has to say of a case, however long it took and whatever its ids are. */
export interface ReportVerdict {
  readonly name: string;
  readonly line: string;
}

const paper: Paper = { width: 110, zone: "UTC", color: false };

export function reportPages(recorded: readonly Recorded[]): readonly ReportPage[] {
  return [
    { file: "README.md", text: indexText() },
    ...reportRows.map((row) => ({ file: fileOf(row), text: pageText(row, recorded) })),
  ];
}

/** By the page's file. */
export function reportVerdicts(recorded: readonly Recorded[]): ReadonlyMap<string, readonly ReportVerdict[]> {
  return new Map(
    reportRows.map((row) => [
      fileOf(row),
      row.cases.map((name) => ({ name, line: verdictLine(explain(recordedOf(name, recorded).record)) })),
    ]),
  );
}

function indexText(): string {
  const rows = reportRows.map((row) => `| [${row.title}](${fileOf(row)}) | ${row.lost} |`);
  return `# Reports, and what Waybill says instead

Public reports about hosted platforms for apps look alike, and belong to different owners: the interesting part is where the evidence ends. Each page has what one would see elsewhere, why nobody can settle it there, and what Waybill says of the same thing: a fault that was caused for real by \`npm run faults\`, with what the processes recorded and the verdict that follows from it.

The examples are what is kept of a run (\`test/faults/recorded/\`); \`npm run reports\` makes the pages of it, and \`npm run reports -- --check\` says whether each still has the verdict that today's rules give.

| What people see | Where it is lost |
| --- | --- |
${rows.join("\n")}
`;
}

function pageText(row: ReportRow, recorded: readonly Recorded[]): string {
  const links = row.links.length === 0 ? "" : `\n\nReported as ${row.links.map((link) => `<${link}>`).join(", ")}.`;
  const examples = row.cases.map((name) => exampleText(name, explain(recordedOf(name, recorded).record)));
  return `# ${row.title}

**Elsewhere.** ${row.elsewhere}${links}

**Where it is lost.** ${row.lost}

**Here.** ${row.here}

${examples.join("\n")}`;
}

function exampleText(name: string, explanation: Explanation): string {
  const what = name.startsWith("control: ")
    ? `Nothing is broken: ${name.slice("control: ".length)}`
    : `The fault: ${name.slice(name.indexOf(": ") + 2)}`;
  return `## ${what}

\`\`\`
$ waybill explain ${explanation.id}
${drawExplanation(paper, explanation, { hops: false })}\`\`\`
`;
}

/** As it is drawn, as far as it is the same whatever its id is. */
function verdictLine({ verdict, kind }: Explanation): string {
  return verdict === null
    ? `outcome    ${kind} `
    : `verdict    ${verdict.boundary} / ${verdict.code}, ${verdict.certainty}\n`;
}

function recordedOf(name: string, recorded: readonly Recorded[]): Recorded {
  const found = recorded.find((one) => one.name === name);
  if (!found)
    throw new Error(`nothing is recorded under "${name}": name another case in tools/report-rows.ts, or record it`);
  return found;
}

function fileOf({ slug }: ReportRow): string {
  return `${slug}.md`;
}
