/**
 * The chain of a work: from the visitor's request down to the push of the code that served it, as far as the works' own records name one another.
 * Pure; whoever has the records follows them one by one.
 */
import type { Entry, WorkKind } from "./entry.ts";
import { workKindOf } from "./id-kinds.ts";
import type { Inside } from "./inside.ts";
import { directionOf, namedBy, relationOf, type Related } from "./relations.ts";

/** So much of a commit tells it from all others of a repository. */
const shortCommit = 12;

/** `request q_1 → call c_1 → replica p_1 → build b_1 → commit alice/demo@4f2a9c1d23ef → push tr_1 by alice` */
export function chainSays(chain: readonly ChainStep[]): string {
  return chain.map(stepSays).join(" → ");
}

function stepSays({ id, kind, by, likely }: ChainStep): string {
  if (by !== undefined) return `push ${id} by ${by}`;
  return `${kind} ${kind === "commit" ? shortened(id) : id}${likely === undefined ? "" : " (likely)"}`;
}

/** `alice/demo@4f2a9c1d23ef`: as people write a commit. */
export function shortened(commit: string): string {
  return commit.slice(0, commit.indexOf("@") + 1 + shortCommit);
}

export interface ChainStep {
  readonly id: string;
  readonly kind: WorkKind | "commit";
  /** Of a push: the account that pushed. */
  readonly by?: string;
  /** Why it is likely only; absent where the record names it. */
  readonly likely?: string;
}

/** Where the record of a work leads to. */
export interface Leads {
  readonly request?: string;
  readonly replica?: string;
  readonly build?: string;
  readonly commit?: { readonly space: string; readonly commit: string };
}

export function leadsOf(work: Related): Leads {
  const { kind, entries } = work;
  switch (kind) {
    case "request":
      return { ...replicaIn(entries), ...buildIn(work) };
    case "call":
      return { ...replicaIn(entries), ...idIn(entries, "request", "request") };
    case "connection": {
      const [of] = namedBy(work);
      const ofKind = of === undefined ? undefined : workKindOf(of);
      return ofKind === "replica" ? { replica: of as string } : ofKind === "build" ? { build: of as string } : {};
    }
    case "replica":
    case "transfer":
      return buildIn(work);
    case "build": {
      const facts = entries.find(({ hop }) => hop === "build.request")?.facts;
      const [space, commit] = [facts?.["space"], facts?.["commit"]];
      return typeof space === "string" && typeof commit === "string" ? { commit: { space, commit } } : {};
    }
    case "node":
    case "space":
      return {};
  }
}

/** The push among the works beside a build: its transfer, which tells more, before its request. */
export function pushOf(beside: readonly Related[]): ChainStep | undefined {
  const transfer = beside.find((work) => work.kind === "transfer" && directionOf(work) === "upload");
  const push = transfer ?? beside.find(({ kind }) => kind === "request");
  if (push === undefined) return undefined;
  const by = push.entries.find(({ facts }) => typeof facts["account"] === "string")?.facts["account"];
  return { id: push.id, kind: push.kind, ...(typeof by === "string" && { by }) };
}

/** Whether a work is what brought a build's commit. */
export function isPushOf(work: Related, build: Related): boolean {
  const isAsked = work.kind === "request" || work.kind === "transfer";
  return isAsked && namedBy(work).includes(build.id) && relationOf(work, build) === "made";
}

/** The build that a build is another try of. */
export function earlierTry({ entries }: Pick<Related, "entries">): string | undefined {
  const asked = entries.filter(({ hop, mark }) => hop === "build.request" && mark === "took");
  return namedBy({ entries: asked }).find((id) => workKindOf(id) === "build");
}

/** The replica that had it at last. */
function replicaIn(entries: readonly Entry[]): Leads {
  return idIn([...entries].reverse(), "replica", "replica");
}

function buildIn(work: Related): Leads {
  const build = namedBy(work).find((id) => workKindOf(id) === "build");
  return build === undefined ? {} : { build };
}

function idIn(entries: readonly Entry[], fact: string, kind: "request" | "replica"): Leads {
  const id = entries
    .map(({ facts }) => facts[fact])
    .find((value): value is string => typeof value === "string" && workKindOf(value) === kind);
  return id === undefined ? {} : { [kind]: id };
}

/** The steps of the works that were followed; `likely`: the one among them that nobody names. */
export function chainIn(
  works: readonly Related[],
  likely: Inside | undefined,
  commit: ChainStep | undefined,
): readonly ChainStep[] {
  const steps = works.map(({ id, kind }): ChainStep => {
    return { id, kind, ...(likely?.id === id && { likely: likely.says }) };
  });
  return commit === undefined ? steps : [...steps, commit];
}

/** From whoever asked down to the code. */
const order: readonly ChainStep["kind"][] = ["request", "call", "connection", "transfer", "replica", "build", "commit"];

/** One step alone is no chain. */
export function inOrder(steps: readonly ChainStep[], push: ChainStep | undefined): readonly ChainStep[] {
  const rank = ({ kind }: ChainStep): number => order.indexOf(kind);
  const before = steps.filter(({ id }) => id !== push?.id).toSorted((a, b) => rank(a) - rank(b));
  const all = push === undefined ? before : [...before, push];
  return all.length > 1 ? all : [];
}
