/** What a work beside another is to it: which of the two began the other, or serves it. Pure; by their kinds and by which of them names the other. */
import type { Entry, WorkKind } from "./entry.ts";

/** `made`: the one that is told began the other. `follows`: it is another try of the other, or took its place. */
export const relations = ["made", "made-by", "serves", "served-by", "follows", "followed-by"] as const;
export type Relation = (typeof relations)[number];

/** As much of a work as its relations follow from. */
export interface Related {
  readonly id: string;
  readonly kind: WorkKind;
  readonly entries: readonly Entry[];
}

/** Undefined where the record says that they belong together and not how. */
export function relationOf(own: Related, other: Related): Relation | undefined {
  const there = oneWay(own, other);
  if (there !== undefined) return there;
  const back = oneWay(other, own);
  return back && inverse[back];
}

/** The ids that a work's entries name in `link`. */
export function namedBy({ entries }: Pick<Related, "entries">): readonly string[] {
  const named = entries.flatMap(({ facts }) => (Array.isArray(facts["link"]) ? facts["link"] : [facts["link"]]));
  return [...new Set(named.filter((id): id is string => typeof id === "string"))];
}

/** Of a transfer: which way the bytes go. */
export function directionOf({ entries }: Pick<Related, "entries">): string | undefined {
  const direction = entries.find(({ facts }) => typeof facts["direction"] === "string")?.facts["direction"];
  return typeof direction === "string" ? direction : undefined;
}

const inverse: Readonly<Record<Relation, Relation>> = {
  made: "made-by",
  "made-by": "made",
  serves: "served-by",
  "served-by": "serves",
  follows: "followed-by",
  "followed-by": "follows",
};

/** Pairs of kinds of which the first can only have begun, or have served, the second. */
const byKinds: Readonly<Record<string, Relation>> = {
  "request call": "made",
  "request connection": "made",
  "call connection": "made",
  "replica connection": "made",
  "build connection": "made",
  "build replica": "made",
  // A push, by the API or by git: its builds are what came of it.
  "request build": "made",
  "request transfer": "made",
  "replica request": "serves",
  "replica call": "serves",
};

function oneWay(own: Related, other: Related): Relation | undefined {
  const pair = `${own.kind} ${other.kind}`;
  if (Object.hasOwn(byKinds, pair)) return byKinds[pair];
  // A pack that is pushed leads to a build, and a build fetches what it is made of.
  if (pair === "transfer build") return directionOf(own) === "upload" ? "made" : "made-by";
  if (own.kind !== other.kind || !namedBy(own).includes(other.id)) return undefined;
  // A Space that calls a Space passes its own request on; a stream tells of a join by another fact of its end.
  if (own.kind === "request") return own.entries.some((entry) => passesOn(entry, other.id)) ? "made-by" : undefined;
  return "follows";
}

function passesOn({ hop, facts }: Entry, id: string): boolean {
  return hop === "identity.resolve" && facts["link"] === id;
}
