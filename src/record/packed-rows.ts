/**
 * Rows of packed records. Most records of an emitter look alike, so what they have in common (their hops, the names of their facts)
 * stands once, as their *shape*, and a row has only what differs. What fits no shape is kept as it came. Nothing is lost either way.
 */
import type { Facts, Packed } from "../evidence/entry.ts";
import { workPart } from "./evidence-schema.ts";
import type { EvidenceDatabase } from "./evidence-database.ts";
import { countedFacts } from "./request-rows.ts";
import { factsOf, rowHead, stagesOf } from "./rows.ts";
import type { Row, Shape } from "./rows.ts";

/** A record, and its number: the evidence index at which it came in. */
export interface PackedFound {
  readonly n: number;
  readonly packed: Packed;
}

/** A shape of rows as they come in. */
export interface PackedShape extends Shape {
  /** Null where records of it are kept whole. */
  readonly number: number | null;
  /** Where what the store itself reads stands in a row. */
  readonly places: readonly (readonly [name: string, place: number])[];
}

/** What the store itself reads of a packed record, and some of its facts. */
export type PackedBrief = Pick<Packed, "work" | "kind" | "stages" | "facts">;

/** Facts by which the store links and counts a packed record that comes in, and knows where it belongs. */
const readFacts: ReadonlySet<string> = new Set(["space", "status", "answeredBy", "negotiateMs", "link"]);
/** Every kind of record has some; more than these mean that an emitter makes up names, and those records are kept whole. */
export const shapesMax = 2_000;
/** Of a shape's text; ours stay below a thousand characters. */
const shapeMaxLength = 4_000;
/** Names that are remembered: far more than there are Spaces that are asked at a time. */
const namesKept = 20_000;
const fieldsOfPacked = 8;
const insert = "INSERT INTO packed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

export class PackedRows {
  readonly #store: EvidenceDatabase;
  /** Of names and shapes, their numbers; and back. */
  readonly #numbers = new Map<string, number>();
  readonly #texts = new Map<number, string>();
  readonly #shapes = new Map<number, Shape>();
  /** By their text. */
  readonly #cameIn = new Map<string, PackedShape>();
  #shapesThere: number;

  constructor(store: EvidenceDatabase) {
    this.#store = store;
    this.#shapesThere = this.#countShapes();
  }

  /** Within a transaction. */
  put(packed: Packed, row: { readonly n: number; readonly at: number; readonly failed: boolean }): void {
    const shape = this.#shapeOf(packed, row.at);
    this.#store
      .prepare(insert)
      .run(
        row.n,
        this.#numberOf(`${packed.emitter}/${packed.epoch}`),
        packed.seq,
        shape,
        this.#numberOf(spaceOf(packed)),
        row.at,
        packed.kind === "request" ? 1 : 0,
        row.failed ? 1 : 0,
        packed.work,
        shape === null ? JSON.stringify(packed) : valuesOf(packed),
      );
  }

