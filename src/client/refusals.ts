/** What an answer that says no says, also where it is not the server's own. */
import type { Problem } from "../contract/problem.ts";
import { ApiError } from "./errors.ts";

/** Problems are short; of a page that is none, this much is read for its sentence. */
const problemMaxCharacters = 64 * 1024;

export async function apiErrorOf(response: Response, path: string): Promise<ApiError> {
  const text = (await response.text().catch(() => "")).slice(0, problemMaxCharacters); // A refusal without its body is still one.
  const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
  return new ApiError(problemOf(text, response.status, path), Number.isFinite(retryAfter) ? retryAfter : null);
}

/** The problem in an answer's body, filled up where a proxy or another server answered in its own form. */
function problemOf(text: string, status: number, path: string): Problem {
  const raw = tryParse(text);
  const says = [raw["detail"], raw["error"], raw["title"]].find((value): value is string => typeof value === "string");
  const problem: Problem = {
    type: "about:blank",
    title: `HTTP ${status}`,
    status,
    detail: says ?? `The server answered ${status} to ${path}.`,
    boundary: "control",
    code: `http-${status}`,
    owner: status >= 500 ? "platform" : "visitor",
    retry: status >= 500 ? "later" : "never",
    next: status >= 500 ? "Try again; the server's log says more." : "Check the address and the command.",
  };
  return typeof raw["code"] === "string" && typeof raw["detail"] === "string"
    ? { ...problem, ...raw, status }
    : problem;
}

function tryParse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {}; // Not JSON: a page of something between us and the server.
  }
}
