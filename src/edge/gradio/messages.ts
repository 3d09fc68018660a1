/**
 * What Gradio's event streams say, in our words. Two languages: `queue/data` has JSON with `msg` and `event_id`, of all events of a
 * session; `call/NAME/ID` has named events of one. As in gradio 4.44 to 6.31: `server_messages.py`, `routes.py`. Pure.
 */
import type { Code } from "../../evidence/codes.ts";
import type { StreamEvent } from "./event-stream.ts";
import { isEventId } from "./routes.ts";

/** Where an event stands in the app's own queue. */
export interface Place {
  /** From 1 on. */
  readonly position: number;
  readonly of: number;
  /** As the app estimates it. */
  readonly estimateMs: number | null;
}

export type Told =
  | { readonly kind: "queued"; readonly event: string; readonly place: Place }
  | { readonly kind: "started"; readonly event: string }
  | { readonly kind: "update"; readonly event: string }
  | { readonly kind: "completed"; readonly event: string }
  | { readonly kind: "failed"; readonly event: string; readonly failure: Failure }
  /** Ends every event of the stream. */
  | { readonly kind: "broken"; readonly failure: Failure; readonly sessionUnknown: boolean }
  /** The stream has nothing more to tell. */
  | { readonly kind: "closing" };

/** What the app let its visitor read of an error. */
export interface Failure {
  readonly code: Extract<Code, "app/exception" | "runtime/device-out-of-memory">;
  /** Null: the app hides its errors (`show_error` is off). */
  readonly says: string | null;
  readonly title: string | null;
}

/** Characters of an app's own text that an entry keeps. */
const saysMaxLength = 300;

/** An event of `queue/data`; undefined for what says nothing of a call's way (progress, log, heartbeat), or is not Gradio's. */
export function parseMessage({ data, tail }: StreamEvent): Told | undefined {
  const msg = /^\s*\{\s*"msg"\s*:\s*"(\w{1,40})"/.exec(data)?.[1];
  switch (msg) {
    case "estimation":
    case "process_completed":
    case "unexpected_error":
      return tail === undefined ? ofWhole(msg, objectOf(data)) : ofLong(msg, data, tail);
    case "process_starts":
    case "process_generating":
    case "process_streaming": {
      const event = eventIn(data);
      return event === undefined ? undefined : { kind: msg === "process_starts" ? "started" : "update", event };
    }
    case "close_stream":
      return { kind: "closing" };
    default:
      return undefined;
  }
}

/** An event of `call/NAME/ID`. */
export function parseResult(event: string, { name, data, tail }: StreamEvent): Told | undefined {
  switch (name) {
    case "generating":
      return { kind: "update", event };
    case "complete":
      return { kind: "completed", event };
    case "error":
      return { kind: "failed", event, failure: failureOf(tail === undefined ? valueOf(data) : undefined) };
    default:
      return undefined;
  }
}

export type Fields = Readonly<Record<string, unknown>>;

/** A JSON object; undefined where the text is none. */
export function objectOf(text: string): Fields | undefined {
  const value = valueOf(text);
  return typeof value === "object" && value !== null ? (value as Fields) : undefined;
}

/** What an error's payload says: an object with `error` and `title`, a text, or null. */
export function failureOf(payload: unknown): Failure {
  const fields = typeof payload === "object" && payload !== null ? (payload as Fields) : { error: payload };
  const says = shortText(fields["error"]);
  return { code: codeOf(says), says, title: shortText(fields["title"]) };
}

function ofWhole(msg: string, fields: Fields | undefined): Told | undefined {
  if (fields === undefined) return undefined;
  const { event_id: event } = fields;
  if (msg === "unexpected_error") {
    const failure = failureOf({ error: fields["message"] });
    return { kind: "broken", failure, sessionUnknown: fields["session_not_found"] === true };
  }
  if (!isEventId(event)) return undefined;
  if (msg === "process_completed")
    return fields["success"] === false
      ? { kind: "failed", event, failure: failureOf(fields["output"]) }
      : { kind: "completed", event };
  const { rank, queue_size: size, rank_eta: eta } = fields;
  if (!isCount(rank) || !isCount(size)) return undefined;
  const estimateMs = typeof eta === "number" && Number.isFinite(eta) ? Math.max(0, Math.round(eta * 1000)) : null;
  return { kind: "queued", event, place: { position: rank + 1, of: Math.max(size, rank + 1), estimateMs } };
}

/** Of a long event only how it ended: the last `success` is its own, since inside a text its quotes would be escaped. */
function ofLong(msg: string, data: string, tail: string): Told | undefined {
  const event = eventIn(data);
  if (msg !== "process_completed" || event === undefined) return undefined;
  const success = [...tail.matchAll(/,\s*"success"\s*:\s*(true|false)/g)].at(-1)?.[1];
  return success === "false" ? { kind: "failed", event, failure: failureOf(null) } : { kind: "completed", event };
}

function eventIn(data: string): string | undefined {
  const event = /"event_id"\s*:\s*"([0-9a-f]{32})"/.exec(data)?.[1];
  return isEventId(event) ? event : undefined;
}

/** `torch` and `spaces` name the exception `OutOfMemoryError`; its message begins "CUDA out of memory". */
function codeOf(says: string | null): Failure["code"] {
  return says !== null && /\b(?:CUDA|HIP)\b.{0,20}\bout of memory\b|\bOutOfMemoryError\b/i.test(says)
    ? "runtime/device-out-of-memory"
    : "app/exception";
}

function shortText(value: unknown): string | null {
  if (typeof value !== "string" || value.trim() === "") return null;
  const text = value.trim();
  return text.length > saysMaxLength ? `${text.slice(0, saysMaxLength)}…` : text;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function valueOf(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
