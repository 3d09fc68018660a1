/**
 * What a browser carries to an app's address once a session at the console was handed over to it: which session, signed, good at that
 * address alone and as long as the session is. Nothing is kept of it: it says nothing that the session does not, and ends with it.
 */
import { createHmac } from "node:crypto";
import { sameSecret } from "./secret-text.ts";

export interface Visit {
  /** `s_…` */
  readonly session: string;
  /** The address: a host in lower case, or `:PORT`. */
  readonly place: string;
}

/** A longer text was never ours. */
const maxLength = 600;

export function signVisit(key: Uint8Array, { session, place }: Visit): string {
  const payload = Buffer.from(JSON.stringify({ session, place })).toString("base64url");
  return `${payload}.${mac(key, payload)}`;
}

/** The session that may visit that place by it; undefined where we did not sign it for there. */
export function readVisit(key: Uint8Array, text: string, place: string): string | undefined {
  const [payload = "", signature = "", ...more] = text.length > maxLength ? [] : text.split(".");
  if (more.length > 0 || !sameSecret(mac(key, payload), signature)) return undefined;
  const visit = JSON.parse(Buffer.from(payload, "base64url").toString()) as Visit;
  return visit.place === place ? visit.session : undefined;
}

function mac(key: Uint8Array, payload: string): string {
  return createHmac("sha256", key).update(`visit\n${payload}`).digest("base64url");
}
