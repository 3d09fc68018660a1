/** Answers with a problem: as `application/problem+json`, or as a page where the client is a browser. */
import type { IncomingMessage, ServerResponse } from "node:http";

import type { Problem } from "../contract/problem.ts";
import type { ProxyError } from "../contract/proxy-status.ts";
import { prefersHtml } from "./accept.ts";
import { pagePolicy, problemPage, verdictHtml } from "./page.ts";
import type { Break, Certainty, PageFacts } from "./page.ts";
import { serializeProxyStatus } from "./proxy-status.ts";

export interface ProblemReply {
  readonly problem: Problem;
  /** With it the answer bears `Proxy-Status`: the edge's own answers do, the control API's do not. */
  readonly proxy?: { readonly deployment: string; readonly error: ProxyError; readonly receivedStatus?: number };
  /** Where the work stopped, for the page; the edge unless said. */
  readonly stoppedAt?: Break;
  /** For the page; proved unless said. */
  readonly certainty?: Certainty | undefined;
  /** Rounded up to whole seconds; without it 429 and 503 say {@link retryAfterDefaultSeconds}. */
  readonly retryAfterMs?: number;
  /** More headers, lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The connection ends with this answer: what follows on it cannot be trusted. */
  readonly close?: boolean;
}

/** `Retry-After` where the wait is not known: long enough that a client in a loop does no harm. */
export const retryAfterDefaultSeconds = 5;

/** Writes the whole answer and ends it. The response's head must not have been sent. Takes only what it needs of a request. */
export function writeProblem(
  request: Pick<IncomingMessage, "headers" | "method">,
  response: ServerResponse,
  reply: ProblemReply,
): void {
  const { bytes, headers } = problemMessage(reply, prefersHtml(request.headers.accept));
  response.writeHead(reply.problem.status, headers);
  response.end(request.method === "HEAD" ? undefined : bytes);
}

/** The head of an answer that is a page, whose bytes come as things happen. */
export function writePageHead(response: ServerResponse, reply: ProblemReply): void {
  response.writeHead(reply.problem.status, headersOf(reply, { html: true, retryAfter: retryAfterSeconds(reply) }));
}

/** What stands below the sentence of a problem, where a page has begun already. */
export function verdictOf(reply: ProblemReply): string {
  return verdictHtml(reply.problem, pageFactsOf(reply));
}

/** The same answer as raw bytes of a whole HTTP/1.1 response, for a connection whose request could not be parsed. Closes it. */
export function rawProblem(reply: ProblemReply, reason: string): string {
  const { bytes, headers } = problemMessage({ ...reply, close: true }, false);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${reply.problem.status} ${reason}\r\n${lines.join("")}\r\n${bytes.toString("latin1")}`;
}

function problemMessage(reply: ProblemReply, html: boolean): { bytes: Buffer; headers: Record<string, string> } {
  const { problem } = reply;
  const bytes = Buffer.from(html ? problemPage(problem, pageFactsOf(reply)) : `${JSON.stringify(problem)}\n`);
  return {
    bytes,
    headers: headersOf(reply, { html, length: bytes.length, retryAfter: retryAfterSeconds(reply) }),
  };
}

interface HeadFacts {
  readonly html: boolean;
  /** Absent where it comes in pieces. */
  readonly length?: number;
  readonly retryAfter: number | undefined;
}

function headersOf(reply: ProblemReply, { html, length, retryAfter }: HeadFacts): Record<string, string> {
  const { problem } = reply;
  return {
    "content-type": html ? "text/html; charset=utf-8" : "application/problem+json",
    ...(length === undefined ? {} : { "content-length": String(length) }),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...(html ? { "content-security-policy": pagePolicy, "referrer-policy": "no-referrer" } : {}),
    ...(retryAfter === undefined ? {} : { "retry-after": String(retryAfter) }),
    ...(problem.status === 401 ? { "www-authenticate": 'Bearer realm="waybill"' } : {}),
    ...(reply.proxy === undefined ? {} : { "proxy-status": proxyStatusOf(problem, reply.proxy) }),
    ...(reply.close === true ? { connection: "close" } : {}),
    ...reply.headers,
  };
}

function pageFactsOf(reply: ProblemReply): PageFacts {
  const retryAfter = retryAfterSeconds(reply);
  return {
    stoppedAt: reply.stoppedAt ?? "edge",
    certainty: reply.certainty ?? "proved",
    ...(retryAfter === undefined ? {} : { retryAfterSeconds: retryAfter }),
  };
}

function proxyStatusOf(problem: Problem, proxy: NonNullable<ProblemReply["proxy"]>): string {
  return serializeProxyStatus([{ ...proxy, details: `${problem.boundary}/${problem.code}` }]);
}

function retryAfterSeconds({ problem, retryAfterMs }: ProblemReply): number | undefined {
  if (problem.status !== 429 && problem.status !== 503) return undefined;
  return retryAfterMs === undefined ? retryAfterDefaultSeconds : Math.max(1, Math.ceil(retryAfterMs / 1000));
}
