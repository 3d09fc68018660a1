/** Answers with a problem: as `application/problem+json`, or as a page where the client is a browser. */
import type { IncomingMessage, ServerResponse } from "node:http";

import type { Problem } from "../contract/problem.ts";
import type { ProxyError } from "../contract/proxy-status.ts";
import { prefersHtml } from "./accept.ts";
import { pagePolicy, problemPage } from "./page.ts";
import type { Break } from "./page.ts";
import { serializeProxyStatus } from "./proxy-status.ts";

export interface ProblemReply {
  readonly problem: Problem;
  /** With it the answer bears `Proxy-Status`: the edge's own answers do, the control API's do not. */
  readonly proxy?: { readonly deployment: string; readonly error: ProxyError; readonly receivedStatus?: number };
  /** Where the work stopped, for the page; the edge unless said. */
  readonly stoppedAt?: Break;
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

/** The same answer as raw bytes of a whole HTTP/1.1 response, for a connection whose request could not be parsed. Closes it. */
export function rawProblem(reply: ProblemReply, reason: string): string {
  const { bytes, headers } = problemMessage({ ...reply, close: true }, false);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${reply.problem.status} ${reason}\r\n${lines.join("")}\r\n${bytes.toString("latin1")}`;
}

function problemMessage(reply: ProblemReply, html: boolean): { bytes: Buffer; headers: Record<string, string> } {
  const { problem } = reply;
  const retryAfter = retryAfterSeconds(reply);
  const text = html
    ? problemPage(problem, {
        stoppedAt: reply.stoppedAt ?? "edge",
        ...(retryAfter === undefined ? {} : { retryAfterSeconds: retryAfter }),
      })
    : `${JSON.stringify(problem)}\n`;
  const bytes = Buffer.from(text);
  return {
    bytes,
    headers: {
      "content-type": html ? "text/html; charset=utf-8" : "application/problem+json",
      "content-length": String(bytes.length),
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...(html ? { "content-security-policy": pagePolicy, "referrer-policy": "no-referrer" } : {}),
      ...(retryAfter === undefined ? {} : { "retry-after": String(retryAfter) }),
      ...(problem.status === 401 ? { "www-authenticate": 'Bearer realm="waybill"' } : {}),
      ...(reply.proxy === undefined ? {} : { "proxy-status": proxyStatusOf(problem, reply.proxy) }),
      ...(reply.close === true ? { connection: "close" } : {}),
      ...reply.headers,
    },
  };
}

function proxyStatusOf(problem: Problem, proxy: NonNullable<ProblemReply["proxy"]>): string {
  return serializeProxyStatus([{ ...proxy, details: `${problem.boundary}/${problem.code}` }]);
}

function retryAfterSeconds({ problem, retryAfterMs }: ProblemReply): number | undefined {
  if (problem.status !== 429 && problem.status !== 503) return undefined;
  return retryAfterMs === undefined ? retryAfterDefaultSeconds : Math.max(1, Math.ceil(retryAfterMs / 1000));
}
