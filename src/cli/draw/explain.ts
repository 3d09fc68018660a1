/** The verdict of a work, and its hops, as `waybill explain` prints them. Renders the record; decides nothing. */
import type { Entry, Facts, Hop, Json, WorkKind } from "../../evidence/entry.ts";
import { hopsOf } from "../../evidence/entry.ts";
import { chainSays } from "../../evidence/chain.ts";
import { clockSays } from "../../evidence/clocks.ts";
import type { Beneath } from "../../evidence/nesting.ts";
import { blockersSay } from "../../evidence/words.ts";
import type { Charge, Explanation, Link, SubjectKind, Verdict } from "../../evidence/verdict.ts";
import { outcomeWords, ownerGlyphs } from "../words.ts";
import type { Paper } from "./paper.ts";
import { lengthOf, secondsOf, timeOf, tone, wrap } from "./paper.ts";

const labelWidth = 11;
/** From this width on facts stand beside their hop, else under it. */
const wideColumns = 80;
const narrowIndent = 4;
/** Facts that other lines say already. */
const factsSaidElsewhere: ReadonlySet<string> = new Set(["code", "channel", "number", "closed", "link"]);

/** A label, and what stands beside it. */
type Row = readonly [label: string, value: string];

/** `hops`: with a row for each, and under it the works that it began. */
export function drawExplanation(
  paper: Paper,
  explanation: Explanation,
  { hops, beneath = [] }: { readonly hops: boolean; readonly beneath?: readonly Beneath[] },
): string {
  const { verdict } = explanation;
  const rows: Row[] = explanation.asked === undefined ? [] : [["asked", askedSays(explanation)]];
  let facts: readonly Row[] = [];
  if (verdict === null) {
    rows.push(
      ["outcome", `${explanation.kind} ${explanation.id}: ${outcomeWords[explanation.outcome]}`],
      ["", explanation.sentence],
      ...payerRow(explanation),
    );
  } else {
    rows.push(
      ["verdict", `${tone(paper, "strong", `${verdict.boundary} / ${verdict.code}`)}, ${verdict.certainty}`],
      ["owner", `${tone(paper, verdict.owner, `${ownerGlyphs[verdict.owner]} ${verdict.owner}`)}: ${verdict.sentence}`],
    );
    if (verdict.charge) rows.push(["charged", chargeSays(verdict.charge)]);
    rows.push(...payerRow(explanation));
    facts = labelled(
      "facts",
      verdict.facts.map((id) => factLine(paper, explanation.entries, id)),
    );
    rows.push(...facts);
    rows.push(
      ...labelled(
        "inferred",
        verdict.inferred.map(({ rule, says }) => `${says} (${rule})`),
      ),
    );
    rows.push(...labelled("ruled out", ruledOut(verdict, explanation.entries)));
  }
  rows.push(
    ...explanation.gaps.map(
      ({ emitter, epoch, from, to, why }) =>
        ["missing", `${emitter} epoch ${epoch}, numbers ${from} to ${to}: ${why}`] as const,
    ),
  );
  const clocks = (explanation.clocks ?? []).flatMap((clock) => clockSays(clock) ?? []);
  rows.push(...clocks.map((says) => ["clock", says] as const));
  if (verdict) rows.push(["next", `${retryWords[verdict.retry]}${verdict.next}`]);
  const { chain = [] } = explanation;
  if (chain.length > 0) rows.push(["chain", chainSays(chain)]);
  rows.push(...explanation.links.map((link, i) => [i === 0 ? "linked" : "", linkSays(link)] as const));
  if (explanation.look !== undefined) rows.push(...labelled("look", explanation.look));
  rows.push(["read", `journal to ${explanation.read.journal}, evidence to ${explanation.read.evidence}`]);
  // Facts have columns of their own and are wrapped already.
  const isWrapped = new Set<Row>(facts);
  const text = rows
    .map(
      (row) => `${row[0].padEnd(labelWidth)}${isWrapped.has(row) ? row[1] : wrap(row[1], paper.width, labelWidth)}\n`,
    )
    .join("");
  return hops ? `${text}\n${drawHops(paper, explanation, beneath, 0)}` : text;
}

/** `journal/48213/2, gpu.queue failed, of call c_…`: what was asked for is a part of what is told. */
function askedSays({ asked, entries, kind, id }: Explanation): string {
  const entry = entries.find((one) => one.id === asked);
  return `${asked}${entry ? `, ${entry.hop} ${entry.mark}` : ""}, of ${kind} ${id}`;
}

function payerRow({ payer }: Explanation): readonly Row[] {
  return payer === undefined ? [] : [["counted as", payer.says]];
}

const retryWords = { now: "retry now. ", later: "retry later. ", never: "not before something is changed. " } as const;

function linkSays({ id, kind, outcome, code, sentence, likely }: Link): string {
  const ended = code ?? (outcome ? outcomeWords[outcome] : undefined);
  const why = likely === undefined ? "" : ` (likely: ${likely})`;
  return `${kind} ${id}${ended ? `, ${ended}` : ""}${sentence ? `: ${sentence}` : ""}${why}`;
}

function chargeSays({ chargedMs, heldMs, releasedMs, receipt }: Charge): string {
  const back = releasedMs > 0 ? `; ${secondsOf(releasedMs)} given back` : "";
  return `${secondsOf(chargedMs)} of ${secondsOf(heldMs)} held${back}${receipt ? ` (receipt ${receipt})` : ""}`;
}

function labelled(label: string, lines: readonly string[]): readonly Row[] {
  return lines.length === 0 ? [[label, "nothing"]] : lines.map((line, i) => [i === 0 ? label : "", line] as const);
}

