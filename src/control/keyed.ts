/** `Idempotency-Key` on the API: which requests take one, how it is written, and what makes two requests the same. */
import { createHash } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { parseItem } from "structured-headers";
import { jsonBodyMaxBytes } from "../http/index.ts";
import type { ApiContext, ApiEnv } from "./api.ts";
import { refuse } from "./api.ts";
import type { Caller } from "./caller.ts";
import { boundedBody } from "./json-body.ts";
import type { GivenAnswer } from "./request-keys.ts";
import { commitMaxBytes } from "./routes/hub/upload.ts";
import type { Server } from "./server.ts";

/** As much as others take; a UUID has 36. */
export const keyMaxCharacters = 255;
const changing: readonly string[] = ["POST", "PUT", "PATCH", "DELETE"];
/** They change nothing, or what they make is good once. */
const keyless = /^\/api\/(?:gpu\/quote|trials|spaces\/[^/]+\/[^/]+\/frame)$/;

/** Answers a request that has a key once; one without passes as it is. */
export function keyed(server: Server): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const header = c.req.header("idempotency-key");
    const caller = c.get("caller");
    // A stranger has no keys: nothing that strangers may do changes anything.
    if (header === undefined || caller === null || !changing.includes(c.req.method) || keyless.test(c.req.path))
      return next();
    const key = keyOf(header);
    if (key === undefined)
      return refuse(c, "control/invalid", {
        detail: keySays,
        errors: [{ where: "Idempotency-Key", message: keySays }],
      });
    const body = await boundedBody(c, c.req.path.includes("/commit/") ? commitMaxBytes : jsonBodyMaxBytes);
    if (body instanceof Response) return body;
    c.req.raw = withBody(c.req.raw, body);
    const request = { account: caller.account, key, fingerprint: fingerprintOf(c, caller, body) };
    const outcome = await server.requestKeys.once(request, async () => {
      await next();
      return answerOf(c.res);
    });
    if (outcome.kind === "refused") return refuse(c, outcome.code, { detail: outcome.detail });
    if (!outcome.again) return undefined;
    const { status, headers, body: text } = outcome.answer;
    return new Response(text, { status, headers: [...headers, ["idempotent-replayed", "true"]] as [string, string][] });
  };
}

const keySays = `Idempotency-Key is a string in quotes of 1 to ${keyMaxCharacters} characters, as "8e03978e-40d5-43dd-bc93-6894a57f9324" (RFC 9651, section 3.3.3).`;

/** Undefined where the header is not a structured Item of one String. */
function keyOf(header: string): string | undefined {
  try {
    const [value] = parseItem(header);
    return typeof value === "string" && value.length >= 1 && value.length <= keyMaxCharacters ? value : undefined;
  } catch {
    return undefined; // The answer says what is wrong.
  }
}

/** The caller's rights count: whoever has the key and a lesser token is not shown what the first answer holds. */
function fingerprintOf(c: ApiContext, { scopes, admin, via }: Caller, body: Uint8Array): string {
  const { pathname, search } = new URL(c.req.url);
  const head = JSON.stringify([
    c.req.method,
    pathname,
    search,
    scopes.toSorted(),
    admin,
    ...(via.kind === "token" && via.spaces.length > 0 ? [via.spaces] : []),
  ]);
  return createHash("sha256").update(head).update("\n").update(body).digest("hex");
}

/** The same request, whose body can be read once more. */
function withBody({ url, method, headers, signal }: Request, body: Uint8Array): Request {
  return new Request(url, { method, headers, signal, body: body.length === 0 ? null : Buffer.from(body) });
}

async function answerOf(response: Response): Promise<GivenAnswer> {
  const { status, headers } = response;
  return { status, headers: [...headers], body: await response.clone().text() };
}
