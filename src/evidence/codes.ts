/**
 * The closed list of codes: every way in which work can stop, by boundary. A new code does not compile until its row is whole,
 * and `test/faults` fails until a case causes it for real.
 */

import { buildCodes } from "./build-codes.ts";
import { identityCodes } from "./identity-codes.ts";
import { transferCodes } from "./transfer-codes.ts";

export type Owner = "platform" | "app" | "visitor" | "outside";
/** `now`: the same again is worth a try; `later`: after the wait that is said; `never`: not before something is changed. */
export type Retry = "now" | "later" | "never";

/** RFC 9209 §2.3: the error types of `Proxy-Status` that our rows use. */
export type ProxyErrorType =
  | "dns_timeout"
  | "dns_error"
  | "destination_not_found"
  | "destination_unavailable"
  | "destination_ip_prohibited"
  | "connection_refused"
  | "connection_terminated"
  | "connection_timeout"
  | "connection_read_timeout"
  | "connection_limit_reached"
  | "http_request_error"
  | "http_request_denied"
  | "http_response_incomplete"
  | "http_response_timeout"
  | "http_upgrade_failed"
  | "http_protocol_error"
  | "proxy_internal_response"
  | "proxy_internal_error"
  | "proxy_configuration_error"
  | "proxy_loop_detected";

export interface CodeRow {
  /** What happened, in one sentence, without names or numbers: the verdict adds those. */
  readonly says: string;
  readonly owner: Owner;
  readonly retry: Retry;
  /** The HTTP status of an answer that carries this code; 500 where it never reaches a visitor by itself. */
  readonly status: 400 | 401 | 402 | 403 | 404 | 409 | 412 | 413 | 416 | 422 | 429 | 500 | 502 | 503 | 504 | 507;
  readonly proxy: ProxyErrorType;
  /** What to do about it, in one sentence. */
  readonly next: string;
}

