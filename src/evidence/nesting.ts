/** Under which hop of a work the works stand that it began: where `--hops` draws their hops. Pure. */
import type { Hop, WorkKind } from "./entry.ts";
import type { Explanation, Link } from "./verdict.ts";

/** A work under the hop that began it, with those that it began itself. */
export interface Beneath {
  readonly hop: Hop;
  readonly explanation: Explanation;
  /** Nobody's record names it: why it is likely to belong there. */
  readonly likely?: string;
  readonly beneath: readonly Beneath[];
}

/** Undefined of a work that it did not begin, or of which no hop can be named. */
export function hopThatBegan(own: Explanation["kind"], { kind, relation, likely }: Link): Hop | undefined {
  const isOwn = relation === "made" || (likely !== undefined && kind === "connection");
  return isOwn ? began[`${own} ${kind}`] : undefined;
}

const began: Readonly<Partial<Record<string, Hop>>> = {
  "request call": "app.take",
  "request connection": "app.take",
  "request request": "app.take",
  "request build": "edge.deliver",
  "request transfer": "edge.accept",
  "call connection": "app.run",
  "build transfer": "build.fetch",
  "build connection": "build.step",
  "build replica": "replica.start",
  "transfer build": "transfer.verify",
  "replica connection": "replica.ready",
} satisfies Partial<Record<`${WorkKind} ${WorkKind}`, Hop>>;
