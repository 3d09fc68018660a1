/**
 * The platform's own requests to addresses that its users name: one POST over a connection to an address that was judged after it was
 * resolved, so that no name leads into the operator's network, now or at its next answer. No redirect is followed, and nothing is kept
 * between two requests.
 */
import { request, type IncomingMessage } from "node:http";
import { isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as secure } from "node:tls";
import type { Posted, Posting } from "../contract/posting.ts";
import { DialFailed, errnoOf, systemDialler, type Dialler } from "./dial.ts";
import { judgeAddress, parseRange, type AddressRange } from "./ranges.ts";

export interface PosterOptions {
  /** What an operator lets be reached although it is private. */
  readonly addresses: readonly AddressRange[];
  readonly dialler?: Dialler;
  /** In the place of the authorities that the machine trusts: PEM. */
  readonly ca?: string;
  readonly withinMs?: number;
}

/** From the name to the answer's headers and first bytes. */
const postWithinMs = 10_000;
/** Addresses of one name that are tried. */
const addressesMax = 8;
/** Kept of an answer. */
const answerMaxBytes = 1_024;

const loopback = ["127.0.0.0/8", "::1"].flatMap((text) => parseRange(text) ?? []);

/** Sends one; rejects only when `signal` is aborted. */
export function poster(options: PosterOptions): (posting: Posting, signal: AbortSignal) => Promise<Posted> {
  const { withinMs = postWithinMs, dialler = systemDialler() } = options;
  return async (posting, signal) => {
    const time = AbortSignal.timeout(withinMs);
    try {
      return await post(posting, { ...options, dialler }, AbortSignal.any([signal, time]));
    } catch (error) {
      signal.throwIfAborted();
      if (time.aborted) return { answered: false, why: "late", detail: `${withinMs / 1_000} s` };
      return { answered: false, why: whyOf(error), detail: errnoOf(error) };
    }
  };
}

async function post(
  posting: Posting,
  { dialler, addresses, ca }: PosterOptions & { readonly dialler: Dialler },
  signal: AbortSignal,
): Promise<Posted> {
  const url = new URL(posting.url);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const isPlain = url.protocol === "http:";
  const resolved = await resolve(dialler, host, signal);
  if (typeof resolved === "string") return { answered: false, why: "unresolved", detail: resolved };
  const judged = resolved.slice(0, addressesMax).map((one) => ({ one, ...judge(one, { isPlain, addresses }) }));
  const allowed = judged.flatMap(({ one, ok }) => (ok ? one : []));
  if (allowed.length === 0) {
    const [first] = judged;
    const detail = first ? `${host === first.one ? host : `${host} is ${first.one}`}: ${first.rule}` : host;
    return first ? { answered: false, why: "denied", detail } : { answered: false, why: "unresolved", detail };
  }
  const port = Number(url.port || (isPlain ? 80 : 443));
  const { socket } = await dialler.dial(allowed, port, signal);
  try {
    const stream = isPlain ? socket : await secured(socket, host, { ca, signal });
    // Also once nobody waits any more; whoever does is told by the request.
    stream.on("error", () => {});
    const response = await send(posting, url, stream, signal);
    const answer = await firstBytes(response);
    return { answered: true, status: response.statusCode ?? 0, retryAfter: response.headers["retry-after"], answer };
  } finally {
    socket.destroy();
  }
}

/** All addresses of the name; its errno where there is none. */
async function resolve(dialler: Dialler, host: string, signal: AbortSignal): Promise<readonly string[] | string> {
  if (isIP(host) !== 0) return [host];
  try {
    return await dialler.resolve(host, signal);
  } catch (error) {
    signal.throwIfAborted();
    return errnoOf(error);
  }
}

/** What is not encrypted stays on this machine. */
function judge(
  address: string,
  { isPlain, addresses }: { isPlain: boolean; addresses: readonly AddressRange[] },
): { readonly ok: boolean; readonly rule: string } {
  if (isPlain && !loopback.some((range) => range.has(address)))
    return { ok: false, rule: "http reaches this machine alone" };
  return judgeAddress(address, addresses);
}

function secured(
  socket: Socket,
  host: string,
  { ca, signal }: { readonly ca: string | undefined; readonly signal: AbortSignal },
): Promise<Duplex> {
  return new Promise((resolved, reject) => {
    const aborted = (): void => void stream.destroy(signal.reason as Error);
    const stream = secure({
      ...{ socket, host, ALPNProtocols: ["http/1.1"] },
      ...(isIP(host) === 0 && { servername: host }),
      ...(ca !== undefined && { ca }),
    });
    const end = (): void => signal.removeEventListener("abort", aborted);
    signal.addEventListener("abort", aborted, { once: true });
    stream.once("secureConnect", () => {
      end();
      resolved(stream);
    });
    stream.once("error", (error) => {
      end();
      reject(error);
    });
  });
}

function send({ headers, body }: Posting, url: URL, stream: Duplex, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolved, reject) => {
    const asked = request({
      ...{ method: "POST", path: `${url.pathname}${url.search}`, signal, createConnection: () => stream },
      headers: { host: url.host, connection: "close", "content-length": Buffer.byteLength(body), ...headers },
    });
    asked.once("response", resolved);
    // Also after the answer has begun: then nobody waits for it, and the first bytes are those that came.
    asked.on("error", reject);
    asked.end(body);
  });
}

/** An answer that breaks off or does not end has its status all the same. */
async function firstBytes(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= answerMaxBytes) break;
    }
  } catch {
    // It is kept as far as it came.
  }
  return new TextDecoder().decode(Buffer.concat(chunks).subarray(0, answerMaxBytes));
}

/** Node's names of what is wrong with a certificate; all else is a connection that broke. */
const untrusted = /CERT|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE/;

function whyOf(error: unknown): "unconnected" | "untrusted" | "broken" {
  if (error instanceof DialFailed) return "unconnected";
  return untrusted.test(errnoOf(error)) ? "untrusted" : "broken";
}
