/**
 * Works as spans of OpenTelemetry: a trace for each work, whose id is the work's own, a span for each hop, links to works beside. Pure:
 * the same record gives the same spans, so one that is sent twice is the same to whoever keeps them.
 */
import { codeRow, isCode } from "./codes.ts";
import { endOfEntry } from "./endings.ts";
import { lastedMs } from "./entry.ts";
import type { Entry, Facts, Json, Packed } from "./entry.ts";

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** Absent of the work itself. */
  readonly parentSpanId?: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly start: number;
  readonly end: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** Of one that was refused or failed: in a sentence. */
  readonly error?: string;
  /** Works beside it. */
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
}

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const idForm = /^([a-z]{1,3})_([0-9a-hjkmnp-tv-z]{16})$/;
const traceDigits = 32;
const spanDigits = 16;

/**
 * A trace's id is the work's: its last 20 digits are the id's 80 random bits, those before them the letters of its prefix. Undefined of
 * what has no such id.
 */
export function traceIdOf(work: string): string | undefined {
  const [, prefix = "", random = ""] = idForm.exec(work) ?? [];
  if (random === "") return undefined;
  const bits = [...random].reduce((sum, letter) => sum * 32n + BigInt(alphabet.indexOf(letter)), 0n);
  const letters = [...prefix].map((letter) => letter.charCodeAt(0).toString(16)).join("");
  return letters.padStart(traceDigits - 20, "0") + bits.toString(16).padStart(20, "0");
}

/** The span of the work itself. */
export function rootSpanOf(traceId: string): string {
  return traceId.slice(-spanDigits);
}

export function spansOfPacked({ work, kind, at, stages, facts, emitter }: Packed): readonly Span[] {
  const traceId = traceIdOf(work);
  if (traceId === undefined) return [];
  const start = Date.parse(at);
  const own = rootSpanOf(traceId);
  const hops = stages.map(([hop, ms], i): Span => ({
    ...{ traceId, spanId: spanId(`${work} ${hop} ${i}`), parentSpanId: own, name: hop },
    start: start + (stages[i - 1]?.[1] ?? 0),
    end: start + ms,
    attributes: { "waybill.emitter": emitter },
    links: [],
  }));
  const root: Span = {
    ...{ traceId, spanId: own, name: kind, start, end: start + lastedMs({ stages }) },
    ...{ attributes: attributesOf(work, kind, facts), links: linksOf(facts) },
  };
  return [root, ...hops];
}

/** `begunAt`: when the work was first told of, where that is known. The entry that ends a work gives the work's own span too. */
export function spansOfEntry(entry: Entry, begunAt: number | undefined): readonly Span[] {
  const { work, hop, mark, facts, emitter, id } = entry;
  const traceId = traceIdOf(work);
  if (traceId === undefined) return [];
  const end = Date.parse(entry.at);
  const tookMs = facts["ms"] ?? facts["tookMs"];
  const ms = typeof tookMs === "number" && mark !== "took" ? tookMs : 0;
  const own = rootSpanOf(traceId);
  const error = errorOf(facts, mark);
  const step: Span = {
    ...{ traceId, spanId: spanId(id), parentSpanId: own, name: `${hop} ${mark}`, start: end - ms, end },
    attributes: { "waybill.emitter": emitter, "waybill.entry": id, ...codeAttributes(facts) },
    ...(error !== undefined && { error }),
    links: [],
  };
  const kind = endsAs(entry);
  // What ends a call names no other work: its first hop does.
  if (kind === undefined) return [{ ...step, links: linksOf(facts) }];
  const root: Span = {
    ...{ traceId, spanId: own, name: kind, start: Math.min(begunAt ?? end, end - ms), end },
    attributes: { ...attributesOf(work, kind, facts), ...codeAttributes(facts) },
    ...(error !== undefined && { error }),
    links: linksOf(facts),
  };
  return [root, step];
}

