/** What the edge itself answers to a request that it had accepted. */
import type { IncomingMessage, ServerResponse } from "node:http";

import type { Code } from "../evidence/codes.ts";
import type { Break } from "../http/page.ts";
import { problemOf, proxyErrorOf } from "../http/problem.ts";
import { writeProblem } from "../http/reply.ts";
import type { EdgeContext } from "./context.ts";
import { drainMaxBytes } from "./limits.ts";

export interface OwnAnswer {
  readonly work: string;
  readonly requestId: string;
  readonly code: Code;
  /** Where it stopped, for the page. */
  readonly stoppedAt: Break;
  /** One sentence for the visitor; the code's own where absent. */
  readonly detail?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  /** Where HTTP has a narrower status than the code's. */
  readonly status?: number | undefined;
  readonly close?: boolean | undefined;
}

/** Answers with a problem; where an answer has begun already, breaks it, since nothing else can say that it is not whole. */
export function answerOwn(
  context: EdgeContext,
  request: IncomingMessage,
  response: ServerResponse,
  own: OwnAnswer,
): void {
  if (response.headersSent) return void response.destroy();
  const { work, code, detail, status, retryAfterMs } = own;
  writeProblem(request, response, {
    problem: problemOf(code, {
      waybill: work,
      explain: context.explainUrl(work),
      ...(detail === undefined ? {} : { detail }),
      ...(status === undefined ? {} : { status }),
    }),
    proxy: { deployment: context.deploymentName, error: proxyErrorOf(code) },
    stoppedAt: own.stoppedAt,
    headers: { "x-request-id": own.requestId, "x-waybill-id": work },
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    close: own.close === true,
  });
  if (!request.complete) drain(request);
}

/** Reads and drops what is left of a request, so that its client gets to read the answer; up to a bound. */
export function drain(request: IncomingMessage): void {
  let left = drainMaxBytes;
  request.removeAllListeners("data");
  request.on("data", (bytes: Buffer) => {
    left -= bytes.length;
    if (left < 0) request.socket.destroy();
  });
  request.resume();
}
