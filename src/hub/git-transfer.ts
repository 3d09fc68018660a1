/** What git moves, as transfers: of a push and of a fetch, how far it came, what it brought, and whom it waits for. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { gitWaitsFor } from "./git-waits.ts";
import type { Backend } from "./http-backend.ts";
import { GivenPack, SentPush } from "./packets.ts";
import type { Transfer } from "./transfers.ts";

/** One request that moves something, and what is at work for it. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly transfer: Transfer;
  backend: Backend | undefined;
  /** git has all that was pushed, and waits for our word. */
  isDeciding: boolean;
}

/** Whom of the platform it waits for now. */
export function waitsFor({ backend, isDeciding }: Omit<Exchange, "transfer">): "platform" | "git" | "disk" {
  return isDeciding || backend === undefined ? "platform" : gitWaitsFor(backend.pid);
}

/** Counts what comes of a push, and finds in it what it brings. */
export function received(transfer: Transfer, request: IncomingMessage): (piece: Buffer) => void {
  // git packs what it pushes, and sends that as it is; another client's may be packed once more.
  const sent = request.headers["content-encoding"] === undefined ? new SentPush() : undefined;
  let known = false;
  const learn = (objects: number | undefined): void => {
    const refs = sent?.refs ?? 0;
    if (known || (sent !== undefined && refs === 0)) return;
    known = true;
    transfer.negotiated({ ...(objects === undefined ? {} : { objects }), ...(sent && { refs }) });
  };
  request.once("end", () => {
    learn(undefined);
    // Of one who only asked whether it may push, nothing is to be said.
    if (!known) return;
    const digest = sent?.digest;
    if (digest !== undefined) transfer.learn({ digest });
    transfer.verify();
  });
  return (piece) => {
    transfer.passed(piece.length);
    sent?.push(piece);
    const objects = sent?.objects;
    if (objects !== undefined) learn(objects);
  };
}

/** git ended before it was through: by its bound while its client was waited for, or by itself. */
export function failed(transfer: Transfer, says: string): void {
  transfer.fail(transfer.isForClient ? "transfer/stalled" : "transfer/failed", says);
}

/** The answer to a fetch, counted. Where git does not bring it to its end, so much is told before it is. */
export async function* given(
  transfer: Transfer,
  backend: Backend,
  body: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const pack = new GivenPack();
  let known = false;
  for await (const piece of body) {
    pack.push(piece);
    const { objects } = pack;
    if (objects !== undefined && !known) {
      known = true;
      transfer.negotiated({ objects });
    }
    transfer.passed(piece.length);
    yield piece;
  }
  const { exitCode, failure, says: said } = await backend.ended;
  if (failure) {
    // Before the answer is cut off, which looks as if its client had left.
    failed(transfer, failure.message);
    throw failure;
  }
  if (pack.refusal !== "") transfer.refuse("transfer/git-refused", pack.refusal);
  // Without a pack it may end so where its client asked for nothing more (`--depth` by the older protocol).
  else if (exitCode !== 0 && known) failed(transfer, `git ended with ${exitCode ?? "a signal"}: ${said.trim()}`);
  else if (pack.digest !== undefined) transfer.learn({ digest: pack.digest });
}
