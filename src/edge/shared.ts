/**
 * What the workers of one edge tell each other, since each request of a visitor may reach another of them: where sessions are, what is used
 * of limits, and what becomes of Gradio's events. A join is one worker's, and so is its record; the stream that tells of it, its cancel and
 * its result may be another's. What is told is a hint for those who listen: a worker that hears nothing goes on by what it sees itself.
 */
import type { Code } from "../evidence/codes.ts";
import type { Told } from "./gradio/messages.ts";
import type { Refused } from "./gradio/words.ts";
import type { SharedUse } from "./used-elsewhere.ts";

/** A session of a Space was placed. */
export interface SharedSession {
  readonly type: "session";
  readonly space: string;
  readonly session: string;
  readonly replica: string;
  /** Where it was before, if that replica is gone. */
  readonly movedFrom?: string | undefined;
}

/** An answer that tells of events: its request, and of whose. */
export interface StreamName {
  readonly stream: string;
  readonly replica: string;
  /** A session's hash or an event's id. */
  readonly of: string;
}

interface EventName {
  readonly replica: string;
  readonly event: string;
}

/** What becomes of a stream that the teller carries. */
export type OfStream =
  | { readonly type: "opened" }
  /** `updates`: how many the teller has heard of that event. */
  | { readonly type: "heard"; readonly told: Told; readonly updates: number }
  | { readonly type: "closed"; readonly by: "visitor" | "app" }
  | { readonly type: "broke"; readonly code: Code }
  | { readonly type: "unreadable"; readonly says: string };

export type SharedEvent =
  /** A join's answer with this event is on its way to the visitor. */
  | ({ readonly type: "announced" } & EventName)
  /** The teller follows it: its record is the teller's to write. */
  | ({ readonly type: "joined"; readonly session: string | null; readonly work: string } & EventName)
  /** Its record is written. */
  | ({ readonly type: "over" } & EventName)
  | (OfStream & StreamName)
  | ({ readonly type: "told-instead"; readonly refused: Refused } & EventName)
  | ({ readonly type: "cancel"; readonly word: "asked" | "taken" | "refused" } & EventName);

/** What addresses and Spaces use at the teller. */
export interface SharedUses {
  readonly type: "uses";
  readonly uses: readonly SharedUse[];
}

export type Shared = SharedSession | SharedEvent | SharedUses;
