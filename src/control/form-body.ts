/** Reads and checks a form's body (`application/x-www-form-urlencoded`): bounded, each field once. */
import type { ApiContext } from "./api.ts";
import { refuse } from "./api.ts";
import { boundedBody } from "./json-body.ts";

/** Forms that people and OAuth's clients send are some hundred bytes. */
const formMaxBytes = 16 * 1_024;

/** The fields, or the answer that says why there are none. */
export async function formFields(
  c: ApiContext,
  maxBytes = formMaxBytes,
): Promise<Readonly<Record<string, string>> | Response> {
  const body = await formBody(c, maxBytes);
  if (body instanceof Response) return body;
  return "wrong" in body ? refuse(c, "control/invalid", { detail: body.wrong }) : body.fields;
}

/** The fields, or why they are none (RFC 6749, 3.2: a parameter that is there twice is refused). */
export async function formBody(
  c: ApiContext,
  maxBytes = formMaxBytes,
): Promise<{ readonly fields: Readonly<Record<string, string>> } | { readonly wrong: string } | Response> {
  const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/x-www-form-urlencoded")
    return { wrong: "The body is to be application/x-www-form-urlencoded." };
  const bytes = await boundedBody(c, maxBytes);
  if (bytes instanceof Response) return bytes;
  const fields = [...new URLSearchParams(new TextDecoder().decode(bytes))];
  const names = new Set(fields.map(([name]) => name));
  if (names.size < fields.length) return { wrong: "A field is there twice." };
  return { fields: Object.fromEntries(fields) };
}
