/** Reads and checks a JSON body: bounded, and with all problems of a wrong one at once. */
import type { z } from "zod";
import type { ApiContext } from "./api.ts";
import { refuse } from "./api.ts";
import type { AskedBody } from "./audited.ts";
import { jsonBodyMaxBytes } from "../http/index.ts";

/** The parsed body, or the answer that names every field that is wrong. */
export async function jsonBody<Output>(c: ApiContext, schema: z.ZodType<Output>): Promise<Output | Response> {
  const bytes = await boundedBody(c, jsonBodyMaxBytes);
  if (bytes instanceof Response) return bytes;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    return refuse(c, "control/invalid", { detail: `The body is not JSON: ${(error as Error).message}` });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) {
    c.set("asked", parsed.data as AskedBody);
    return parsed.data;
  }
  return refuseInput(c, parsed.error, "body");
}

/** A body that may be left out, as the Hub's clients do. */
export async function optionalBody<Output>(c: ApiContext, schema: z.ZodType<Output>): Promise<Output | Response> {
  const isEmpty = c.req.raw.body === null || c.req.header("content-length") === "0";
  if (!isEmpty) return jsonBody(c, schema);
  const parsed = schema.safeParse({});
  return parsed.success ? parsed.data : refuseInput(c, parsed.error, "body");
}

/** The answer that names every field that is wrong; `whole`: what is said where it is none of them. */
export function refuseInput(c: ApiContext, { issues }: z.ZodError, whole: "body" | "query"): Response {
  const errors = issues.map(({ path, message }) => ({ where: path.join(".") || whole, message }));
  return refuse(c, "control/invalid", {
    detail: errors.map(({ where, message }) => `${where}: ${message}`).join("; "),
    errors,
  });
}

/** The body's bytes, or 413 as soon as they are too many. */
export async function boundedBody(c: ApiContext, maxBytes: number): Promise<Uint8Array | Response> {
  const tooLarge = (): Response => refuse(c, "route/too-large", { detail: `The body may have ${maxBytes} bytes.` });
  if (Number(c.req.header("content-length") ?? 0) > maxBytes) return tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of c.req.raw.body ?? []) {
    size += chunk.length;
    if (size > maxBytes) return tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
