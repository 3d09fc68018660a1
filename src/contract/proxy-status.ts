/** RFC 9209 §2.3: all 32 error types of `Proxy-Status`, and the shape of one member of the field. Serialised in http/proxy-status.ts. */

export interface ProxyErrorRow {
  /** The status that RFC 9209 recommends; `request` stands for the 4xx that fits. Ours is a column of evidence/codes.ts. */
  readonly status: 500 | 502 | 503 | 504 | 403 | "request" | "fitting";
  /** True where the type may only stand on a response that the proxy made itself. */
  readonly ownResponsesOnly: boolean;
}

const own = true;
const any = false;

export const proxyErrors = {
  dns_timeout: { status: 504, ownResponsesOnly: own },
  dns_error: { status: 502, ownResponsesOnly: own },
  destination_not_found: { status: 500, ownResponsesOnly: own },
  destination_unavailable: { status: 503, ownResponsesOnly: own },
  destination_ip_prohibited: { status: 502, ownResponsesOnly: own },
  destination_ip_unroutable: { status: 502, ownResponsesOnly: own },
  connection_refused: { status: 502, ownResponsesOnly: own },
  connection_terminated: { status: 502, ownResponsesOnly: any },
  connection_timeout: { status: 504, ownResponsesOnly: own },
  connection_read_timeout: { status: 504, ownResponsesOnly: any },
  connection_write_timeout: { status: 504, ownResponsesOnly: any },
  connection_limit_reached: { status: 503, ownResponsesOnly: own },
  tls_protocol_error: { status: 502, ownResponsesOnly: any },
  tls_certificate_error: { status: 502, ownResponsesOnly: own },
  tls_alert_received: { status: 502, ownResponsesOnly: any },
  http_request_error: { status: "request", ownResponsesOnly: own },
  http_request_denied: { status: 403, ownResponsesOnly: own },
  http_response_incomplete: { status: 502, ownResponsesOnly: any },
  http_response_header_section_size: { status: 502, ownResponsesOnly: any },
  http_response_header_size: { status: 502, ownResponsesOnly: any },
  http_response_body_size: { status: 502, ownResponsesOnly: any },
  http_response_trailer_section_size: { status: 502, ownResponsesOnly: any },
  http_response_trailer_size: { status: 502, ownResponsesOnly: any },
  http_response_transfer_coding: { status: 502, ownResponsesOnly: any },
  http_response_content_coding: { status: 502, ownResponsesOnly: any },
  http_response_timeout: { status: 504, ownResponsesOnly: any },
  http_upgrade_failed: { status: 502, ownResponsesOnly: own },
  http_protocol_error: { status: 502, ownResponsesOnly: any },
  proxy_internal_response: { status: "fitting", ownResponsesOnly: own },
  proxy_internal_error: { status: 500, ownResponsesOnly: own },
  proxy_configuration_error: { status: 500, ownResponsesOnly: own },
  proxy_loop_detected: { status: 502, ownResponsesOnly: own },
} as const satisfies Record<string, ProxyErrorRow>;

export type ProxyError = keyof typeof proxyErrors;

/** One intermediary's member. `receivedStatus` alone means that the app answered; `error` means that it did not, or not whole. */
export interface ProxyStatusMember {
  /** Names the deployment, never the product (RFC 9209 §2). */
  readonly deployment: string;
  readonly error?: ProxyError;
  readonly receivedStatus?: number;
  /** Bare: a code of ours, no topology. */
  readonly details?: string;
}
