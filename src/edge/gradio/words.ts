/**
 * The platform's words for Gradio's clients: a call's place in the GPU queue as Gradio tells places, and the true sentence of a refusal in
 * place of the hosted service's, by a table of its texts. Pure.
 */
import type { Code } from "../../evidence/codes.ts";
import type { CallTold } from "../ports.ts";
import { objectOf } from "./messages.ts";
import type { Fields } from "./messages.ts";

/** What Gradio's GPU client says where the platform said no: how each of its texts begins (`spaces` 0.30 to 0.51, `zero/client.py`). */
const hostedTexts = [
  "You have exceeded your ",
  "You have too many ZeroGPU credits allocated to running tasks",
  "The requested GPU duration (",
  "Space app has reached its GPU limit",
  "No GPU was available",
  "No GPU is currently available",
  "Expired ZeroGPU proxy token",
] as const;

/** Where an app's own text begins like one of these it still has not its title. */
const hostedTitles = [
  "ZeroGPU pending credits exceeded",
  "ZeroGPU illegal duration",
  "ZeroGPU quota exceeded",
  "ZeroGPU queue timeout",
  "ZeroGPU client error",
  // Gradio before 5 has no titles of its own.
  "Error",
] as const;

/** Whether these are the words that the client has for a refusal of ours. */
export function isHosted(says: unknown, title: unknown): boolean {
  if (typeof says !== "string") return false;
  const isTitled = title === undefined || title === null || hostedTitles.some((one) => one === title);
  // Gradio before 5 tells an error's text as Python writes a string.
  const unquoted = /^(?<quote>['"])(?<text>.*)\k<quote>$/s.exec(says)?.groups?.["text"] ?? says;
  return isTitled && hostedTexts.some((text) => unquoted.startsWith(text));
}

/** `data:` of an event that tells of a place: as gradio's `EstimationMessage`. Ranks begin at 0. */
export function placeEvent(event: string, told: Extract<CallTold, { kind: "waiting" }>): Buffer {
  const { position, of, estimateMs } = told;
  const eta = estimateMs === null ? null : estimateMs / 1_000;
  return eventOf({ msg: "estimation", event_id: event, rank: position - 1, queue_size: of, rank_eta: eta });
}

/** It has its GPU: the function that had begun before goes on. */
export function startsEvent(event: string): Buffer {
  return eventOf({ msg: "process_starts", event_id: event, eta: null });
}

/** A whole event of `queue/data` with the true sentence; undefined where it is none with a text of the table. `event`: whose it is. */
export function trueMessage(data: string, told: Refused): string | undefined {
  const fields = objectOf(data);
  const output = fields?.["output"];
  if (fields?.["msg"] !== "process_completed" || fields["success"] !== false || !isFields(output)) return undefined;
  const { error, title } = output;
  return isHosted(error, title) ? JSON.stringify({ ...fields, output: withTruth(output, told) }) : undefined;
}

/** The same of `call/NAME/ID`, whose `error` events have the output alone, or its text. */
export function trueResult(data: string, told: Refused): string | undefined {
  const fields = objectOf(data);
  if (fields !== undefined)
    return isHosted(fields["error"], fields["title"]) ? JSON.stringify(withTruth(fields, told)) : undefined;
  const text = textOf(data);
  return isHosted(text, undefined) ? JSON.stringify(plain(told.says)) : undefined;
}

export interface Refused {
  readonly code: Code;
  readonly says: string;
}

function withTruth(output: Fields, { code, says }: Refused): Fields {
  return { ...output, error: plain(says), ...("title" in output && { title: titleOf(code) }) };
}

function titleOf(code: Code): string {
  if (code === "gpu/quota-exceeded" || code === "gpu/runs-exceeded" || code === "gpu/budget-exceeded")
    return "GPU quota";
  return code === "gpu/queue-timeout" || code === "gpu/queue-full" ? "GPU queue" : "No GPU";
}

/** Gradio's page reads a message as HTML. */
function plain(says: string): string {
  return says.replaceAll("<", "‹").replaceAll(">", "›");
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

function textOf(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function eventOf(fields: Fields): Buffer {
  return Buffer.from(`data: ${JSON.stringify(fields)}\n\n`);
}