/** The kind of the work that the entry ends. A call is the ledger's: it ends where it is settled, or never was admitted. */
function endsAs(entry: Entry): string | undefined {
  if (entry.work.startsWith("c_")) {
    const isSettled = entry.hop === "gpu.settle" && entry.mark === "done";
    return isSettled || (entry.mark === "refused" && entry.hop !== "gpu.queue") ? "call" : undefined;
  }
  return endOfEntry(entry)?.kind;
}

/** One request to a collector: OTLP's JSON form, where ids are in hexadecimal digits and times in nanoseconds, as texts. */
export function otlpOf(spans: readonly Span[], about: { readonly version: string; readonly instance: string }): object {
  const resource = {
    attributes: attributeList({
      ...{ "service.name": "waybill", "service.version": about.version, "service.instance.id": about.instance },
    }),
  };
  return {
    resourceSpans: [{ resource, scopeSpans: [{ scope: { name: "waybill" }, spans: spans.map(otlpSpan) }] }],
  };
}

const kindInternal = 1;
const kindServer = 2;
const statusError = 2;

function otlpSpan({ traceId, spanId: id, parentSpanId, name, start, end, attributes, error, links }: Span): object {
  return {
    ...{ traceId, spanId: id, name },
    ...(parentSpanId !== undefined && { parentSpanId }),
    kind: name === "request" ? kindServer : kindInternal,
    startTimeUnixNano: nanoseconds(start),
    endTimeUnixNano: nanoseconds(end),
    attributes: attributeList(attributes),
    ...(links.length > 0 && { links }),
    ...(error !== undefined && { status: { code: statusError, message: error } }),
  };
}

function nanoseconds(ms: number): string {
  return String(BigInt(Math.round(ms * 1000)) * 1000n);
}

function attributeList(attributes: Span["attributes"]): readonly object[] {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value:
      typeof value === "string"
        ? { stringValue: value }
        : typeof value === "boolean"
          ? { boolValue: value }
          : Number.isSafeInteger(value)
            ? { intValue: String(value) }
            : { doubleValue: value },
  }));
}

const told: readonly (readonly [fact: string, attribute: string])[] = [
  ["space", "waybill.space"],
  ["replica", "waybill.replica"],
  ["account", "waybill.account"],
  ["answeredBy", "waybill.answered_by"],
  ["method", "http.request.method"],
  ["path", "url.path"],
  ["host", "server.address"],
  ["status", "http.response.status_code"],
];

function attributesOf(work: string, kind: string, facts: Facts): Span["attributes"] {
  const known = told.flatMap(([fact, attribute]) => {
    const value = facts[fact];
    return typeof value === "string" || typeof value === "number" ? [[attribute, value] as const] : [];
  });
  return { "waybill.id": work, "waybill.kind": kind, ...Object.fromEntries(known) };
}

function codeAttributes(facts: Facts): Span["attributes"] {
  const { code } = facts;
  return typeof code === "string" && isCode(code) ? { "waybill.code": code, "waybill.owner": codeRow(code).owner } : {};
}

function errorOf(facts: Facts, mark: Entry["mark"]): string | undefined {
  if (mark !== "refused" && mark !== "failed") return undefined;
  const { code } = facts;
  return typeof code === "string" && isCode(code) ? `${code}: ${codeRow(code).says}` : mark;
}

/** Of a call its request is a fact of its own. */
function linksOf(facts: Facts): Span["links"] {
  const named: readonly (Json | undefined)[] = [facts["link"], facts["request"]].flat() as readonly (
    | Json
    | undefined
  )[];
  const ids = new Set(named.flatMap((id) => (typeof id === "string" ? (traceIdOf(id) ?? []) : [])));
  return [...ids].map((traceId) => ({ traceId, spanId: rootSpanOf(traceId) }));
}

/** FNV-1a, 64 bits: no secret, and the same for the same record. */
function spanId(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const letter of text) hash = BigInt.asUintN(64, (hash ^ BigInt(letter.codePointAt(0) ?? 0)) * 0x100000001b3n);
  return (hash === 0n ? 1n : hash).toString(16).padStart(spanDigits, "0");
}
