/** Asks a shim what became of a connection that ended badly, once the edge has closed it. */
import { connect } from "node:net";

import { encodePreamble } from "../contract/preamble.ts";
import type { ConnectionAnswer, ConnectionName } from "../contract/preamble.ts";
import { askWithinMs } from "./limits.ts";

export type Asked =
  | { readonly kind: "answer"; readonly answer: ConnectionAnswer }
  /** Nobody listens at the replica's socket: its shim is gone. */
  | { readonly kind: "unreachable"; readonly errno: string }
  /** It did not answer in time, or not in its language. */
  | { readonly kind: "silent"; readonly says: string };

/** An answer is a few numbers and an entry's id. */
const answerMaxLength = 4_096;

/** Never throws: that there was no answer is a fact as well. `work` is written into the shim's own entry; without it there is none. */
export function ask(socketPath: string, name: ConnectionName, work?: string): Promise<Asked> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect({ path: socketPath });
    const timer = setTimeout(() => finish({ kind: "silent", says: `no answer in ${askWithinMs} ms` }), askWithinMs);
    const finish = (asked: Asked): void => {
      clearTimeout(timer);
      resolve(asked);
      socket.destroy();
    };
    socket.setEncoding("utf8");
    socket
      .on("error", (error: NodeJS.ErrnoException) => finish(unreachable(error)))
      .on("close", () => finish({ kind: "silent", says: "closed without an answer" }))
      .on("data", (part: string) => {
        text += part;
        const end = text.indexOf("\n");
        if (end >= 0) finish(parseAnswer(text.slice(0, end)));
        else if (text.length > answerMaxLength) finish({ kind: "silent", says: "an answer that does not end" });
      })
      .write(encodePreamble({ kind: "ask", ...name, ...(work !== undefined && { work }) }));
  });
}

/** Parses the shim's line. */
export function parseAnswer(line: string): Asked {
  const invalid: Asked = { kind: "silent", says: "an answer that is none" };
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return invalid;
    throw error;
  }
  if (typeof value !== "object" || value === null) return invalid;
  const { state, connected, acceptedBytes, uncertainBytes, errno, stopping, returnedBytes, entry } = value as Record<
    string,
    unknown
  >;
  if (state === "unknown") return { kind: "answer", answer: { state } };
  if (state !== "open" && state !== "closed") return invalid;
  if (typeof connected !== "boolean" || typeof acceptedBytes !== "number" || typeof returnedBytes !== "number")
    return invalid;
  const more = {
    ...(typeof uncertainBytes === "number" ? { uncertainBytes } : {}),
    ...(typeof errno === "string" ? { errno } : {}),
    ...(stopping === true ? { stopping: true as const } : {}),
  };
  return {
    kind: "answer",
    answer: {
      state,
      connected,
      acceptedBytes,
      ...more,
      returnedBytes,
      entry: typeof entry === "string" ? entry : null,
    },
  };
}

function unreachable(error: NodeJS.ErrnoException): Asked {
  const { code } = error;
  if (code === "ECONNREFUSED" || code === "ENOENT") return { kind: "unreachable", errno: code };
  return { kind: "silent", says: code ?? error.message };
}
