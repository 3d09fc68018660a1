/** The program's side of the device flow (RFC 8628): asks for a code, shows it, and asks for the token until a person has answered. */
import { setTimeout as delay } from "node:timers/promises";
import { ServerUnreachable } from "./errors.ts";
import { apiErrorOf } from "./refusals.ts";
import { answerWithinMs } from "./transport.ts";

export interface DeviceCode {
  readonly userCode: string;
  /** Where a person types it, and the same with the code in it. */
  readonly at: string;
  readonly atWithCode: string;
  readonly expiresInMs: number;
}

export interface DeviceSignInOptions {
  /** The console's address. */
  readonly url: string;
  readonly machine: string;
  readonly scopes: readonly string[];
  readonly signal: AbortSignal;
  onCode(code: DeviceCode): void;
}

export type DeviceOutcome = { readonly token: string } | { readonly error: string; readonly says: string };

const grantType = "urn:ietf:params:oauth:grant-type:device_code";
const client = "waybill";
/** A server that says less is asked no more often. */
const intervalLeastMs = 1_000;
const slowerByMs = 5_000;

/** Rejects with `ApiError` or `ServerUnreachable` where no code is given; ends when a person answered, or the code's time is over. */
export async function signInByDevice(options: DeviceSignInOptions): Promise<DeviceOutcome> {
  const { signal, machine, scopes } = options;
  const url = options.url.replace(/\/+$/, "");
  const begun = await post(url, "/oauth/device", { client_id: client, machine, scope: scopes.join(" ") }, signal);
  if (!begun.ok) throw await apiErrorOf(begun, "/oauth/device");
  const code = codeOf(await begun.json().catch(() => ({})), url);
  options.onCode(code);
  const until = performance.now() + code.expiresInMs;
  let intervalMs = code.intervalMs;
  while (performance.now() < until) {
    const asked = { grant_type: grantType, device_code: code.deviceCode, client_id: client };
    const told = await words(post(url, "/oauth/token", asked, signal));
    if (typeof told["access_token"] === "string") return { token: told["access_token"] };
    const error = told["error"];
    const says = told["error_description"];
    if (error === "slow_down") intervalMs += slowerByMs;
    else if (typeof error === "string" && error !== "authorization_pending")
      return { error, says: typeof says === "string" ? says : error };
    await delay(Math.min(intervalMs, Math.max(0, until - performance.now())), undefined, { signal });
  }
  return { error: "expired_token", says: "Nobody answered in time." };
}

async function post(
  url: string,
  path: string,
  fields: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Response> {
  const late = AbortSignal.timeout(answerWithinMs);
  try {
    return await fetch(url + path, {
      ...{ method: "POST", body: new URLSearchParams(fields), redirect: "error" },
      ...{ headers: { accept: "application/json" }, signal: AbortSignal.any([signal, late]) },
    });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw new ServerUnreachable(url, late.aborted ? "did not answer in time" : "does not answer", error);
  }
}

/** Nothing of what is no answer of OAuth's: a proxy's page, an error of the server's, or of one that is being started again (RFC 8628, 3.5). */
async function words(asked: Promise<Response>): Promise<Readonly<Record<string, unknown>>> {
  try {
    const response = await asked;
    const body: unknown = await response.json().catch(() => null); // Not JSON: asked again, until the code has ended.
    return response.status < 500 && typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  } catch (error) {
    if (error instanceof ServerUnreachable) return {};
    throw error;
  }
}

function codeOf(body: unknown, url: string): DeviceCode & { readonly deviceCode: string; readonly intervalMs: number } {
  const { device_code: deviceCode, user_code: userCode, ...rest } = body as Readonly<Record<string, unknown>>;
  const { verification_uri: at, verification_uri_complete: whole } = rest;
  if (typeof deviceCode !== "string" || typeof userCode !== "string" || typeof at !== "string")
    throw new ServerUnreachable(url, "gives no code to sign in by; it may not be Waybill, or an older one", undefined);
  const seconds = (value: unknown, otherwise: number): number =>
    (typeof value === "number" ? value : otherwise) * 1_000;
  return {
    ...{ deviceCode, userCode, at, atWithCode: typeof whole === "string" ? whole : at },
    expiresInMs: seconds(rest["expires_in"], 600),
    intervalMs: Math.max(intervalLeastMs, seconds(rest["interval"], 5)),
  };
}
