/**
 * Signatures of Standard Webhooks 1.0.0: HMAC-SHA256 over `ID.TIMESTAMP.BODY` with a secret that only the webhook's owner and the
 * platform know.
 */
import { createHmac } from "node:crypto";
import type { RandomBytes } from "../../stdx/ids.ts";
import type { Instant } from "../../stdx/time.ts";

/** The specification wants 24 to 64 bytes; so many as the digest has. */
const secretBytes = 32;
const prefix = "whsec_";

export interface Signed {
  readonly id: string;
  /** When it is sent: another one at each try. */
  readonly at: Instant;
  readonly body: string;
}

/** `whsec_…` */
export function newWebhookSecret(random: RandomBytes): string {
  return `${prefix}${Buffer.from(random(secretBytes)).toString("base64")}`;
}

/** The three headers; with a signature by each of the secrets, so that whoever has either of two verifies it. */
export function signatureHeaders(
  { id, at, body }: Signed,
  secrets: readonly string[],
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(at / 1000));
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(prefix.length), "base64");
    return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
  });
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures.join(" ") };
}
