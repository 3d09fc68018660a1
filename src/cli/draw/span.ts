/** What happened in a span of time, as `waybill explain --from --to` prints it. Renders the record; decides nothing. */
import type { SpanChanges, SpanEmitterView, SpanExplanation, SpanFailure, SpanGroup } from "../../evidence/span.ts";
import { ownerGlyphs } from "../words.ts";
import type { Paper } from "./paper.ts";
import { dayTimeOf, timeOf, tone, wrap } from "./paper.ts";

const indent = 2;
const deeper = 4;
/** Emitters of which nothing is worth a line are told in one. */
const emittersShown = 12;

export function drawSpan(paper: Paper, span: SpanExplanation): string {
  const of = span.space === null ? "" : `, ${span.space}`;
  const head = `${dayTimeOf(paper, span.from)} to ${dayTimeOf(paper, span.to)}${of}\n${wrap(span.sentence, paper.width, 0)}\n`;
  const sections = [
    section(
      "what did not go well",
      span.groups.map((group) => groupLines(paper, group)),
    ),
    section(
      "what changed",
      span.changes.map((changes) => changeLines(paper, changes)),
    ),
    section(
      "counted, not recorded",
      span.counted.map(({ code, count, examples }) => line(paper, `${count} ${code} (${examples.join(" ")})`, indent)),
    ),
    section("evidence", evidenceLines(paper, span)),
  ];
  const more = span.next === null ? "" : `\nmore groups: --page ${span.next}\n`;
  return `${head}${sections.join("")}${more}`;
}

function section(title: string, blocks: readonly string[]): string {
  return blocks.length === 0 ? "" : `\n${title}\n${blocks.join("")}`;
}

/** The cause first, then what rests on it, by code. */
function groupLines(paper: Paper, { cause, spaces, failures }: SpanGroup): string {
  const where = spaces.length === 0 ? "" : ` in ${spaces.join(", ")}`;
  if (cause === null) return failures.map((failure) => failureLines(paper, failure, indent, where)).join("");
  const head = `${tone(paper, "strong", cause.code)} of ${cause.kind} ${cause.id}${where}: ${cause.sentence}`;
  return line(paper, head, indent) + failures.map((failure) => failureLines(paper, failure, deeper, "")).join("");
}

function failureLines(paper: Paper, failure: SpanFailure, at: number, where: string): string {
  const { code, owner, count, certainty, first, last, sentence, examples } = failure;
  const certain = Object.entries(certainty).map(([word, n]) => `${n} ${word}`);
  const when = first === last ? timeOf(paper, first) : `${timeOf(paper, first)} to ${timeOf(paper, last)}`;
  const who = tone(paper, owner, `${ownerGlyphs[owner]} ${owner}`);
  const head = `${count} × ${tone(paper, "strong", code)}${where}, ${who} (${certain.join(", ")}), ${when}`;
  const ids = `${examples.join(" ")}${count > examples.length ? " …" : ""}`;
  return line(paper, head, at) + line(paper, sentence, at + indent) + line(paper, ids, at + indent);
}

function changeLines(paper: Paper, { subject, items }: SpanChanges): string {
  const lines = items.map(({ at, says, id }) => {
    const time = `${timeOf(paper, at)}  `;
    const told = wrap(`${says}${id === null ? "" : ` (${id})`}`, paper.width, deeper + time.length);
    return `${" ".repeat(deeper)}${time}${told}\n`;
  });
  return line(paper, subject, indent) + lines.join("");
}

function evidenceLines(
  paper: Paper,
  { emitters, gaps, readTo, droppedThrough, read }: SpanExplanation,
): readonly string[] {
  const more = emitters.length - emittersShown;
  return [
    ...emitters.slice(0, emittersShown).map((one) => emitterSays(paper, one)),
    ...(more > 0 ? [`and ${more} emitters more (--json)`] : []),
    ...gaps.map(
      ({ emitter, epoch, from, to, why }) => `missing: ${emitter} epoch ${epoch}, numbers ${from} to ${to}: ${why}`,
    ),
    ...(readTo === null ? [] : [`read to ${timeOf(paper, readTo)}: ask again from there`]),
    ...(droppedThrough === null ? [] : [`records of ${droppedThrough} and before may have been dropped by retention`]),
    `journal to ${read.journal}, evidence to ${read.evidence}; times are each emitter's own and put nothing in order across emitters`,
  ].map((says) => line(paper, says, indent));
}

const stateWords = { open: "goes on", closed: "closed", dead: "ended without a word" } as const;

function emitterSays(paper: Paper, { emitter, epoch, state, lastSeq, lastAt }: SpanEmitterView): string {
  const last = lastAt === null ? `number ${lastSeq}` : `number ${lastSeq} of ${timeOf(paper, lastAt)}`;
  return `${emitter} epoch ${epoch}, ${stateWords[state]}: known to ${last}`;
}

function line(paper: Paper, says: string, at: number): string {
  return `${" ".repeat(at)}${wrap(says, paper.width, at)}\n`;
}
