/** The check itself, in the browser, without asking anybody; and what the browser keeps of logs that it has seen. */
import { decoded } from "../../receipts/bytes.ts";
import { outcomeOf, verifyReceipt } from "../../receipts/document.ts";
import type { Outcome, ReceiptVerified } from "../../receipts/document.ts";
import { seenOf } from "../../receipts/remembered.ts";
import { forget, keep, kept } from "../kept.ts";
import { seenIn, seenText } from "./reading.ts";
import type { TrustedKeys } from "./reading.ts";

const keptAs = "waybill-receipt-logs";
/** RFC 8032 §7.1, test 1: a key that every implementation of Ed25519 takes. */
const knownKey = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

export interface Found {
  readonly outcome: Outcome;
  readonly verified: ReceiptVerified;
}

/** Whether this browser can: pages at plain-http addresses have no cryptography, and older browsers have no Ed25519. */
export async function canVerify(): Promise<boolean> {
  try {
    await crypto.subtle.importKey("raw", decoded(knownKey, "base64url") ?? new Uint8Array(), "Ed25519", false, [
      "verify",
    ]);
    return true;
  } catch {
    return false;
  }
}

/** `keys`: the platform's own, where somebody has them. `at`: how a time is written. */
export async function check(
  document: unknown,
  keys: TrustedKeys | undefined,
  at: (time: string) => string,
): Promise<Found> {
  // Where nothing is kept, the result says that only the file vouches for its key.
  const seen = seenIn(kept(keptAs));
  const verified = await verifyReceipt(document, {
    keys,
    remembered: (origin) => {
      const log = seenOf(seen, origin);
      return log && { ...log, at: at(log.at) };
    },
  });
  const { learned } = verified;
  if (learned) keep(keptAs, seenText({ ...seen, [learned.origin]: { ...learned, at: new Date().toISOString() } }));
  return { outcome: outcomeOf(verified, keys !== undefined), verified };
}

/** Each log is then taken as it is when it is seen next. */
export function forgetLogs(): void {
  forget(keptAs);
}
