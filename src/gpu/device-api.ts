/**
 * The Device API over HTTP, on a loopback port of its own and under a path that only this replica was told: at this level the
 * unguessable path is the channel that says which replica calls.
 *
 *   POST /startup-report   POST /schedule   POST /allow   POST /release   GET /queue-size
 */
import { once } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type * as net from "node:net";
import { setImmediate as immediate, setTimeout as delay } from "node:timers/promises";
import { createServer } from "../http/node-http.ts";
import type { AllowAnswer, ReleaseAnswer, ScheduleAnswer, Ticket } from "./device.ts";
import {
  endBody,
  event,
  grantBody,
  grantedAnswer,
  parseAllow,
  parseRelease,
  parseSchedule,
  problemOf,
  refusedAnswer,
  streamHeaders,
  waitingBody,
  type Parsed,
  type ReleaseQuery,
  type ScheduleQuery,
} from "./wire.ts";

export interface DeviceApiTimes {
  /** A grant or refusal within this is a plain answer; afterwards the event stream begins. */
  readonly plainWithinMs: number;
  /** As long as this while the agent is away: the client gives up on a silent answer after 60 s. */
  readonly silentMs: number;
  /** Keep-alive, and the only moment at which a client notices that its visitor has gone. */
  readonly pingMs: number;
  /** Between two events: they must not meet in one read of the client. */
  readonly gapMs: number;
  /** How long a `spaces` client that has its grant may take to close the stream: its way of doing so tells whether it was read. */
  readonly lingerMs: number;
  /** A client is told to give up after this; the server's queue limit is reached long before, unless the server is away. */
  readonly longestMs: number;
}

export const deviceApiTimes: DeviceApiTimes = {
  plainWithinMs: 2_000,
  silentMs: 50_000,
  pingMs: 2_000,
  gapMs: 100,
  lingerMs: 2_000,
  longestMs: 3_600_000,
};

/** What answers behind the wire. */
export interface DeviceCalls {
  schedule(query: ScheduleQuery): Ticket | undefined;
  allow(allowToken: string, pid: number): Promise<AllowAnswer>;
  release(query: ReleaseQuery): Promise<ReleaseAnswer>;
  queueSize(): number;
  connected(): boolean;
}

export interface DeviceApi {
  /** Base URL, without a slash at its end. */
  readonly url: string;
  close(): Promise<void>;
}

/** All arguments are in the query; a body is read and thrown away up to here. */
const bodyMaxBytes = 4_096;
const headMaxBytes = 16_384;
/** How often a stream looks for something new to say. */
const lookEveryMs = 50;

export async function serveDeviceApi(
  calls: DeviceCalls,
  options: { readonly secret: string; readonly times: Partial<DeviceApiTimes> },
): Promise<DeviceApi> {
  const times = { ...deviceApiTimes, ...options.times };
  const prefix = `/${options.secret}`;
  const server = createServer({ maxHeaderSize: headMaxBytes, noDelay: true }, (request, response) => {
    handle(calls, times, prefix, request, response).catch((error: unknown) => {
      // Our bug or our disk's failure: never a success, and never silent.
      response.destroy();
      throw error;
    });
  });
  listenOnLoopback(server);
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  return { url: `http://127.0.0.1:${port}${prefix}`, close: () => close(server) };
}

/**
 * On a free port. Bound beforehand, where this Node can do that (26.4), no address is looked up: for that Node compiles a pattern for
 * ten milliseconds, at each shim's start.
 */
function listenOnLoopback(server: Server): void {
  const { BoundSocket }: Partial<typeof net> = process.getBuiltinModule("node:net");
  const host = "127.0.0.1";
  if (BoundSocket === undefined) server.listen(0, host);
  else server.listen(new BoundSocket({ host }));
}

