/** Which part of the platform produces which of RFC 9209's error types, by what cause; docs/proxy-status.md says the same to people. */
import type { ProxyError } from "../../src/contract/proxy-status.ts";

export interface Produced {
  /** By the edge: on the wire where nothing of an answer has left, and in the entry that failed. */
  readonly edge?: string;
  /** By a node's gateway, in the entry of the app's connection. */
  readonly gateway?: string;
}

export const producedBy: Readonly<Record<ProxyError, Produced | { readonly never: string }>> = {
  dns_timeout: { gateway: "a name's servers do not answer in time" },
  dns_error: { gateway: "a name does not exist, or its servers refuse to answer" },
  destination_not_found: { edge: "no Space has the host that was asked for" },
  destination_unavailable: { edge: "the Space does not run, is just waking, or its node's line is lost" },
  destination_ip_prohibited: { gateway: "a name has only addresses that the policy forbids, or an address was named" },
  destination_ip_unroutable: { gateway: "the machine has no route to the address" },
  connection_refused: {
    edge: "the app does not listen on its port",
    gateway: "nobody listens at the address and port",
  },
  connection_terminated: {
    edge: "the app ends the connection before a byte of its answer",
    gateway: "the remote ends the connection before it has sent anything",
  },
  connection_timeout: {
    edge: "the app's port takes no connection in time",
    gateway: "the remote takes no connection in time",
  },
  connection_read_timeout: {
    edge: "nothing passes of an answer that has begun, for as long as one may be idle; its head has left by then",
  },
  connection_write_timeout: { edge: "the app does not read the request in time" },
  connection_limit_reached: {
    edge: "all connections that the edge keeps to a replica are taken for too long",
    gateway: "the gateway carries as many connections as it can",
  },
  tls_protocol_error: {
    never: "the edge speaks to apps without TLS, over sockets of its own; the gateway passes the app's own TLS through",
  },
  tls_certificate_error: { never: "as `tls_protocol_error`: nobody of ours looks at a certificate of a next hop" },
  tls_alert_received: { never: "as `tls_protocol_error`" },
  http_request_error: { edge: "the request is malformed, or too large" },
  http_request_denied: {
    edge: "the token that came with the request is not good",
    gateway: "the policy forbids the name or the port",
  },
  http_response_incomplete: { edge: "the app breaks off in its answer" },
  http_response_header_section_size: { edge: "the head of the app's answer is too long" },
  http_response_header_size: { never: "one header may fill the head; only all of them together are bounded" },
  http_response_body_size: { never: "an answer's body is not bounded" },
  http_response_trailer_section_size: {
    edge: "the trailers of the app's answer are too long; its head has left by then",
  },
  http_response_trailer_size: { never: "as `http_response_header_size`" },
  http_response_transfer_coding: {
    edge: "the app's answer has another transfer coding than `chunked`, or broken chunks",
  },
  http_response_content_coding: { never: "the edge passes content codings through and decodes none" },
  http_response_timeout: { edge: "the app has the request and does not begin its answer in time" },
  http_upgrade_failed: {
    never:
      "the edge does not upgrade the version of HTTP to an app; an app that refuses a WebSocket has answered, and its answer is passed on",
  },
  http_protocol_error: { edge: "what the app sends is no HTTP" },
  proxy_internal_response: {
    never: "the edge refuses by a code that has a type of its own; the API's answers bear no `Proxy-Status`",
  },
  proxy_internal_error: { edge: "the edge is closing, or something of its own failed" },
  proxy_configuration_error: { never: "a configuration that is wrong is refused at the start" },
  proxy_loop_detected: { edge: "the request has passed this edge too often" },
};

/** The lines of the table in the document. */
export function tableLines(): string[] {
  return Object.entries(producedBy).map(([type, by]) =>
    "never" in by
      ? `| \`${type}\` | | | cannot occur: ${by.never} |`
      : `| \`${type}\` | ${by.edge ?? ""} | ${by.gateway ?? ""} | |`,
  );
}
