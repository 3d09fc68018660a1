/** What one entry of a request adds to its row in the list of a Space's requests, and a packed record's row. */
import type { RequestView } from "../contract/api.ts";
import type { Entry, Facts, Packed } from "../evidence/entry.ts";

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
}

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
  };
}

export function viewOfPacked(packed: Packed): RequestView {
  const { facts } = packed;
  return {
    id: packed.work,
    at: packed.at,
    method: textOf(facts, "method") ?? "",
    path: textOf(facts, "path") ?? "",
    status: numberOf(facts, "status") ?? 0,
    answeredBy: facts["answeredBy"] === "edge" ? "edge" : "app",
    outcome: "ok",
    code: null,
    ms: Math.round(Math.max(0, ...packed.stages.map(([, ms]) => ms))),
    account: textOf(facts, "account") ?? "",
  };
}

function outcomeOf(mark: Entry["mark"]): "ok" | "refused" | "failed" {
  return mark === "done" ? "ok" : mark === "refused" ? "refused" : "failed";
}

function textOf(facts: Facts, name: string): string | null {
  const value = facts[name];
  return typeof value === "string" ? value : null;
}

function numberOf(facts: Facts, name: string): number | null {
  const value = facts[name];
  return typeof value === "number" ? value : null;
}
