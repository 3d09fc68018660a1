/** What stands before the `_` of an id, and what it names: the one list of the kinds of ids that the platform prints. */
import type { WorkKind } from "./entry.ts";

export interface IdKind {
  /** As people say it: `a GPU call`. */
  readonly says: string;
  /** Of works: those that have a waybill. */
  readonly work?: WorkKind;
  /** Where its kind is listed, for those of which `explain` tells no story. */
  readonly look?: string;
}

export const idKinds: Readonly<Record<string, IdKind>> = {
  q: { says: "a request", work: "request" },
  c: { says: "a GPU call", work: "call" },
  b: { says: "a build", work: "build" },
  p: { says: "a replica", work: "replica" },
  x: { says: "an outbound connection", work: "connection" },
  tr: { says: "a transfer", work: "transfer" },
  r: { says: "a receipt" },
  rel: { says: "a release" },
  n: { says: "refusals that are counted" },
  i: { says: "an incident" },
  t: { says: "a token" },
  s: { says: "a session" },
  al: { says: "an allowance" },
  ar: { says: "an access request" },
  wh: { says: "a webhook", look: "`waybill webhook show` of it" },
  dl: { says: "a delivery to a webhook", look: "`waybill webhook deliveries` of its webhook lists it" },
  bk: { says: "a backup, of those that this server began" },
  app: { says: "an app that people sign in to", look: "`waybill space show OWNER/NAME` of its Space" },
};

/** The work that an id names by its form; undefined of all else. */
export function workKindOf(id: string): WorkKind | undefined {
  return kindOfId(id)?.work;
}

/** Undefined where nothing of ours is called so. */
export function kindOfId(id: string): IdKind | undefined {
  const prefix = id.split("_", 1)[0] ?? "";
  return id.startsWith(`${prefix}_`) && Object.hasOwn(idKinds, prefix) ? idKinds[prefix] : undefined;
}

/** What ids there are, for who has one that nothing here has. */
export function idKindsSay(): string {
  const prefixed = Object.entries(idKinds)
    .filter(([, { look }]) => look === undefined)
    .map(([prefix, { says }]) => `${prefix}_… (${says})`);
  const named = [
    "OWNER/NAME (a Space)",
    "OWNER/NAME@COMMIT",
    "models/OWNER/NAME or datasets/OWNER/NAME",
    "any of these with #NUMBER (a discussion)",
    "a node's name",
    "NODE/CARD/SLOT (a slot and its lease)",
    "the id of an entry (EMITTER/EPOCH/NUMBER, journal/RECORD/NUMBER)",
  ];
  return `There are ${[...prefixed, ...named].join(", ")}.`;
}
