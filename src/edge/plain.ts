/** What a visitor without TLS is answered where the edge has it: the proof that a certificate authority asks for, else the way to TLS. */
import type { IncomingMessage, ServerResponse } from "node:http";

import { drain } from "./answers.ts";
import type { Screened } from "./screen.ts";
import type { TlsPairs } from "./secure.ts";

export interface PlainVisit {
  readonly screened: Screened;
  readonly pairs: TlsPairs;
  /** Whether it may go on without TLS, as programs of this machine may. */
  readonly mayStay: boolean;
  /** Where TLS is. */
  readonly port: number;
}

const challengePath = "/.well-known/acme-challenge/";

/** Whether it is answered. What it asked for is not done: it was readable on the way, and would be in the answer too. */
export function answerPlain(
  request: IncomingMessage,
  response: ServerResponse,
  visit: PlainVisit,
): boolean | Promise<boolean> {
  const { target } = visit.screened;
  if (!target.startsWith(challengePath)) return answered(request, response, visit, undefined);
  const proof = visit.pairs.challenge(target.slice(challengePath.length));
  if (!(proof instanceof Promise)) return answered(request, response, visit, proof);
  return proof.then((found) => answered(request, response, visit, found));
}

function answered(
  request: IncomingMessage,
  response: ServerResponse,
  { screened, mayStay, port }: PlainVisit,
  proof: string | undefined,
): boolean {
  const { target, host } = screened;
  if (proof !== undefined) {
    const bytes = Buffer.from(proof, "latin1");
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": String(bytes.length) });
    response.end(request.method === "HEAD" ? undefined : bytes);
    return true;
  }
  if (mayStay) return false;
  const location = `https://${host}${port === 443 ? "" : `:${port}`}${target === "*" ? "/" : target}`;
  response.writeHead(308, { location, "content-length": "0", connection: "close" });
  response.end();
  if (!request.complete) drain(request);
  return true;
}
