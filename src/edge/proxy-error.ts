/** The `Proxy-Status` error type of an answer that the edge makes in an app's place: from the cause, where a code has several. Pure. */
import type { ProxyError } from "../contract/proxy-status.ts";
import type { Code } from "../evidence/codes.ts";
import { proxyErrorOf } from "../http/problem.ts";
import { faults } from "./response.ts";
import type { Cause } from "./verdicts.ts";

/** `begun`: bytes of an answer had come. */
export function proxyErrorIn(code: Code, cause: Cause, begun: boolean): ProxyError {
  if (cause.kind === "invalid") return faults.get(cause.says) ?? "http_protocol_error";
  if (cause.kind === "connect-timeout" && cause.full === true) return "connection_limit_reached";
  if (code === "route/response-timeout" && cause.kind === "response-timeout" && cause.unread === true)
    return "connection_write_timeout";
  return code === "route/reset-midway" && begun ? "http_response_incomplete" : proxyErrorOf(code);
}