export const codes = {
  ...buildCodes,
  ...identityCodes,
  ...transferCodes,

  "route/no-such-space": {
    says: "No Space has this address.",
    owner: "visitor",
    retry: "never",
    status: 404,
    proxy: "destination_not_found",
    next: "Check the address; `waybill space list` shows the ones that exist. If it is a private one of yours, sign in: `/.waybill/sign-in`.",
  },
  "route/not-running": {
    says: "The Space is not running.",
    owner: "app",
    retry: "later",
    status: 503,
    proxy: "destination_unavailable",
    next: "The Space's owner can see why with `waybill explain OWNER/NAME`.",
  },
  "route/waking": {
    says: "The Space was asleep and is starting; it did not answer while the request was held.",
    owner: "platform",
    retry: "later",
    status: 503,
    proxy: "destination_unavailable",
    next: "Try again in a moment; the Space's page says how far its start is.",
  },
  "route/boot-timeout": {
    says: "The Space was started, and nothing more was heard of it in the time that its start may take.",
    owner: "platform",
    retry: "later",
    status: 504,
    proxy: "connection_timeout",
    next: "Restart the Space; the operator looks after the node whose replica is silent.",
  },
  "route/connect-refused": {
    says: "The app did not accept the connection.",
    owner: "app",
    retry: "now",
    status: 502,
    proxy: "connection_refused",
    next: "The owner should read the app's log around this time.",
  },
  "route/connect-timeout": {
    says: "The app's connection could not be opened in time.",
    owner: "app",
    retry: "now",
    status: 504,
    proxy: "connection_timeout",
    next: "The owner should look at what keeps the app from accepting connections.",
  },
  "route/reset-midway": {
    says: "The connection to the app broke before its answer was whole.",
    owner: "app",
    retry: "now",
    status: 502,
    proxy: "connection_terminated",
    next: "The owner should read the app's log around this time.",
  },
  "route/response-timeout": {
    says: "The app took the request and did not begin its answer in time.",
    owner: "app",
    retry: "later",
    status: 504,
    proxy: "http_response_timeout",
    next: "The owner should find what the app was waiting for.",
  },
  "route/idle-timeout": {
    says: "Nothing passed on the request's connection for as long as it may be idle.",
    owner: "app",
    retry: "now",
    status: 504,
    proxy: "connection_read_timeout",
    next: "An app that keeps a stream or a WebSocket open should say something on it now and then: `idle-limit` of the Space, `WAYBILL_IDLE_SECONDS` of the platform.",
  },
  "route/open-too-long": {
    says: "The request was open for as long as one may be.",
    owner: "app",
    retry: "now",
    status: 504,
    proxy: "http_response_timeout",
    next: "Ask again: `time-limit` of the Space and `WAYBILL_OPEN_SECONDS` of the platform say how long one may be open.",
  },
  "route/too-large": {
    says: "The request is larger than this platform accepts.",
    owner: "visitor",
    retry: "never",
    status: 413,
    proxy: "http_request_error",
    next: "Send less at once.",
  },
  "route/malformed": {
    says: "The request is not valid HTTP for this platform.",
    owner: "visitor",
    retry: "never",
    status: 400,
    proxy: "http_request_error",
    next: "Correct the client: the detail names the field.",
  },
  "route/visitor-left": {
    says: "The visitor closed the connection before the answer was whole.",
    owner: "visitor",
    retry: "now",
    status: 400,
    proxy: "http_request_error",
    next: "Nothing to do: the visitor went away.",
  },
  "route/node-away": {
    says: "The line to the node that runs the app was lost under the request.",
    owner: "platform",
    retry: "later",
    status: 503,
    proxy: "destination_unavailable",
    next: "Try again: an agent that lives dials within seconds. Where that lasts, the operator looks at the node and its network.",
  },
  "route/control-down": {
    says: "The platform was being stopped, started or restarted.",
    owner: "platform",
    retry: "now",
    status: 503,
    proxy: "proxy_internal_error",
    next: "Try again.",
  },

  "route/loop": {
    says: "The request came back to this platform again and again.",
    owner: "app",
    retry: "never",
    status: 502,
    proxy: "proxy_loop_detected",
    next: "The app's owner should find which of its calls leads back to itself.",
  },

  "gpu/duration-not-allowed": {
    says: "The declared duration is outside what the policy allows.",
    owner: "app",
    retry: "never",
    status: 429,
    proxy: "http_request_denied",
    next: "Declare a duration within the limit.",
  },
  "gpu/size-not-available": {
    says: "No card of this pool can ever hold the size that was asked for.",
    owner: "app",
    retry: "never",
    status: 503,
    proxy: "proxy_internal_response",
    next: "Ask for a smaller size, or for a pool that has it.",
  },
  "gpu/quota-exceeded": {
    says: "The account has too little GPU time left in its window.",
    owner: "visitor",
    retry: "later",
    status: 429,
    proxy: "http_request_denied",
    next: "Wait for the window's reset, or ask the operator for another tier.",
  },
  "gpu/budget-exceeded": {
    says: "The Space's owner pays for its visitors, and too little is left of that budget.",
    owner: "app",
    retry: "later",
    status: 429,
    proxy: "http_request_denied",
    next: "Wait for the reset of the owner's window, or ask the owner to raise the budget: `waybill space budget`.",
  },
  "gpu/token-cap": {
    says: "The visitor's token has admitted as many calls or GPU seconds as one request may.",
    owner: "app",
    retry: "now",
    status: 429,
    proxy: "http_request_denied",
    next: "Make a new request: each one brings a new token.",
  },
  "gpu/runs-exceeded": {
    says: "The account has made as many GPU runs in its window as its tier allows.",
    owner: "visitor",
    retry: "later",
    status: 429,
    proxy: "http_request_denied",
    next: "Wait for the window's reset, or ask the operator for another tier.",
  },
  "gpu/account-busy": {
    says: "The account has as many GPU calls open as its tier allows at once.",
    owner: "visitor",
    retry: "now",
    status: 429,
    proxy: "http_request_denied",
    next: "Try again when one of the account's calls has ended: `waybill calls` lists them.",
  },
  "gpu/space-busy": {
    says: "The Space has as many GPU calls open as the pool allows one Space at once.",
    owner: "platform",
    retry: "later",
    status: 503,
    proxy: "proxy_internal_response",
    next: "Try again later; `waybill gpu queue` shows who waits.",
  },
  "gpu/queue-full": {
    says: "Too many calls are waiting for this pool.",
    owner: "platform",
    retry: "later",
    status: 503,
    proxy: "proxy_internal_response",
    next: "Try again later.",
  },
  "gpu/queue-timeout": {
    says: "No GPU became free within the pool's queue limit.",
    owner: "platform",
    retry: "later",
    status: 503,
    proxy: "proxy_internal_response",
    next: "Try again later; `waybill gpu queue` shows who waits.",
  },
  "gpu/no-capacity": {
    says: "The pool has no GPU that this call could be given.",
    owner: "platform",
    retry: "later",
    status: 503,
    proxy: "proxy_internal_response",
    next: "Ask the operator: the pool has no card on the app's node, or that node is away.",
  },
  "gpu/visitor-left": {
    says: "The visitor left before the call ended.",
    owner: "visitor",
    retry: "now",
    status: 400,
    proxy: "http_request_error",
    next: "Nothing to do: the visitor went away.",
  },
  "gpu/grant-unused": {
    says: "A GPU was granted and the app never attached to it.",
    owner: "app",
    retry: "now",
    status: 503,
    proxy: "proxy_internal_response",
    next: "The app's owner should find what stopped the worker from starting.",
  },
  "gpu/lease-expired": {
    says: "The function ran to the end of its lease and was ended.",
    owner: "app",
    retry: "never",
    status: 504,
    proxy: "http_response_timeout",
    next: "Declare a longer duration, or do less in one call.",
  },
  "gpu/worker-lost": {
    says: "The worker that ran the function ended before the function returned.",
    owner: "app",
    retry: "now",
    status: 502,
    proxy: "connection_terminated",
    next: "Read the app's log: the worker exited or was killed.",
  },
  "gpu/without-lease": {
    says: "A process of the app used a GPU that it had no lease on, and was ended.",
    owner: "app",
    retry: "never",
    status: 500,
    proxy: "proxy_internal_response",
    next: "Use a GPU only within a function that borrows it, and only the one that it is given; what such a function starts must end with it.",
  },
  "gpu/node-lost": {
    says: "The GPU's node stopped answering.",
    owner: "platform",
    retry: "now",
    status: 503,
    proxy: "destination_unavailable",
    next: "Try again: other nodes of the pool are not affected.",
  },
  "gpu/device-fault": {
    says: "The GPU reports a fault.",
    owner: "platform",
    retry: "later",
    status: 503,
    proxy: "proxy_internal_response",
    next: "Try again: other cards of the pool are used meanwhile. The operator should reset the card, or look at it.",
  },
  "gpu/replica-lost": {
    says: "The app's replica went away while the call was open.",
    owner: "app",
    retry: "now",
    status: 503,
    proxy: "destination_unavailable",
    next: "Try again when the Space is running; its log says why the replica ended.",
  },
  "gpu/stopped": {
    says: "The platform ended the call.",
    owner: "platform",
    retry: "now",
    status: 503,
    proxy: "proxy_internal_response",
    next: "Try again.",
  },

  "app/exit": {
    says: "The app's process ended.",
    owner: "app",
    retry: "later",
    status: 503,
    proxy: "destination_unavailable",
    next: "Read the last lines of the app's log.",
  },
  "app/crash-loop": {
    says: "The app ended again and again and is no longer restarted.",
    owner: "app",
    retry: "never",
    status: 503,
    proxy: "destination_unavailable",
    next: "Correct the app and deploy again.",
  },
  "app/not-listening": {
    says: "The app started but never listened on its port.",
    owner: "app",
    retry: "never",
    status: 503,
    proxy: "destination_unavailable",
    next: "Listen on the port in the variable PORT, on 0.0.0.0 or 127.0.0.1.",
  },
  "app/health-failing": {
    says: "The app ran but no longer answered, and was ended.",
    owner: "app",
    retry: "later",
    status: 503,
    proxy: "destination_unavailable",
    next: "Read the app's log from before that: it hung, or its server ended without the app.",
  },
  "app/exception": {
    says: "The app's function raised an error.",
    owner: "app",
    retry: "never",
    status: 500,
    proxy: "proxy_internal_response",
    next: "Read the app's log: the error is the app's own.",
  },
  "app/out-of-memory": {
    says: "The app used more memory than it may and was ended.",
    owner: "app",
    retry: "never",
    status: 503,
    proxy: "destination_unavailable",
    next: "Use less memory, or ask the operator for a higher limit.",
  },

  "app/disk-full": {
    says: "The app wrote more to the disk than it may and ended.",
    owner: "app",
    retry: "never",
    status: 503,
    proxy: "destination_unavailable",
    next: "Delete what the app does not need, or ask the operator for a higher limit.",
  },

  "runtime/shim-lost": {
    says: "The process that kept the replica died, and the app with it.",
    owner: "platform",
    retry: "now",
    status: 503,
    proxy: "destination_unavailable",
    next: "Nothing to do: the platform starts the replica again.",
  },
  "runtime/stop-timeout": {
    says: "A replica did not end in the time that it was given.",
    owner: "platform",
    retry: "later",
    status: 500,
    proxy: "proxy_internal_error",
    next: "The operator looks at the node: the replica's shim does not answer.",
  },
  "runtime/arch-mismatch": {
    says: "The app's packages were not compiled for the pool's cards.",
    owner: "app",
    retry: "never",
    status: 503,
    proxy: "proxy_internal_response",
    next: "Name in requirements.txt what the reason names, and deploy again; the build's log lists what each package was compiled for.",
  },
  "runtime/image-arch": {
    says: "The image was made for another architecture than the node's.",
    owner: "app",
    retry: "never",
    status: 422,
    proxy: "proxy_internal_response",
    next: "Begin the Dockerfile with an image for the node's architecture, or one for several; the build's log names both.",
  },
  "runtime/driver-too-old": {
    says: "The app's packages need a newer driver than the node has.",
    owner: "platform",
    retry: "never",
    status: 503,
    proxy: "proxy_internal_response",
    next: "Ask the operator to update the driver, or name packages for an older CUDA in requirements.txt and deploy again.",
  },
  "runtime/nvml-lost": {
    says: "The node's driver does not answer for its cards.",
    owner: "platform",
    retry: "later",
    status: 503,
    proxy: "proxy_internal_response",
    next: "Try again later. The operator should run `nvidia-smi` on the node: after a driver's update it has to be restarted.",
  },
  "runtime/device-out-of-memory": {
    says: "The app's function asked for more memory than was free on its GPU.",
    owner: "app",
    retry: "never",
    status: 500,
    proxy: "proxy_internal_response",
    next: "Use less of the GPU's memory, or declare a larger size.",
  },
  "runtime/disk-failed": {
    says: "A replica's disk could not be made or mounted.",
    owner: "platform",
    retry: "never",
    status: 503,
    proxy: "destination_unavailable",
    next: "The operator looks at the node: the detail names the file system, and e2fsck(8) repairs one that is damaged.",
  },
  "runtime/disk-low": {
    says: "The node's own disk is nearly full, so no app is started there, and one that goes on writing is ended.",
    owner: "platform",
    retry: "later",
    status: 503,
    proxy: "destination_unavailable",
    next: "The operator frees space on the node's disk; the platform tries again by itself.",
  },
  "runtime/sandbox-denied": {
    says: "No sandbox works on this node and running without one was not allowed.",
    owner: "platform",
    retry: "never",
    status: 503,
    proxy: "proxy_configuration_error",
    next: "Install what the log names, or start the platform with `--sandbox none`.",
  },

  "egress/name-denied": {
    says: "The policy does not let the app reach this name.",
    owner: "app",
    retry: "never",
    status: 403,
    proxy: "http_request_denied",
    next: "Ask the operator to allow the name, if the app needs it.",
  },
  "egress/address-denied": {
    says: "The address is private, or was not learned from a name.",
    owner: "app",
    retry: "never",
    status: 403,
    proxy: "destination_ip_prohibited",
    next: "Reach it by a name that resolves to a public address.",
  },
  "egress/port-denied": {
    says: "The policy does not let the app reach this port.",
    owner: "app",
    retry: "never",
    status: 403,
    proxy: "http_request_denied",
    next: "Use a port that is allowed, or ask the operator to allow it.",
  },
  "egress/dns-failed": {
    says: "The name could not be resolved.",
    owner: "outside",
    retry: "later",
    status: 502,
    proxy: "dns_error",
    next: "Check the name; if it is right, its name servers or the node's resolver do not answer.",
  },
  "egress/dial-refused": {
    says: "The other side refused the connection.",
    owner: "outside",
    retry: "later",
    status: 502,
    proxy: "connection_refused",
    next: "Check that the service runs there and listens on this port.",
  },
  "egress/dial-timeout": {
    says: "The other side did not answer the connection in time.",
    owner: "outside",
    retry: "later",
    status: 504,
    proxy: "connection_timeout",
    next: "Check that the service is up; the network between may drop packets.",
  },
  "egress/remote-refused": {
    says: "The other side broke the connection.",
    owner: "outside",
    retry: "now",
    status: 502,
    proxy: "connection_terminated",
    next: "Try again; the service's own log may say why.",
  },
  "egress/gateway-down": {
    says: "The node's gateway did not take the connection.",
    owner: "platform",
    retry: "now",
    status: 503,
    proxy: "destination_unavailable",
    next: "Try again: the gateway is back within seconds of the agent's start.",
  },

  "control/invalid": {
    says: "The request to the platform's API is not valid.",
    owner: "visitor",
    retry: "never",
    status: 400,
    proxy: "http_request_error",
    next: "Correct what the errors name and send it again.",
  },
  "control/not-found": {
    says: "Nothing here has that name or id.",
    owner: "visitor",
    retry: "never",
    status: 404,
    proxy: "destination_not_found",
    next: "Check the id; ids are shown only to their owner and to the operator.",
  },
  "control/conflict": {
    says: "The request contradicts what is already there.",
    owner: "visitor",
    retry: "never",
    status: 409,
    proxy: "http_request_denied",
    next: "Read what is there now and decide again.",
  },
  "control/not-its-own": {
    says: "A node spoke of what is not its own, and nothing followed from it.",
    owner: "platform",
    retry: "never",
    status: 403,
    proxy: "http_request_denied",
    next: "Nothing to do where the server was restored from a backup meanwhile. Else the operator makes the node's token anew with `waybill node token NAME`, and asks who has the old one.",
  },
  "control/other-version": {
    says: "The agent is of another version than its server.",
    owner: "platform",
    retry: "never",
    status: 409,
    proxy: "http_request_denied",
    next: "The operator installs the server's version on the agent's machine and starts the agent again; its apps go on meanwhile.",
  },
  "control/changed-meanwhile": {
    says: "The branch moved on since the parent commit that was named.",
    owner: "visitor",
    retry: "now",
    status: 412,
    proxy: "http_request_denied",
    next: "Fetch the branch, make the change again on top of it and send it.",
  },
  "control/paused": {
    says: "The Space is paused, and whoever asked may not lift that.",
    owner: "platform",
    retry: "never",
    status: 403,
    proxy: "http_request_denied",
    next: "Ask whom the reason names to resume it.",
  },
  "control/key-in-use": {
    says: "A request with this Idempotency-Key is under way.",
    owner: "visitor",
    retry: "now",
    status: 409,
    proxy: "http_request_denied",
    next: "Send it again in a moment: the same key then brings the answer of the first.",
  },
  "control/key-reused": {
    says: "This Idempotency-Key belongs to another request.",
    owner: "visitor",
    retry: "never",
    status: 422,
    proxy: "http_request_denied",
    next: "Send each request that is not a repetition with a key of its own.",
  },
  "control/answer-lost": {
    says: "The request with this Idempotency-Key was carried out, and what was answered is lost.",
    owner: "platform",
    retry: "never",
    status: 409,
    proxy: "http_request_denied",
    next: "Read what is there now: the change was made, and is not made again.",
  },
  "control/too-many-keys": {
    says: "The account has used as many Idempotency-Keys as are kept for it.",
    owner: "visitor",
    retry: "later",
    status: 429,
    proxy: "http_request_denied",
    next: "Wait until the oldest keys are a day old, or send the request without a key.",
  },
  "control/failed": {
    says: "The platform failed at this request.",
    owner: "platform",
    retry: "now",
    status: 500,
    proxy: "proxy_internal_error",
    next: "Try again; the platform's own log names the fault under this id.",
  },

  "capacity/pool-draining": {
    says: "An operator has taken all cards that could hold the call out of use.",
    owner: "platform",
    retry: "later",
    status: 503,
    proxy: "destination_unavailable",
    next: "Try again later: the reason says who drained what, and why; `waybill node list` shows it.",
  },
  "capacity/space-busy": {
    says: "The Space has as many requests as it may have at a time.",
    owner: "app",
    retry: "later",
    status: 503,
    proxy: "connection_limit_reached",
    next: "Wait as long as Retry-After says; the Space's owner can raise `requests-at-once` and `requests-per-second`, up to the platform's limits.",
  },
  "capacity/rate-limited": {
    says: "Too many requests from this address.",
    owner: "visitor",
    retry: "later",
    status: 429,
    proxy: "connection_limit_reached",
    next: "Wait as long as Retry-After says.",
  },
} as const satisfies Record<`${string}/${string}`, CodeRow>;

export type Code = keyof typeof codes;
export type Boundary = Code extends `${infer B}/${string}` ? B : never;

/** The row of a code; the list is closed, so this always finds one. */
export function codeRow(code: Code): CodeRow {
  return codes[code];
}

/** Whether `text` is a code of the list: for what comes in from a spool or a wire. */
export function isCode(text: string): text is Code {
  return Object.hasOwn(codes, text);
}

/** Its sentence; undefined of one that this version does not know. */
export function saysOf(code: string): string | undefined {
  return isCode(code) ? codeRow(code).says : undefined;
}

/** `gpu/queue-timeout` → `["gpu", "queue-timeout"]`. */
export function splitCode(code: Code): readonly [boundary: Boundary, name: string] {
  const slash = code.indexOf("/");
  return [code.slice(0, slash) as Boundary, code.slice(slash + 1)];
}
