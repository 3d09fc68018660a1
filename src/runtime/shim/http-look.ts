/** One question to a server of the app: does it answer HTTP, and how? */
import { connect } from "node:net";
import { get } from "../../http/node-http.ts";

export interface Asked {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly withinMs: number;
}

/** The answer's status; or what came instead, in words that follow "it". */
export type Answer = { readonly status: number } | { readonly status: null; readonly says: string };

/** Loopback is either of these, as the app's runtime likes. */
export const loopback = ["127.0.0.1", "::1"] as const;
export const ipv4 = ["127.0.0.1"] as const;
/** A loopback connection is made or refused at once; a listener that does neither has a full backlog. */
const connectWithinMs = 1_000;

/** Asks with GET, over a connection of its own that is closed as soon as the status is there. */
export function askHttp({ host, port, path, withinMs }: Asked): Promise<Answer> {
  return new Promise((resolve) => {
    const headers = { host: "localhost", "user-agent": "waybill-health", connection: "close" };
    const request = get({ host, port, path, headers, agent: false }, (response) => {
      resolve({ status: response.statusCode ?? 0 });
      response.destroy();
    });
    const late = setTimeout(() => request.destroy(new Error(`did not answer within ${withinMs / 1000} s`)), withinMs);
    request.on("error", (error: NodeJS.ErrnoException) => {
      const says = error.code === "ECONNREFUSED" ? "refused the connection" : wordsOf(error);
      resolve({ status: null, says });
    });
    request.on("close", () => clearTimeout(late));
  });
}

export function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const done = (accepted: boolean): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.setTimeout(connectWithinMs, () => done(false));
    socket.once("connect", () => done(true));
    // Refused, or no IPv6 on this machine: both mean "not here".
    socket.once("error", () => done(false));
  });
}

function wordsOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === undefined) return message;
  return code.startsWith("HPE_") ? "answered something that is not HTTP" : `broke the connection (${code})`;
}
