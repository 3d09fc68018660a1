/**
 * Packed records of one write in one line of a spool: what many have in common (kind, hops, the names of their facts), their *shape*, stands
 * once at its end, and each record is a row of numbers and values. A line is whole in itself, so that it can be written anew into any file.
 *
 *     {"kind":"rows","emitter":"edge","epoch":3,"rows":[[shape, seq, work, at, ms…, values…]…],"shapes":[{kind, hops, facts}…]}
 */
import type { Facts, Hop, Json, Packed, WorkKind } from "../evidence/entry.ts";
import { iso } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";

export interface Shape {
  readonly kind: WorkKind;
  readonly hops: readonly Hop[];
  readonly facts: readonly string[];
}

/** `[shape, seq, work, at, ms…, values…]`; `at` in milliseconds since 1970. */
export type Row = readonly Json[];
/** Where a row's milliseconds and values begin. */
export const rowHead = 4;

/** As it is parsed: its rows and shapes are still to be checked. */
export interface Rows {
  readonly kind: "rows";
  readonly emitter: string;
  readonly epoch: number;
  readonly rows: readonly unknown[];
  readonly shapes: readonly unknown[];
}

/** What is packed; the spool adds the number. */
export type Packable = Pick<Packed, "work" | "kind" | "stages" | "facts"> & { readonly startedAt: number };

/** Shapes that are looked through for a record's; those of one busy emitter are a few. */
const shapesKnown = 16;

interface Known extends Shape {
  readonly text: string;
  /** The line in which it was last used, and its place there. */
  line: number;
  place: number;
}

/** Makes such lines, piece by piece: the pieces of a line, joined, are the line. */
export class RowLines {
  /** Records of the line that is begun. */
  count = 0;
  #line = 1;
  #known: Known[] = [];
  /** Of the line that is begun. */
  #shapes: string[] = [];
  #shapesLength = 0;
  readonly #head: string;

  constructor(emitter: string, epoch: number) {
    this.#head = `{"kind":"rows","emitter":${JSON.stringify(emitter)},"epoch":${epoch},"rows":[`;
  }

  /** At most so many characters are in what {@link RowLines.end} gives. */
  get endLength(): number {
    return this.#shapesLength + 32;
  }

  add({ work, kind, stages, facts, startedAt }: Packable, seq: number): string {
    const names = Object.keys(facts);
    const row: Json[] = [this.#placeOf(kind, stages, names), seq, work, startedAt];
    for (const [, ms] of stages) row.push(ms);
    for (const name of names) row.push(facts[name] as Json);
    this.count += 1;
    return (this.count === 1 ? this.#head : ",") + JSON.stringify(row);
  }

  end(): string {
    const end = `],"shapes":[${this.#shapes.join()}]}\n`;
    this.count = this.#shapesLength = 0;
    this.#shapes = [];
    this.#line += 1;
    return end;
  }

  #placeOf(kind: WorkKind, stages: Packed["stages"], names: readonly string[]): number {
    const shape = this.#known.find((one) => isOf(one, kind, stages, names)) ?? this.#learn(kind, stages, names);
    if (shape.line !== this.#line) {
      shape.line = this.#line;
      shape.place = this.#shapes.push(shape.text) - 1;
      this.#shapesLength += shape.text.length + 1;
    }
    return shape.place;
  }

  #learn(kind: WorkKind, stages: Packed["stages"], facts: readonly string[]): Known {
    const shape: Shape = { kind, hops: stages.map(([hop]) => hop), facts };
    const known = { ...shape, text: JSON.stringify(shape), line: 0, place: 0 };
    if (this.#known.length >= shapesKnown) this.#known = [];
    this.#known.push(known);
    return known;
  }
}

function isOf(shape: Shape, kind: WorkKind, stages: Packed["stages"], names: readonly string[]): boolean {
  const { hops, facts } = shape;
  if (shape.kind !== kind || hops.length !== stages.length || facts.length !== names.length) return false;
  for (let i = 0; i < names.length; i++) if (facts[i] !== names[i]) return false;
  for (let i = 0; i < hops.length; i++) if (hops[i] !== stages[i]?.[0]) return false;
  return true;
}

/** The record that a checked row of a checked shape stands for. */
export function packedOf(
  { emitter, epoch }: Pick<Packed, "emitter" | "epoch">,
  { kind, hops, facts }: Shape,
  row: Row,
): Packed {
  return {
    work: row[2] as string,
    kind,
    ...{ emitter, epoch, seq: row[1] as number, at: iso(row[3] as Instant) },
    stages: stagesOf(hops, row),
    facts: factsOf(
      facts.map((name, i) => [name, i + rowHead + hops.length]),
      row,
    ),
  };
}

export function stagesOf(hops: readonly Hop[], row: Row): Packed["stages"] {
  return hops.map((hop, i) => [hop, row[rowHead + i] as number] as const);
}

/** The values that stand in these places of a row, by their names. */
export function factsOf(places: readonly (readonly [name: string, place: number])[], row: Row): Facts {
  return Object.fromEntries(places.map(([name, place]) => [name, row[place] ?? null]));
}
