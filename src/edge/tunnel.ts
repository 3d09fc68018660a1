/** Carries a connection's bytes both ways once HTTP has ended with a 101, with back-pressure, until both sides are done. */
import type { Socket } from "node:net";

import type { Upstream } from "./upstream.ts";

export interface Tunnel {
  readonly visitor: Socket;
  /** What the visitor sent after the request's head. */
  readonly fromVisitor: Buffer;
  readonly upstream: Upstream;
  /** What the app sent after the head of its 101. */
  readonly fromApp: Buffer;
  /** The head of the 101 for the visitor, in latin1. */
  readonly head: string;
  readonly onCount: (direction: "to-app" | "to-visitor", bytes: number) => void;
  /** Once. `by` is the side that ended first; `errno` where it broke instead of ending. */
  readonly onClosed: (end: { readonly by: "visitor" | "app"; readonly errno: string | undefined }) => void;
}

export function tunnel({ visitor, fromVisitor, upstream, fromApp, head, onCount, onClosed }: Tunnel): void {
  const app = upstream.detach((bytes) => {
    onCount("to-visitor", bytes.length);
    if (!visitor.write(bytes)) app.pause();
    return visitor.writableLength === 0;
  });
  let ended: { by: "visitor" | "app"; errno: string | undefined } | undefined;
  let told = false;
  const first = (by: "visitor" | "app", errno?: string): void => {
    ended ??= { by, errno };
  };
  const closed = (by: "visitor" | "app"): void => {
    first(by);
    (by === "visitor" ? app : visitor).destroySoon();
    if (told || ended === undefined) return;
    told = true;
    onClosed(ended);
  };
  visitor.write(head, "latin1");
  const toApp = (bytes: Buffer): boolean => {
    onCount("to-app", bytes.length);
    if (!app.write(bytes)) visitor.pause();
    return app.writableLength === 0;
  };
  if (fromApp.length > 0) {
    onCount("to-visitor", fromApp.length);
    if (!visitor.write(fromApp)) app.pause();
  }
  if (fromVisitor.length > 0) toApp(fromVisitor);
  upstream.memory.adopt(visitor, toApp, "in order");
  app.on("drain", () => visitor.resume()).on("end", () => visitor.end());
  visitor
    .on("drain", () => app.resume())
    .on("data", toApp)
    .on("end", () => app.end());
  for (const [socket, by] of [
    [visitor, "visitor"],
    [app, "app"],
  ] as const) {
    socket
      .on("end", () => first(by))
      .on("error", (error: NodeJS.ErrnoException) => first(by, error.code ?? error.message))
      .on("close", () => closed(by));
  }
}
