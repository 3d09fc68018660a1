/** Which records end a work, and how: what the counts of the status are made of. Pure; each work is counted where its end is told. */
import type { Code } from "./codes.ts";
import { isCode } from "./codes.ts";
import type { Entry, Facts, Hop, Json, Packed, WorkKind } from "./entry.ts";
import { workKindOf } from "./id-kinds.ts";

/** An app's own answer of 5xx: nothing that the platform refused or broke, so it has no code of its own. */
export const answered5xx = "app/answered-5xx";
export type EndCode = "" | Code | typeof answered5xx;

/** Kinds of work whose ends are counted. */
export type CountedKind = Exclude<WorkKind, Uncounted>;
/** Of them there is a story, and no end. */
type Uncounted = "node" | "space";

export interface Ending {
  readonly work: string;
  readonly kind: CountedKind;
  /** Empty where it went well. */
  readonly code: EndCode;
  readonly count: number;
  /** One work may be told by several such records, and is counted at the first. */
  readonly once: boolean;
}

/** How long something waited for a boundary. */
export interface Wait {
  readonly boundary: Waited;
  readonly ms: number;
}

/** Boundaries for which something waits, in the order in which they are told. */
export const waited = ["build", "route", "gpu", "transfer", "egress", "runtime", "app"] as const;
export type Waited = (typeof waited)[number];

/** The kind of the work that an id names, of those that are counted. */
export function countedKind(id: string): CountedKind | undefined {
  const kind = workKindOf(id);
  return kind === undefined || isUncounted(kind) ? undefined : kind;
}

function isUncounted(kind: WorkKind): kind is Uncounted {
  return kind === "node" || kind === "space";
}

/** What the end of a work that went well says; undefined for what is not counted. */
export function endOfPacked({ work, kind, facts }: Pick<Packed, "work" | "kind" | "facts">): Ending | undefined {
  if (isUncounted(kind) || isTried(facts)) return undefined;
  return { work, kind, code: kind === "request" ? statusCode(facts) : "", count: 1, once: false };
}

/** What an entry says of its work's end; undefined for one that ends nothing. */
export function endOfEntry(entry: Entry): Ending | undefined {
  const kind = countedKind(entry.work);
  if (kind === undefined || entry.facts["again"] === true || isTried(entry.facts)) return undefined;
  const { work, facts, mark } = entry;
  const code = facts["code"];
  const isBad = mark === "refused" || mark === "failed";
  if (kind === "request") {
    if (entry.hop !== "edge.deliver") return undefined;
    const end = isBad && typeof code === "string" && isCode(code) ? code : statusCode(facts);
    return { work, kind, code: end, count: 1, once: false };
  }
  if (isBad && typeof code === "string" && isCode(code)) {
    const like = kind === "connection" ? facts["likeItBefore"] : 0;
    return { work, kind, code, count: 1 + (typeof like === "number" ? like : 0), once: kind !== "connection" };
  }
  if (!endsWell(kind, entry)) return undefined;
  return { work, kind, code: "", count: 1, once: kind !== "replica" };
}

/** A replica that became ready is counted there, and its bad end beside it: its life has two chances to fail. */
function endsWell(kind: CountedKind, { hop, mark, facts }: Entry): boolean {
  if (mark !== "done") return false;
  if (kind === "build" || kind === "replica") return hop === "replica.ready";
  if (kind !== "transfer") return false;
  return hop === "transfer.verify" || (hop === "transfer.move" && facts["direction"] === "download");
}

/** The platform tries its own sandboxes in Spaces that are nobody's: their names begin as no account's can. */
export function isTried({ space }: { readonly space?: Json }): boolean {
  return typeof space === "string" && space.startsWith(".");
}

/** What a packed record's stages say of waiting. */
export function waitsOfPacked({ kind, stages, facts }: Pick<Packed, "kind" | "stages" | "facts">): readonly Wait[] {
  if (isTried(facts)) return [];
  const at = (hop: Hop): number | undefined => stages.find(([name]) => name === hop)?.[1];
  switch (kind) {
    case "request": {
      const [taken, answered] = [at("app.take"), at("app.respond")];
      const begun = answered !== undefined && taken !== undefined ? wait("app", answered - taken) : [];
      return [...wait("route", at("edge.connect")), ...begun];
    }
    case "connection":
      return wait("egress", at("egress.dial"));
    case "transfer":
      return wait("transfer", facts["negotiateMs"]);
    default:
      return [];
  }
}

/** What an entry says of waiting; how long a build stood in its queue follows from two of them, which the store has. */
export function waitsOfEntry({ work, hop, mark, facts }: Entry): readonly Wait[] {
  if (isTried(facts)) return [];
  if (hop === "replica.ready" && mark === "done" && countedKind(work) === "replica")
    return wait("runtime", facts["tookMs"]);
  if (hop.startsWith("transfer.") && (mark === "done" || mark === "failed"))
    return wait("transfer", facts["negotiateMs"]);
  return [];
}

function wait(boundary: Waited, ms: unknown): readonly Wait[] {
  return typeof ms === "number" && ms >= 0 ? [{ boundary, ms }] : [];
}

function statusCode(facts: Facts): EndCode {
  const { status } = facts;
  return facts["answeredBy"] === "app" && typeof status === "number" && status >= 500 ? answered5xx : "";
}