  /** A shape of rows that come in. Within a transaction, as {@link PackedRows.putRow}. */
  shapeOf({ kind, hops, facts }: Shape): PackedShape {
    const text = JSON.stringify({ kind, hops, facts });
    const known = this.#cameIn.get(text);
    if (known !== undefined) return known;
    const all = facts.map((name, i) => [name, i + rowHead + hops.length] as const);
    const places = all.filter(([name]) => readFacts.has(name));
    const shape = { kind, hops, facts, number: this.#numberOfShape(text), places };
    if (this.#cameIn.size >= shapesMax) this.#cameIn.clear();
    this.#cameIn.set(text, shape);
    return shape;
  }

  brief({ kind, hops, places }: PackedShape, row: Row): PackedBrief {
    return { work: row[2] as string, kind, stages: stagesOf(hops, row), facts: factsOf(places, row) };
  }

  /** False where its shape has no number: then it is to be kept whole. */
  putRow(
    { emitter, epoch }: Pick<Packed, "emitter" | "epoch">,
    { kind, number }: PackedShape,
    row: Row,
    { n, space, failed }: { readonly n: number; readonly space: string; readonly failed: boolean },
  ): boolean {
    if (number === null) return false;
    const [, seq, work, at] = row as readonly [number, number, string, number];
    this.#store
      .prepare(insert)
      .run(
        n,
        this.#numberOf(`${emitter}/${epoch}`),
        seq,
        number,
        this.#numberOf(space),
        at,
        kind === "request" ? 1 : 0,
        failed ? 1 : 0,
        work,
        JSON.stringify(row.slice(rowHead)),
      );
    return true;
  }

  /** The records that `which` names; `values` stand in its places. */
  find(which: string, ...values: readonly (string | number)[]): PackedFound[] {
    return this.#store
      .prepare(`SELECT n, source, seq, shape, at, work, body FROM packed WHERE ${which}`)
      .all(...values)
      .map((row) => this.foundIn(row));
  }

  /** Records of a work: as many parts are looked at as there are (`workPart`). */
  ofWork(work: string, limit: number): PackedFound[] {
    return this.#store
      .prepare(
        `WITH RECURSIVE parts (part) AS (
           SELECT min(n) >> ${workPart} FROM packed
           UNION ALL
           SELECT (SELECT min(n) >> ${workPart} FROM packed WHERE n >= (part + 1) << ${workPart}) FROM parts WHERE part IS NOT NULL)
         SELECT n, source, seq, shape, at, work, body FROM parts CROSS JOIN packed
           ON n >> ${workPart} = part AND work = ? LIMIT ?`,
      )
      .all(work, limit)
      .map((row) => this.foundIn(row));
  }

  /** From a row with the columns `n, source, seq, shape, at, work, body`. */
  foundIn(row: Record<string, unknown>): PackedFound {
    // Those of the schema's first version were not numbered.
    const n = Math.max(0, Number(row["n"]));
    const body = JSON.parse(String(row["body"])) as Packed | Facts[string][];
    if (!Array.isArray(body)) return { n, packed: body };
    const { kind, hops, facts } = this.#shape(Number(row["shape"]));
    const [emitter, epoch] = this.nameOf(Number(row["source"])).split("/");
    return {
      n,
      packed: {
        work: String(row["work"]),
        kind,
        emitter: emitter ?? "",
        epoch: Number(epoch),
        seq: Number(row["seq"]),
        at: new Date(Number(row["at"])).toISOString(),
        stages: hops.map((hop, index) => [hop, body[index] as number] as const),
        facts: Object.fromEntries(facts.map((name, index) => [name, body[hops.length + index] ?? null])),
      },
    };
  }

  /** What is counted of a record when it goes. From a row with the columns `shape, body`. */
  countedIn(row: Record<string, unknown>): Pick<Packed, "stages" | "facts"> {
    const body = JSON.parse(String(row["body"])) as Packed | Facts[string][];
    if (!Array.isArray(body)) return body;
    const { hops, facts } = this.#shape(Number(row["shape"]));
    const counted: Record<string, Facts[string]> = {};
    for (const [index, name] of facts.entries())
      if (countedFacts.has(name)) counted[name] = body[hops.length + index] ?? null;
    return { stages: hops.map((hop, index) => [hop, body[index] as number] as const), facts: counted };
  }

  /** The number that stands for a Space's name; 0 where no record names it. */
  spaceNumber(space: string): number {
    return this.#known(space) ?? 0;
  }

  nameOf(number: number): string {
    const known = this.#texts.get(number);
    if (known !== undefined) return known;
    const text = String(this.#store.prepare("SELECT text FROM names WHERE id = ?").get(number)?.["text"] ?? "");
    this.#remember(number, text);
    return text;
  }

  /** After a transaction that was rolled back. */
  forget(): void {
    this.#clear();
    this.#shapesThere = this.#countShapes();
  }

  #clear(): void {
    this.#numbers.clear();
    this.#texts.clear();
    this.#shapes.clear();
    this.#cameIn.clear();
  }

  #countShapes(): number {
    return Number(this.#store.prepare("SELECT count(*) AS n FROM names WHERE text LIKE '{%'").get()?.["n"]);
  }

  /** Null where the record is to be kept whole. */
  #shapeOf(packed: Packed, at: number): number | null {
    if (Object.keys(packed).length !== fieldsOfPacked || packed.at !== new Date(at).toISOString()) return null;
    return this.#numberOfShape(
      JSON.stringify({
        kind: packed.kind,
        hops: packed.stages.map(([hop]) => hop),
        facts: Object.keys(packed.facts),
      }),
    );
  }

  #numberOfShape(text: string): number | null {
    const known = this.#known(text);
    if (known !== undefined) return known;
    if (this.#shapesThere >= shapesMax || text.length > shapeMaxLength) return null;
    this.#shapesThere += 1;
    return this.#numberOf(text);
  }

  #shape(number: number): Shape {
    const known = this.#shapes.get(number);
    if (known !== undefined) return known;
    const shape = JSON.parse(this.nameOf(number)) as Shape;
    this.#shapes.set(number, shape);
    return shape;
  }

  #numberOf(text: string): number {
    const known = this.#known(text);
    if (known !== undefined) return known;
    const number = Number(this.#store.prepare("INSERT INTO names (text) VALUES (?)").run(text).lastInsertRowid);
    this.#remember(number, text);
    return number;
  }

  #known(text: string): number | undefined {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const found = this.#store.prepare("SELECT id FROM names WHERE text = ?").get(text);
    if (found === undefined) return undefined;
    this.#remember(Number(found["id"]), text);
    return Number(found["id"]);
  }

  #remember(number: number, text: string): void {
    if (this.#texts.size >= namesKept) this.#clear();
    this.#numbers.set(text, number);
    this.#texts.set(number, text);
  }
}

export function spaceOf({ facts }: Pick<Packed, "facts">): string {
  return typeof facts["space"] === "string" ? facts["space"] : "";
}

function valuesOf({ stages, facts }: Packed): string {
  return JSON.stringify([...stages.map(([, ms]) => ms), ...Object.values(facts)]);
}
