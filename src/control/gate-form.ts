/** What a gated repository's README asks of those who want access: `extra_gated_prompt` and `extra_gated_fields` of its front matter. Pure. */
import type { GateField, GateForm } from "../contract/access.ts";
import type { Card } from "./hub-cards.ts";
import { isPlain } from "./plain-text.ts";

/** What somebody filled in, by the fields' names. */
export type Answers = Readonly<Record<string, string | boolean>>;

/** A longer form is filled in by nobody. */
const fieldsMax = 50;
const fieldNameMax = 200;
const optionsMax = 300;
export const answerMax = 1_000;
/** Of one request, as it is kept: a few pages. */
const answersMaxBytes = 16 << 10;
const promptMax = 20_000;
const wordsMax = 1_000;
/** The Hub's own words of types. */
const types = ["text", "checkbox", "date_picker", "country"] as const;
/** The Hub fills it in by the caller's address; here nothing knows where an address is. */
const unasked = "ip_location";

type GateFormRead =
  | { readonly ok: true; readonly form: GateForm }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Where a form is wrong nobody can be asked by it, and nobody gets past it: half of it could be what its owner insists on. */
export function gateFormOf(data: Card["data"]): GateFormRead {
  const problems: string[] = [];
  const text = (key: string, max: number): string | null => {
    const value = data?.[key] ?? null;
    if (value === null) return null;
    if (typeof value === "string" && value.length <= max) return value;
    problems.push(`${key} is to be a text of at most ${max} letters`);
    return null;
  };
  const form = {
    prompt: text("extra_gated_prompt", promptMax),
    heading: text("extra_gated_heading", wordsMax),
    description: text("extra_gated_description", wordsMax),
    button: text("extra_gated_button_content", wordsMax),
    fields: fieldsOf(data?.["extra_gated_fields"] ?? null, problems),
  };
  return problems.length === 0 ? { ok: true, form } : { ok: false, problems };
}

function fieldsOf(value: unknown, problems: string[]): readonly GateField[] {
  if (value === null) return [];
  if (typeof value !== "object" || Array.isArray(value)) {
    problems.push("extra_gated_fields is to be lines of `name: type`");
    return [];
  }
  const entries = Object.entries(value);
  if (entries.length > fieldsMax)
    problems.push(`extra_gated_fields has ${entries.length} fields, and ${fieldsMax} are asked at most`);
  return entries.slice(0, fieldsMax).flatMap(([name, kind]) => {
    const field = fieldOf(name, kind);
    if (typeof field !== "string") return field ?? [];
    problems.push(`extra_gated_fields, ${JSON.stringify(name.slice(0, 80))}: ${field}`);
    return [];
  });
}

/** Undefined where it is not asked; a text says what is wrong. */
function fieldOf(name: string, kind: unknown): GateField | string | undefined {
  if (name.trim() === "" || name.length > fieldNameMax) return `a field's name has 1 to ${fieldNameMax} letters`;
  if (!isPlain(name)) return "a field's name is one line of plain text";
  if (kind === unasked) return undefined;
  const type = types.find((one) => one === kind);
  if (type !== undefined) return { name, type };
  const { type: of, options } = (typeof kind === "object" && kind !== null ? kind : {}) as Record<string, unknown>;
  if (of === unasked) return undefined;
  const plain = types.find((one) => one === of);
  if (plain !== undefined) return { name, type: plain };
  if (of !== "select") return `write ${types.join(", ")}, or \`type: select\` with its options`;
  const labels = Array.isArray(options) ? options.map(optionOf) : [];
  if (labels.length === 0 || labels.length > optionsMax || !labels.every((label) => label !== undefined))
    return `\`options\` is to be a list of 1 to ${optionsMax} lines of plain text, of at most ${answerMax} letters`;
  return { name, type: "select", options: labels };
}

/** `Research`, or `{label: Other, value: other}`. */
function optionOf(option: unknown): string | undefined {
  const { value, label } = (typeof option === "object" && option !== null ? option : {}) as Record<string, unknown>;
  const text = typeof option === "string" ? option : (value ?? label);
  return typeof text === "string" && text !== "" && text.length <= answerMax && isPlain(text) ? text : undefined;
}

/** What is kept of what somebody filled in; or every field of it that is not as it was asked. */
export function answersTo(
  { fields }: GateForm,
  given: Readonly<Record<string, unknown>>,
): { readonly ok: true; readonly answers: Answers } | { readonly ok: false; readonly problems: readonly string[] } {
  const answers: (readonly [string, string | boolean])[] = [];
  const problems: string[] = [];
  for (const field of fields) {
    const answer = answerTo(field, Object.hasOwn(given, field.name) ? given[field.name] : undefined);
    if ("wrong" in answer) problems.push(`${field.name}: ${answer.wrong}`);
    else answers.push([field.name, answer.is]);
  }
  const asked = new Set(fields.map(({ name }) => name));
  for (const name of Object.keys(given)) if (!asked.has(name)) problems.push(`${name.slice(0, 80)}: this is not asked`);
  const whole = Object.fromEntries(answers);
  if (Buffer.byteLength(JSON.stringify(whole)) > answersMaxBytes)
    problems.push(`all answers together have at most ${answersMaxBytes} bytes`);
  return problems.length === 0 ? { ok: true, answers: whole } : { ok: false, problems };
}

function answerTo(field: GateField, value: unknown): { readonly is: string | boolean } | { readonly wrong: string } {
  if (field.type === "checkbox") {
    // A form sends `on`.
    const isTicked = value === true || value === "on" || value === "true";
    return isTicked ? { is: true } : { wrong: "it has to be agreed to" };
  }
  if (typeof value !== "string" || value.trim() === "") return { wrong: "it has to be filled in" };
  if (value.length > answerMax) return { wrong: `an answer has at most ${answerMax} letters` };
  if (value.includes("\0")) return { wrong: "an answer has no NUL" };
  if (field.type === "select" && !field.options.includes(value))
    return { wrong: `write one of ${field.options.slice(0, 20).join(", ")}` };
  if (field.type === "date_picker" && !isDate(value)) return { wrong: "write a date as 2026-11-30" };
  return { is: value };
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const at = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text);
}
