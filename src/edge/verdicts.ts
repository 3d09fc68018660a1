/** Names the code of a request that failed on the app's side, from what the edge saw and what the shim answered. Pure. */
import type { ConnectionAnswer } from "../contract/preamble.ts";
import type { Code } from "../evidence/codes.ts";
import type { Asked } from "./ask.ts";
import type { Gone } from "./upstream.ts";

/** What ended the attempt: the connection, or a limit of ours. */
export type Cause =
  | Gone
  | { readonly kind: "node-away" }
  /** `unread`: the app had not taken the whole request yet. */
  | { readonly kind: "response-timeout"; readonly unread?: boolean }
  /** `full`: all connections that the replica may have were taken. */
  | { readonly kind: "connect-timeout"; readonly full?: boolean };

/**
 * Whether what broke is the line to a replica's node, by its number at the attempt's beginning and now. 0: it has none, as on this machine,
 * or any more where the node has told of its end, which came over the line.
 */
export function isLineLost(began: number | undefined, now: number | undefined): boolean {
  return now === undefined || (began !== undefined && now !== 0 && now !== began);
}

/** The code, and the hop that failed. Never blames the app for a shim that is gone. */
export function failureCode(
  cause: Cause,
  asked: Asked | undefined,
): { readonly code: Code; readonly hop: "edge.connect" | "app.respond" } {
  // What the app did with what it had is not to be asked: the line to its node went away under it.
  if (cause.kind === "node-away") return { code: "route/node-away", hop: "edge.connect" };
  if (cause.kind === "unreachable") {
    const shimGone = cause.errno === "ECONNREFUSED" || cause.errno === "ENOENT";
    return { code: shimGone ? "runtime/shim-lost" : "route/connect-timeout", hop: "edge.connect" };
  }
  if (cause.kind === "connect-timeout") return { code: "route/connect-timeout", hop: "edge.connect" };
  const answer = known(asked);
  const connected = answer?.connected ?? true;
  if (cause.kind === "response-timeout") {
    return connected
      ? { code: "route/response-timeout", hop: "app.respond" }
      : { code: "route/connect-timeout", hop: "edge.connect" };
  }
  if (cause.kind === "invalid") return { code: "route/reset-midway", hop: "app.respond" };
  if (answer?.stopping === true) return { code: "route/control-down", hop: connected ? "app.respond" : "edge.connect" };
  if (asked?.kind === "unreachable") return { code: "runtime/shim-lost", hop: "app.respond" };
  if (connected) return { code: "route/reset-midway", hop: "app.respond" };
  return {
    code: answer?.errno === "ETIMEDOUT" ? "route/connect-timeout" : "route/connect-refused",
    hop: "edge.connect",
  };
}

/** Whether the app's socket has accepted bytes beyond `from` of the connection; false also where its shim does not say. */
export function wasTaken(asked: Asked | undefined, from: number): boolean {
  const answer = known(asked);
  return answer !== undefined && answer.connected && answer.acceptedBytes > from;
}

/** Whether its shim says that it has not. */
export function tookNothing(asked: Asked | undefined, from: number): boolean {
  return known(asked) !== undefined && !wasTaken(asked, from);
}

function known(asked: Asked | undefined): Exclude<ConnectionAnswer, { readonly state: "unknown" }> | undefined {
  return asked?.kind === "answer" && asked.answer.state !== "unknown" ? asked.answer : undefined;
}
