/** Asks the platform's API what a call would meet, on the account of the visitor whose request is being answered. */
import { refusalOf } from "./device.ts";
import type { Quote, Size } from "./types.ts";

export interface QuoteArguments {
  readonly durationSeconds: number;
  readonly size: Size;
  /** The visitor's; null: the Space's owner is asked about. */
  readonly token: string | null;
}

/** The platform answers from memory. */
const answerWithinMs = 10_000;

/** `api` as in WAYBILL_URL, `space` as in SPACE_ID. Throws `GpuRefused`, the signal's reason, or an error where nobody answers. */
export async function askQuote(
  { api, space }: { readonly api: string; readonly space: string },
  { durationSeconds, size, token }: QuoteArguments,
  signal: AbortSignal | undefined,
): Promise<Quote> {
  const late = AbortSignal.timeout(answerWithinMs);
  let response: Response;
  try {
    response = await fetch(`${api.replace(/\/+$/, "")}/api/gpu/quote`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(token === null ? {} : { "x-ip-token": token }) },
      body: JSON.stringify({ space, declaredMs: durationSeconds * 1000, size }),
      signal: signal ? AbortSignal.any([signal, late]) : late,
    });
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw new Error("The platform could not be asked what a GPU call would meet.", { cause: error });
  }
  if (!response.ok) throw await refusalOf(response, null);
  return (await response.json()) as Quote;
}

/** What it would meet where no platform is. */
export function localQuote(durationSeconds: number): Quote {
  const asked = { admitted: true, heldMs: 0, leaseMs: durationSeconds * 1000, clipped: false, usual: null };
  return { ...asked, pool: "", passed: [], waiting: null, refused: null };
}