async function handle(
  calls: DeviceCalls,
  times: DeviceApiTimes,
  prefix: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  drain(request, response);
  const [path, query] = split(request.url ?? "/");
  const name = path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : "";
  const method = methods[name];
  if (method === undefined) return plain(response, 404, { detail: "no such path" });
  if (request.method !== method) {
    response.setHeader("allow", method);
    return plain(response, 405, { detail: `this path takes ${method}` });
  }
  if (name === "/startup-report") return plain(response, 200, {});
  if (name === "/queue-size") return plain(response, 200, calls.queueSize());
  if (name === "/allow") return allow(calls, parseAllow(query), response);
  if (name === "/release") return release(calls, parseRelease(query), response);
  return schedule(calls, times, parseSchedule(query), response);
}

const methods: Readonly<Record<string, "GET" | "POST">> = {
  "/startup-report": "POST",
  "/schedule": "POST",
  "/allow": "POST",
  "/release": "POST",
  "/queue-size": "GET",
};

const allowAnswers = {
  ok: [200, "the GPU is yours"],
  unknown: [404, "no such allowToken"],
  "not-yours": [403, "this pid is no process of this app"],
  ended: [409, "this call has ended"],
  "other-worker": [409, "another process holds this call"],
} as const satisfies Record<AllowAnswer, readonly [number, string]>;

async function allow(
  calls: DeviceCalls,
  parsed: Parsed<{ allowToken: string; pid: number }>,
  response: ServerResponse,
): Promise<void> {
  if (!parsed.ok) return plain(response, 400, { detail: parsed.says });
  const [status, detail] = allowAnswers[await calls.allow(parsed.query.allowToken, parsed.query.pid)];
  plain(response, status, { detail });
}

async function release(calls: DeviceCalls, parsed: Parsed<ReleaseQuery>, response: ServerResponse): Promise<void> {
  if (!parsed.ok) return plain(response, 400, { detail: parsed.says });
  const answer = await calls.release(parsed.query);
  if (answer.kind === "unknown") return plain(response, 404, { detail: "no such allowToken" });
  if (answer.end.unused) return void response.writeHead(204, { "content-type": "application/json" }).end();
  sendJson(response, 200, endBody(answer.end));
}

async function schedule(
  calls: DeviceCalls,
  times: DeviceApiTimes,
  parsed: Parsed<ScheduleQuery>,
  response: ServerResponse,
): Promise<void> {
  if (!parsed.ok) return plain(response, 400, { detail: parsed.says });
  const { query } = parsed;
  const ticket = calls.schedule(query);
  if (!ticket) return plain(response, 503, { detail: "too many calls of this replica wait already" });
  const wait = new Waiting(ticket, query, response);
  const early = await wait.plainly(times, () => calls.connected());
  if (early) return wait.answerPlain(early);
  await wait.answerStream(times);
}

/** One client that waits at `/schedule`. */
class Waiting {
  readonly #ticket: Ticket;
  readonly #query: ScheduleQuery;
  readonly #response: ServerResponse;
  readonly #since = performance.now();
  readonly #closed: Promise<void>;
  #answer: ScheduleAnswer | undefined;
  #gone = false;
  /** Its answer is on its way: a client that closes now has what it came for, if it has read it. */
  #told = false;

