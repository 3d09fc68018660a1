/**
 * The Device API's words: what a client asks in its query, and which answer of HTTP each of ours becomes.
 * `spaces` understands only the statuses, headers and bodies that are made here; our own SDK (`waybill=1`) is told more.
 */
import type { ToAgent } from "../contract/agent.ts";
import type { Problem } from "../contract/problem.ts";
import { codeRow, isCode, splitCode, type Code } from "../evidence/codes.ts";
import type { EndCause } from "./meter.ts";

export interface ScheduleQuery {
  readonly task: string;
  readonly declaredMs: number;
  readonly size: "large" | "xlarge";
  readonly token: string | null;
  /** Our own SDK asks: it is told positions, codes and sentences. */
  readonly extended: boolean;
}

export type Parsed<Query> =
  | { readonly ok: true; readonly query: Query }
  | { readonly ok: false; readonly says: string };

export type Refusal = Extract<ToAgent, { type: "refuse" }>;
export type Queued = Extract<ToAgent, { type: "queued" }>;

export interface GrantAnswer {
  readonly call: string;
  readonly idle: boolean;
  readonly nvidiaIndex: number;
  readonly nvidiaUUID: string;
  readonly allowToken: string;
  readonly leaseMs: number;
  readonly slot: string;
}

export interface WireAnswer {
  readonly status: 200 | 401 | 409 | 429 | 503;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What `spaces` means when it names no duration. */
const defaultDurationSeconds = 60;
/** A token is a few hundred bytes; a whole query fits into Node's limit for a request's head. */
const tokenMaxChars = 8_192;

export function parseSchedule(query: URLSearchParams): Parsed<ScheduleQuery> {
  const task = query.get("taskId") ?? "";
  if (!/^[\w.:-]{1,64}$/.test(task)) return { ok: false, says: "taskId is a whole number or a short name" };
  const duration = query.get("durationSeconds") ?? String(defaultDurationSeconds);
  if (!/^-?\d{1,9}$/.test(duration)) return { ok: false, says: "durationSeconds is a whole number of seconds" };
  const size = query.get("gpuSize") ?? "large";
  if (size !== "large" && size !== "xlarge") return { ok: false, says: "gpuSize is large or xlarge" };
  const token = query.get("token");
  if (token !== null && token.length > tokenMaxChars)
    return { ok: false, says: `token has more than ${tokenMaxChars} characters` };
  const extended = query.get("waybill") === "1";
  return { ok: true, query: { task, declaredMs: Number(duration) * 1_000, size, token, extended } };
}

export function parseAllow(query: URLSearchParams): Parsed<{ readonly allowToken: string; readonly pid: number }> {
  const pid = query.get("pid") ?? "";
  if (!/^\d{1,9}$/.test(pid)) return { ok: false, says: "pid is a process id" };
  return { ok: true, query: { allowToken: query.get("allowToken") ?? "", pid: Number(pid) } };
}

export interface ReleaseQuery {
  readonly allowToken: string;
  readonly fail: boolean;
  readonly outcome: "raised" | "unused" | "aborted" | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** Beside what `spaces` sends: `outcome=raised|unused|aborted`, `exit=N`, `signal=SIGNAME` say how it ended. */
export function parseRelease(query: URLSearchParams): Parsed<ReleaseQuery> {
  const fail = query.get("fail") ?? "false";
  if (fail !== "true" && fail !== "false") return { ok: false, says: "fail is true or false" };
  const exit = query.get("exit");
  if (exit !== null && !/^\d{1,3}$/.test(exit)) return { ok: false, says: "exit is an exit code" };
  const signal = query.get("signal");
  if (signal !== null && !/^SIG[A-Z0-9]{2,12}$/.test(signal)) return { ok: false, says: "signal is a signal's name" };
  const said = query.get("outcome");
  // What else it says (`returned`, `lost`) is in the other arguments already.
  const outcome = said === "raised" || said === "unused" || said === "aborted" ? said : null;
  const allowToken = query.get("allowToken") ?? "";
  return {
    ok: true,
    query: {
      allowToken,
      fail: fail === "true" || outcome === "raised",
      outcome,
      exitCode: exit === null ? null : Number(exit),
      signal,
    },
  };
}

/** 200 at once. */
export function grantedAnswer(grant: GrantAnswer, extended: boolean): WireAnswer {
  return {
    status: 200,
    headers: { ...json, "x-approve-result": "approved", "x-waybill-id": grant.call },
    body: grantBody(grant, extended),
  };
}

/** The refusal before a stream began: 429 for quotas, durations and caps, 401 for the visitor's token, else 503. */
export function refusedAnswer(refusal: Refusal, extended: boolean): WireAnswer {
  const { status, approve, wait } = refusedAs(refusal);
  const numbers = { left: leftSeconds(refusal), wait };
  const body = extended ? { ...problemOf(refusal), ...numbers } : status === 429 ? numbers : { detail: refusal.says };
  const headers = {
    ...(extended ? { "content-type": "application/problem+json" } : json),
    ...(approve === null ? {} : { "x-approve-result": approve }),
    "x-waybill-id": refusal.call,
  };
  return { status, headers, body: JSON.stringify(body) };
}

export const streamHeaders: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  "x-approve-result": "approved",
  "x-queuing-reason": "node",
};

/** One event, to be sent as exactly one HTTP chunk: `spaces` takes each chunk that it receives as one event. */
export function event(name: "ping" | "waiting" | "failed" | "succeeded", data?: string): string {
  return data === undefined ? `event: ${name}\n\n` : `event: ${name}\ndata: ${data}\n\n`;
}

export function grantBody(grant: GrantAnswer, extended: boolean): string {
  const { call, leaseMs, slot, ...wire } = grant;
  return JSON.stringify(extended ? { ...wire, call, leaseMs, slot } : wire);
}

export function waitingBody({ call, position, of, estimateMs, says }: Queued): string {
  return JSON.stringify({ call, position, of, estimateMs, says });
}

/** The refusal as problem details. A code that is not in the list is the sender's bug and is shown as it came. */
export function problemOf({ call, code, says }: Refusal): Problem {
  if (!isCode(code)) {
    const unknown = { boundary: "gpu", code, owner: "platform", retry: "later", next: "Try again later." } as const;
    return { type: "about:blank", title: says, status: 503, detail: says, ...unknown, waybill: call };
  }
  const row = codeRow(code);
  const [boundary, name] = splitCode(code);
  const { owner, retry, next } = row;
  return {
    type: "about:blank",
    title: row.says,
    status: row.status,
    detail: says,
    boundary,
    code: name,
    owner,
    retry,
    next,
    waybill: call,
  };
}

/** What `/release` says of an end that was not the function's own; `spaces` ignores the body. */
export function endBody({ cause, says }: { readonly cause: EndCause; readonly says: string }): string {
  const code = endCodes[cause];
  return JSON.stringify(code === null ? {} : { code, says });
}

const endCodes: Readonly<Record<EndCause, Code | null>> = {
  returned: null,
  raised: null,
  "lease-end": "gpu/lease-expired",
  "worker-exit": "gpu/worker-lost",
  "worker-killed": "gpu/worker-lost",
  "worker-oom": "gpu/worker-lost",
  "without-lease": "gpu/without-lease",
  "app-exit": "gpu/replica-lost",
  "app-killed": "gpu/replica-lost",
  "visitor-stop": "gpu/visitor-left",
  "operator-stop": "gpu/stopped",
};

const json = { "content-type": "application/json" };

/** `wait` < 0 says "illegal duration" and 0 "runs limit" to a `spaces` client, so a quota's wait is at least 1. */
function refusedAs({ kind, code, waitMs }: Refusal): {
  readonly status: WireAnswer["status"];
  readonly approve: string | null;
  readonly wait: number;
} {
  const wait = Math.max(1, Math.ceil(waitMs / 1_000));
  if (kind === "quota") return { status: 429, approve: "quota-exceeded", wait };
  if (kind === "duration") return { status: 429, approve: "illegal-duration", wait: -1 };
  // `spaces` then says to try again once some of the running tasks have completed.
  if (code === "gpu/account-busy") return { status: 429, approve: "pending-overquota-exceeded", wait: 0 };
  if (kind === "token" && !code.startsWith("identity/")) return { status: 429, approve: "runs-exceeded", wait: 0 };
  if (kind === "token") return { status: 401, approve: null, wait };
  if (kind === "conflict") return { status: 409, approve: null, wait };
  return { status: 503, approve: null, wait };
}

/** Whole seconds, and always less than was asked for: "60s requested vs. 60s left" would contradict itself. */
function leftSeconds({ leftMs, askedMs }: Refusal): number {
  const asked = Math.ceil(askedMs / 1_000);
  return Math.max(0, Math.min(Math.floor(leftMs / 1_000), asked - 1));
}
