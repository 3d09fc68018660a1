/** How one route of our own API is described: who may call it, what it takes, and what it may answer beside yes. */
import { z } from "zod";
import type { Code } from "../../evidence/codes.ts";
import type { Answers } from "./answers.ts";

/** Of a JSON Schema, dialect 2020-12. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * Who may: `open`: everybody, and is told what everybody may know. `account`: whoever is signed in, of what is its own. `read`, `write`,
 * `admin`: whoever has that right at the owner of what the path names. `operator`: administrators of the platform.
 */
export type Access = "open" | "account" | "read" | "write" | "admin" | "operator";

export const accesses: Readonly<Record<Access, string>> = {
  open: "everybody; who is not signed in is told what anybody may know",
  account: "whoever is signed in, of what is its own; operators, of all",
  read: "whoever may read what the path names: its owner, members of that organisation, operators",
  write:
    "whoever may write to what the path names: its owner, members of that organisation in the role write or admin, operators",
  admin: "the owner of what the path names, administrators of that organisation, operators",
  operator: "operators",
};

/** By what people look for. */
export const tags = {
  platform: "How the platform stands, what was wrong with it, and what changes.",
  accounts: "Accounts, organisations, tokens, sessions, and who changed what.",
  spaces: "Spaces: their state, settings, names, variables and secrets, logs and requests.",
  builds: "Builds, the queue of builds, and their logs.",
  calls: "GPU calls, and what one would meet.",
  quota: "What accounts may use, and have used.",
  pools: "Pools, nodes and cards; which calls come into which pool; what is out of use.",
  receipts: "Receipts, statements, and the log of receipts, which anybody may check.",
  explain: "Why something happened.",
  webhooks: "Addresses that are told what happens, and how that goes: docs/webhooks.md.",
  upkeep: "Copies of the platform, and the store of large files.",
} as const;
export type Tag = keyof typeof tags;

/** A parameter of the query or a header: its schema, whose description says what it does. */
export type QueryFields = Readonly<Record<string, z.ZodType>>;

export interface Operation {
  readonly tag: Tag;
  readonly access: Access;
  /** One line, in the imperative. */
  readonly summary: string;
  /** What is to be known beyond that. */
  readonly says?: string;
  /** What the route itself parses the query with; or what it reads by hand, in its words. */
  readonly query?: z.ZodObject | QueryFields;
  readonly headers?: QueryFields;
  /** What the route itself parses the body with. */
  readonly body?: z.ZodType;
  /** It may be left out. */
  readonly isBodyOptional?: boolean;
  /** Of yes; 200 where it is not said. */
  readonly status?: 200 | 201 | 202;
  /** What it answers with 202 beside; its type has the key with ` 202` behind it. */
  readonly later?: string;
  /** `lines`: JSON Lines, or events where those are accepted. `events`: server-sent events. `either`: lines where it is followed; their type has the key with ` line` behind it. */
  readonly stream?: "lines" | "events" | "either";
  /** It is the Hub's too: what else its clients send in the query is passed over. */
  readonly isHubs?: boolean;
  /** `RateLimit` fields stand in its head. */
  readonly hasRateLimit?: boolean;
  /** Beside those of all routes, of who may call it, and of its body and query. */
  readonly codes?: readonly Code[];
}

/** A route of which an answer is described. */
export type Described = Exclude<keyof Answers, "no" | `${string} ${"202" | "line"}`>;
/** Those of one file. */
export type Operations = Readonly<Partial<Record<Described, Operation>>>;

export const word = (says: string): z.ZodType => z.string().meta({ description: says });
export const count = (min: number, max: number, says: string): z.ZodType =>
  z.int().min(min).max(max).meta({ description: says });
export const oneOf = (words: readonly [string, ...string[]], says: string): z.ZodType =>
  z.enum(words).meta({ description: says });
export const moment = (says: string): z.ZodType => z.iso.datetime({ offset: true }).meta({ description: says });

/** Of every list that has pages. */
export const pageOf = {
  page: word("`next` of the page before; without it the first one."),
};
/** Of those whose length may be said. A wrong one is taken for the default, one beyond the bounds for the nearest. */
export const limitOf = (most: number, otherwise: number): QueryFields => ({
  limit: count(1, most, `Items of one page; ${otherwise} where it is not said.`),
});
export const accountOf = {
  account: word("Of which account; the caller's own where none is named."),
};