function factLine(paper: Paper, entries: readonly Entry[], id: string): string {
  const entry = entries.find((one) => one.id === id);
  if (!entry) return id;
  const head = `${timeOf(paper, entry.at)}  ${entry.hop.padEnd(13)} ${entry.mark.padEnd(7)} `;
  const indent = labelWidth + (paper.width < wideColumns ? narrowIndent : head.length);
  const facts = factsOf(entry.facts);
  if (paper.width >= wideColumns || facts === "") return (head + wrap(facts, paper.width, indent)).trimEnd();
  return `${head.trimEnd()}\n${" ".repeat(indent)}${wrap(facts, paper.width, indent)}`;
}

function ruledOut(verdict: Verdict, entries: readonly Entry[]): string[] {
  return Object.entries(verdict.ruledOut).map(([boundary, ids]) => {
    const by = ids
      .map((id) => entries.find((entry) => entry.id === id))
      .map((entry, i) => (entry ? `${entry.hop} ${entry.mark}` : ids[i]));
    const because = verdict.ruledOutBecause[boundary];
    return `${boundary}: ${because ? `${because} (${by.join(", ")})` : by.join(", ")}`;
  });
}

function factsOf(facts: Facts): string {
  return Object.entries(facts)
    .filter(([name, value]) => value !== null && !isNone(value) && !factsSaidElsewhere.has(name))
    .map(([name, value]) => `${name.replace(/Ms$/, "")} ${valueSays(name, value)}`)
    .join(", ");
}

function valueSays(name: string, value: Json): string {
  if (typeof value === "number" && name.endsWith("Ms")) return secondsOf(value);
  if (name === "blockers") return blockersSay(value);
  if (Array.isArray(value) && value.every((item) => typeof item === "string"))
    return value.join(value.some((item) => item.includes(" ")) ? "; " : " ");
  if (isFacts(value)) return `(${factsOf(value)})`;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Nothing is said by a list of nothing. */
function isNone(value: Json): boolean {
  return Array.isArray(value) && value.length === 0;
}

function isFacts(value: Json): value is Facts {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const barWidth = { wide: 20, narrow: 6 } as const;
/** Of the works under a hop. */
const deeper = 2;

function isWork(kind: SubjectKind): kind is WorkKind {
  return Object.hasOwn(hopsOf, kind);
}

/** A row for each hop of this kind of work, also those that never happened. Each emitter has an axis of its own. */
function drawHops(paper: Paper, { kind, entries }: Explanation, beneath: readonly Beneath[], indent: number): string {
  const axes = axesOf(entries);
  const hops: readonly Hop[] =
    isWork(kind) && kind !== "space" ? hopsOf[kind] : [...new Set(entries.map(({ hop }) => hop))];
  return hops
    .map((hop) => {
      const own = entries.filter((entry) => entry.hop === hop);
      const under = beneath.filter((one) => one.hop === hop).map((one) => drawBeneath(paper, one, indent + deeper));
      return `${" ".repeat(indent)}${hopRow(paper, { hop, own, axes, indent })}\n${under.join("")}`;
    })
    .join("");
}

/** A work under the hop that began it, and its own hops. */
function drawBeneath(paper: Paper, { explanation, likely, beneath }: Beneath, indent: number): string {
  const { id, kind, outcome, verdict } = explanation;
  const ended = verdict ? `${verdict.boundary}/${verdict.code}` : outcomeWords[outcome];
  const head = `${kind} ${id}: ${ended}${likely === undefined ? "" : ` (likely: ${likely})`}`;
  const pad = " ".repeat(indent);
  return `${pad}${wrap(head, paper.width, indent)}\n${drawHops(paper, explanation, beneath, indent)}`;
}

interface Axis {
  readonly from: number;
  readonly to: number;
}

function axesOf(entries: readonly Entry[]): ReadonlyMap<string, Axis> {
  const axes = new Map<string, Axis>();
  for (const { emitter, at } of entries) {
    const ms = Date.parse(at);
    const axis = axes.get(emitter) ?? { from: ms, to: ms };
    axes.set(emitter, { from: Math.min(axis.from, ms), to: Math.max(axis.to, ms) });
  }
  return axes;
}

interface HopDrawn {
  readonly hop: Hop;
  readonly own: readonly Entry[];
  readonly axes: ReadonlyMap<string, Axis>;
  readonly indent: number;
}

function hopRow(paper: Paper, { hop, own, axes, indent }: HopDrawn): string {
  const width = paper.width < wideColumns ? barWidth.narrow : barWidth.wide;
  const [first] = own;
  if (first === undefined) return `${hop.padEnd(16)} |${" ".repeat(width)}|  ${tone(paper, "muted", "never happened")}`;
  const { emitter, epoch } = first;
  const mine = own.filter((entry) => entry.emitter === emitter);
  const times = mine.map(({ at }) => Date.parse(at));
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const signed = own
    .map((entry) => `${entry.emitter === emitter ? "" : `${entry.emitter} `}${entry.mark} ${entry.seq}`)
    .join(", ");
  const length = mine.length > 1 ? lengthOf(to - from) : "";
  const head = `${hop.padEnd(16)} |${bar(axes.get(emitter) as Axis, from, to, width)}|  ${length.padStart(7)}  `;
  return head + wrap(`${emitter}/${epoch}: ${signed}`, paper.width, indent + head.length);
}

function bar(axis: Axis, from: number, to: number, width: number): string {
  const span = Math.max(1, axis.to - axis.from);
  const start = Math.min(width - 1, Math.floor(((from - axis.from) / span) * width));
  const end = Math.min(width, Math.max(start + 1, Math.ceil(((to - axis.from) / span) * width)));
  return `${" ".repeat(start)}${"#".repeat(end - start)}`.padEnd(width);
}
