/** A request as its log shows it: what one entry adds to its row, and what a packed record says. Pure. */
import type { RequestStages, RequestView } from "../contract/requests.ts";
import { lastedMs } from "../evidence/entry.ts";
import type { Entry, Facts, Hop, Packed } from "../evidence/entry.ts";
import type { CountedView } from "./request-counts.ts";

export interface Told {
  readonly space: string | null;
  readonly method: string | null;
  readonly path: string | null;
  readonly status: number | null;
  readonly answeredBy: string | null;
  readonly outcome: string | null;
  readonly code: string | null;
  readonly account: string | null;
  /** The last of the request's hops: its time is the request's end. */
  readonly ends: boolean;
  /** How long it took, as its last hop says: entries of a long one are written only when it is known to be long. */
  readonly ms: number;
  /** What else the log shows of it. */
  readonly more: Partial<More>;
}

type More = Pick<RequestView, "query" | "protocol" | "billedBy" | "replica" | "bytesIn" | "bytesOut" | "stages">;

/** What the edge's entries tell of a request; undefined for every other entry. The shim's `app.take` adds nothing to the list. */
export function toldByEntry({ hop, mark, facts }: Entry): Told | undefined {
  if (!hop.startsWith("edge.") && hop !== "identity.resolve") return undefined;
  const ends = hop === "edge.deliver";
  return {
    space: textOf(facts, "space"),
    method: textOf(facts, "method"),
    path: textOf(facts, "path"),
    status: ends ? numberOf(facts, "status") : null,
    answeredBy: ends ? textOf(facts, "answeredBy") : null,
    outcome: ends ? outcomeOf(mark) : null,
    code: ends ? textOf(facts, "code") : null,
    account: textOf(facts, "account"),
    ends,
    ms: ends ? (numberOf(facts, "ms") ?? 0) : 0,
    more: moreOf(facts, ends),
  };
}

function moreOf(facts: Facts, ends: boolean): Partial<More> {
  const query = textOf(facts, "query");
  const protocol = textOf(facts, "protocol");
  const billedBy = textOf(facts, "billedBy");
  const replica = textOf(facts, "replica");
  return {
    ...(query !== null && { query }),
    ...(protocol !== null && { protocol }),
    ...(billedBy !== null && { billedBy }),
    ...(replica !== null && { replica }),
    ...(ends && {
      bytesIn: numberOf(facts, "received") ?? 0,
      bytesOut: numberOf(facts, "bytes") ?? 0,
      stages: stagesOf(facts["stages"]),
    }),
  };
}

/** Whether it counts as a failure where records are kept for longer: the platform's or the app's own. */
export function isFailed(status: number | null, code: string | null): boolean {
  return code !== null || (status !== null && status >= 500);
}

/** Facts of packed records that {@link countedOfPacked} goes by. */
export const countedFacts: ReadonlySet<string> = new Set([
  ...["method", "path", "status", "answeredBy", "received", "bytes"],
]);

export function countedOfPacked({ stages, facts }: Pick<Packed, "stages" | "facts">): CountedView {
  return {
    method: textOf(facts, "method") ?? "",
    path: textOf(facts, "path") ?? "",
    status: numberOf(facts, "status") ?? 0,
    answeredBy: facts["answeredBy"] === "edge" ? "edge" : "app",
    bytesIn: numberOf(facts, "received") ?? 0,
    bytesOut: numberOf(facts, "bytes") ?? 0,
    ms: Math.round(lastedMs({ stages })),
  };
}

export function viewOfPacked(packed: Packed, n: number): RequestView {
  const { facts } = packed;
  const { method, path, status, answeredBy, bytesIn, bytesOut, ms } = countedOfPacked(packed);
  return {
    id: packed.work,
    n,
    at: packed.at,
    method,
    path,
    query: textOf(facts, "query"),
    protocol: textOf(facts, "protocol"),
    status,
    answeredBy,
    outcome: "ok",
    code: null,
    ms,
    stages: stagesOfPacked(packed),
    bytesIn,
    bytesOut,
    account: textOf(facts, "account") ?? "",
    billedBy: textOf(facts, "billedBy"),
    replica: textOf(facts, "replica"),
  };
}

/** A row of `told_requests`. */
export function viewOfRow(row: Record<string, unknown>): RequestView {
  const at = Number(row["at"]);
  const more = JSON.parse(text(row["more"]) || "{}") as Partial<More>;
  return {
    id: String(row["work"]),
    n: Number(row["n"] ?? 0),
    at: new Date(at).toISOString(),
    method: text(row["method"]),
    path: text(row["path"]),
    query: more.query ?? null,
    protocol: more.protocol ?? null,
    status: Number(row["status"] ?? 0),
    answeredBy: row["answered_by"] === "app" ? "app" : row["answered_by"] === "edge" ? "edge" : "nobody",
    outcome: row["outcome"] as RequestView["outcome"],
    code: typeof row["code"] === "string" ? row["code"] : null,
    ms: Math.max(0, Number(row["ended"] ?? at) - at),
    stages: more.stages ?? {},
    bytesIn: more.bytesIn ?? 0,
    bytesOut: more.bytesOut ?? 0,
    account: text(row["account"]),
    billedBy: more.billedBy ?? null,
    replica: more.replica ?? null,
  };
}

const stageNames = ["resolved", "routed", "woken", "connected", "sent", "answered"] as const;
const stageOfHop: Partial<Record<Hop, (typeof stageNames)[number]>> = {
  "identity.resolve": "resolved",
  "edge.route": "routed",
  "edge.wake": "woken",
  "edge.connect": "connected",
  "app.take": "sent",
  "app.respond": "answered",
};

function stagesOfPacked({ stages }: Packed): RequestStages {
  return Object.fromEntries(
    stages.flatMap(([hop, ms]) => (stageOfHop[hop] === undefined ? [] : [[stageOfHop[hop], ms]])),
  ) as RequestStages;
}

function stagesOf(told: Facts[string] | undefined): RequestStages {
  if (typeof told !== "object" || told === null) return {};
  const known = stageNames.filter((name) => typeof (told as Facts)[name] === "number");
  return Object.fromEntries(known.map((name) => [name, (told as Facts)[name]])) as RequestStages;
}

function outcomeOf(mark: Entry["mark"]): "ok" | "refused" | "failed" {
  return mark === "done" ? "ok" : mark === "refused" ? "refused" : "failed";
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function textOf(facts: Facts, name: string): string | null {
  const value = facts[name];
  return typeof value === "string" ? value : null;
}

function numberOf(facts: Facts, name: string): number | null {
  const value = facts[name];
  return typeof value === "number" ? value : null;
}
