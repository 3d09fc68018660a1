/** The error type of RFC 9209 of a connection that the gateway did not carry: from the system's word, where a code has several. Pure. */
import type { ProxyError } from "../contract/proxy-status.ts";
import { codeRow } from "../evidence/codes.ts";
import type { Code } from "../evidence/codes.ts";

export function proxyErrorOfConnection(code: Code, errno: unknown): ProxyError {
  if (code === "egress/dns-failed" && errno === "ETIMEOUT") return "dns_timeout";
  if (code === "egress/dial-refused" && (errno === "EHOSTUNREACH" || errno === "ENETUNREACH"))
    return "destination_ip_unroutable";
  if (code === "egress/gateway-down") return "connection_limit_reached";
  return codeRow(code).proxy;
}
