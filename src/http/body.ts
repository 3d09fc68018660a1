/** Reads a request's body whole, up to a limit. */
import type { IncomingMessage } from "node:http";

export type Body =
  | { readonly ok: true; readonly bytes: Buffer }
  | { readonly ok: false; readonly refusal: "too-large" | "gone" };

/**
 * The body's bytes, at most `maxBytes` of them. `too-large` as soon as the limit is passed (by its declared length before a byte is
 * read); `gone` where the client left before the end. Never throws for what a client does.
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Body> {
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > maxBytes) return Promise.resolve({ ok: false, refusal: "too-large" });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = (body: Body): void => {
      request.off("data", onData);
      request.off("end", onEnd);
      request.off("close", onGone);
      request.off("error", onGone);
      resolve(body);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else {
        request.pause();
        finish({ ok: false, refusal: "too-large" });
      }
    };
    const onEnd = (): void => finish({ ok: true, bytes: Buffer.concat(chunks, size) });
    const onGone = (): void => finish({ ok: false, refusal: "gone" });
    request.on("data", onData).on("end", onEnd).on("close", onGone).on("error", onGone);
  });
}
