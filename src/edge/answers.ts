/** What the edge itself answers to a request that it had accepted. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import type { ProxyError } from "../contract/proxy-status.ts";
import type { Code } from "../evidence/codes.ts";
import type { Break, Certainty } from "../http/page.ts";
import { problemOf, proxyErrorOf } from "../http/problem.ts";
import { writeProblem } from "../http/reply.ts";
import type { ProblemReply } from "../http/reply.ts";
import { accountField } from "./account-field.ts";
import type { EdgeContext } from "./context.ts";
import { drainMaxBytes } from "./limits.ts";

export interface OwnAnswer {
  readonly work: string;
  readonly requestId: string;
  /** Who asked, where that was made out. */
  readonly account: string | undefined;
  readonly code: Code;
  /** Where it stopped, for the page. */
  readonly stoppedAt: Break;
  /** One sentence for the visitor; the code's own where absent. */
  readonly detail?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  /** Where HTTP has a narrower status than the code's. */
  readonly status?: number | undefined;
  readonly close?: boolean | undefined;
  /** Where it is not proved. */
  readonly certainty?: Certainty | undefined;
  /** Where the `Proxy-Status` error type is narrower than the code's. */
  readonly error?: ProxyError | undefined;
}

/** Answers with a problem; where an answer has begun already, breaks it, since nothing else can say that it is not whole. */
export function answerOwn(request: IncomingMessage, response: ServerResponse, reply: ProblemReply): void {
  if (response.headersSent) return breakOff(request, response);
  writeProblem(request, response, reply);
  if (!request.complete) drain(request);
}

export function ownReply(context: EdgeContext, own: OwnAnswer): ProblemReply {
  const { work, code, detail, status, retryAfterMs } = own;
  return {
    problem: problemOf(code, {
      waybill: work,
      explain: context.explainUrl(work),
      ...(detail === undefined ? {} : { detail }),
      ...(status === undefined ? {} : { status }),
    }),
    proxy: { deployment: context.deploymentName, error: own.error ?? proxyErrorOf(code) },
    stoppedAt: own.stoppedAt,
    certainty: own.certainty,
    headers: {
      ...{ "x-request-id": own.requestId, "x-waybill-id": work },
      ...(own.account !== undefined && { [accountField]: own.account }),
    },
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    close: own.close === true,
  };
}

/** Ends an answer that has begun so that its reader knows: where only the connection's end would end it, that has to be a reset. */
export function breakOff({ httpVersion, socket }: IncomingMessage, response: ServerResponse): void {
  const isTcp = socket.remoteAddress !== undefined && !("encrypted" in socket);
  if (httpVersion === "1.0" && isTcp) socket.resetAndDestroy();
  else response.destroy();
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

/** Its upgrade was declined: what its visitor still sends is nobody's, and is read only to see it leave. */
export function dropRest(socket: Socket): void {
  socket.on("end", () => socket.destroy()).resume();
}