  constructor(ticket: Ticket, query: ScheduleQuery, response: ServerResponse) {
    this.#ticket = ticket;
    this.#query = query;
    this.#response = response;
    void ticket.answer.then((answer) => (this.#answer = answer));
    const { socket } = response;
    this.#closed = once(response, "close").then(() => {
      this.#gone = true;
      // A close with bytes that were never read resets the connection (RFC 9293 §3.6.1): that client left as its grant came.
      const unread = this.#told && !response.writableEnded && isReset(socket?.errored);
      // Our own SDK schedules anew when it wants to; a `spaces` client whose stream broke comes back for the same call.
      if (!this.#told || unread) ticket.hangUp(!this.#told && !query.extended);
    });
  }

  /** The answer, where it comes before the stream must begin. */
  async plainly(times: DeviceApiTimes, connected: () => boolean): Promise<ScheduleAnswer | undefined> {
    for (;;) {
      const limit = connected() ? times.plainWithinMs : times.silentMs;
      // Our own SDK wants to hear at once that it waits; others read the first bytes of a stream as a wait that is long.
      const waits = this.#query.extended && this.#ticket.queued() !== undefined;
      if (this.#answer || this.#gone || waits || this.#waitedMs() >= limit) return this.#answer;
      await this.#pause(Math.min(lookEveryMs, limit - this.#waitedMs()));
    }
  }

  answerPlain(answer: ScheduleAnswer): void {
    if (this.#gone) return;
    this.#told = true;
    if (answer.kind === "moot") return void this.#response.destroy();
    const { extended } = this.#query;
    const { status, headers, body } =
      answer.kind === "granted" ? grantedAnswer(answer.grant, extended) : refusedAnswer(answer.refusal, extended);
    this.#response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) }).end(body);
  }

  async answerStream(times: DeviceApiTimes): Promise<void> {
    if (this.#gone) return;
    this.#response.writeHead(200, { ...streamHeaders, "x-waybill-id": this.#ticket.call });
    this.#response.flushHeaders();
    let told: unknown;
    let quietSince = performance.now();
    await delay(times.gapMs);
    await this.#send(event("ping"), times);
    while (!this.#answer && !this.#gone && this.#waitedMs() < times.longestMs) {
      const queued = this.#ticket.queued();
      const news = this.#query.extended && queued !== undefined && queued !== told;
      if (news) await this.#send(event("waiting", waitingBody(queued)), times);
      else if (performance.now() - quietSince >= times.pingMs) await this.#send(event("ping"), times);
      else {
        await this.#pause(lookEveryMs);
        continue;
      }
      told = queued;
      quietSince = performance.now();
    }
    // Whoever has closed by now is seen to be gone.
    await immediate();
    if (this.#gone) return;
    if (!this.#answer) this.#ticket.hangUp(false);
    this.#told = true;
    this.#response.write(this.#last());
    const lingers = this.#answer?.kind === "granted" && !this.#query.extended;
    // The end of the stream is a chunk of its own.
    await Promise.race([this.#closed, delay(lingers ? times.lingerMs : times.gapMs)]);
    this.#response.end();
  }

  #last(): string {
    const answer = this.#answer;
    const { extended } = this.#query;
    if (answer?.kind === "granted") return event("succeeded", grantBody(answer.grant, extended));
    if (answer?.kind === "refused" && extended) return event("failed", JSON.stringify(problemOf(answer.refusal)));
    return event("failed");
  }

  async #send(text: string, { gapMs }: DeviceApiTimes): Promise<void> {
    if (this.#gone) return;
    this.#response.write(text);
    await delay(gapMs);
  }

  async #pause(ms: number): Promise<void> {
    const stop = new AbortController();
    await Promise.race([this.#ticket.answer, delay(ms, undefined, { signal: stop.signal }).catch(() => undefined)]);
    stop.abort();
  }

  #waitedMs(): number {
    return performance.now() - this.#since;
  }
}

function isReset(error: Error | null | undefined): boolean {
  return error !== null && error !== undefined && "code" in error && error.code === "ECONNRESET";
}

function drain(request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > bodyMaxBytes) response.destroy();
  });
  request.on("error", () => response.destroy());
}

function split(url: string): readonly [path: string, query: URLSearchParams] {
  const at = url.indexOf("?");
  return at === -1 ? [url, new URLSearchParams()] : [url.slice(0, at), new URLSearchParams(url.slice(at + 1))];
}

function plain(response: ServerResponse, status: number, body: unknown): void {
  sendJson(response, status, JSON.stringify(body));
}

function sendJson(response: ServerResponse, status: number, text: string): void {
  response
    .writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) })
    .end(text);
}

async function close(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  if (server.listening) await once(server, "close");
}
