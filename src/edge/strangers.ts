/** Answers to what nobody with an account caused: counted, not recorded; the answer bears the counter's id. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import type { Code } from "../evidence/codes.ts";
import { problemOf, proxyErrorOf } from "../http/problem.ts";
import { rawProblem, writeProblem } from "../http/reply.ts";
import type { ProblemReply } from "../http/reply.ts";
import { visitorOf } from "../http/visitor.ts";
import type { TurnedAway } from "./accepted.ts";
import type { EdgeContext } from "./context.ts";
import type { StrangerCounter } from "./ports.ts";
import { withoutSecret } from "./redact.ts";

export function strangerReplies(
  options: { readonly counter: StrangerCounter },
  context: EdgeContext,
  addressOf: (socket: Socket) => string,
) {
  const reply = (code: Code, host: string, address: string, extra: TurnedAway): ProblemReply => {
    const counter = options.counter.count({ code, host: withoutSecret(host), address });
    const { close, retryAfterMs, headers, detail, status } = extra;
    const rest = { ...(detail !== undefined && { detail }), ...(status !== undefined && { status }) };
    return {
      problem: problemOf(code, { ...rest, waybill: counter, explain: context.explainUrl(counter) }),
      proxy: { deployment: context.deploymentName, error: proxyErrorOf(code) },
      stoppedAt: code === "route/malformed" ? "visitor" : "edge",
      headers: { "x-waybill-id": counter, ...headers },
      ...(close === true ? { close } : {}),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    };
  };
  return {
    answer(request: IncomingMessage, response: ServerResponse, code: Code, host: string, extra: TurnedAway): void {
      writeProblem(request, response, reply(code, host, visitorOf(request).address, extra));
    },
    raw(socket: Socket, detail: string, status: number, host: string): void {
      const code = status === 429 ? "capacity/rate-limited" : "route/malformed";
      const text = rawProblem(
        reply(code, host, addressOf(socket), { detail, status }),
        reasons[status] ?? "Bad Request",
      );
      socket.on("error", () => socket.destroy());
      socket.end(text, "latin1", () => socket.destroySoon());
    },
  };
}

const reasons: Readonly<Record<number, string>> = {
  400: "Bad Request",
  408: "Request Timeout",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
};
