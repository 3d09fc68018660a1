/** How the console asks: our API, of the address that the page came from, as whoever is signed in there. */
import type { Problem } from "../contract/problem.ts";

/** An answer that is no stream comes within this; the slowest explain a long record. */
const answerWithinMs = 30_000;

/** The platform said no, and why. */
export class ApiRefusal extends Error {
  override readonly name = "ApiRefusal";
  readonly status: number;
  readonly problem: Partial<Problem>;

  constructor(status: number, problem: Partial<Problem>) {
    super(problem.detail ?? problem.title ?? `The platform answered ${status}.`);
    this.status = status;
    this.problem = problem;
  }
}

export async function ask<Answer>(path: string, signal?: AbortSignal): Promise<Answer> {
  return (await answered(path, { method: "GET" }, signal)) as Answer;
}

/** Changes something; of one wish, however often it is sent under one `key`, once. */
export async function order(method: string, path: string, body: unknown, key?: string): Promise<unknown> {
  const headers = { "content-type": "application/json", ...(key !== undefined && { "idempotency-key": `"${key}"` }) };
  return answered(path, { method, headers, body: JSON.stringify(body) });
}

async function answered(path: string, init: RequestInit, signal?: AbortSignal): Promise<unknown> {
  const late = AbortSignal.timeout(answerWithinMs);
  const response = await fetch(path, {
    ...init,
    headers: { ...init.headers, accept: "application/json, application/problem+json" },
    signal: signal === undefined ? late : AbortSignal.any([signal, late]),
  });
  if (response.ok) return response.status === 204 ? null : await response.json();
  throw await refusalOf(response);
}

/** What an answer that is none says. */
export async function refusalOf(response: Response): Promise<ApiRefusal> {
  return new ApiRefusal(response.status, await problemOf(response));
}

/** The same question would be refused again, so it is not asked again by itself; "too many at once" ends. */
export function isRefused(error: Error): boolean {
  return error instanceof ApiRefusal && error.status < 500 && error.status !== 429;
}

/** What stands between us and the platform answers in its own form. */
async function problemOf(response: Response): Promise<Partial<Problem>> {
  if (!/json/.test(response.headers.get("content-type") ?? "")) return {};
  try {
    return (await response.json()) as Partial<Problem>;
  } catch {
    return {};
  }
}
